package cnn

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/overflow"
)

// overflowed is the error of an evaluation in which the scores of an image are not
// finite: one of n, [n, 32, 32, 3], of which the first is number start.
func (m *Model) overflowed(backend compute.Backend, start, n, image int, pixels *tensors.Tensor) error {
	at, part, err := overflow.Find(backend, m.store, n, func(scope *model.Scope, in []*Node, p *overflow.Parts) {
		m.parts(scope, scaled(in[0]), conv, p)
	}, pixels)
	if err != nil || part == "" {
		at, part = image, "the scores"
	}
	return fmt.Errorf("cnn: evaluate: image %d: %s", start+at, overflow.Message(part))
}

// parts notes the outputs of all layers for images x and returns the scores. conv
// computes a convolution with its ReLU.
func (m *Model) parts(scope *model.Scope, x *Node, conv func(scope *model.Scope, x *Node) *Node, p *overflow.Parts) (scores *Node) {
	from := ""
	for _, to := range convolutions {
		x = through(scope, from, to, x, conv)
		p.Add(to, x)
		from = to
	}
	scores = m.Head(scope, x)
	p.Add("dense", scores)
	return scores
}

// overflowed is the error of a step whose cost is not finite. The step has left the
// weights as they were before it.
func (t *training) overflowed(cost float64, batch picks) error {
	c := t.config
	text := fmt.Sprintf("cnn: train: epoch %d, step %d: cost %v, want a finite number", t.state.Position.Epoch+1, t.state.Position.Step+1, cost)
	try := fmt.Sprintf("try a smaller learning rate than %v", c.LearningRate)
	var broken []string
	largest := make(map[string]float64) // weight of each layer
	for _, l := range layers {
		size, err := t.model.largest(l.scope)
		if err != nil {
			return err
		}
		if largest[l.scope] = size; math.IsInf(size, 0) || math.IsNaN(size) {
			broken = append(broken, l.scope)
		}
	}
	if broken != nil {
		return fmt.Errorf("%s: the weights of %s were infinite or NaN before this step, after an update that was too large; %s", text, strings.Join(broken, ", "), try)
	}
	image, part, err := t.firstPart(batch)
	switch {
	case err != nil:
		return fmt.Errorf("%s; %s; where it becomes so was not found: %w", text, try, err)
	case part == "":
		return fmt.Errorf("%s; %s", text, try)
	case part == "cost":
		return fmt.Errorf("%s: the scores of training image %d are finite, but too far apart; %s", text, image, try)
	}
	return fmt.Errorf("%s: training image %d is infinite or NaN from %s on, whose weights are finite, up to %.3g; %s", text, image, part, largest[part], try)
}

// firstPart returns the first training image of a batch for which a part of the
// network is not finite, and the first such part, computed as the step does.
func (t *training) firstPart(batch picks) (image int, part string, err error) {
	var positions []int
	local := make(picks, 0, len(batch))
	for i := 0; i < len(batch); i += 4 {
		positions = append(positions, int(batch[i]))
		local = append(append(local, int32(i/4)), batch[i+1:i+4]...)
	}
	n := len(positions)
	ds, err := t.train.Select(positions...)
	if err != nil {
		return 0, "", err
	}
	layer := conv
	if t.config.Step != Plain || isGo(t.backend) {
		layer = func(scope *model.Scope, x *Node) *Node {
			y, _ := layerByHand(scope, x)
			return y
		}
	}
	at, part, err := overflow.Find(t.backend, t.model.store, n, func(scope *model.Scope, in []*Node, p *overflow.Parts) {
		x, label := pick(in[0], in[1], in[2])
		scores := t.model.parts(scope, x, layer, p)
		p.Add("cost", logLikelihood(scores, label))
	},
		tensors.FromFlatDataAndDimensions(ds.Pixels, n, cifar10.Height, cifar10.Width, cifar10.Channels),
		tensors.FromFlatDataAndDimensions(ds.Labels, n), local.tensor())
	if err != nil {
		return 0, "", err
	}
	return positions[at], part, nil
}

// largest returns the largest magnitude of a layer's weights and biases, NaN or
// infinite if one of them is.
func (m *Model) largest(scope string) (float64, error) {
	size := 0.0
	for _, name := range []string{"weights", "biases"} {
		values, err := m.values(scope, name)
		if err != nil {
			return 0, err
		}
		if bad := failure.NotFinite(values); bad >= 0 {
			return float64(values[bad]), nil
		}
		for _, v := range values {
			size = max(size, math.Abs(float64(v)))
		}
	}
	return size, nil
}
