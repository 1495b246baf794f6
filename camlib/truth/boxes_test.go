package truth_test

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/truth"
)

// TestBoxesByHand has maps whose boxes are seen at once.
func TestBoxesByHand(t *testing.T) {
	o := truth.BoxOptions{Thresholds: []float64{0, 0.25, 0.5, 0.75}}
	tests := []struct {
		rule          string
		height, width int
		m             []float32
		box           image.Rectangle
		minMax        bool
		want          []float32
	}{
		// s: 0 .25 .5 1. Above 0: three places, above .25: two, above .5 and .75: one.
		{"a row", 1, 4, []float32{0, 1, 2, 4}, image.Rect(2, 0, 4, 1), false, []float32{2. / 3, 1, 0.5, 0.5}},
		// (−4, 0, 4) is s = 0 .5 1 by smallest and largest, and −1 0 1 from zero.
		{"smallest to 0", 1, 3, []float32{-4, 0, 4}, image.Rect(1, 0, 3, 1), true, []float32{1, 1, 0.5, 0.5}},
		{"from zero", 1, 3, []float32{-4, 0, 4}, image.Rect(1, 0, 3, 1), false, []float32{0.5, 0.5, 0.5, 0.5}},
		{"largest to 1", 1, 3, []float32{1, 2, 2}, image.Rect(0, 0, 3, 1), false, []float32{1, 1, 2. / 3, 2. / 3}},
		{"the better of two", 1, 5, []float32{1, 0, 4, 4, 0}, image.Rect(2, 0, 4, 1), false, []float32{1, 1, 1, 1}},
		{"the smaller of two", 1, 5, []float32{4, 0, 3, 3, 0}, image.Rect(0, 0, 1, 1), false, []float32{1, 1, 1, 1}},
		{"corners join", 2, 2, []float32{1, 0, 0, 1}, image.Rect(0, 0, 2, 2), false, []float32{1, 1, 1, 1}},
		{"other corners join", 2, 3, []float32{0, 1, 0, 1, 0, 0}, image.Rect(0, 0, 2, 2), false, []float32{1, 1, 1, 1}},
		{"rows do not join round the edge", 2, 3, []float32{0, 0, 1, 1, 0, 0}, image.Rect(0, 0, 3, 2), false, []float32{1. / 6, 1. / 6, 1. / 6, 1. / 6}},
		{"flat", 2, 2, []float32{3, 3, 3, 3}, image.Rect(0, 0, 1, 1), false, []float32{0, 0, 0, 0}},
		{"flat, smallest to 0", 2, 2, []float32{3, 3, 3, 3}, image.Rect(0, 0, 1, 1), true, []float32{0, 0, 0, 0}},
		{"nothing positive", 1, 2, []float32{-3, -2}, image.Rect(0, 0, 1, 1), false, []float32{0, 0, 0, 0}},
		// The hole of one place in the middle has a rim of 3×3, which is the truth.
		{
			"the rim of a hole", 3, 5, []float32{
				1, 1, 1, 1, 1,
				1, 0, 1, 1, 1,
				1, 1, 1, 1, 1,
			}, image.Rect(0, 0, 3, 3), false, []float32{1, 1, 1, 1},
		},
		// The middle is above .25 at first: the hole opens at .5.
		{
			"a hole that opens", 3, 5, []float32{
				4, 4, 4, 4, 4,
				4, 2, 4, 4, 4,
				4, 4, 4, 4, 0,
			}, image.Rect(0, 0, 3, 3), false, []float32{9. / 15, 9. / 15, 1, 1},
		},
		// Two places that touch at a corner are two holes: none is in both rims.
		{
			"holes do not join at corners", 4, 4, []float32{
				1, 1, 1, 1,
				1, 0, 1, 1,
				1, 1, 0, 1,
				1, 1, 1, 1,
			}, image.Rect(0, 0, 3, 3), false, []float32{1, 1, 1, 1},
		},
		{
			"the border is no hole", 3, 3, []float32{
				1, 1, 1,
				1, 0, 0,
				1, 1, 1,
			}, image.Rect(0, 0, 3, 3), false, []float32{1, 1, 1, 1},
		},
		{
			"nor is what reaches it", 3, 4, []float32{
				1, 1, 1, 1,
				1, 0, 1, 1,
				1, 0, 1, 1,
			}, image.Rect(0, 0, 3, 3), false, []float32{9. / 12, 9. / 12, 9. / 12, 9. / 12},
		},
	}
	for _, test := range tests {
		b, err := truth.Boxes(test.height, test.width, test.box)
		if err != nil {
			t.Fatal(err)
		}
		o.MinMax = test.minMax
		h, err := truth.MaxBoxAcc(oneClass(test.height, test.width, test.m), b, o)
		if err != nil || !slices.Equal(h.IoU, test.want) {
			t.Errorf("%s: %v, error %v; want %v", test.rule, h, err, test.want)
		}
	}
}

// TestBoxesAsOpenCV has the overlaps of the boxes that the authors' calls find in a random
// map: findContours(m > k, RETR_TREE, CHAIN_APPROX_SIMPLE) and boundingRect of each, of
// opencv-python-headless 5.0.0; for k = 0 to 3, and three true boxes.
func TestBoxesAsOpenCV(t *testing.T) {
	m := []float32{
		0, 0, 1, 3, 0, 0, 0, 3, 2, 3, 1,
		1, 2, 0, 4, 4, 0, 2, 1, 2, 2, 2,
		4, 1, 3, 2, 0, 1, 2, 0, 3, 0, 3,
		1, 3, 0, 4, 1, 4, 4, 0, 0, 1, 2,
		4, 0, 0, 1, 1, 4, 2, 3, 4, 4, 3,
		3, 0, 0, 0, 0, 2, 2, 3, 0, 0, 1,
		4, 1, 4, 2, 2, 4, 4, 2, 0, 4, 0,
		3, 2, 0, 4, 3, 1, 1, 0, 0, 0, 0,
		1, 1, 4, 0, 3, 4, 2, 0, 0, 4, 4,
	}
	for box, want := range map[image.Rectangle][]float32{
		image.Rect(2, 1, 8, 6): {16. / 44, 30. / 99, 18. / 66, 4. / 30},
		image.Rect(0, 0, 5, 4): {9. / 20, 9. / 20, 20. / 40, 2. / 20},
		image.Rect(4, 3, 7, 6): {6. / 33, 9. / 99, 9. / 54, 4. / 9},
	} {
		b, err := truth.Boxes(9, 11, box)
		if err != nil {
			t.Fatal(err)
		}
		h, err := truth.MaxBoxAcc(oneClass(9, 11, m), b, truth.BoxOptions{Thresholds: []float64{0.125, 0.375, 0.625, 0.875}})
		if err != nil || !slices.Equal(h.IoU, want) {
			t.Errorf("%v: %v, error %v; want %v", box, h, err, want)
		}
	}
}

// TestAccuracy chooses a threshold for the set, not for an image.
func TestAccuracy(t *testing.T) {
	h := truth.BoxHits{
		N: 2, Thresholds: []float64{0, 0.5}, Overlaps: []float64{0.3, 0.5},
		IoU: []float32{0.3, 0.6, 0.5, 0.2},
	}
	// δ .3: τ 0 hits both, .5 the first: 1. δ .5: τ 0 hits the second, .5 the first: ½.
	for _, test := range []struct {
		images []int
		want   float64
	}{
		{nil, 0.75},
		{[]int{0, 1}, 0.75},
		{[]int{0, 0}, 1},
		{[]int{0, 0, 1, 1, 1}, (1 + 3./5) / 2},
		{[]int{}, 0},
	} {
		if got := h.Accuracy(test.images); got != test.want {
			t.Errorf("accuracy of %v: %v, want %v", test.images, got, test.want)
		}
	}
}

func TestDefaultsAreTheProtocols(t *testing.T) {
	b, err := truth.Boxes(1, 2, image.Rect(0, 0, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	h, err := truth.MaxBoxAcc(oneClass(1, 2, []float32{0, 1}), b, truth.BoxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.Thresholds); n != 100 || h.Thresholds[0] != 0 || h.Thresholds[57] != 0.57 || h.Thresholds[99] != 0.99 {
		t.Errorf("%d thresholds %v, want 0, 0.01, … 0.99", n, h.Thresholds)
	}
	if !slices.Equal(h.Overlaps, []float64{0.3, 0.5, 0.7}) {
		t.Errorf("overlaps %v", h.Overlaps)
	}
}

// TestBoxesAsFlooding compares with boxes that are found afresh for each threshold, by
// flooding, on maps with many components and holes.
func TestBoxesAsFlooding(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const h, w = 13, 17
	for range 200 {
		m := make([]float32, h*w)
		for p := range m {
			m[p] = float32(rng.IntN(8))
		}
		m[0], m[1] = 0, 7
		y, x := rng.IntN(h-2), rng.IntN(w-2)
		wanted := image.Rect(x, y, x+1+rng.IntN(w-x-1), y+1+rng.IntN(h-y-1))
		b, err := truth.Boxes(h, w, wanted)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := truth.MaxBoxAcc(oneClass(h, w, m), b, truth.BoxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for j, tau := range hits.Thresholds {
			best := float32(0)
			for _, found := range flooded(m, h, w, tau) {
				both := found.Intersect(wanted)
				area := func(r image.Rectangle) int { return r.Dx() * r.Dy() }
				best = max(best, float32(area(both))/float32(area(found)+area(wanted)-area(both)))
			}
			if hits.IoU[j] != best {
				t.Fatalf("τ %v: overlap %v, want %v", tau, hits.IoU[j], best)
			}
		}
	}
}

// flooded returns the boxes of a map from 0 to 7 at a threshold.
func flooded(m []float32, h, w int, tau float64) (boxes []image.Rectangle) {
	seen := make([]bool, len(m))
	inside := image.Rect(0, 0, w, h)
	above := func(p image.Point) bool { return float64(m[p.Y*w+p.X])/7 > tau }
	for y := range h {
		for x := range w {
			start := image.Pt(x, y)
			if seen[y*w+x] {
				continue
			}
			seen[y*w+x] = true
			var box image.Rectangle
			for queue := []image.Point{start}; len(queue) > 0; queue = queue[1:] {
				p := queue[0]
				box = box.Union(image.Rectangle{p, p.Add(image.Pt(1, 1))})
				for dy := -1; dy <= 1; dy++ {
					for dx := -1; dx <= 1; dx++ {
						q := p.Add(image.Pt(dx, dy))
						if !q.In(inside) || seen[q.Y*w+q.X] || above(q) != above(start) || !above(start) && dx != 0 && dy != 0 {
							continue
						}
						seen[q.Y*w+q.X] = true
						queue = append(queue, q)
					}
				}
			}
			if above(start) {
				boxes = append(boxes, box)
			} else if rim := box.Inset(-1); rim.In(inside) {
				boxes = append(boxes, rim)
			}
		}
	}
	return boxes
}

func BenchmarkMaxBoxAcc(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n, size = 200, 64
	maps := make([][]float32, n)
	boxes := make([]image.Rectangle, n)
	for i := range maps {
		coarse := images.Map{H: 16, W: 16, Values: make([]float32, 16*16)}
		for p := range coarse.Values {
			coarse.Values[p] = rng.Float32()
		}
		fine, err := coarse.Resize(size, size, images.AlignCorners)
		if err != nil {
			b.Fatal(err)
		}
		maps[i] = fine.Values
		boxes[i] = image.Rect(0, 0, 32, 32)
	}
	r := oneClass(size, size, maps...)
	t, err := truth.Boxes(size, size, boxes...)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := truth.MaxBoxAcc(r, t, truth.BoxOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/map")
}
