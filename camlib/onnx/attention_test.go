package onnx_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npz"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// TestAttentionEqualsPyTorch is both methods of attention beside whole matrices in float64:
// tokens has a class token and heads of their own axis; alone is tokens in a graph that takes
// one image at a time, its file's batch one or two; pooled has no class token, and its heads come before its images in one
// axis, so that only one image at a time is sure.
func TestAttentionEqualsPyTorch(t *testing.T) {
	dir := onnxtest.Attention(t)
	for _, name := range []string{"tokens_legacy", "tokens_dynamo", "tokens_free", "alone_1", "alone_2", "pooled_dynamo", "pooled_free"} {
		t.Run(name, func(t *testing.T) {
			b, batches := backendtest.Go(t), []int{1, 2, 4}
			if name == "tokens_dynamo" {
				b, batches = backendtest.Any(t), []int{2} // XLA compiles for each
			}
			file := filepath.Join(dir, "attention_"+strings.Replace(strings.Split(name, "_")[0], "alone", "tokens", 1)+".npz")
			want := readReference(t, file, "")
			m, err := onnx.Open(filepath.Join(dir, name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			im, err := m.Network(b, onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			alone := strings.HasPrefix(name, "alone")
			if (im.Alone() != nil) != alone || (im.Attention.Batch == 1) != (name == "alone_2" || strings.HasPrefix(name, "pooled")) {
				t.Errorf("%v; with attention %d", im.Alone(), im.Attention.Batch)
			}
			im.Attention.Batch = 0 // it takes several too
			e, err := cam.New(b, im.Network, cam.Options{Batch: 4})
			if err != nil {
				t.Fatal(err)
			}
			rival := read[int64](t, file, "rival")
			for _, row := range []struct {
				array  string
				method cam.Method
				target func(class, rival []int) cam.Target
			}{
				{"rollout", cam.AttentionRollout{}, func(class, _ []int) cam.Target { return cam.Classes(class...) }},
				{"chefer", cam.CheferCAM{}, func(class, _ []int) cam.Target { return cam.Classes(class...) }},
				{"contrast", cam.CheferCAM{}, cam.Contrasts},
			} {
				maps := read[float32](t, file, row.array)
				for _, n := range batches {
					x := images.NewBatch(n, want.Size())
					var class, other []int
					var wanted []float32
					for i := range n {
						k, pixels, places := i%want.N, want.Size().Values(), len(maps)/want.N
						copy(x.Pixels[i*pixels:], want.Pixels[k*pixels:(k+1)*pixels])
						class, other = append(class, want.classes[k]), append(other, int(rival[k]))
						wanted = append(wanted, maps[k*places:(k+1)*places]...)
					}
					r, err := e.Explain(t.Context(), row.method, x, row.target(class, other))
					if err != nil {
						t.Fatal(err)
					}
					if grid := []int{n, im.Attention.Height, im.Attention.Width}; !slices.Equal(r.Shape(), grid) {
						t.Fatalf("%s: shape %v, want %v", row.array, r.Shape(), grid)
					}
					backendtest.Near(t, fmt.Sprintf("%s of %d", row.array, n), r.Maps, wanted, 1e-5)
				}
			}
		})
	}
}

func read[T any](t *testing.T, file, name string) (values []T) {
	t.Helper()
	z, err := npz.Open(file)
	if err == nil {
		defer z.Close()
		err = z.Read(name+".npy", &values)
	}
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestOtherAttention is that attention in windows, and such of which the images cannot be
// told from the heads, is refused and named, and that a network of convolutions has none.
func TestOtherAttention(t *testing.T) {
	dir, b := onnxtest.Attention(t), backendtest.Go(t)
	for name, want := range map[string]string{
		"windows_free": "of shape [8 4 4] is none of all tokens of one grid; want one in whose blocks",
		"mixed_2":      "of shape [4 6 6] is of 2 images that cannot be told from its heads; want one in whose blocks",
		"flat_free":    "cam: network flat_free.onnx has no attention; want one in whose blocks",
	} {
		m, err := onnx.Open(filepath.Join(dir, name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		im, err := m.Network(b, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := cam.New(b, im.Network, cam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := images.NewBatch(1, im.Input.Size)
		if _, err := e.Explain(t.Context(), cam.AttentionRollout{}, x, cam.Predicted); !errors.Is(err, cam.ErrAttention) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want of kind %q with text %q", name, err, cam.ErrAttention, want)
		}
		if r, err := e.Explain(t.Context(), cam.GradCAM{}, x, cam.Predicted); err != nil || len(r.Maps) == 0 {
			t.Errorf("%s: gradcam: %v, want a map", name, err)
		}
	}
}
