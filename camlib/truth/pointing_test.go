package truth_test

import (
	"testing"

	"github.com/camlab-go/camlab/camlib/truth"
)

func TestPointing(t *testing.T) {
	mask := "...." + "#..." + "...." // 3×4
	tests := []struct {
		rule      string
		m         []float32
		tolerance int
		want      float64
	}{
		{"highest inside", []float32{0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0}, 0, 1},
		{"highest outside", []float32{0, 1, 2, 5, 4, 0, 0, 0, 0, 0, 0, 0}, 0, 0},
		{"negative maps have a highest value too", []float32{-2, -2, -2, -2, -1, -2, -2, -2, -2, -2, -2, -2}, 0, 1},
		{"one of two highest", []float32{0, 0, 0, 4, 4, 0, 0, 0, 0, 0, 0, 0}, 0, 0.5},
		{"one of three highest", []float32{0, 0, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0}, 0, 1. / 3},
		{"flat: the truth's area", []float32{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, 0, 1. / 12},
		{"flat: the area within a pixel", []float32{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, 1, 4. / 12},
		{"a diagonal step is further than 1", []float32{0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 0},
		{"but not than 2", []float32{0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 2, 1},
		{"two columns away", []float32{0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0}, 2, 1},
		{"three columns away", []float32{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0}, 2, 0},
	}
	for _, test := range tests {
		got, err := truth.Pointing(oneClass(3, 4, test.m), masks(t, 3, 4, mask), test.tolerance)
		equal(t, test.rule, got, []float64{test.want}, err)
	}
}

func TestPointingOfEachImage(t *testing.T) {
	r := oneClass(1, 3, []float32{1, 2, 3}, []float32{3, 2, 1}, []float32{1, 1, 1})
	got, err := truth.Pointing(r, masks(t, 1, 3, "..#", "..#", ".##"), 0)
	equal(t, "three images", got, []float64{1, 0, 2. / 3}, err)
}

func TestEnergy(t *testing.T) {
	r := oneClass(1, 4, []float32{1, 2, 3, 4}, []float32{-5, 2, -1, 6}, []float32{-1, -2, 0, -3}, []float32{2, 2, 2, 2}, []float32{0, 0, 0, 0})
	got, err := truth.Energy(r, masks(t, 1, 4, "##..", "##..", "####", "#.##", "#..."))
	equal(t, "energy", got, []float64{0.3, 0.25, 0, 0.75, 0}, err)
	if n := truth.Silent(r); n != 2 {
		t.Errorf("%d silent maps, want 2", n)
	}
}

// TestMapsAreResized brings a map of 2×2 to 3×3, corners aligned: 0 4 8 2 by hand.
func TestMapsAreResized(t *testing.T) {
	r := oneClass(2, 2, []float32{0, 4, 8, 2})
	// 0 2 4, 4 3.5 3, 8 5 2: all 31.5
	got, err := truth.Energy(r, masks(t, 3, 3, "......##."))
	equal(t, "energy", got, []float64{13 / 31.5}, err)
	got, err = truth.Energy(r, masks(t, 3, 3, "....#...."))
	equal(t, "energy in the middle", got, []float64{3.5 / 31.5}, err)
	got, err = truth.Pointing(r, masks(t, 3, 3, "......#.."), 0)
	equal(t, "pointing", got, []float64{1}, err)
	flat := oneClass(5, 3, []float32{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1})
	got, err = truth.Pointing(flat, masks(t, 2, 7, "#............."), 0)
	equal(t, "a flat map stays flat", got, []float64{1. / 14}, err)
}
