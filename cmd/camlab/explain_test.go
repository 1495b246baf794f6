package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
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
		{"no data", []string{"--index", "3", "--data", t.TempDir()}, "or use --split sample, which needs no data"},
		{"split", []string{"--split", "holidays", "--index", "3"}, `split "holidays"`},
		{"not a picture", []string{text}, "want a PNG, JPEG, GIF, WebP, BMP or TIFF picture"},
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

// TestExplainShards joins the shards' files and wants those of one run; a shard
// that was stopped and starts again leaves what it would have left at once.
func TestExplainShards(t *testing.T) {
	const n, images = 3, 7
	var index []string
	for _, i := range cifar10.Sample().Index[:images] {
		index = append(index, strconv.Itoa(i))
	}
	explain := func(out string, more ...string) error {
		_, err := command(t, append([]string{"explain", "--split", "sample", "--index", strings.Join(index, ","), "--class", "top 2",
			"--method", "cam,gradcam,randomcam", "--backend", "go", "--out", out}, more...)...)
		return err
	}
	whole, out := t.TempDir(), t.TempDir()
	if err := explain(whole); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := explain(out, "--shard", fmt.Sprintf("%d/%d", i, n)); err != nil {
			t.Fatal(err)
		}
	}
	shards, err := filepath.Glob(filepath.Join(out, "shard-*")) // in order
	if err != nil || len(shards) != n || filepath.Base(shards[1]) != "shard-00001-of-00003" {
		t.Fatalf("folders %v, error %v; want one of each shard", shards, err)
	}
	for file, row := range map[string]int{"logits.npy": 10, "maps_cam.npy": 2 * 256, "maps_gradcam.npy": 2 * 256, "maps_randomcam.npy": 2 * 256} {
		want, _ := array(t, filepath.Join(whole, file))
		var got []float64
		for _, shard := range shards {
			part, _ := array(t, filepath.Join(shard, file))
			got = append(got, part...)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d values in all shards, want %d", file, len(got), len(want))
		}
		sameRows(t, file, got, want, row)
	}
	var infos []explained
	var pictures []string
	for i, shard := range shards {
		m := readManifest(t, shard)
		if want := fmt.Sprintf("%d/3", i); m.Shard != want || len(m.Images) < images/n || len(m.Images) > images/n+1 {
			t.Errorf("manifest of shard %q with %d images, want %s and a third of %d", m.Shard, len(m.Images), want, images)
		}
		infos = append(infos, m.Images...)
		in, err := filepath.Glob(filepath.Join(shard, "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range in {
			pictures = append(pictures, filepath.Base(p))
		}
	}
	if want := readManifest(t, whole).Images; !reflect.DeepEqual(infos, want) {
		t.Errorf("images %v of all shards, want %v", infos, want)
	}
	if len(pictures) != images*2*3 {
		t.Errorf("%d pictures in all shards, want two of each image by each of three methods", len(pictures))
	}
	for _, name := range pictures {
		if _, err := os.Stat(filepath.Join(whole, name)); err != nil {
			t.Errorf("%s is a shard's, but not one of the whole run", name)
		}
	}

	// Stopped while it wrote: no manifest, as long as not all else is there.
	shard := shards[1]
	before := files(t, shard)
	blocked := filepath.Join(shard, "maps_gradcam.npy")
	if err := errors.Join(os.Remove(blocked), os.Mkdir(blocked, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := explain(out, "--shard", "1/3"); err == nil {
		t.Error("a file that cannot be written went unnoticed")
	}
	if _, err := os.Stat(filepath.Join(shard, "manifest.json")); err == nil {
		t.Error("a shard that is not whole has a manifest")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if err := explain(out, "--shard", "1/3"); err != nil {
		t.Fatal(err)
	}
	if after := files(t, shard); !reflect.DeepEqual(after, before) {
		t.Errorf("files %v after a second start, want the same bytes in %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// files reads all files of a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// TestExplainFolders takes the pictures of a folder in the order of their names.
func TestExplainFolders(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, cifar10.Sample().Image(0)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.PNG", "a.png", "notes.txt", "c.jpeg"} { // the content tells what it is
		if err := os.WriteFile(filepath.Join(dir, name), picture.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"a", "b", "c"} {
		text, err := command(t, "explain", dir, "--backend", "go", "--shard", fmt.Sprintf("%d/3", i), "--out", out, "--json")
		if err != nil {
			t.Fatal(err)
		}
		var m manifest
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if len(m.Images) != 1 || m.Images[0].Name != want {
			t.Errorf("shard %d is of %v, want %s", i, m.Images, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.jpg"), picture.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "explain", dir, "--shard", "2/3", "--out", out); err == nil || !strings.Contains(err.Error(), "would both be written as a, want different names") {
		t.Errorf("error %v of two pictures of one name in another shard", err)
	}
}

// TestExplainJob runs what the pods of docker/k8s's Job would run, on a folder
// of as many pictures as it has parts.
func TestExplainJob(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docker", "k8s", "explain-job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	completions := regexp.MustCompile(`completions: (\d+)`).FindSubmatch(text)
	args := regexp.MustCompile(`\n +args:\n((?: +- .*\n)+)`).FindSubmatch(text)
	if completions == nil || args == nil {
		t.Fatal("no completions or args in the Job")
	}
	n, err := strconv.Atoi(string(completions[1]))
	if err != nil {
		t.Fatal(err)
	}
	images, maps := t.TempDir(), t.TempDir()
	for i := range n {
		f, err := os.Create(filepath.Join(images, fmt.Sprintf("%d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, cifar10.Sample().Image(i)), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		fill := strings.NewReplacer("/data/images", images, "/data/maps", maps, "$(JOB_COMPLETION_INDEX)", strconv.Itoa(i), "=xla:cpu", "=go")
		var line []string
		for arg := range strings.Lines(string(args[1])) {
			arg, _, _ = strings.Cut(strings.TrimSpace(arg), " #")
			line = append(line, fill.Replace(strings.TrimPrefix(arg, "- ")))
		}
		if _, err := command(t, line...); err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		if _, err := os.Stat(filepath.Join(maps, fmt.Sprintf("shard-%05d-of-%05d", i, n), "manifest.json")); err != nil {
			t.Error(err)
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

// TestExplainTransparent is that hidden colors are not seen, in files of a folder in
// several formats, and that --background chooses what is.
func TestExplainTransparent(t *testing.T) {
	dir := t.TempDir()
	hidden, white, black := image.NewNRGBA(image.Rect(0, 0, 40, 40)), image.NewNRGBA(image.Rect(0, 0, 40, 40)), image.NewNRGBA(image.Rect(0, 0, 40, 40))
	flat := image.NewPaletted(hidden.Rect, color.Palette{color.NRGBA{}, color.NRGBA{200, 30, 30, 255}})
	for y := range 40 {
		for x := range 40 {
			shown := color.NRGBA{200, 30, 30, 255}
			hidden.SetNRGBA(x, y, shown)
			white.SetNRGBA(x, y, shown)
			black.SetNRGBA(x, y, shown)
			flat.SetColorIndex(x, y, 1)
			if x+y < 40 {
				hidden.SetNRGBA(x, y, color.NRGBA{0, 255, 0, 0})
				white.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
				black.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 255})
				flat.SetColorIndex(x, y, 0)
			}
		}
	}
	for name, encode := range map[string]func(io.Writer) error{
		"a.png":  func(w io.Writer) error { return png.Encode(w, hidden) },
		"b.gif":  func(w io.Writer) error { return gif.Encode(w, flat, nil) },
		"c.TIFF": func(w io.Writer) error { return tiff.Encode(w, hidden, nil) },
		"d.png":  func(w io.Writer) error { return png.Encode(w, white) },
		"e.bmp":  func(w io.Writer) error { return bmp.Encode(w, black) },
	} {
		var b bytes.Buffer
		if err := errors.Join(encode(&b), os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for background, same := range map[string]int{"": 3, "black": 4, "#000": 4, "#000000": 4, "WHITE": 3, "#ffffff": 3} {
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"explain", dir, "--backend", "go", "--out", out, "--json"}
		if background != "" {
			args = append(args, "--background", background)
		}
		text, err := command(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		var m manifest
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if len(m.Images) != 5 {
			t.Fatalf("%d pictures of the folder, want 5", len(m.Images))
		}
		scores := m.Maps[0].Score
		for i := range 3 {
			// The pure-Go backend adds up the last rows of a matrix in another order.
			if math.Abs(float64(scores[i]-scores[same])) > 1e-5 {
				t.Errorf("background %q: %s scores %v, want %v as %s", background, m.Images[i].Name, scores[i], scores[same], m.Images[same].Name)
			}
		}
		if scores[3] == scores[4] {
			t.Error("white and black have one score")
		}
		if !strings.Contains(m.Photos, "over "+cmp.Or(strings.ToLower(background), "white")) {
			t.Errorf("background %q: the manifest says %q", background, m.Photos)
		}
	}
}

func TestExplainPhotoFlags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "large.png")
	var b bytes.Buffer
	if err := errors.Join(png.Encode(&b, image.NewGray(image.Rect(0, 0, 1200, 1000))), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		args []string
		want string
	}{
		{"background", []string{file, "--background", "blurple"}, "want a name such as white, black or gray, or #rrggbb"},
		{"background of too many digits", []string{file, "--background", "#12345678"}, "or #rrggbb"},
		{"no size", []string{file, "--max-megapixels", "0"}, "--max-megapixels 0, want 1 to"},
		{"too large", []string{file, "--max-megapixels", "1"}, "1200×1000 pixels, want at most 1000000 pixels"},
		{"a folder without pictures", []string{t.TempDir()}, "no .png, .jpg, .gif, .webp, .bmp or .tiff in"},
		{"a device", []string{"/dev/zero"}, "a device, want a file"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		if _, err := command(t, append([]string{"explain", "--backend", "go", "--out", out}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
	}
}

// TestOverflowIsNoAnswer: every command that runs a network whose weights are finite and
// whose activations are not ends with an error that names the layer.
func TestOverflowIsNoAnswer(t *testing.T) {
	m, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	v := m.Store.GetVariable("/conv3/weights")
	w := tensors.MustCopyFlatData[float32](v.MustValue())
	for i := 3; i < len(w); i += 128 {
		w[i] = -3e38
	}
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(w, v.Shape().Dimensions...)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "big.safetensors")
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	fails := func(args ...string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		if !slices.Contains([]string{"evaluate", "measure"}, args[0]) {
			args = append(args, "--out", out)
		}
		text, err := command(t, append(args, "--model", file, "--split", "sample")...)
		if err == nil || text != "" || !strings.Contains(err.Error(), "image 0: infinite or NaN from conv3 on, want finite numbers") {
			t.Errorf("%v: output %q, error %v, want none and an error that names conv3", args, text, err)
		}
	}
	fails("explain", "--index", "3,7", "--method", "cam,scorecam", "--backend", "go")
	if _, _, err := plugin.Find("cpu"); err != nil {
		t.Skip(err)
	}
	fails("explain", "--index", "3,7")
	fails("explain", "--index", "3", "--layer", "conv2", "--method", "gradcam", "--class", "all")
	fails("evaluate")
	fails("measure", "--images", "2")
	fails("leaderboard", "--images", "2")
}
