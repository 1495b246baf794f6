package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/internal/shared"
)

// command runs a command line and returns its standard output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, progress bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&progress)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// array reads a .npy file of any float type and its shape.
func array(t *testing.T, path string) (values []float64, shape []int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npy.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Header.Descr.Type, "f8") {
		if err := r.Read(&values); err != nil {
			t.Fatal(err)
		}
		return values, r.Header.Descr.Shape
	}
	var single []float32
	if err := r.Read(&single); err != nil {
		t.Fatal(err)
	}
	for _, v := range single {
		values = append(values, float64(v))
	}
	return values, r.Header.Descr.Shape
}

// sameRows wants every row, an image's map or scores, within 1e-4 of its
// largest value.
func sameRows(t *testing.T, what string, got, want []float64, row int) {
	t.Helper()
	if len(got) == 0 || len(got) > len(want) || len(got)%row != 0 {
		t.Fatalf("%s: %d values, want rows of %d, at most %d values", what, len(got), row, len(want))
	}
	for start := 0; start < len(got); start += row {
		largest, worst := 0.0, 0.0
		for i := start; i < start+row; i++ {
			largest = max(largest, math.Abs(want[i]))
			worst = max(worst, math.Abs(got[i]-want[i]))
		}
		if !(worst <= 1e-4*largest) {
			t.Errorf("%s: image %d is off by %.2g of its largest value, want 1e-4", what, start/row, worst/largest)
		}
	}
}

// TestExplainGivesTheReferenceMaps runs the command of the scripts' contract
// against maps made in float64 by an independent implementation.
func TestExplainGivesTheReferenceMaps(t *testing.T) {
	reference, data := shared.Reference(t), shared.Data(t)
	for _, set := range []struct{ name, class string }{{"predicted", "predicted"}, {"other_class", "all"}} {
		for _, backend := range []string{camlib.XLACPU, camlib.PureGo} {
			t.Run(set.name+" "+backend, func(t *testing.T) {
				if _, _, err := plugin.Find("cpu"); err != nil && backend == camlib.XLACPU {
					t.Skip(err)
				}
				dir, out := filepath.Join(reference, set.name), t.TempDir()
				var m struct{ Index, Class []int }
				text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(text, &m); err != nil {
					t.Fatal(err)
				}
				n := len(m.Index)
				if backend == camlib.PureGo {
					n = 2 // a third of a second each, more under the race detector
				}
				methods := []string{"cam", "gradcam"}
				if backend == camlib.XLACPU { // minutes in pure Go
					methods = append(methods, "Grad-CAM++", "scorecam", "ablationcam", "xgradcam", "hirescam", "layercam")
				}
				var index []string
				for _, i := range m.Index[:n] {
					index = append(index, strconv.Itoa(i))
				}
				if _, err := command(t, "explain", "--model", filepath.Join(reference, "article_torch.safetensors"), "--data", data, "--split", "test",
					"--index", strings.Join(index, ","), "--method", strings.Join(methods, ","), "--class", set.class, "--backend", backend, "--out", out); err != nil {
					t.Fatal(err)
				}
				logits, shape := array(t, filepath.Join(out, "logits.npy"))
				if want := []int{n, 10}; !reflect.DeepEqual(shape, want) {
					t.Errorf("logits shaped %v, want %v", shape, want)
				}
				want, _ := array(t, filepath.Join(dir, "logits.npy"))
				sameRows(t, "logits", logits, want, 10)
				for _, method := range methods {
					method = strings.ReplaceAll(method, "Grad-CAM++", "gradcampp")
					got, shape := array(t, filepath.Join(out, "maps_"+method+".npy"))
					wantShape := []int{n, 16, 16}
					if set.class == "all" {
						wantShape = []int{n, 10, 16, 16}
						var chosen []float64
						for i := range n {
							chosen = append(chosen, got[(i*10+m.Class[i])*256:][:256]...)
						}
						if method == "cam" {
							all, _ := array(t, filepath.Join(dir, "cam_all.npy"))
							sameRows(t, "cam of all classes", got, all, 256)
						}
						got = chosen
					}
					if !reflect.DeepEqual(shape, wantShape) {
						t.Errorf("%s shaped %v, want %v", method, shape, wantShape)
					}
					if method == "hirescam" {
						method = "hirescam_signed"
					}
					want, _ := array(t, filepath.Join(dir, method+".npy"))
					sameRows(t, method, got, want, 256)
				}
			})
		}
	}
}

func TestExplainWritesPicturesAndManifest(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "new", "folder")
	photo := image.NewNRGBA(image.Rect(0, 0, 90, 60)) // left third blue, then red: the square is cut from the middle
	for y := range 60 {
		for x := range 90 {
			photo.SetNRGBA(x, y, color.NRGBA{R: 255, A: 255})
			if x < 30 {
				photo.SetNRGBA(x, y, color.NRGBA{B: 255, A: 255})
			}
		}
	}
	file := filepath.Join(dir, "holiday.png")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, photo); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if c := camlib.Square(photo, 32); c.NRGBAAt(4, 16).B < 200 || c.NRGBAAt(12, 16).R < 200 {
		t.Errorf("column 4 is %v, column 12 %v; want blue and red: half of the blue third is cut away", c.NRGBAAt(4, 16), c.NRGBAAt(12, 16))
	}

	text, err := command(t, "explain", file, "--class", "frog", "--method", "cam,gradcam", "--out", out, "--json")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(saved) != text {
		t.Error("--json printed another manifest than manifest.json holds")
	}
	var m manifest
	if err := json.Unmarshal(saved, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Images) != 1 || m.Images[0].Name != "holiday" || m.Images[0].Class != "frog" || m.Photos == "" || m.Resize != "align-corners" || len(m.ModelSHA256) != 64 || m.Versions.GoMLX == "" && m.Backend == "" {
		t.Errorf("manifest %s, want image holiday of class frog, the photo's and the map's resizing, and the model's sha256", saved)
	}
	for _, name := range []string{"holiday_frog_cam.png", "holiday_frog_gradcam.png", "maps_cam.npy", "maps_gradcam.npy", "logits.npy"} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, want it written", name, err)
		}
	}

	// The sample goes by the indices of the test set: its image of test index 3 is an airplane.
	text, err = command(t, "explain", "--split", "sample", "--index", "3", "--class", "label", "--out", out, "--json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	if m.Images[0].Label != "airplane" || m.Images[0].Class != "airplane" {
		t.Errorf("test image 3: label %s, map of %s; want airplane", m.Images[0].Label, m.Images[0].Class)
	}
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.png")
	if err := os.WriteFile(text, []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		args []string
		want string
	}{
		{"nothing to explain", nil, "no images, want --index 3,7,11 or image files"},
		{"both", []string{text, "--index", "3"}, "--index and image files, want one of them"},
		{"method", []string{"--method", "gradcam2"}, `method "gradcam2", want one of cam, gradcam`},
		{"no method", []string{"--method", ""}, "no method, want some of cam, gradcam"},
		{"class", []string{"--split", "sample", "--index", "3", "--class", "zebra"}, `class "zebra", want one of airplane,`},
		{"index", []string{"--split", "sample", "--index", "9999"}, "sample has no image 9999"},
		{"index twice", []string{"--split", "sample", "--index", "3,4,3"}, "--index has 3 twice"},
		{"no data", []string{"--index", "3", "--data", t.TempDir()}, "or use --split sample, which needs no data"},
		{"split", []string{"--split", "holidays", "--index", "3"}, `split "holidays"`},
		{"not a picture", []string{text}, "want a PNG or JPEG picture"},
		{"no such file", []string{text + "x"}, "no such file"},
		{"label of a photo", []string{"testdata-none.png", "--class", "label"}, "testdata-none.png"},
		{"model", []string{"--split", "sample", "--index", "3", "--model", text}, "not a safetensors file"},
		{"backend", []string{"--split", "sample", "--index", "3", "--backend", "cuda"}, `backend "cuda", want xla:cpu, xla:cuda or go`},
	} {
		out := filepath.Join(t.TempDir(), "out")
		_, err := command(t, append([]string{"explain", "--out", out}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a folder was written", c.what)
		}
	}
}

func TestEvaluateKeepsTheScriptsContract(t *testing.T) {
	text, err := command(t, "evaluate", "--split", "sample", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"loss", "accuracy", "macro_f1", "per_class", "images", "model_sha256", "backend"} {
		if _, ok := e[key]; !ok {
			t.Errorf("no %q in %s", key, text)
		}
	}
	if e["images"] != 1000. || len(e["per_class"].([]any)) != 10 {
		t.Errorf("%v images, %v classes; want 1000 and 10", e["images"], len(e["per_class"].([]any)))
	}
}

// TestExplainOtherLayersAndClasses is the command's way to the library's options.
func TestExplainOtherLayersAndClasses(t *testing.T) {
	out := t.TempDir()
	if _, err := command(t, "explain", "--split", "sample", "--index", "3,7", "--method", "layercam,eigencam", "--layer", "conv2",
		"--class", "probability of top 2", "--smooth", "--out", out); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"layercam", "eigencam"} {
		if _, shape := array(t, filepath.Join(out, "maps_"+method+".npy")); !reflect.DeepEqual(shape, []int{2, 2, 32, 32}) {
			t.Errorf("%s shaped %v, want two maps of 32×32 for each of two images", method, shape)
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.Layer != "conv2" || !m.Smooth || len(m.Maps) != 2 || m.Maps[1].File != "maps_eigencam.npy" || len(m.Maps[0].Score) != 4 || len(m.Maps[0].Outcome) != 4 {
		t.Errorf("manifest %+v, want the layer, smoothing, and four maps of each method", m)
	}
	for i, p := range m.Maps[0].Score {
		if p < 0 || p > 1 {
			t.Errorf("score %d is %v, want a probability", i, p)
		}
	}
	if p, err := filepath.Glob(filepath.Join(out, "7_frog_*.png")); err != nil || len(p) != 2 {
		t.Errorf("pictures %v of the frog's first class, want one of each method", p)
	}
	for _, test := range []struct{ flag, value, want string }{
		{"--layer", "conv9", `cam: layer "conv9", want one of conv1, conv2, conv3, conv4, conv5`},
		{"--class", "top x", `camlib: class "top x", want a number of classes as in "top 3", or label`},
		{"--class", "probability of centred frog", `camlib: class "probability of centred frog", want a probability or a centred score, not both, or label`},
		{"--method", "lime", `cam: method "lime", want one of cam, gradcam,`},
		{"--samples", "-1", "cam: new: samples of -1, want 0 or more"},
	} {
		if _, err := command(t, "explain", "--split", "sample", "--index", "3", test.flag, test.value, "--out", out); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: error %v, want %q", test.flag, test.value, err, test.want)
		}
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestMeasureAndLeaderboard are the two commands on a few images.
func TestMeasureAndLeaderboard(t *testing.T) {
	if _, _, err := plugin.Find("cpu"); err != nil {
		t.Skip(err)
	}
	text, err := command(t, "measure", "--split", "sample", "--images", "6", "--method", "cam,gradcam", "--metric", "road,sparseness", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var lines []measured
	if err := json.Unmarshal([]byte(text), &lines); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 4 || lines[1].Method != "cam" || lines[1].Metric != "sparseness" || lines[1].Value.N != 6 || lines[1].Value.Low > lines[1].Value.Mean {
		t.Errorf("lines %+v, want two methods by two metrics", lines)
	}
	for _, test := range []struct{ flag, value, want string }{
		{"--metric", "beauty", `measure: metric "beauty", want all, or some of average-drop, increase,`},
		{"--images", "0", "measure: --images 0, want 1 to 1000"},
	} {
		if _, err := command(t, "measure", "--split", "sample", test.flag, test.value); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: error %v, want %q", test.flag, test.value, err, test.want)
		}
	}
	out := t.TempDir()
	text, err = command(t, "leaderboard", "--split", "sample", "--images", "8", "--again", "2", "--mosaics", "2", "--method", "gradcam", "--out", out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "gradcam") || !strings.Contains(text, "mean rank") {
		t.Errorf("output %q, want the ranks", text)
	}
	for _, name := range []string{"leaderboard.md", "leaderboard.csv", "leaderboard.json"} {
		if b, err := os.ReadFile(filepath.Join(out, name)); err != nil || !strings.Contains(string(b), "grid-pointing") {
			t.Errorf("%s: error %v, %d bytes, want a board", name, err, len(b))
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot()
	root.SetArgs([]string{"leaderboard", "--split", "sample", "--images", "2", "--again", "1", "--mosaics", "1", "--method", "gradcam", "--out", out})
	root.SetOut(io.Discard)
	root.SetErr(writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "random") { // the row after gradcam's begins
			cancel()
		}
		return len(p), nil
	}))
	if err := root.ExecuteContext(ctx); !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "the 1 rows that were done are in "+out) {
		t.Errorf("%v", err)
	}
}
