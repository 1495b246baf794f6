package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/report"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// hostileName is a photo's, which is text wherever it is shown.
const hostileName = `<img src=x onerror=alert(1)>`

// TestReport makes pages of what explain writes.
func TestReport(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file cannot have that name on Windows")
	}
	photos, out := t.TempDir(), filepath.Join(t.TempDir(), "a run #1")
	write(t, filepath.Join(photos, hostileName+".png"), pngBytes(t, 3))
	write(t, filepath.Join(photos, "plain.png"), pngBytes(t, 7))
	if _, err := command(t, "explain", photos, "--method", "cam,gradcam++", "--class", "top 2", "--out", out); err != nil {
		t.Fatal(err)
	}
	said, err := command(t, "report", out)
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(out, "report.html")
	if want := "2 images and 8 maps are in " + page; !strings.HasPrefix(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
	read := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text := read(page)
	if strings.Contains(text, "<img src=x") || !strings.Contains(text, "&lt;img src=x onerror=alert(1)&gt;</h3>") {
		t.Error("a photo's name is not shown as text")
	}
	var top []string
	if err := readRecords(filepath.Join(out, recordsFile), func(r record) error {
		top = r.Of
		return nil
	}); err != nil || len(top) != 2 {
		t.Fatalf("classes %q, %v", top, err)
	}
	for what, want := range map[string]string{
		"the second class's map in words": "gradcam&#43;&#43; map of " + top[1] + " for image plain: largest ",
		"the unit of CAM":                 "score",
		"a link beside the page":          `data-link="plain_` + top[0] + `_gradcampp.png"`,
		"what was explained":              "<dt>explained</dt><dd>top 2</dd>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in the page", what, want)
		}
	}
	if strings.Contains(text, "data-label") {
		t.Error("photos have labels")
	}
	if n := strings.Count(text, `width="32" height="32"`); n != 10 {
		t.Errorf("%d pictures of 32×32, want 2 images and 8 maps as the network saw them", n)
	}

	// Another folder: its links lead back. A page is replaced, another file is not.
	other := filepath.Join(filepath.Dir(out), "pages")
	mkdir(t, other)
	other = filepath.Join(other, "p.html")
	for range 2 {
		if text, err = command(t, "report", out, "-o", other, "--json"); err != nil {
			t.Fatal(err)
		}
	}
	var r reported
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Images != 2 || r.Maps != 8 || r.File != other || r.Bytes != int64(len(read(other))) {
		t.Errorf("--json says %+v", r)
	}
	if want := `data-link="../a%20run%20%231/plain_`; !strings.Contains(read(other), want) {
		t.Errorf("no link %s", want)
	}
	write(t, other, []byte("a letter"))
	if _, err := command(t, "report", out, "-o", other); err == nil || !strings.Contains(err.Error(), other+" is there and no report, want another name") || read(other) != "a letter" {
		t.Errorf("a letter is there: %v, and then %q", err, read(other))
	}
	if _, err := command(t, "explain", photos, "--method", "cam,gradcam++", "--class", "top 2", "--out", out); err != nil {
		t.Errorf("the run beside its page: %v", err)
	}
	testDamaged(t, out)
}

// testDamaged takes away or changes what a run wrote, and wants to be told.
func testDamaged(t *testing.T, whole string) {
	picture := readManifest(t, whole).Images[1].Pictures[0]
	changed := func(file, old, with string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, file)
			text, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(text, []byte(old)) {
				t.Fatalf("%s without %s: %v", file, old, err)
			}
			write(t, path, bytes.Replace(text, []byte(old), []byte(with), 1))
		}
	}
	removed := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		what, want string
		change     func(t *testing.T, dir string)
		args       []string
	}{
		{"no run", "no manifest.json, want the folder that `camlab explain --out` wrote into", removed(manifestFile), nil},
		{"not finished", "the run is not finished, want one that is: the same `camlab explain` goes on", func(t *testing.T, dir string) {
			removed(manifestFile)(t, dir)
			mkdir(t, filepath.Join(dir, unfinished))
		}, nil},
		{"shards", "holds 2 shards, want one of them, such as ", func(t *testing.T, dir string) {
			removed(manifestFile)(t, dir)
			mkdir(t, filepath.Join(dir, "shard-00000-of-00002"))
			mkdir(t, filepath.Join(dir, "shard-00001-of-00002"))
		}, nil},
		{"no JSON", "manifest.json: unexpected end of JSON input, want what explain wrote", func(t *testing.T, dir string) { write(t, filepath.Join(dir, manifestFile), []byte("{")) }, nil},
		{"empty", "manifest.json: 0 images and 0 arrays of maps: want what explain wrote, so explain again", func(t *testing.T, dir string) { write(t, filepath.Join(dir, manifestFile), []byte("{}")) }, nil},
		{"a picture is missing", ": 1 pictures are missing, the first is " + picture, removed(picture), nil},
		{"an array is missing", "maps_cam.npy: no such file or directory: want what explain wrote, so explain again", removed("maps_cam.npy"), nil},
		{"half an array", "maps_cam.npy: not of ", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "maps_cam.npy"), []byte("half")) }, nil},
		{"a picture of elsewhere", ": 1 pictures are missing, the first is ../elsewhere.png", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "..", "elsewhere.png"), pngBytes(t, 0))
			changed(recordsFile, `"`+picture+`"`, `"../elsewhere.png"`)(t, dir)
		}, nil},
		{"no pictures", ": no pictures of image plain, want them: explain again without --pictures=false", changed(recordsFile, `"pictures":["plain`, `"pictures":[],"_":["plain`), nil},
		{"shape", "maps_cam.npy: shape [9 2 16 16] of 2 images", changed(manifestFile, "\"shape\": [\n        2,", "\"shape\": [\n        9,"), nil},
		{"classes", "manifest.jsonl: image <img src=x onerror=alert(1)>: row 0, 2 methods, classes []: want what explain wrote", changed(recordsFile, `"of":`, `"off":`), nil},
		{"row", "row 7, 2 methods", changed(recordsFile, `"row":1`, `"row":7`), nil},
		{"scores", "image plain: 0 scores and 2 outcomes of 2 maps", func(t *testing.T, dir string) {
			changed(recordsFile, `"score":`, `"Score":`)(t, dir) // the same to encoding/json, out of the way of the next
			changed(recordsFile, `"score":`, `"Score":`)(t, dir)
			changed(recordsFile, `"score":`, `"scare":`)(t, dir)
		}, nil},
		{"records", "manifest.jsonl: 2 images and 0 that could not be read, not 2 and 3", changed(manifestFile, `"num_failed": 0`, `"num_failed": 3`), nil},
		{"no records", "manifest.jsonl: no such file or directory: want what explain wrote", removed(recordsFile), nil},
		{"many images", "2 images, want at most 1, more of which a browser would hardly show: explain parts of them with --shard, or allow more with --max-images", nil, []string{"--max-images", "1"}},
		{"not a picture", picture + ": an unknown format, want a PNG", func(t *testing.T, dir string) { write(t, filepath.Join(dir, picture), []byte("text")) }, nil},
		{"a picture without its tiles", picture + ": it does not say where its image and its map lie", func(t *testing.T, dir string) { write(t, filepath.Join(dir, picture), pngBytes(t, 0)) }, nil},
		{"no folder", "report: no folder ", removed(""), nil},
		{"page in no folder", "nowhere, want one that exists", nil, []string{"-o", filepath.Join(t.TempDir(), "nowhere", "p.html")}},
		{"page is a folder", "is a folder or no plain file, want the name of a file", nil, []string{"-o", t.TempDir()}},
		{"small pictures", "report: --thumbnail 8, want 16 to 4096 pixels", nil, []string{"--thumbnail", "8"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			removed("report.html")(t, dir)
			if test.change != nil {
				test.change(t, dir)
			}
			_, err := command(t, append([]string{"report", dir}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*report*")); err != nil || len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// TestReportOfALabeledSplit is that the page knows what was predicted right.
func TestReportOfALabeledSplit(t *testing.T) {
	out := t.TempDir()
	if _, err := command(t, "explain", "--split", "sample", "--index", sampleIndex(5), "--class", "all", "--out", out); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "report", out, "--thumbnail", "16"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out)
	right := 0
	for _, im := range m.Images {
		if im.Label == im.Predicted {
			right++
		}
	}
	if n := bytes.Count(text, []byte(`data-answer="right"`)); n != right || bytes.Count(text, []byte("<article")) != 5 {
		t.Errorf("%d are right, want %d", n, right)
	}
	for _, class := range m.Classes {
		if n := bytes.Count(text, []byte("cam map of "+class+" for image ")); n != 5 {
			t.Errorf("%d maps of %s, want one of each image", n, class)
		}
	}
	if n := bytes.Count(text, []byte(`width="16" height="16"`)); n < 5 {
		t.Errorf("%d pictures of 16×16, want at least the images", n)
	}
	if !bytes.Contains(text[:512], []byte(report.Generator)) {
		t.Error("the page does not say what made it")
	}
}

// TestOtherTargetsAreNamed is that pictures, records and the page name what was explained,
// where that is not the class itself, and that its pictures are files of their own.
func TestOtherTargetsAreNamed(t *testing.T) {
	out := t.TempDir()
	drawn := make(map[string]string)
	for _, test := range []struct{ class, asked, of, file, red string }{ // of is asked without the rival, which has a field of its own
		{"cat", "cat", "cat", "3_cat_hirescam.png", "the class"},
		{"cat not dog", "cat not dog", "cat", "3_cat_not_dog_hirescam.png", "the class"},
		{"not cat", "not cat", "not cat", "3_not_cat_hirescam.png", "not cat"},
		{"probability of cat", "probability of cat", "probability of cat", "3_probability_of_cat_hirescam.png", "probability of cat"},
		{"centred cat", "centered cat", "centered cat", "3_centered_cat_hirescam.png", "centered cat"},
		{"not cat not dog", "not cat not dog", "not cat", "3_not_cat_not_dog_hirescam.png", "not cat not dog"},
	} {
		if _, err := command(t, "explain", "--split", "sample", "--index", "3", "--method", "hirescam", "--class", test.class, "--csv", "--out", out); err != nil {
			t.Fatal(err)
		}
		if _, err := command(t, "report", out); err != nil {
			t.Fatal(err)
		}
		files := make(map[string]string)
		for _, name := range []string{test.file, recordsFile, scoresFile, "report.html"} {
			text, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Fatalf("%s: %v", test.class, err)
			}
			files[name] = string(text)
		}
		drawn[test.file] = files[test.file]
		legend := "red speaks for the class, blue against it"
		if test.red != "the class" {
			legend = "red speaks for what was asked, “" + test.class + "”, blue against it"
		}
		alt := pngtext.Get([]byte(files[test.file]), pngtext.Description)
		for _, want := range []struct{ what, in, text string }{
			{"title", alt, "3: " + test.asked + " "},
			{"color bar", alt, "red for " + test.red + ", blue against."},
			{"record", files[recordsFile], `"class":"` + test.of + `"`},
			{"row of scores", files[scoresFile], ",hirescam," + test.of + ","},
			{"card", files["report.html"], "<figcaption>hirescam, " + test.asked + " <data "},
			{"map in words", files["report.html"], "hirescam map of " + test.asked + " for image 3: "},
			{"legend", files["report.html"], legend},
		} {
			if !strings.Contains(want.in, want.text) {
				t.Errorf("%s: no %q in the %s", test.class, want.text, want.what)
			}
		}
	}
	for file, want := range drawn {
		if text, err := os.ReadFile(filepath.Join(out, file)); err != nil || string(text) != want {
			t.Errorf("%s is not as it was drawn, %v", file, err)
		}
	}
	if _, err := command(t, "explain", "--split", "sample", "--index", "3", "--method", "hirescam", "--class", "not top 2", "--out", out); err != nil {
		t.Fatal(err)
	}
	for k, file := range readManifest(t, out).Images[0].Pictures {
		text, err := os.ReadFile(filepath.Join(out, file))
		if err != nil {
			t.Fatal(err)
		}
		asked := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(file, "3_"), "_hirescam.png"), "_", " ")
		alt := pngtext.Get(text, pngtext.Description)
		if !strings.HasPrefix(asked, "not ") || !strings.Contains(alt, "3: "+asked+" ") || !strings.Contains(alt, "red for "+asked+", blue against.") {
			t.Errorf("picture %d, %s, says %q", k, file, alt)
		}
	}
}

// TestReportCutsWhatWasDrawn is that image and map are those of the picture.
func TestReportCutsWhatWasDrawn(t *testing.T) {
	out := t.TempDir()
	if _, err := command(t, "explain", "--split", "sample", "--index", "3", "--out", out); err != nil {
		t.Fatal(err)
	}
	run, err := openFinished(out, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer run.close()
	pictures, err := run.draw(0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(out, run.manifest.Images[0].Pictures[0]))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if size := pictures.Image.Bounds().Size(); size != image.Pt(192, 192) || whole.Bounds().Dx() < 400 {
		t.Errorf("an image of %v cut out of %v, want 192×192", size, whole.Bounds())
	}
	maps, err := run.maps(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	values, shape := array(t, filepath.Join(out, "maps_cam.npy"))
	for i, v := range maps[0].Values {
		if float64(v) != values[i] {
			t.Fatalf("value %d is %v, want %v", i, v, values[i])
		}
	}
	if len(maps[0].Values) != len(values) || maps[0].H != shape[1] {
		t.Errorf("%d values of height %d, want shape %v", len(maps[0].Values), maps[0].H, shape)
	}
	if d := pictures.Maps[0]; d.High != -d.Low || d.High < float64(maps[0].Max()) || !strings.HasPrefix(d.Where, "largest ") {
		t.Errorf("from %v to %v, %q; want a scale of both signs", d.Low, d.High, d.Where)
	}
}
