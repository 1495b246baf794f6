package images_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/images"
)

// The wanted values are scipy.ndimage.zoom(tilted, zoom, order=1) of float32 input,
// scipy 1.17.1, numpy 2.4.6.
func TestResizeEqualsSciPyZoom(t *testing.T) {
	for _, c := range []struct {
		zoom string
		h, w int
		want []float32
	}{
		{"(2, 2)", 4, 6, []float32{
			0, 0.400000006, 0.800000012, 1.60000002, 2.79999995, 4,
			-0.666666687, 0.266666681, 1.20000005, 1.89999998, 2.36666656, 2.83333325,
			-1.33333337, 0.13333334, 1.60000002, 2.20000005, 1.93333328, 1.66666663,
			-2, 0, 2, 2.5, 1.5, 0.5,
		}},
		{"(2, 1)", 4, 3, []float32{0, 1, 4, -0.666666687, 1.66666663, 2.83333325, -1.33333337, 2.33333325, 1.66666663, -2, 3, 0.5}},
		{"(1.5, 2)", 3, 6, []float32{
			0, 0.400000006, 0.800000012, 1.60000002, 2.79999995, 4,
			-1, 0.200000003, 1.39999998, 2.04999995, 2.1500001, 2.25,
			-2, 0, 2, 2.5, 1.5, 0.5,
		}},
		{"(0.5, 2/3)", 1, 2, []float32{0, 4}},
	} {
		t.Run(c.zoom, func(t *testing.T) {
			got, err := tilted.Resize(c.h, c.w, images.AlignCorners)
			if err != nil {
				t.Fatal(err)
			}
			if got.H != c.h || got.W != c.w {
				t.Fatalf("size %d×%d, want %d×%d", got.H, got.W, c.h, c.w)
			}
			for i, want := range c.want {
				// One float32 rounding of values up to 4: both sides sum in float64, in another order.
				if d := math.Abs(float64(got.Values[i] - want)); d > 4*0x1p-24 {
					t.Errorf("value %d: %v, want %v", i, got.Values[i], want)
				}
			}
		})
	}
}

// TestResize has each way on a map that is neither square nor linear.
func TestResize(t *testing.T) {
	m := images.Map{H: 2, W: 3, Values: []float32{0, 1, 4, 9, 16, 25}}
	for _, test := range []struct {
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
		{"same size is the same map", images.HalfPixel, [][]float32{{0, 1, 4}, {9, 16, 25}}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got, err := m.Resize(len(test.want), len(test.want[0]), test.resize)
			if err != nil {
				t.Fatal(err)
			}
			for y, row := range test.want {
				for x, want := range row {
					if math.Abs(float64(got.At(y, x)-want)) > 25*1e-6 {
						t.Errorf("(%d, %d): %v, want %v", y, x, got.At(y, x), want)
					}
				}
			}
		})
	}
}

func TestResizeErrors(t *testing.T) {
	_, err := tilted.Resize(0, 6, images.AlignCorners)
	checkError(t, err, "images: resize: to 0×6, want at least 1×1")
	_, err = tilted.Resize(2, 7, images.Replicate)
	checkError(t, err, "images: resize: from 3 to 7, want a multiple for replicate")
	_, err = tilted.Resize(2, 3, images.Resize(7))
	checkError(t, err, "images: resize: Resize(7), want one of align-corners, half-pixel, replicate")
}

func TestResizeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 6).Draw(t, "h"), rapid.IntRange(1, 6).Draw(t, "w")
		m := images.Map{H: h, W: w, Values: rapid.SliceOfN(rapid.Float32Range(-1e3, 1e3), h*w, h*w).Draw(t, "values")}
		resized := func(h, w int, how images.Resize) images.Map {
			out, err := m.Resize(h, w, how)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		same := resized(h, w, images.AlignCorners)
		for i, v := range m.Values {
			if same.Values[i] != v {
				t.Fatalf("same size: value %d: %v, want %v", i, same.Values[i], v)
			}
		}
		// A grid k times as fine has the original values at every k-th place.
		k := rapid.IntRange(1, 5).Draw(t, "k")
		fine := resized(k*(h-1)+1, k*(w-1)+1, images.AlignCorners)
		for y := range h {
			for x := range w {
				if got, want := fine.At(k*y, k*x), m.At(y, x); got != want {
					t.Fatalf("%d times as fine, (%d, %d): %v, want %v", k, y, x, got, want)
				}
			}
		}
		// Bilinear interpolation goes beyond no value of the map, unlike the bicubic one of
		// torchcam's overlay and xplique's maps.
		large := rapid.IntRange(1, 20)
		height, width := large.Draw(t, "height"), large.Draw(t, "width")
		for _, how := range []images.Resize{images.AlignCorners, images.HalfPixel} {
			if got := resized(height, width, how); got.Min() < m.Min() || got.Max() > m.Max() {
				t.Fatalf("%s: from %v to %v, want within %v and %v", how, got.Min(), got.Max(), m.Min(), m.Max())
			}
		}
	})
}

func TestResizeNames(t *testing.T) {
	for _, r := range []images.Resize{images.AlignCorners, images.HalfPixel, images.Replicate} {
		if got, err := images.ParseResize(r.String()); got != r || err != nil {
			t.Errorf("ParseResize(%q) = %v, %v", r, got, err)
		}
	}
	_, err := images.ParseResize("bicubic")
	checkError(t, err, `images: resize "bicubic", want one of align-corners, half-pixel, replicate`)
}
