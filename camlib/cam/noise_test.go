package cam_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// TestRISEMasksAreMovedGrids is how the authors draw masks: a grid of 7×7 cells of 0 or 1
// enlarged bilinearly to 8 cells of ⌈side/7⌉ pixels along each axis, from which the mask
// begins at a pixel of the first cell by chance. Every mask is solved for its cells at
// every such pixel, with an enlarging of its own.
func TestRISEMasksAreMovedGrids(t *testing.T) {
	const n, cells, height, width = 300, 7, 21, 35 // cells of 3 and 5 pixels
	masks := cam.RISEMasks(backendOf(t, pureGo), n, height, width)
	// grids returns, for each place to begin at, what each of so many pixels takes of each cell.
	grids := func(size, cell int) (all []*mat.Dense) {
		for begin := range cell {
			m := mat.NewDense(size, cells, nil)
			for i := range size {
				at := (float64(begin+i)+0.5)*cells/(float64((cells+1)*cell)) - 0.5
				for c := range cells {
					share := 1 - math.Abs(at-float64(c))
					if c == 0 && at < 0 || c == cells-1 && at > cells-1 {
						share = 1
					}
					m.Set(i, c, math.Max(0, share))
				}
			}
			all = append(all, m)
		}
		return all
	}
	down, across := grids(height, 3), grids(width, 5)
	rows, columns, kept := make([]int, 3), make([]int, 5), 0.0
	for k := range n {
		mask := mat.NewDense(height, width, nil)
		for p, v := range masks[k*height*width : (k+1)*height*width] {
			mask.Set(p/width, p%width, float64(v))
		}
		least, row, column := math.Inf(1), 0, 0
		var grid mat.Dense
		for i, r := range down {
			for j, c := range across {
				var half, cell, again, miss mat.Dense // mask = R cell Cᵀ
				if half.Solve(r, mask) != nil || cell.Solve(c, half.T()) != nil {
					t.Fatal("a grid's cells cannot be told from its mask")
				}
				again.Mul(r, cell.T())
				miss.Mul(&again, c.T())
				miss.Sub(&miss, mask)
				if d := mat.Max(&miss) - mat.Min(&miss); d < least {
					least, row, column = d, i, j
					grid.CloneFrom(cell.T())
				}
			}
		}
		if least > 1e-5 {
			t.Fatalf("mask %d: %.2g off every enlarged grid", k, least)
		}
		rows[row]++
		columns[column]++
		for _, v := range grid.RawMatrix().Data {
			if d := math.Min(math.Abs(v), math.Abs(v-1)); d > 1e-3 {
				t.Fatalf("mask %d: a cell of %v, want 0 or 1", k, v)
			}
			kept += v / (n * cells * cells)
		}
	}
	// Each place has its share, to five standard deviations.
	for _, counts := range [][]int{rows, columns} {
		want := float64(n) / float64(len(counts))
		for begin, count := range counts {
			if math.Abs(float64(count)-want) > 5*math.Sqrt(want) {
				t.Errorf("%d of %d masks begin at pixel %d of a cell of %d, want about %.0f", count, n, begin, len(counts), want)
			}
		}
	}
	if math.Abs(kept-0.5) > 5*0.5/math.Sqrt(n*cells*cells) {
		t.Errorf("%.3f of all cells are kept, want a half", kept)
	}
}

// TestRISEMasksOfAnySide is that cells are ⌈side/7⌉ pixels for sides that are no multiple of
// 7, too: such masks are parts of those of the next multiple.
func TestRISEMasksOfAnySide(t *testing.T) {
	const n, height, width, multiple, wide = 5, 22, 36, 28, 42
	b := backendOf(t, pureGo)
	part, whole := cam.RISEMasks(b, n, height, width), cam.RISEMasks(b, n, multiple, wide)
	for k := range n {
		for y := range height {
			near(t, fmt.Sprintf("mask %d, row %d", k, y), part[(k*height+y)*width:][:width], whole[(k*multiple+y)*wide:][:width], 1e-6)
		}
	}
}

// cubes is a network without weights whose score is the mean of the pixels' cubes, all
// colors of all pixels, so that its gradient is 3x² times a number.
func cubes() *network.Network {
	return &network.Network{
		Name: "cubes", Store: model.NewStore(),
		Layers: []network.Layer{{Name: "cube", Build: func(_ *model.Scope, x *Node) *Node { return Mul(x, Square(x)) }}},
		Head:   func(_ *model.Scope, act *Node) *Node { return InsertAxes(ReduceMean(act, 1, 2, 3), -1) },
	}
}

// TestNoiseIsAsLargeAsItIsSaidToBe is SmoothGrad of a black image where the gradient is
// 3x²: the mean over the noise is three times its variance.
func TestNoiseIsAsLargeAsItIsSaidToBe(t *testing.T) {
	e := explainer(t, backendOf(t, pureGo), cubes(), cam.Options{Chunk: 200})
	x := images.NewBatch(1, images.Size{Height: 8, Width: 10, Channels: 3})
	r := explain(t, e, cam.SmoothGrad{Samples: 200}, x, cam.Class(0))
	mean := 0.0
	for _, v := range r.Maps {
		mean += float64(v) // Σ_colors 3 ε²/240, for 80 pixels
	}
	// 48,000 draws tell the variance to 0.65 %.
	if sd := math.Sqrt(mean / 3); math.Abs(sd-0.1) > 0.003 {
		t.Errorf("the noise has a standard deviation of %.4f, want 0.1", sd)
	}
}

// TestEqualChannelsGoByTheirNumber is Score-CAM with one channel where several have the same
// variance, which is the largest.
func TestEqualChannelsGoByTheirNumber(t *testing.T) {
	net := &network.Network{
		Name: "colors", Store: model.NewStore(),
		Layers: []network.Layer{{Name: "colors", Build: func(_ *model.Scope, x *Node) *Node { return x }}},
		Head:   func(_ *model.Scope, act *Node) *Node { return ReduceMean(act, 1, 2) },
	}
	// Halves and wholes, whose means and squares are exact; the last three are equally uneven.
	colors := [][]float32{{0.5, 0.5, 0.5, 0.5}, {0, 1, 0, 1}, {1, 0, 1, 0}, {0, 0, 1, 1}}
	x := images.NewBatch(1, images.Size{Height: 2, Width: 2, Channels: 4})
	for c, values := range colors {
		for p, v := range values {
			x.Pixels[p*4+c] = v
		}
	}
	e := explainer(t, backendOf(t, pureGo), net, cam.Options{})
	near(t, "the first of the equals", explain(t, e, cam.ScoreCAM{Channels: 1}, x, cam.Class(0)).Maps, colors[1], 1e-6)
	// Of two, both count: as the whole map of a network that has these two channels.
	two := explain(t, e, cam.ScoreCAM{Channels: 2}, x, cam.Class(0)).Maps
	if math.Abs(float64(two[0]+two[1]-1)) > 1e-6 || two[0] != two[2] || two[1] != two[3] || !slices.ContainsFunc(two, func(v float32) bool { return v > 0 && v < 1 }) {
		t.Errorf("of two of three equals: %v, want the first and the second, weighted", fmt.Sprint(two))
	}
}
