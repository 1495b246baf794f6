package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
)

// limits are how far two backends may be apart: scores and maps by the largest difference over
// the largest value, losses by the largest difference over themselves, weights by the length of
// the difference of their changes over that of a change.
type limits struct{ scores, maps, losses, weights float64 }

var (
	// exact is of two that compute in float32.
	exact = limits{scores: 1e-5, maps: 1e-4, losses: 1e-4, weights: 1e-2}
	// tf32 is of a graphics card, which multiplies with ten bits after the point: scores were off
	// by 2e-4 there and maps by up to 4e-4 (docs/docker.md). Those of trainings are what such
	// products allow; they have not been measured.
	tf32 = limits{scores: 2e-3, maps: 5e-3, losses: 1e-2, weights: 1e-1}
)

// row is a comparison.
type row struct {
	what       string
	off, limit float64
}

func (r row) fits() bool { return r.off <= r.limit }

// compare holds what a backend computed to what another did.
func compare(got, want *measured, l limits) (rows []row) {
	add := func(what string, off, limit float64) { rows = append(rows, row{what, off, limit}) }
	add("scores", farthest(got.Scores, want.Scores), l.scores)
	for _, name := range names(got.Maps, want.Maps) {
		add("maps of "+name, farthest(got.Maps[name], want.Maps[name]), l.maps)
	}
	training := func(what string, a, b training, weights bool) {
		add(what+": losses", relative(a.Losses, b.Losses), l.losses)
		if weights {
			add(what+": changes of the weights", apart(a.Moved, b.Moved), l.weights)
		}
	}
	for _, name := range names(got.Trainings, want.Trainings) {
		if name != byDevices {
			training(name, got.Trainings[name], want.Trainings[name], name == bySGD)
		}
	}
	if t, ok := got.Trainings[byDevices]; ok {
		training(byDevices+", beside one of them", t, got.Trainings[bySGD], true)
	}
	return rows
}

// names are the keys of either.
func names[V any](a, b map[string]V) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}

// farthest is the largest difference, over the largest value of want. It is NaN where one has
// none, or others.
func farthest(got, want []float32) float64 {
	if len(got) != len(want) || len(want) == 0 {
		return math.NaN()
	}
	off, size := 0.0, 0.0
	for i := range want {
		off = max(off, math.Abs(float64(got[i])-float64(want[i]))) // max keeps a NaN
		size = max(size, math.Abs(float64(want[i])))
	}
	return off / size
}

// relative is the largest difference over the value.
func relative(got, want []float32) float64 {
	if len(got) != len(want) || len(want) == 0 {
		return math.NaN()
	}
	off := 0.0
	for i := range want {
		off = max(off, math.Abs(float64(got[i])/float64(want[i])-1))
	}
	return off
}

// apart is the Euclidean length of a difference over that of want.
func apart(got, want map[string][]float32) float64 {
	off, size := 0.0, 0.0
	for _, name := range names(got, want) {
		a, b := got[name], want[name]
		if len(a) != len(b) {
			return math.NaN()
		}
		for i := range b {
			d := float64(a[i]) - float64(b[i])
			off, size = off+d*d, size+float64(b[i])*float64(b[i])
		}
	}
	return math.Sqrt(off / size) // of nothing NaN
}

// unchecked says in words what a comparison leaves out.
func unchecked(got *measured) (all []string) {
	var open []string
	for _, m := range cam.MethodsFor(article.New(1)) {
		if name := m.Spec().Name; got.Maps[name] == nil {
			open = append(open, name)
		}
	}
	all = append(all, "maps by methods without a closed form: "+strings.Join(open, ", "))
	all = append(all, "the general form of the others, other networks' maps, images of other sizes, bfloat16")
	if got.Devices < 2 {
		all = append(all, fmt.Sprintf("several devices: this backend has %d", got.Devices))
	}
	if _, ok := got.Trainings[ofBest]; !ok {
		all = append(all, "best's network")
	}
	return append(all, "more than an epoch's first steps, checkpoints, notebooks and kernels, containers")
}
