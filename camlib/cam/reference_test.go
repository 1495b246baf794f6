package cam_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"codeberg.org/sbinet/npyio"
	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/internal/shared"
)

// tolerance is what float32 may differ from the float64 reference, relative to
// a map's largest value; XLA and the pure-Go backend both stay near 1e-6.
const tolerance = 1e-4

// TestReference compares with maps that an independent implementation made in
// float64 (PyTorch 2.15, SciPy 1.17).
func TestReference(t *testing.T) {
	root := shared.Reference(t)
	test, err := cifar10.LoadSplit(t.Context(), cifar10.Options{Dir: shared.Data(t)}, cifar10.Test)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"predicted", "other_class"} {
		t.Run(set, func(t *testing.T) {
			onEach(t, func(t *testing.T, b compute.Backend) {
				model, err := cnn.Load(filepath.Join(root, "article_torch.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				dir := filepath.Join(root, set)
				var m struct{ Index, Class, Predicted []int }
				data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(data, &m); err != nil {
					t.Fatal(err)
				}
				n := len(m.Index)
				if camlib.IsPureGo(b) {
					n = 1 // five passes of it take 40 s under the race detector; the command's test has two
				}
				ds, err := test.Select(m.Index[:n]...)
				if err != nil {
					t.Fatal(err)
				}
				x := cam.FromDataset(ds)
				e := explainer(t, b, model, cam.Options{Batch: 6}) // 16 images are 6, 6 and 4
				target := cam.Classes(m.Class[:n]...)
				if set == "predicted" {
					target = cam.Predicted
				}
				matches := func(file string, got []float32, size int) {
					t.Helper()
					want := readNPY(t, filepath.Join(dir, file))[:n*size]
					for i := range n {
						near(t, file, got[i*size:(i+1)*size], want[i*size:(i+1)*size], tolerance)
					}
				}
				const z = 16 * 16
				one := explain(t, e, method(t, "cam"), x, target)
				matches("cam.npy", one.Maps, z)
				matches("logits.npy", one.Scores, 10)
				for i := range n {
					if one.Class[i] != m.Class[i] || one.Predicted[i] != m.Predicted[i] {
						t.Errorf("image %d: class %d, predicted %d, want %d and %d", i, one.Class[i], one.Predicted[i], m.Class[i], m.Predicted[i])
					}
				}
				large, err := e.Upsample(one, 32, 32, cam.AlignCorners)
				if err != nil {
					t.Fatal(err)
				}
				matches("cam_upsampled_article.npy", large.Maps, 4*z)
				matches("gradcam.npy", explain(t, e, method(t, "gradcam"), x, target).Maps, z)
				matches("gradcam_signed.npy", explain(t, e, signedGradCAM, x, target).Maps, z)

				if !camlib.IsPureGo(b) { // minutes there; the toy's tests run them on both backends
					for file, name := range map[string]string{
						"gradcampp.npy": "gradcam++", "xgradcam.npy": "xgradcam", "hirescam_signed.npy": "hirescam",
						"layercam.npy": "layercam", "scorecam.npy": "scorecam", "ablationcam.npy": "ablationcam",
					} {
						matches(file, explain(t, e, method(t, name), x, target).Maps, z)
					}
				}

				every := explain(t, e, method(t, "cam"), x, cam.All)
				want := readNPY(t, filepath.Join(dir, "cam_all.npy"))
				for c := range 10 * n {
					near(t, "cam_all.npy", every.Maps[c*z:(c+1)*z], want[c*z:(c+1)*z], tolerance)
				}
				grads := explain(t, e, method(t, "gradcam"), x, cam.All)
				var chosen []float32
				for i, c := range m.Class[:n] {
					chosen = append(chosen, grads.Map(i, c)...)
				}
				matches("gradcam.npy", chosen, z)
			})
		})
	}
}

// readNPY returns the values of a float64 file of any shape.
func readNPY(tb testing.TB, path string) []float64 {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var v []float64
	if err := npyio.Read(f, &v); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return v
}
