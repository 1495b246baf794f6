package truth

import (
	"slices"

	"github.com/camlab-go/camlab/camlib/cam"
)

// Pointing plays the pointing game: whether a map is highest inside the truth,
//
//	hit = |{p ∈ argmax M : d(p, T) ≤ tolerance}| / |argmax M|,
//
// the game of Zhang et al. 2018 (Excitation Backprop, arXiv:1608.00507). d is the distance to the nearest
// pixel of the mask T, Euclidean, in pixels. The paper's tolerance is 15 pixels of
// photographs of 500; 0 wants the pixel itself inside.
//
// Without ties hit is 0 or 1. Where several pixels are the highest it is the share of
// them that hit, which is what one of them, picked at random, can expect. So a flat map,
// which points nowhere, gets the share of the image that the truth covers.
//
// The result has a value from 0 to 1 for each image, higher is better; their mean is the
// accuracy. It fails with [ErrTruth] when r does not fit t or tolerance is negative.
func Pointing(r *cam.Result, t Truth, tolerance int) ([]float64, error) {
	if tolerance < 0 {
		return nil, fail("pointing: tolerance of %d pixels, want 0 or more", tolerance)
	}
	return t.score("pointing", r, func(i int, m []float32) float64 {
		highest := slices.Max(m)
		n, hit := 0, 0
		for p, v := range m {
			if v != highest {
				continue
			}
			n++
			if t.within(i, p, tolerance) {
				hit++
			}
		}
		return float64(hit) / float64(n)
	})
}

// within reports whether place p of image i is inside the truth or that near to it.
func (t Truth) within(i, p, tolerance int) bool {
	mask, y, x := t.Mask(i), p/t.Width, p%t.Width
	for v := max(0, y-tolerance); v <= min(t.Height-1, y+tolerance); v++ {
		for u := max(0, x-tolerance); u <= min(t.Width-1, x+tolerance); u++ {
			if mask[v*t.Width+u] && (v-y)*(v-y)+(u-x)*(u-x) <= tolerance*tolerance {
				return true
			}
		}
	}
	return false
}

// Energy plays the energy-based pointing game: how much of a map's positive part is
// inside the truth T,
//
//	E = Σ_{p∈T} ReLU(M_p) / Σ_p ReLU(M_p),
//
// Wang et al. 2020 (Score-CAM, arXiv:1910.01279), there for maps without negative
// values. A uniform map has E = [Truth.Area]. A map without positive values says nothing
// and has E = 0; [Silent] counts those.
//
// The result has a value from 0 to 1 for each image, higher is better. It fails with
// [ErrTruth] when r does not fit t.
func Energy(r *cam.Result, t Truth) ([]float64, error) {
	return t.score("energy", r, func(i int, m []float32) float64 { return share(m, t.Mask(i)) })
}

// share is the part of the positive values of m that lies in a mask, 0 where there are
// none.
func share(m []float32, mask []bool) float64 {
	inside, all := 0.0, 0.0
	for p, v := range m {
		if v > 0 {
			all += float64(v)
			if mask[p] {
				inside += float64(v)
			}
		}
	}
	if all == 0 {
		return 0
	}
	return inside / all
}

// Silent returns how many maps of r have no positive value, so that [Energy] and
// [GridPointing] give them 0.
func Silent(r *cam.Result) int {
	n := 0
	for m := range slices.Chunk(r.Maps, max(1, r.Height*r.Width)) {
		if slices.Max(m) <= 0 {
			n++
		}
	}
	return n
}
