package cam_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npz"
	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
)

// referenceTolerance is what float32 may differ from the float64 reference, relative to
// a map's largest value; XLA and the pure-Go backend both stay near 1e-6.
const referenceTolerance = 1e-4

// reference is what testdata/reference/record.py wrote: maps of the article's network that
// NumPy made in float64, from equations of its own.
type reference struct {
	Weights   string  // sha256 of the file
	Positions []int   // of the images in the sample
	Classes   [][]int // of each image: the predicted one and another
	arrays    map[string][]float32
}

func readReference(tb testing.TB) *reference {
	tb.Helper()
	r := &reference{arrays: make(map[string][]float32)}
	data, err := os.ReadFile("testdata/reference/manifest.json")
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, r); err != nil {
		tb.Fatal(err)
	}
	weights, err := os.ReadFile("../article/weights/model.safetensors")
	if err != nil {
		tb.Fatal(err)
	}
	if sum := sha256.Sum256(weights); hex.EncodeToString(sum[:]) != r.Weights {
		tb.Fatal("the article's weights are others than those of testdata/reference; run its record.py")
	}
	file, err := npz.Open("testdata/reference/reference.npz")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	for _, key := range file.Keys() {
		var v []float32
		if err := file.Read(key, &v); err != nil {
			tb.Fatal(err)
		}
		r.arrays[strings.TrimSuffix(key, ".npy")] = v
	}
	return r
}

// TestReference compares all that NumPy made.
func TestReference(t *testing.T) {
	ref := readReference(t)
	ds, err := cifar10.Sample().Select(ref.Positions...)
	if err != nil {
		t.Fatal(err)
	}
	x := batch(t, ds)
	var names []string // METHOD and METHOD@LAYER
	for key := range ref.arrays {
		if part := strings.Split(key, "/"); len(part) == 3 && part[0] == "0" && part[1] == strconv.Itoa(ref.Classes[0][0]) {
			names = append(names, part[2])
		}
	}
	slices.Sort(names)
	if len(names) != 19 {
		t.Fatalf("%d methods, want 19: %q", len(names), names)
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		net, err := article.Pretrained() // of its own: weights belong to one backend
		if err != nil {
			t.Fatal(err)
		}
		explainers := map[string]*cam.Explainer{
			"": explainer(t, b, net, cam.Options{}), "conv4": explainer(t, b, at(t, net, "conv4"), cam.Options{}),
			"general": explainer(t, b, net, cam.Options{General: true}),
		}
		every := explain(t, explainers[""], cam.CAM{}, x, cam.All)
		for i, classes := range ref.Classes {
			near(t, "scores", every.Scores[i*10:(i+1)*10], ref.arrays[strconv.Itoa(i)+"/logits"], referenceTolerance)
			near(t, "cam of all classes", every.Maps[i*10*256:(i+1)*10*256], ref.arrays[strconv.Itoa(i)+"/cam"], referenceTolerance)
			if every.Predicted[i] != classes[0] {
				t.Errorf("image %d: predicted %d, want %d", i, every.Predicted[i], classes[0])
			}
		}
		for _, full := range names {
			name, layer, _ := strings.Cut(full, "@")
			m, size := signedGradCAM, 0
			switch name {
			case "gradcam_signed":
			case "cam_enlarged":
				m, size = cam.CAM{}, 32
			default:
				m = method(t, name)
			}
			if isPureGo(b) && (m.Spec().Perturbations != nil && m.Spec().Linear == nil || m.Spec().Copies > 0) {
				continue // minutes
			}
			forms := []string{layer}
			if isPureGo(b) && layer == "" && m.Spec().Linear != nil && name != "ablationcam" {
				forms = append(forms, "general")
			}
			for k := range 2 { // the predicted class and the other
				target := cam.Classes(ref.Classes[0][k], ref.Classes[1][k])
				for _, form := range forms {
					r := explain(t, explainers[form], m, x, target)
					if size > 0 {
						r = resized(t, r, size, size, images.AlignCorners)
					}
					for i, c := range r.Class {
						want := ref.arrays[strconv.Itoa(i)+"/"+strconv.Itoa(c)+"/"+full]
						near(t, full+" "+form, r.Map(i, c).Values, want, referenceTolerance)
					}
				}
			}
		}
	})
}
