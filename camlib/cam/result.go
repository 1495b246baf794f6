package cam

// Result holds a method's maps of a batch of images: raw values, neither
// scaled nor coloured.
type Result struct {
	Method        string
	N, NumClasses int
	Scores        []float32 // [N, NumClasses], before softmax
	Predicted     []int     // [N], the class with the highest score
	Class         []int     // [N], the class of each image's map; nil for maps of all classes
	Rival         []int     // [N], the class that it was contrasted with; nil unless the target was a [Contrast]
	Height, Width int       // of a map
	Maps          []float32 // [N, Height, Width], or [N, NumClasses, Height, Width] for all classes
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
	if r.Class == nil {
		return []int{r.N, r.NumClasses, r.Height, r.Width}
	}
	return []int{r.N, r.Height, r.Width}
}

// Map returns the map of image i for a class, row by row. Of a result that is
// not of all classes it is the one that Class names, and any other class is a
// mistake that panics, as indexing a slice does.
func (r *Result) Map(i, class int) []float32 {
	size := r.Height * r.Width
	if r.Class == nil {
		i = i*r.NumClasses + class
	} else if r.Class[i] != class {
		panic(fail(ErrClass, "result: map of class %d of image %d, want class %d, which it was made for", class, i, r.Class[i]))
	}
	return r.Maps[i*size : (i+1)*size : (i+1)*size]
}

// add appends a batch.
func (r *Result) add(b batch) {
	r.Height, r.Width, r.NumClasses = b.height, b.width, b.classes
	r.Maps = append(r.Maps, b.maps...)
	r.Scores = append(r.Scores, b.scores...)
	for _, p := range b.predicted {
		r.Predicted = append(r.Predicted, int(p))
	}
}
