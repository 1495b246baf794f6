package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// explainList runs explain on the pure-Go backend, with that on standard input, and
// returns the folder it wrote into.
func explainList(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "out")
	root := newRoot()
	root.SetArgs(append([]string{"explain", "--backend", "go", "--out", out}, args...))
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	root.SetIn(strings.NewReader(stdin))
	return out, root.ExecuteContext(t.Context())
}

// imagesOf are the names, files or labels of a run's images.
func imagesOf(t *testing.T, dir string, of func(explained) string) (names []string) {
	t.Helper()
	for _, im := range readManifest(t, dir).Images {
		names = append(names, of(im))
	}
	return names
}

func nameOf(e explained) string { return e.Name }

// tree writes a picture at every path below a new folder.
func tree(t *testing.T, paths ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, p := range paths {
		mkdir(t, filepath.Dir(filepath.Join(dir, p)))
		write(t, filepath.Join(dir, p), pngBytes(t, i))
	}
	return dir
}

// TestExplainPatterns names pictures by patterns and by a list.
func TestExplainPatterns(t *testing.T) {
	dir := tree(t, "cat/1.png", "dog/1.png", "top.jpg", "b[1].png", ".hidden.png", "dog/.hidden.png", "deep/er/x.png")
	write(t, filepath.Join(dir, "notes.txt"), []byte("no picture"))
	at := func(p string) string { return filepath.Join(dir, p) }
	for _, test := range []struct {
		what  string
		stdin string
		args  []string
		want  []string
	}{
		{"below", "", []string{at("**")}, []string{"b[1]", "cat/1", "deep/er/x", "dog/1", "top"}},
		{"by ending", "", []string{at("**/*.{jpg,JPG}")}, []string{"top"}},
		{"one level", "", []string{at("*/*.png")}, []string{"cat/1", "dog/1"}},
		{"a name that looks like a pattern", "", []string{at("b[1].png")}, []string{"b[1]"}},
		{"a folder, without those in it", "", []string{dir}, []string{"b[1]", "top"}},
		{"several", "", []string{at("dog/*"), at("top.jpg")}, []string{"1", "top"}},
		{"a list", at("dog/1.png") + "\r\n\n" + at("cat/1.png"), []string{"-"}, []string{"dog/1", "cat/1"}},
		{"a list of one", at("dog/1.png") + "\n", []string{"-"}, []string{"1"}},
		{"a list with a folder and NULs", at("b[1].png") + "\x00" + at("dog") + "\x00", []string{"--null", "-"}, []string{"b[1]", "1"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			out, err := explainList(t, test.stdin, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := imagesOf(t, out, nameOf); !slices.Equal(got, test.want) {
				t.Errorf("images %q, want %q", got, test.want)
			}
			for _, im := range readManifest(t, out).Images {
				if want := strings.ReplaceAll(im.Name, "/", "_") + "_"; !strings.HasPrefix(im.Pictures[0], want) || !isFile(filepath.Join(out, im.Pictures[0])) {
					t.Errorf("%s: picture %s, want %s...", im.Name, im.Pictures[0], want)
				}
			}
		})
	}
	for _, test := range []struct {
		what  string
		stdin string
		args  []string
		want  string
	}{
		{"no match", "", []string{at("*.gif")}, "explain: no .png, .jpg, .gif, .webp, .bmp, .tiff or .tar is named like " + at("*.gif")},
		{"no pattern", "", []string{at("[")}, "syntax error in pattern, want a pattern as in 'photos/**/*.jpg'"},
		{"nothing listed", "\n\n", []string{"-"}, "no paths on standard input, want one a line"},
		{"listed twice", at("top.jpg"), []string{"-", "-"}, "- twice, want standard input once"},
		{"--null of nothing", "", []string{"--null", dir}, "--null without -, want - among the images"},
		{"a listed file is missing", at("gone.png"), []string{"-"}, "gone.png"},
		{"pictures deeper", "", []string{at("deep")}, "those in folders in it are '" + at("deep/**") + "'"},
		{"named twice", "", []string{at("dog/1.png"), at("cat/*")}, "would both be written as 1, want different names"},
	} {
		if out, err := explainList(t, test.stdin, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.what, err, test.want)
		} else if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a folder was written", test.what)
		}
	}
}

// member is a file in a tar.
type member struct {
	name string
	data []byte
}

func tarOf(t *testing.T, path string, members ...member) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.data)), Typeflag: tar.TypeReg}
		if m.data == nil {
			h.Typeflag, h.Linkname = tar.TypeLink, "elsewhere.png"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	if isZipped(path) {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		if _, err := g.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		data = z.Bytes()
	}
	write(t, path, data)
}

// TestExplainTar wants a tar's pictures explained as a folder's, and their labels found.
func TestExplainTar(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	var members []member
	for i := range 5 {
		write(t, filepath.Join(folder, fmt.Sprintf("%d.png", i)), pngBytes(t, i))
		members = append(members, member{fmt.Sprintf("./set/%d.png", i), pngBytes(t, i)}, member{fmt.Sprintf("./set/%d.json", i), []byte("{}")})
	}
	members = append(members,
		member{"set/0.cls", []byte("6\n")}, member{"set/1.txt", []byte("a frog in a pond")}, member{"set/1.cls", []byte("frog")},
		member{"set/2.txt", []byte("ship")}, member{"set/3.cls", []byte("1000")},
		member{"set/broken.png", pngBytes(t, 7)[:900]}, member{"set/web.jpg", []byte("<html>")}, member{"set/._0.png", []byte("of macOS")})
	want, err := explainList(t, "", folder, "--class", "frog")
	if err != nil {
		t.Fatal(err)
	}
	wantMaps, _ := array(t, filepath.Join(want, "maps_cam.npy"))
	for _, file := range []string{"a.tar", "a.tar.gz", "a.TGZ"} {
		path := filepath.Join(dir, file)
		tarOf(t, path, members...)
		out, err := explainList(t, "", path, "--class", "frog")
		if err == nil || !strings.Contains(err.Error(), "explain: 2 of 7 pictures could not be read") || !strings.Contains(err.Error(), path+"/set/broken.png") {
			t.Fatalf("error %v, want that two could not be read", err)
		}
		if got := imagesOf(t, out, func(e explained) string { return e.Name + " " + e.Label }); !slices.Equal(got, []string{"set/0 frog", "set/1 frog", "set/2 ship", "set/3 ", "set/4 "}) {
			t.Errorf("%s: images %q, want their names and labels", file, got)
		}
		if m := readManifest(t, out); m.Images[2].File != path+"/set/2.png" || m.Failed[1].Name != "set/web" || !strings.Contains(m.Failed[1].Error, "unknown format") {
			t.Errorf("%s: image %+v, failed %+v", file, m.Images[2], m.Failed)
		}
		maps, shape := array(t, filepath.Join(out, "maps_cam.npy"))
		if !slices.Equal(maps, wantMaps) {
			t.Errorf("%s: maps shaped %v are not the folder's", file, shape)
		}
	}

	for file, label := range map[string]string{"b-00.tar": "3", "b-01.tar": "truck"} { // that count from 0 each
		tarOf(t, filepath.Join(dir, file), member{"0.cls", []byte(label)}, member{"0.png", pngBytes(t, 0)})
	}
	out, err := explainList(t, "", filepath.Join(dir, "b-*.tar"), "--class", "label")
	if err != nil {
		t.Fatal(err)
	}
	if got := imagesOf(t, out, func(e explained) string { return e.Name + " " + e.Class + " " + e.Pictures[0] }); !slices.Equal(got, []string{"b-00/0 cat b-00_0_cat_cam.png", "b-01/0 truck b-01_0_truck_cam.png"}) {
		t.Errorf("images of two tars %q", got)
	}

	tarOf(t, filepath.Join(dir, "links.tar"), member{"0.png", pngBytes(t, 0)}, member{"1.png", nil})
	tarOf(t, filepath.Join(dir, "texts.tar"), member{"0.txt", []byte("frog")})
	whole, err := os.ReadFile(filepath.Join(dir, "a.tar"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "short.tar"), whole[:3000])
	write(t, filepath.Join(dir, "no.tar"), bytes.Repeat([]byte("no tar "), 1000))
	write(t, filepath.Join(dir, "no.tar.gz"), whole)
	for file, want := range map[string]string{
		"a.tar": "a.tar/set/3.png has no label that is a class of the network", "links.tar": "1.png: a link or a sparse file, want the picture itself",
		"texts.tar": "no .png, .jpg, .gif, .webp, .bmp or .tiff in it", "short.tar": "want a whole tar", "no.tar": "invalid tar header, want a whole tar",
		"no.tar.gz": "want a tar compressed by gzip",
	} {
		if _, err := explainList(t, "", filepath.Join(dir, file), "--class", "label"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", file, err, want)
		}
	}
}

// readLines reads a run's records.
func readLines(t *testing.T, dir string) (records []record) {
	t.Helper()
	err := readRecords(filepath.Join(dir, recordsFile), func(r record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestExplainRecords wants the records, the whole manifest and the table to say the same,
// and the manifest of more images to leave to the records what they hold.
func TestExplainRecords(t *testing.T) {
	photos := t.TempDir()
	for i := range 4 {
		write(t, filepath.Join(photos, fmt.Sprintf("%d.png", i)), pngBytes(t, i))
	}
	write(t, filepath.Join(photos, "1.png"), pngBytes(t, 1)[:900])
	args := []string{photos, "--method", "cam,gradcam", "--class", "top 2", "--csv"}
	const failed = "explain: 1 of 4 pictures could not be read"
	whole, err := explainList(t, "", args...)
	if err == nil || !strings.Contains(err.Error(), failed) {
		t.Fatal(err)
	}
	m, records := readManifest(t, whole), readLines(t, whole)
	if len(records) != 4 || m.NumImages != 3 || m.NumFailed != 1 || m.Records != recordsFile || m.Scores != scoresFile {
		t.Fatalf("%d records, manifest %+v", len(records), m)
	}
	var table [][]string
	for row, r := range records[:3] {
		if r.Row != row || !reflect.DeepEqual(r.explained, m.Images[row]) || len(r.Of) != 2 || r.Of[0] != r.Predicted || len(r.Pictures) != 4 {
			t.Errorf("record %+v, want row %d and %+v", r, row, m.Images[row])
		}
		for k, made := range r.Maps {
			f := m.Maps[k]
			at := func(list []float32) []float32 { return list[2*row : 2*row+2] }
			if made.Method != f.Method || !slices.Equal(made.Score, at(f.Score)) || !slices.Equal(made.Outcome, f.Outcome[2*row:2*row+2]) || f.Residual != nil && !slices.Equal(made.Residual, at(f.Residual)) {
				t.Errorf("record %+v, want what the manifest has of it: %+v", made, f)
			}
			for i := range 2 {
				residual := ""
				if made.Residual != nil {
					residual = fmt.Sprint(made.Residual[i])
				}
				table = append(table, []string{fmt.Sprint(row), r.Name, r.File, "", r.Predicted, made.Method, r.Of[i], "", fmt.Sprint(made.Score[i]), residual, made.Outcome[i]})
			}
		}
	}
	if r := records[3]; r.Name != "1" || r.Error != m.Failed[0].Error || r.Error == "" {
		t.Errorf("record %+v, want the error of 1.png", r)
	}
	text, err := os.Open(filepath.Join(whole, scoresFile))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	rows, err := csv.NewReader(text).ReadAll()
	if err != nil || !slices.Equal(rows[0], strings.Split("row,name,file,label,predicted,method,class,rival,score,residual,outcome", ",")) || !reflect.DeepEqual(rows[1:], table) {
		t.Errorf("%v: table %q, want %q", err, rows, table)
	}

	defer func(n int) { wholeManifest = n }(wholeManifest)
	wholeManifest = 3
	out := filepath.Join(t.TempDir(), "out")
	for start := range 2 { // the second computes nothing
		var said, print bytes.Buffer
		root := newRoot()
		root.SetArgs(append([]string{"explain", "--backend", "go", "--out", out}, args...))
		root.SetOut(&print)
		root.SetErr(&said)
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), failed) || !strings.Contains(err.Error(), m.Failed[0].Error) {
			t.Fatalf("error %v, want what failed", err)
		}
		if got := print.String(); got != "maps, pictures and manifest.json of 3 images are in "+out+"\n" {
			t.Errorf("said %q", got)
		}
		if got := strings.Contains(said.String(), "has these results already"); got != (start == 1) {
			t.Errorf("start %d said %q", start, said.String())
		}
	}
	large := readManifest(t, out)
	if large.Images != nil || large.Failed != nil || large.Maps[1].Score != nil || large.NumImages != 3 || !reflect.DeepEqual(large.Maps[1].Shape, m.Maps[1].Shape) {
		t.Errorf("manifest %+v, want no lists of images", large)
	}
	same := files(t, whole)
	for name, content := range files(t, out) {
		if name != manifestFile && content != same[name] {
			t.Errorf("%s differs", name)
		}
	}
	if err := os.Remove(filepath.Join(out, large.Records)); err != nil {
		t.Fatal(err)
	}
	if finished(out, large.Settings) != nil {
		t.Error("without its records a run counts as finished")
	}
}

// TestExplainWithoutPictures wants all else as with them.
func TestExplainWithoutPictures(t *testing.T) {
	with, err := explainList(t, "", "--split", "sample", "--index", "3,7")
	if err != nil {
		t.Fatal(err)
	}
	without, err := explainList(t, "", "--split", "sample", "--index", "3,7", "--pictures=false")
	if err != nil {
		t.Fatal(err)
	}
	got, want := files(t, without), files(t, with)
	if len(want)-len(got) != 2 || got["maps_cam.npy"] != want["maps_cam.npy"] || got["logits.npy"] != want["logits.npy"] {
		t.Errorf("%d files, with pictures %d", len(got), len(want))
	}
	var m struct{ Images []map[string]any }
	if err := json.Unmarshal([]byte(got[manifestFile]), &m); err != nil {
		t.Fatal(err)
	}
	for _, im := range m.Images {
		if list, ok := im["pictures"].([]any); !ok || len(list) != 0 {
			t.Errorf("pictures %v, want an empty list", im["pictures"])
		}
	}
}

// TestExplainResultsAsTheyCome reads the files of a stopped run.
func TestExplainResultsAsTheyCome(t *testing.T) {
	slow(t)
	backendtest.XLA(t)
	out := t.TempDir()
	if _, err := stopAfter(t, 2, out, append(goesOn(out), "--csv")); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want it stopped", err)
	}
	work := filepath.Join(out, unfinished)
	chunks := lines(out) / 2
	for _, file := range []string{"logits.npy", "maps_gradcam.npy"} {
		values, shape := array(t, filepath.Join(work, file))
		if shape[0] < chunkSize*chunks || shape[0] > chunkSize*(chunks+1) || len(values)%shape[0] != 0 {
			t.Errorf("%s shaped %v after %d chunks", file, shape, chunks)
		}
	}
	records := readLines(t, work)
	if len(records) != chunkSize*chunks || records[3].Name != fmt.Sprint(cifar10.Sample().Index[3]) || len(records[3].Maps) != 2 {
		t.Errorf("%d records after %d chunks", len(records), chunks)
	}
}
