package cnn

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/failure"
)

// Evaluation is how well a model does on labelled images.
type Evaluation struct {
	Images   int     `json:"images"`
	Cost     float64 `json:"loss"` // mean cross entropy, see [Cost]
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the plain mean of the classes' F1.
	MacroF1  float64      `json:"macro_f1"`
	PerClass []ClassScore `json:"per_class"`
	// Confusion counts images by true class, then by predicted class.
	Confusion [][]int `json:"confusion"`
}

// String is the evaluation in one line, without the classes'.
func (e Evaluation) String() string {
	return fmt.Sprintf("%d images, cost %.4f, accuracy %.4f, macro-F1 %.4f", e.Images, e.Cost, e.Accuracy, e.MacroF1)
}

// ClassScore is how well one class is found: of the images predicted as the
// class, the part that is it (precision); of the images of the class, the part
// predicted as it (recall); and F1 = 2·precision·recall/(precision + recall).
// A part of nothing counts as 0, as scikit-learn's zero_division=0.
type ClassScore struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Evaluator runs a model forward over data sets. It compiles once per batch
// size and may be used by one goroutine at a time.
type Evaluator struct {
	model   *Model
	backend compute.Backend
	exec    *model.Exec
}

// NewEvaluator prepares a model for evaluation on a backend. The model may be
// trained between two evaluations.
func NewEvaluator(backend compute.Backend, m *Model) (*Evaluator, error) {
	exec, err := model.NewExec(backend, m.store, func(scope *model.Scope, pixels *Node) *Node {
		return m.Head(scope, m.Features(scope, scaled(pixels)))
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: evaluate: %w", err)
	}
	return &Evaluator{m, backend, exec}, nil
}

// Scores returns the model's scores (logits) for all images of a data set,
// [n, 10] row by row. It stops with the context's error when that is done, and
// fails, naming the layer, where activations or scores are infinite or NaN.
func (e *Evaluator) Scores(ctx context.Context, ds *cifar10.Dataset) ([]float32, error) {
	const size = cifar10.Height * cifar10.Width * cifar10.Channels
	scores := make([]float32, 0, ds.Len()*cifar10.NumClasses)
	batch := chunkSize(ds.Len())
	for start := 0; start < ds.Len(); start += batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("cnn: evaluate: stopped after %d of %d images: %w", start, ds.Len(), err)
		}
		n := min(batch, ds.Len()-start)
		pixels := func() *tensors.Tensor {
			return tensors.FromFlatDataAndDimensions(ds.Pixels[start*size:(start+n)*size], n, cifar10.Height, cifar10.Width, cifar10.Channels)
		}
		out, err := compiled.Call(e.exec.Call, pixels())
		if err != nil {
			return nil, fmt.Errorf("cnn: evaluate: images from %d: %w", start, err)
		}
		s, err := compiled.Take[float32](out[0])
		if err != nil {
			return nil, fmt.Errorf("cnn: evaluate: images from %d: %w", start, err)
		}
		if bad := failure.NotFinite(s); bad >= 0 {
			return nil, e.model.overflowed(e.backend, start, n, bad/cifar10.NumClasses, pixels())
		}
		scores = append(scores, s...)
	}
	return scores, nil
}

// Evaluate scores all images of a data set. It fails when there are none.
func (e *Evaluator) Evaluate(ctx context.Context, ds *cifar10.Dataset) (*Evaluation, error) {
	scores, err := e.Scores(ctx, ds)
	if err != nil {
		return nil, err
	}
	return Score(scores, ds.Labels, e.model.classes)
}

// Score computes an [Evaluation] from scores (logits), [n, classes] row by row,
// and the true labels, [n]. It fails where a score is infinite or NaN.
func Score(scores []float32, labels []uint8, classes []string) (*Evaluation, error) {
	k := len(classes)
	if len(labels) == 0 || len(scores) != k*len(labels) {
		return nil, fmt.Errorf("cnn: score: %d scores and %d labels, want %d scores for each of at least one label", len(scores), len(labels), k)
	}
	ev := &Evaluation{Images: len(labels), Confusion: make([][]int, k)}
	for c := range ev.Confusion {
		ev.Confusion[c] = make([]int, k)
	}
	for i, label := range labels {
		row := scores[i*k : (i+1)*k]
		if int(label) >= k {
			return nil, fmt.Errorf("cnn: score: label %d of image %d, want 0 to %d", label, i, k-1)
		}
		if bad := failure.NotFinite(row); bad >= 0 {
			return nil, fmt.Errorf("cnn: score: image %d: score %v of class %d, want finite scores", i, row[bad], bad)
		}
		ev.Cost += crossEntropy(row, int(label)) / float64(len(labels))
		ev.Confusion[label][argmax(row)]++
	}
	correct := 0
	for c, name := range classes {
		hits, actual, predicted := ev.Confusion[c][c], 0, 0
		for j := range k {
			actual += ev.Confusion[c][j]
			predicted += ev.Confusion[j][c]
		}
		correct += hits
		s := ClassScore{Class: name, Precision: ratio(hits, predicted), Recall: ratio(hits, actual), F1: ratio(2*hits, actual+predicted)}
		ev.PerClass = append(ev.PerClass, s)
		ev.MacroF1 += s.F1 / float64(k)
	}
	ev.Accuracy = ratio(correct, len(labels))
	return ev, nil
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
