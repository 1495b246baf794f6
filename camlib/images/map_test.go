package images_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/images"
)

// tilted is neither square nor symmetric.
var tilted = images.Map{H: 2, W: 3, Values: []float32{0, 1, 4, -2, 3, 0.5}}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestMapErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		rule   string
		h, w   int
		values []float32
		want   string
	}{
		{"size matches", 2, 3, make([]float32, 5), "images: map: 5 values, want 2×3 = 6"},
		{"not empty", 0, 3, nil, "images: map: size 0×3, want at least 1×1"},
		{"two negatives make no size", -2, -3, make([]float32, 6), "images: map: size -2×-3, want at least 1×1"},
		{"position of NaN", 2, 3, []float32{0, 0, 0, 0, 0, nan}, "images: map: row 1, column 2: value NaN, want a finite number"},
		{"position of infinity", 3, 2, []float32{0, 0, 0, inf, 0, 0}, "images: map: row 1, column 1: value -Inf, want a finite number"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := images.NewMap(c.h, c.w, c.values)
			checkError(t, err, c.want)
			m := images.Map{H: c.h, W: c.w, Values: c.values} // a literal is checked where it is used
			if _, err := m.Resize(2, 2, images.AlignCorners); err == nil || err.Error() != c.want {
				t.Errorf("Resize: %v, want %s", err, c.want)
			}
		})
	}
}

func TestNewMaps(t *testing.T) {
	maps, err := images.NewMaps(2, 1, 3, []float32{0, 1, 2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	if got := maps[1].At(0, 2); len(maps) != 2 || got != 5 {
		t.Errorf("%d maps, last value %v, want 2, 5", len(maps), got)
	}
	_, err = images.NewMaps(2, 1, 3, make([]float32, 7))
	checkError(t, err, "images: maps: 7 values, want 2×1×3")
	_, err = images.NewMaps(2, 1, 2, []float32{0, 0, 0, float32(math.NaN())})
	checkError(t, err, "images: maps: map 1: images: map: row 0, column 1: value NaN, want a finite number")
}

func TestMinMax(t *testing.T) {
	if lo, hi := tilted.Min(), tilted.Max(); lo != -2 || hi != 4 {
		t.Errorf("%v to %v, want -2 to 4", lo, hi)
	}
	below := images.Map{H: 1, W: 2, Values: []float32{-3, -1}}
	if hi := below.Max(); hi != -1 {
		t.Errorf("largest of negative values %v, want -1", hi)
	}
}

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
	_, err := tilted.Resize(0, 6, images.AlignCorners)
	checkError(t, err, "images: resize: to 0×6, want at least 1×1")
}

func TestResizeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 6).Draw(t, "h"), rapid.IntRange(1, 6).Draw(t, "w")
		m := images.Map{H: h, W: w, Values: rapid.SliceOfN(rapid.Float32Range(-1e3, 1e3), h*w, h*w).Draw(t, "values")}
		same := must(m.Resize(h, w, images.AlignCorners))
		for i, v := range m.Values {
			if same.Values[i] != v {
				t.Fatalf("same size: value %d: %v, want %v", i, same.Values[i], v)
			}
		}
		// A grid k times as fine has the original values at every k-th place.
		k := rapid.IntRange(1, 5).Draw(t, "k")
		fine := must(m.Resize(k*(h-1)+1, k*(w-1)+1, images.AlignCorners))
		for y := range h {
			for x := range w {
				if got, want := fine.At(k*y, k*x), m.At(y, x); got != want {
					t.Fatalf("%d times as fine, (%d, %d): %v, want %v", k, y, x, got, want)
				}
			}
		}
	})
}

// TestResizeKeepsTheRange: bilinear interpolation goes beyond no value of the map,
// unlike the bicubic one of torchcam's overlay and xplique's maps.
func TestResizeKeepsTheRange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 6)
		h, w := size.Draw(rt, "h"), size.Draw(rt, "w")
		m := images.Map{H: h, W: w, Values: rapid.SliceOfN(rapid.Float32Range(-1e3, 1e3), h*w, h*w).Draw(rt, "values")}
		large := rapid.IntRange(1, 20)
		got := must(m.Resize(large.Draw(rt, "height"), large.Draw(rt, "width"), images.AlignCorners))
		if got.Min() < m.Min() || got.Max() > m.Max() {
			rt.Fatalf("from %v to %v, want within %v and %v", got.Min(), got.Max(), m.Min(), m.Max())
		}
	})
}

// TestTaps holds the other ways to resize to values by hand: between 2 and 4 columns the
// edges of both grids lie on each other at −¼, ¼, ¾ and 1¼ of the input.
func TestTaps(t *testing.T) {
	row := images.Map{H: 1, W: 2, Values: []float32{0, 8}}
	for _, c := range []struct {
		how  images.Resize
		want []float32
	}{{images.HalfPixel, []float32{0, 2, 6, 8}}, {images.Replicate, []float32{0, 0, 8, 8}}} {
		got := must(row.Resize(1, 4, c.how))
		for i, want := range c.want {
			if got.Values[i] != want {
				t.Errorf("%s: %v, want %v", c.how, got.Values, c.want)
				break
			}
		}
	}
	_, err := row.Resize(1, 3, images.Replicate)
	checkError(t, err, "images: resize: from 2 to 3, want a multiple for replicate")
	_, err = row.Resize(1, 3, images.Resize(7))
	checkError(t, err, "images: resize: Resize(7), want one of align-corners, half-pixel, replicate")
	if _, _, err = images.HalfPixel.Taps(0, 3); err == nil {
		t.Error("no inputs: no error")
	}
}

func TestResizeNames(t *testing.T) {
	for _, r := range []images.Resize{images.AlignCorners, images.HalfPixel, images.Replicate} {
		if got, err := images.ParseResize(r.String()); err != nil || got != r {
			t.Errorf("%s is read as %v, error %v", r, got, err)
		}
	}
	_, err := images.ParseResize("bicubic")
	checkError(t, err, `images: resize "bicubic", want one of align-corners, half-pixel, replicate`)
}

func TestMapMean(t *testing.T) {
	for _, test := range []struct {
		values []float32
		want   float64
	}{
		{nil, 0},
		{[]float32{1, 2, 3, -4}, 0.5},
		{[]float32{1 << 24, 1, 1, 1}, (1<<24 + 3) / 4.0}, // float32 would lose the ones
	} {
		if got := (images.Map{H: 2, W: 2, Values: test.values}).Mean(); got != test.want {
			t.Errorf("mean of %v is %v, want %v", test.values, got, test.want)
		}
	}
}
