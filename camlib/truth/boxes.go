package truth

import (
	"slices"
	"sort"

	"github.com/camlab-go/camlab/camlib/cam"
)

// BoxOptions of [MaxBoxAcc]. The zero value is the default.
type BoxOptions struct {
	// Thresholds are τ, ascending, from 0 to below 1; nil is 0, 0.01, … 0.99.
	Thresholds []float64
	// Overlaps are δ, above 0 and at most 1; nil is 0.3, 0.5, 0.7.
	Overlaps []float64
	// MinMax brings the smallest value of a map to 0 before the largest to 1, as the
	// authors' code does: s = (M − min M)/(max M − min M). It is the same where the
	// smallest value is 0. In a signed map it puts the threshold among what speaks
	// against the class: MaxBoxAcc of CAM then falls below that of Grad-CAM, which is
	// the same map with a ReLU.
	MinMax bool
}

// BoxHits says for which thresholds boxes were found: all that a bootstrap of
// [BoxHits.Accuracy] needs.
type BoxHits struct {
	N          int
	Thresholds []float64 // τ
	Overlaps   []float64 // δ
	// IoU, [N, thresholds], is the largest overlap of a box at a threshold with the true
	// one, from 0 to 1; 0 where there is no box. With overlap δ it is a hit if IoU ≥ δ.
	IoU []float32
}

// MaxBoxAcc finds boxes in maps and compares them with the truth, the smallest box around
// each mask, as MaxBoxAccV2 of Choe et al. 2020 (arXiv:2001.07437, 2007.04178),
//
//	BoxAcc(τ, δ) = 1/N Σ_i [ max_{b ∈ boxes(s_i > τ)} IoU(b, B_i) ≥ δ ],
//	MaxBoxAccV2  = mean_δ max_τ BoxAcc(τ, δ),
//
// with s = M / max M. The boxes at τ are those around every contour of
// the places above it: around each component, of places that touch at an edge or a
// corner, and around each hole in one, its rim included. A flat map has none, nor one
// without positive values.
//
// [BoxHits.Accuracy] is the number, for the whole set, as τ is chosen for it; from 0 to 1,
// higher is better. Compare it with that of a baseline, such as the center's.
//
// The authors' code takes 1,000 thresholds, scales as [BoxOptions.MinMax] says, after
// enlarging bicubically, rounds s to 256 steps, makes boxes a pixel too large on the right and
// below, and takes the pixel at the corner where there is no box; here s and boxes are
// exact. It fails with [ErrTruth] when r does not fit t, or opts are out of range.
func MaxBoxAcc(r *cam.Result, t Truth, opts BoxOptions) (*BoxHits, error) {
	if opts.Thresholds == nil {
		for i := range 100 {
			opts.Thresholds = append(opts.Thresholds, float64(i)/100)
		}
	}
	if opts.Overlaps == nil {
		opts.Overlaps = []float64{0.3, 0.5, 0.7}
	}
	if !slices.IsSorted(opts.Thresholds) || outside(opts.Thresholds, func(v float64) bool { return v >= 0 && v < 1 }) {
		return nil, fail("boxes: thresholds %v, want them ascending, from 0 to below 1", opts.Thresholds)
	}
	if outside(opts.Overlaps, func(v float64) bool { return v > 0 && v <= 1 }) {
		return nil, fail("boxes: overlaps %v, want them above 0 and at most 1", opts.Overlaps)
	}
	n := len(opts.Thresholds)
	h := &BoxHits{N: t.N, Thresholds: slices.Clone(opts.Thresholds), Overlaps: slices.Clone(opts.Overlaps), IoU: make([]float32, max(0, t.N)*n)}
	err := t.each("boxes", r, func(i int, m []float32) {
		f := newForest(t.Width, levels(m, opts), n)
		best := h.IoU[i*n : (i+1)*n]
		f.components(t.box(i), best)
		f.holes(t.box(i), best)
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// outside reports whether there are no values, or some that are not as wanted.
func outside(values []float64, want func(v float64) bool) bool {
	return len(values) == 0 || slices.ContainsFunc(values, func(v float64) bool { return !want(v) })
}

// Accuracy returns MaxBoxAccV2 of the given images, of which some may come several times
// as a bootstrap draws them; nil is all. Of no images it is 0.
func (h *BoxHits) Accuracy(images []int) float64 {
	times, all := make([]int, h.N), len(images)
	for _, i := range images {
		times[i]++
	}
	if images == nil {
		times, all = slices.Repeat([]int{1}, h.N), h.N
	}
	if all == 0 {
		return 0
	}
	n := len(h.Thresholds)
	counts := make([]int, len(h.Overlaps)*n)
	for i, k := range times {
		if k == 0 {
			continue
		}
		for d, delta := range h.Overlaps {
			count := counts[d*n : (d+1)*n]
			for j, iou := range h.IoU[i*n : (i+1)*n] {
				if iou >= float32(delta) {
					count[j] += k
				}
			}
		}
	}
	sum := 0.0
	for c := range slices.Chunk(counts, n) {
		sum += float64(slices.Max(c)) / float64(all)
	}
	return sum / float64(len(h.Overlaps))
}

// levels returns how many thresholds each value of a map is above, which is all that
// matters of it.
func levels(m []float32, opts BoxOptions) []int {
	lowest, high := float64(slices.Min(m)), float64(slices.Max(m))
	low := 0.0
	if opts.MinMax {
		low = lowest
	}
	above := make([]int, len(m))
	if high > max(low, lowest) { // else a flat map, or one without positive values: above none
		for p, v := range m {
			s := (float64(v) - low) / (high - low)
			above[p] = sort.Search(len(opts.Thresholds), func(j int) bool { return opts.Thresholds[j] >= s })
		}
	}
	return above
}

// forest joins places of a map, threshold by threshold, into components. Going down the
// thresholds, places above them only become more, going up those that are not do; so one
// pass each is enough for all thresholds.
type forest struct {
	width, height int
	above         []int   // how many thresholds each place is above
	order         []int32 // the places, by above
	starts        []int   // where in order the places above 0, 1, … n thresholds begin, and its length

	parent []int32 // of a place in its component's tree, itself at the root; absent if it is not in yet
	boxes  []box   // of the roots
	roots  []int32 // those that were, among others that are no longer
}

const absent = -1

func newForest(width int, above []int, n int) *forest {
	f := &forest{
		width: width, height: len(above) / width, above: above, order: make([]int32, len(above)), starts: make([]int, n+2),
		parent: make([]int32, len(above)), boxes: make([]box, len(above)),
	}
	for _, a := range above {
		f.starts[a+1]++
	}
	for k := range n + 1 {
		f.starts[k+1] += f.starts[k]
	}
	next := slices.Clone(f.starts)
	for p, a := range above {
		f.order[next[a]] = int32(p)
		next[a]++
	}
	return f
}

// components raises best, by threshold, to the overlap of the boxes around components
// above it with the true box.
func (f *forest) components(truth box, best []float32) {
	f.clear()
	for j := len(best) - 1; j >= 0; j-- { // above threshold j are those that are above more than j
		for _, p := range f.order[f.starts[j+1]:f.starts[j+2]] {
			f.add(p, true)
		}
		for _, p := range f.live() {
			best[j] = max(best[j], f.boxes[p].overlap(truth))
		}
	}
}

// holes does the same with the boxes around the rims of holes: components of places that
// are not above, here only joined at edges, and that the border of the map does not touch.
func (f *forest) holes(truth box, best []float32) {
	f.clear()
	for j := range best {
		for _, p := range f.order[f.starts[j]:f.starts[j+1]] {
			f.add(p, false)
		}
		for _, p := range f.live() {
			if b := f.boxes[p]; b.top > 0 && b.left > 0 && b.bottom < int32(f.height) && b.right < int32(f.width) {
				best[j] = max(best[j], box{b.top - 1, b.left - 1, b.bottom + 1, b.right + 1}.overlap(truth))
			}
		}
	}
}

func (f *forest) clear() {
	for p := range f.parent {
		f.parent[p] = absent
	}
	f.roots = f.roots[:0]
}

// add puts a place in and joins it with its neighbors, with those at its corners too if
// corners is true.
func (f *forest) add(p int32, corners bool) {
	f.parent[p], f.boxes[p] = p, placeBox(int(p), f.width)
	f.roots = append(f.roots, p)
	y, x, w := int(p)/f.width, int(p)%f.width, int32(f.width)
	up, down, left, right := y > 0, y < f.height-1, x > 0, x < f.width-1 // whether there is such a neighbor
	r := p                                                               // the root of p
	r, above := f.join(r, p-w, up)
	r, below := f.join(r, p+w, down)
	r, before := f.join(r, p-1, left)
	r, after := f.join(r, p+1, right)
	if !corners {
		return
	}
	// A corner that touches a neighbor which is in has come with that one.
	r, _ = f.join(r, p-w-1, up && left && !above && !before)
	r, _ = f.join(r, p-w+1, up && right && !above && !after)
	r, _ = f.join(r, p+w-1, down && left && !below && !before)
	f.join(r, p+w+1, down && right && !below && !after)
}

// join makes one component of those of the root r and the place q, if q exists and is in.
// It returns their root and whether q is.
func (f *forest) join(r, q int32, exists bool) (root int32, in bool) {
	if !exists || f.parent[q] == absent {
		return r, false
	}
	q = f.root(q)
	if q != r {
		f.parent[r] = q
		f.boxes[q] = f.boxes[q].with(f.boxes[r])
	}
	return q, true
}

func (f *forest) root(p int32) int32 {
	for f.parent[p] != p {
		f.parent[p] = f.parent[f.parent[p]] // halves the path
		p = f.parent[p]
	}
	return p
}

// live drops the roots that are no longer, and returns the others.
func (f *forest) live() []int32 {
	f.roots = slices.DeleteFunc(f.roots, func(p int32) bool { return f.parent[p] != p })
	return f.roots
}

// box is a rectangle of places: rows from top to before bottom, columns likewise.
type box struct{ top, left, bottom, right int32 }

// noBox is what any other box is larger than.
var noBox = box{1<<31 - 1, 1<<31 - 1, 0, 0}

// placeBox is the box of one place of a map.
func placeBox(p, width int) box {
	y, x := int32(p/width), int32(p%width)
	return box{y, x, y + 1, x + 1}
}

// with is the smallest box around both.
func (b box) with(c box) box {
	return box{min(b.top, c.top), min(b.left, c.left), max(b.bottom, c.bottom), max(b.right, c.right)}
}

func (b box) area() int32 { return (b.bottom - b.top) * (b.right - b.left) }

// overlap is the intersection of two boxes over their union.
func (b box) overlap(c box) float32 {
	height := min(b.bottom, c.bottom) - max(b.top, c.top)
	width := min(b.right, c.right) - max(b.left, c.left)
	if height <= 0 || width <= 0 {
		return 0
	}
	both := height * width
	return float32(both) / float32(b.area()+c.area()-both)
}
