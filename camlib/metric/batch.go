package metric

import (
	"context"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/exec"
)

// Batch is images, one class for each, and what the network says of them. It
// may be used by many goroutines at once.
type Batch struct {
	evaluator  *Evaluator
	images     images.Batch
	classes    []int
	numClasses int
	scores     scores // of the images, [n]

	filled    exec.Cache[Fill, filled]
	perturbed exec.Once[perturbed]
}

// Prepare passes images through the network and returns the batch of the given
// class for each, or of the predicted classes if classes is nil. The images must
// not be changed afterwards. It fails with [ErrClass], and as [images.Batch.Check] does.
func (e *Evaluator) Prepare(ctx context.Context, x images.Batch, classes []int) (*Batch, error) {
	if err := x.Check(); err != nil {
		return nil, err
	}
	if classes != nil && len(classes) != x.N {
		return nil, fail(ErrClass, "prepare: %d classes for %d images, want one for each, or nil for the predicted ones", len(classes), x.N)
	}
	b := &Batch{evaluator: e, images: x, classes: slices.Clone(classes), scores: newScores(x.N)}
	if classes == nil {
		b.classes = make([]int, x.N)
	}
	var err error
	runErr := e.run(ctx, asTheyAre, x.N, 1, func(p part) []*tensors.Tensor {
		return []*tensors.Tensor{tensorOf(x, x.Pixels, p)}
	}, func(i, _ int, y []float32) {
		b.numClasses = len(y)
		if classes == nil {
			b.classes[i] = slices.Index(y, slices.Max(y))
		}
		if c := b.classes[i]; c >= 0 && c < len(y) {
			b.scores.set(i, c, y)
		} else if err == nil {
			err = fail(ErrClass, "prepare: class %d for image %d, want 0 to %d", c, i, len(y)-1)
		}
	})
	if runErr != nil {
		return nil, within(runErr, "prepare")
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Images returns the images. Their pixels are shared.
func (b *Batch) Images() images.Batch { return b.images }

// Classes returns the class of each image.
func (b *Batch) Classes() []int { return slices.Clone(b.classes) }

// Scores returns the score of each image for its class, in the evaluator's [Score].
func (b *Batch) Scores() []float64 { return slices.Clone(b.pick(b.scores)) }

// pixels is the number of places of an image.
func (b *Batch) pixels() int { return b.images.Height * b.images.Width }

// pick returns what the evaluator's option asks for.
func (b *Batch) pick(v scores) []float64 {
	if b.evaluator.opts.Score == Logit {
		return v.logit
	}
	return v.probability
}

// changed returns the scores of k changes of every image, [n, k].
func (b *Batch) changed(ctx context.Context, c change, k int, inputs func(p part) []*tensors.Tensor) (scores, error) {
	out := newScores(b.images.N * k)
	err := b.evaluator.run(ctx, c, b.images.N, k, inputs, func(i, j int, y []float32) { out.set(i*k+j, b.classes[i], y) })
	return out, err
}

// scores are two readings of the network's outputs for the batch's classes.
type scores struct{ probability, logit []float64 }

func newScores(n int) scores { return scores{make([]float64, n), make([]float64, n)} }

// set reads score i off the outputs y, before softmax.
func (s scores) set(i, class int, y []float32) {
	s.probability[i], s.logit[i] = math.Exp(-score.CrossEntropy(y, class)), float64(y[class])
}
