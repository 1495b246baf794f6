package cam_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

// TestUpsample holds the graph to what [images.Map.Resize] does, which has its own table.
func TestUpsample(t *testing.T) {
	m := images.Map{H: 2, W: 3, Values: []float32{0, 1, 4, 9, 16, 25}} // neither square nor linear
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, test := range []struct {
			resize        images.Resize
			height, width int
		}{
			{images.AlignCorners, 4, 6}, {images.AlignCorners, 5, 4}, {images.AlignCorners, 1, 3},
			{images.HalfPixel, 4, 6}, {images.HalfPixel, 2, 3}, {images.Replicate, 4, 6},
		} {
			what := fmt.Sprintf("%s to %d×%d", test.resize, test.height, test.width)
			want, err := m.Resize(test.height, test.width, test.resize)
			if err != nil {
				t.Fatal(err)
			}
			// In the middle of a batch [1, 3, 2, 3], so that maps do not mix.
			in := tensors.FromFlatDataAndDimensions(slices.Concat(slices.Repeat([]float32{7}, 6), m.Values, slices.Repeat([]float32{-5}, 6)), 1, 3, m.H, m.W)
			out, err := ExecOnce(b, func(m *Node) *Node { return cam.Upsample(m, test.height, test.width, test.resize) }, in)
			if err != nil {
				t.Fatal(err)
			}
			if err := out.Shape().CheckDims(1, 3, test.height, test.width); err != nil {
				t.Fatal(err)
			}
			got := tensors.MustCopyFlatData[float32](out)
			size := len(want.Values)
			near(t, what, got[size:2*size], want.Values, 1e-6)
			if got[0] != 7 || got[size-1] != 7 || got[2*size] != -5 {
				t.Errorf("%s: neighboring constant maps became %v, %v and %v, want 7, 7 and -5", what, got[0], got[size-1], got[2*size])
			}
		}
	})
}
