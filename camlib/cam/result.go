package cam

import (
	"fmt"
	"slices"

	"github.com/camlab-go/camlab/camlib/images"
)

// Result holds a method's maps of a batch of images: raw values, neither
// scaled nor colored.
type Result struct {
	Method        string
	N, NumClasses int
	Scores        []float32 // [N, NumClasses], before softmax
	Predicted     []int     // [N], the class with the highest score
	K             int       // maps of each image along the second axis of Maps; 0 if that has no such axis
	Class         []int     // [N], or [N, K] for the top K: the class of each map; nil for maps of all classes
	Rival         []int     // [N], the class that it was contrasted with; nil unless the target was a [Contrast]
	Height, Width int       // of a map
	Maps          []float32 // [N, Height, Width], or [N, K, Height, Width]

	Score   []float32 // y, what each map explains: one value for each map
	Outcome []Outcome // what each map cannot show: one for each map
	// Closed is, for each image, whether its maps came by the method's closed form for a
	// network that ends in pooling and a linear layer, [Spec].Linear, instead of gradients
	// and perturbations: [N].
	Closed []bool
	// Residual is, for each map of a method that promises completeness, what it adds
	// up to less the score: mean(map)+b−y for CAM, sum(map)+b−y for HiResCAM. Only
	// rounding should be left. It is nil where nothing is promised of some image.
	Residual []float32
}

// ClassMaps is a [Result] of CAM for all classes, with what it is made of:
// Maps[i, c] = Σ_k Weights[k, c] Act[i, k], and mean(Maps[i, c]) + Bias[c] is the
// score of class c.
type ClassMaps struct {
	Result
	Channels int
	Act      []float32 // [N, Channels, Height, Width], channels first as in the article
	Weights  []float32 // [Channels, NumClasses], of the head
	Bias     []float32 // [NumClasses], of the head
}

// Shape returns the shape of Maps.
func (r *Result) Shape() []int {
	if r.K == 0 {
		return []int{r.N, r.Height, r.Width}
	}
	return []int{r.N, r.K, r.Height, r.Width}
}

// String says what the maps are of, not their values.
func (r *Result) String() string {
	if r == nil {
		return "no maps"
	}
	text := fmt.Sprintf("%s of %s, maps shaped %v", r.Method, counted(r.N, "image"), r.Shape())
	if r.Class != nil && len(r.Class) <= 10 {
		text += fmt.Sprintf(", classes %v", r.Class)
	}
	return text
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Map returns the map of image i for a class. A class of which the result has no map
// is a mistake that panics, as indexing a slice does.
func (r *Result) Map(i, class int) images.Map {
	k := max(1, r.K)
	j := class
	if r.Class != nil {
		made := r.Class[i*k : (i+1)*k]
		if j = slices.Index(made, class); j < 0 {
			panic(fail(ErrClass, "result: map of class %d of image %d, want class %d, which it was made for", class, i, made[0]))
		}
	}
	return r.At(i*k + j)
}

// At returns the map of that number: of Maps along its first axis, or along its first two.
// The values are not copied.
func (r *Result) At(k int) images.Map { return images.Map{H: r.Height, W: r.Width, Values: r.at(k)} }

// ClassesOf returns the classes of image i's maps, in the maps' order.
func (r *Result) ClassesOf(i int) []int {
	if k := max(1, r.K); r.Class != nil {
		return slices.Clone(r.Class[i*k : (i+1)*k])
	}
	all := make([]int, r.K)
	for c := range all {
		all[c] = c
	}
	return all
}

// at returns the values of the map of that number.
func (r *Result) at(k int) []float32 {
	size := r.Height * r.Width
	return r.Maps[k*size : (k+1)*size : (k+1)*size]
}

// add appends a batch.
func (r *Result) add(b batch, j job) {
	r.Height, r.Width, r.NumClasses = b.height, b.width, b.classes
	if r.Maps == nil { // room for all images at once: growing by and by costs as much as a batch
		r.Maps = make([]float32, 0, len(b.maps)/len(b.predicted)*r.N)
	}
	r.Maps = append(r.Maps, b.maps...)
	r.Scores = append(r.Scores, b.scores...)
	r.Score = append(r.Score, b.score...)
	for _, p := range b.predicted {
		r.Predicted = append(r.Predicted, int(p))
		r.Closed = append(r.Closed, !j.general)
	}
	if j.output != oneClass {
		r.K = b.k
	}
	size := b.height * b.width
	for m, c := range b.chosen {
		if j.output == oneClass || j.output == topClasses {
			r.Class = append(r.Class, int(c))
		}
		r.Outcome = append(r.Outcome, Outcome(b.marks[m])|seen(b.maps[m*size:(m+1)*size]))
	}
	for m, total := range b.total {
		r.Residual = append(r.Residual, total-b.score[m])
	}
}

// replace puts the maps of other's images in the places of r's, one for each.
func (r *Result) replace(places []int, other *Result) {
	if len(places) == r.N {
		*r = *other
		return
	}
	if other.Residual == nil { // not promised of all images: of none
		r.Residual = nil
	}
	for i, to := range places {
		put(r.Maps, to, r.N, other.Maps, i, other.N)
		put(r.Scores, to, r.N, other.Scores, i, other.N)
		put(r.Predicted, to, r.N, other.Predicted, i, other.N)
		put(r.Class, to, r.N, other.Class, i, other.N)
		put(r.Score, to, r.N, other.Score, i, other.N)
		put(r.Outcome, to, r.N, other.Outcome, i, other.N)
		put(r.Residual, to, r.N, other.Residual, i, other.N)
		put(r.Closed, to, r.N, other.Closed, i, other.N)
	}
}

// put copies what is image i's in values of n images to image i0's place, of n0.
func put[T any](into []T, i0, n0 int, values []T, i, n int) {
	if into != nil {
		copy(of(into, i0, n0), of(values, i, n))
	}
}

// interleave makes one result of several classes of those of one class each.
func interleave(parts []*Result, named bool) *Result {
	r := *parts[0]
	r.K, r.Maps, r.Score, r.Outcome, r.Residual, r.Class = len(parts), nil, nil, nil, nil, nil
	for i := range r.N {
		for _, p := range parts {
			r.Maps = append(r.Maps, p.at(i)...)
			r.Score = append(r.Score, p.Score[i])
			r.Outcome = append(r.Outcome, p.Outcome[i])
			if p.Residual != nil {
				r.Residual = append(r.Residual, p.Residual[i])
			}
			if named {
				r.Class = append(r.Class, p.Class[i])
			}
		}
	}
	return &r
}

// Normalization is a way to bring maps to a common scale for comparing or showing.
type Normalization int

// The ways to normalize.
const (
	// PerImage divides the maps of each image by the largest magnitude in them: the
	// signs stay, zero stays zero, and what is lost is how strong an image's map is.
	PerImage Normalization = iota
	// PerBatch divides all maps by the largest magnitude in any: one scale for all
	// images, on which they can be compared.
	PerBatch
	// MinMax brings each map to 0 to 1, (m − min m)/(max m − min m), as most other
	// libraries do unasked: where zero was is lost. A flat map becomes 0.
	MinMax
)

// Normalized returns the result with its maps on another scale. Maps of zeros stay
// as they are.
func (r *Result) Normalized(how Normalization) *Result {
	out := *r
	out.Maps = slices.Clone(r.Maps)
	piece := r.Height * r.Width
	switch how {
	case PerImage:
		piece *= max(1, r.K)
	case PerBatch:
		piece = len(r.Maps)
	}
	for m := range slices.Chunk(out.Maps, max(1, piece)) {
		low, high := slices.Min(m), slices.Max(m)
		if how != MinMax {
			low, high = 0, max(high, -low)
		}
		for i := range m {
			if high > low {
				m[i] = (m[i] - low) / (high - low)
			} else {
				m[i] = 0
			}
		}
	}
	return &out
}
