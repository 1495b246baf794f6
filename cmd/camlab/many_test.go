package main

import (
	"bytes"
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

// TestExplainNotItsOwn is that a pattern that reaches into the folder of results does not
// take the pictures there, unless it begins there.
func TestExplainNotItsOwn(t *testing.T) {
	dir := tree(t, "a.png", "out/b.png", "out/more/c.png")
	t.Chdir(dir)
	for pattern, want := range map[string][]string{"**": {"a"}, "out/**": {"b", "more/c"}} {
		l := &pictureList{out: "out"}
		if err := l.add(pattern, nil); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range l.pictures {
			names = append(names, p.name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: pictures %q, want %q", pattern, names, want)
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
