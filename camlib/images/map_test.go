package images_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// tilted is a 2×3 map without symmetry, of both signs, from −2 to 4.
var tilted = images.Map{H: 2, W: 3, Values: []float32{0, 1, 4, -2, 3, 0.5}}

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
			_, err = m.Resize(4, 4, images.AlignCorners)
			checkError(t, err, c.want)
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
	above := images.Map{H: 1, W: 2, Values: []float32{3, 1}}
	if lo := above.Min(); lo != 1 {
		t.Errorf("smallest of positive values %v, want 1", lo)
	}
	if none := (images.Map{}); none.Min() != 0 || none.Max() != 0 {
		t.Errorf("no values: %v to %v, want 0", none.Min(), none.Max())
	}
}

func ExampleNewMap() {
	_, err := images.NewMap(2, 3, []float32{1, 2, 3, 4, 5})
	fmt.Println(err)
	// Output: images: map: 5 values, want 2×3 = 6
}

func ExampleNewMaps() {
	// The flat data of two maps, each of one row and three columns.
	maps, err := images.NewMaps(2, 1, 3, []float32{0, 1, 2, 3, 4, 5})
	fmt.Println(maps, err)
	// Output: [{1 3 [0 1 2]} {1 3 [3 4 5]}] <nil>
}

func ExampleMap_Resize() {
	// From 2 to 4 columns, corners aligned: the ends stay, thirds lie between.
	m, _ := images.NewMap(1, 2, []float32{0, 3})
	wide, _ := m.Resize(1, 4, images.AlignCorners)
	fmt.Println(wide.Values)
	// Output: [0 1 2 3]
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
