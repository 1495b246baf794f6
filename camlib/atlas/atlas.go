// Package atlas sums the class activation maps of a whole data set up: what a
// network looks at in each class, and in each mistake.
//
// [New] runs over the images once and keeps, for every cell of the confusion
// matrix, the mean of the maps of all classes. Maps of a linear head are linear, so
// that any other mean follows from these: of a class, of what was called a class,
// of the difference of two classes' maps. The network has to end in global average
// pooling and a linear layer.
package atlas

import (
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/atomicfile"
)

// Atlas is what is known of n images of which the network knows k classes. Images
// go by their position in the data set. It is not changed once it is made, so
// that many goroutines may read it.
type Atlas struct {
	Evaluation    *score.Evaluation // F1 of each class, and the confusion matrix
	Size          images.Size       // of an image
	Height, Width int               // of a map
	Bias          []float32         // [k], of the head
	Cells         [][]Group         // [k, k], by true class, then by predicted class: the confusion matrix in maps

	Labels    []int     // [n], the true classes
	Predicted []int     // [n], the classes with the highest score
	Scores    []float32 // [n, k], before softmax
	// Concentration is, for each image, the Gini index ([metric.Gini]) of the map of
	// its predicted class, at the map's own resolution: 0 for a flat map, to 1 for one place.
	Concentration []float64 // [n]
	// Misfit is the largest |mean(m) + b − y| of any map m of any image, in units of
	// the score. It should be rounding alone.
	Misfit float64
}

// batch is how many images' maps are held at once: as many as a [cam.Explainer]
// takes in one run by default, and a divisor of the test set and of the sample.
const batch = 100

// New makes the atlas of a data set. It holds the maps of 100 images at a time, and
// the means: k³ maps at most. It stops between two batches with ctx's error when
// that is done, and fails without images, on a label that the network does not
// know, and where CAM fails: [cam.ErrHead], [cam.ErrNotFinite].
func New(ctx context.Context, e *cam.Explainer, ds images.Dataset) (*Atlas, error) {
	if err := images.CheckDataset(ds); err != nil {
		return nil, fmt.Errorf("atlas: %w", err)
	}
	a := &Atlas{Labels: images.Labels(ds), Size: ds.Size()}
	for start := 0; start < ds.Len(); start += batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("atlas: stopped after %d of %d images: %w", start, ds.Len(), err)
		}
		x, err := images.FromDataset(ds, start, min(start+batch, ds.Len()))
		if err != nil {
			return nil, fmt.Errorf("atlas: %w", err)
		}
		if start == 0 {
			first, err := e.ClassMaps(ctx, x.Part(0, 1))
			if err != nil {
				return nil, fmt.Errorf("atlas: %w", err)
			}
			if err := a.begin(first, len(ds.Classes())); err != nil {
				return nil, err
			}
		}
		r, err := e.Explain(ctx, cam.CAM{}, x, cam.All)
		if err != nil {
			return nil, fmt.Errorf("atlas: images from %d: %w", start, err)
		}
		a.add(start, r, x.Pixels)
	}
	for _, row := range a.Cells {
		for p := range row {
			row[p].divide()
		}
	}
	var err error
	a.Evaluation, err = score.Evaluate(a.Scores, a.Labels, ds.Classes()[:len(a.Bias)])
	if err != nil {
		return nil, fmt.Errorf("atlas: %w", err)
	}
	return a, nil
}

// begin takes from the first maps what all have in common.
func (a *Atlas) begin(first *cam.ClassMaps, classes int) error {
	k := first.NumClasses
	if k > classes {
		return fmt.Errorf("atlas: network of %d classes, want at most %d as in the data", k, classes)
	}
	for i, c := range a.Labels {
		if c >= k {
			return fmt.Errorf("atlas: image %d: label %d, want 0 to %d as in the network", i, c, k-1)
		}
	}
	a.Height, a.Width, a.Bias = first.Height, first.Width, first.Bias
	a.Cells = make([][]Group, k)
	for c := range a.Cells {
		a.Cells[c] = make([]Group, k)
		for p := range a.Cells[c] {
			a.Cells[c][p] = Group{Height: a.Height, Width: a.Width, Size: a.Size}
		}
	}
	return nil
}

// add adds the images of a batch, whose first one is number start, to the sums in
// their cells.
func (a *Atlas) add(start int, r *cam.Result, pixels []float32) {
	k, size, image := r.NumClasses, r.K*r.Height*r.Width, len(pixels)/r.N
	for i, predicted := range r.Predicted {
		g := &a.Cells[a.Labels[start+i]][predicted]
		add(g, 1, r.Maps[i*size:(i+1)*size], r.Scores[i*k:(i+1)*k], pixels[i*image:(i+1)*image])
		a.Concentration = append(a.Concentration, metric.Gini(r.Map(i, predicted).Values))
	}
	a.Predicted = append(a.Predicted, r.Predicted...)
	a.Scores = append(a.Scores, r.Scores...)
	for _, v := range r.Residual {
		a.Misfit = max(a.Misfit, math.Abs(float64(v)))
	}
}

// Where returns the images of all cells of the confusion matrix that pick picks, by
// their true and their predicted class: their means weigh each image alike.
func (a *Atlas) Where(pick func(label, predicted int) bool) Group {
	all := Group{Height: a.Height, Width: a.Width, Size: a.Size}
	for label, row := range a.Cells {
		for predicted, g := range row {
			if pick(label, predicted) && g.N > 0 {
				add(&all, g.N, g.Maps, g.Scores, g.Image)
			}
		}
	}
	all.divide()
	return all
}

// Labeled returns the images that are of a class, whatever they were taken for.
func (a *Atlas) Labeled(class int) Group {
	return a.Where(func(label, _ int) bool { return label == class })
}

// Called returns the images that were taken for a class, rightly or not.
func (a *Atlas) Called(class int) Group {
	return a.Where(func(_, predicted int) bool { return predicted == class })
}

// Confusion is a kind of mistake, and how many images it was made with.
type Confusion struct{ Label, Predicted, N int }

// Confusions returns the kinds of mistakes that were made, the most frequent first,
// equals in the order of the classes.
func (a *Atlas) Confusions() (all []Confusion) {
	for label, row := range a.Cells {
		for predicted, g := range row {
			if label != predicted && g.N > 0 {
				all = append(all, Confusion{label, predicted, g.N})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Confusion) int { return b.N - a.N })
	return all
}

// Images returns the images of one cell of the confusion matrix, the surest first:
// by the probability of the predicted class.
func (a *Atlas) Images(label, predicted int) []int {
	sure := make(map[int]float64)
	found := a.positions(func(i int) bool { return a.Labels[i] == label && a.Predicted[i] == predicted })
	for _, i := range found {
		sure[i] = a.Probabilities(i)[predicted]
	}
	slices.SortStableFunc(found, func(i, j int) int { return cmp.Compare(sure[j], sure[i]) })
	return found
}

// Probabilities returns the probabilities of the classes, softmax of the scores, of an image.
func (a *Atlas) Probabilities(image int) []float64 {
	k := len(a.Bias)
	return score.Softmax(a.Scores[image*k : (image+1)*k])
}

// Contrasts returns, for each of [Atlas.Images] of a kind of mistake, the map of why the
// predicted and not the true class, [cam.Contrast]. The explainer and the data set are those
// of [New].
func (a *Atlas) Contrasts(ctx context.Context, e *cam.Explainer, ds images.Dataset, c Confusion) (*cam.Result, error) {
	some, err := images.Subset(ds, a.Images(c.Label, c.Predicted)...)
	if err != nil {
		return nil, fmt.Errorf("atlas: contrasts: %w, want the data set that the atlas is of", err)
	}
	x, err := images.FromDataset(some, 0, some.Len())
	if err != nil {
		return nil, fmt.Errorf("atlas: contrasts: %w", err)
	}
	r, err := e.Explain(ctx, cam.CAM{}, x, cam.Contrast(c.Predicted, c.Label))
	if err != nil {
		return nil, fmt.Errorf("atlas: contrasts: %w", err)
	}
	return r, nil
}

// ByConcentration returns the images that were taken for a class, rightly or not,
// the one with the most concentrated map of that class first.
func (a *Atlas) ByConcentration(class int) []int {
	found := a.positions(func(i int) bool { return a.Predicted[i] == class })
	slices.SortStableFunc(found, func(i, j int) int { return cmp.Compare(a.Concentration[j], a.Concentration[i]) })
	return found
}

// Quarters returns all images in four parts of equal size, or one more, by how concentrated
// the map of their predicted class is: the quarter with the least concentrated maps first.
func (a *Atlas) Quarters() (quarters [4][]int) {
	all := a.positions(func(int) bool { return true })
	slices.SortStableFunc(all, func(i, j int) int { return cmp.Compare(a.Concentration[i], a.Concentration[j]) })
	for q := range quarters {
		quarters[q] = all[q*len(all)/4 : (q+1)*len(all)/4]
	}
	return quarters
}

func (a *Atlas) positions(pick func(i int) bool) (found []int) {
	for i := range a.Labels {
		if pick(i) {
			found = append(found, i)
		}
	}
	return found
}

// WriteFile writes the atlas to a file, whole or not at all, for [ReadFile].
func (a *Atlas) WriteFile(path string) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(a); err != nil {
		return fmt.Errorf("atlas: write: %w", err)
	}
	if err := atomicfile.WriteFile(path, b.Bytes()); err != nil {
		return fmt.Errorf("atlas: write: %w", err)
	}
	return nil
}

// ReadFile reads what [Atlas.WriteFile] wrote.
func ReadFile(path string) (*Atlas, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("atlas: read: %w", err)
	}
	a := new(Atlas)
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(a); err != nil {
		return nil, fmt.Errorf("atlas: read: %s: %w, want a file of Atlas.WriteFile", path, err)
	}
	return a, nil
}
