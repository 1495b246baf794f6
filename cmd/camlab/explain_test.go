package main

import (
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/internal/shared"
)

// TestExplainGivesTheReferenceMaps runs the command of the scripts' contract
// against maps made in float64 by an independent implementation.
func TestExplainGivesTheReferenceMaps(t *testing.T) {
	slow(t)
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
	if c := images.Square(photo, 32); c.NRGBAAt(4, 16).B < 200 || c.NRGBAAt(12, 16).R < 200 {
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
	dir := t.TempDir()
	text := filepath.Join(dir, "text.png")
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
		{"index of letters", []string{"--split", "sample", "--index", "3,x"}, `--index has "x", want numbers as in 3,7,11, or all`},
		{"all and more", []string{"--split", "sample", "--index", "all,3"}, `--index has "all", want numbers as in 3,7,11, or all`},
		{"shard too high", []string{"--split", "sample", "--index", "3", "--shard", "8/8"}, `--shard "8/8", want part i of n as in 3/8, i from 0 to n-1`},
		{"shard of what", []string{"--split", "sample", "--index", "3", "--shard", "3"}, `--shard "3", want part i of n`},
		{"shard not expanded", []string{"--split", "sample", "--index", "3", "--shard", "$(JOB_COMPLETION_INDEX)/8"}, `--shard "$(JOB_COMPLETION_INDEX)/8", want part i of n`},
		{"more shards than images", []string{"--split", "sample", "--index", "3,7", "--shard", "0/3"}, "--shard 0/3, want at most as many parts as images, 2"},
		{"folder without pictures", []string{filepath.Dir(dir)}, "no .png, .jpg, .gif, .webp, .bmp or .tiff in"},
		{"index twice", []string{"--split", "sample", "--index", "3,4,3"}, "--index has 3 twice"},
		{"no data", []string{"--index", "3", "--data", t.TempDir()}, "or use the embedded sample (--split sample)"},
		{"split", []string{"--split", "holidays", "--index", "3"}, `split "holidays"`},
		{"not a picture", []string{text}, "want a PNG, JPEG, GIF, WebP, BMP or TIFF picture"},
		{"no such file", []string{text + "x"}, "no such file"},
		{"label of a photo", []string{"testdata-none.png", "--class", "label"}, "testdata-none.png"},
		{"model", []string{"--split", "sample", "--index", "3", "--model", text}, "not a safetensors file"},
		{"backend", []string{"--split", "sample", "--index", "3", "--backend", "cuda"}, `backend "cuda", want xla:cpu, xla:cuda`},
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

// TestExplainBest: the other shipped model is found by its name and in its file, and its CAM is
// exact with the weights that it ships.
func TestExplainBest(t *testing.T) {
	for _, model := range []string{"best", "../../camlib/best/weights/model.safetensors"} {
		out := t.TempDir()
		if _, err := command(t, "explain", "--model", model, "--split", "sample", "--index", "3,7", "--pictures=false", "--out", out); err != nil {
			t.Fatal(err)
		}
		if _, shape := array(t, filepath.Join(out, "maps_cam.npy")); !reflect.DeepEqual(shape, []int{2, 8, 8}) {
			t.Errorf("%s: maps shaped %v, want one of 8×8 for each of two images", model, shape)
		}
		m := readManifest(t, out)
		if len(m.Maps[0].Residual) != 2 {
			t.Errorf("%s: residuals %v, want two", model, m.Maps[0].Residual)
		}
		for i, r := range m.Maps[0].Residual {
			if !(math.Abs(float64(r)) < 1e-5) { // float32 sums of 256 channels, scores of some 4
				t.Errorf("%s: residual %v of image %d, want 0 within 1e-5", model, r, i)
			}
		}
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
	m := readManifest(t, out)
	if m.Layer != "conv2" || !m.Smooth || len(m.Maps) != 2 || m.Maps[1].File != "maps_eigencam.npy" || len(m.Maps[0].Score) != 4 || len(m.Maps[0].Outcome) != 4 {
		t.Errorf("manifest %+v, want the layer, smoothing, and four maps of each method", m)
	}
	for i, p := range m.Maps[0].Score {
		if p < 0 || p > 1 {
			t.Errorf("score %d is %v, want a probability", i, p)
		}
	}
	if p, err := filepath.Glob(filepath.Join(out, "7_probability_of_frog_*.png")); err != nil || len(p) != 2 {
		t.Errorf("pictures %v of the frog's first class, want one of each method", p)
	}
	for _, test := range []struct{ flag, value, want string }{
		{"--layer", "conv9", `network: layer "conv9", want one of conv1, conv2, conv3, conv4, conv5`},
		{"--class", "top x", `camlib: class "top x", want a number of classes as in "top 3", or label`},
		{"--class", "probability of centred frog", `camlib: class "probability of centred frog", want a probability or a centered score, not both, or label`},
		{"--method", "lime", `cam: method "lime", want one of cam, gradcam,`},
		{"--samples", "-1", "explain: --channels 0, --samples -1, want 0 or more"},
		{"--channels", "-8", "explain: --channels -8, --samples 0, want 0 or more"},
	} {
		if _, err := command(t, "explain", "--split", "sample", "--index", "3", test.flag, test.value, "--out", out); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: error %v, want %q", test.flag, test.value, err, test.want)
		}
	}
}
