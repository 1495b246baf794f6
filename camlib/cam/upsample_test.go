package cam_test

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

func TestUpsample(t *testing.T) {
	m := [][]float32{{0, 1, 4}, {9, 16, 25}} // neither square nor linear
	tests := []struct {
		rule   string
		resize images.Resize
		want   [][]float32
	}{
		// scipy.ndimage.zoom(m, (2, 2), order=1), scipy 1.17.1
		{"corners of both grids aligned", images.AlignCorners, [][]float32{
			{0, 0.4, 0.8, 1.6, 2.8, 4}, {3, 4.2, 5.4, 7, 9, 11}, {6, 8, 10, 12.4, 15.2, 18}, {9, 11.8, 14.6, 17.8, 21.4, 25},
		}},
		// scipy.ndimage.zoom(m, (5/2, 4/3), order=1), scipy 1.17.1
		{"another factor along each axis", images.AlignCorners, [][]float32{
			{0, 2. / 3, 2, 4}, {2.25, 47. / 12, 6.25, 9.25}, {4.5, 43. / 6, 10.5, 14.5}, {6.75, 125. / 12, 14.75, 19.75}, {9, 41. / 3, 19, 25},
		}},
		{"one row is the first", images.AlignCorners, [][]float32{{0, 1, 4}}},
		// by hand: columns lie at 0, ¼, ¾, 1¼, 1¾, 2 and rows at 0, ¼, ¾, 1
		{"edges of both grids aligned", images.HalfPixel, [][]float32{
			{0, 0.25, 0.75, 1.75, 3.25, 4}, {2.25, 2.875, 4.125, 5.875, 8.125, 9.25}, {6.75, 8.125, 10.875, 14.125, 17.875, 19.75}, {9, 10.75, 14.25, 18.25, 22.75, 25},
		}},
		{"every value twice", images.Replicate, [][]float32{
			{0, 0, 1, 1, 4, 4}, {0, 0, 1, 1, 4, 4}, {9, 9, 16, 16, 25, 25}, {9, 9, 16, 16, 25, 25},
		}},
		{"same size is the same map", images.HalfPixel, m},
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				height, width := len(test.want), len(test.want[0])
				// In the middle of a batch [1, 3, 2, 3], so that maps do not mix.
				in := [][][][]float32{{{{7, 7, 7}, {7, 7, 7}}, m, {{-5, -5, -5}, {-5, -5, -5}}}}
				out, err := ExecOnce(b, func(m *Node) *Node { return cam.Upsample(m, height, width, test.resize) }, in)
				if err != nil {
					t.Fatal(err)
				}
				if err := out.Shape().CheckDims(1, 3, height, width); err != nil {
					t.Fatal(err)
				}
				got := tensors.MustCopyFlatData[float32](out)
				size := height * width
				var want []float32
				for _, row := range test.want {
					want = append(want, row...)
				}
				near(t, "map", got[size:2*size], want, 1e-6)
				if got[0] != 7 || got[size-1] != 7 || got[2*size] != -5 {
					t.Errorf("neighboring constant maps became %v, %v and %v, want 7, 7 and -5", got[0], got[size-1], got[2*size])
				}
			})
		}
	})
}
