package train

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/overflow"
	"github.com/camlab-go/camlab/internal/weights"
)

// overflowed is the error of a step whose loss or gradients are not finite. The step has left
// the weights as they were before it.
func (t *training) overflowed(got stepped, rate float64, batch picks) error {
	text := fmt.Sprintf("train: epoch %d, step %d: loss %v, want a finite number", t.state.Position.Epoch+1, t.state.Position.Step+1, got.loss)
	if got.loss-got.loss == 0 {
		text = fmt.Sprintf("train: epoch %d, step %d: loss %.4g, but gradients that are infinite or NaN, want finite ones", t.state.Position.Epoch+1, t.state.Position.Step+1, got.loss)
	}
	try := fmt.Sprintf("try a smaller learning rate than %.3g", rate)
	broken, largest, err := t.weights()
	if err != nil {
		return err
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
	case part == "loss":
		return fmt.Errorf("%s: the scores of training image %d are finite, but too far apart; %s", text, image, try)
	}
	return fmt.Errorf("%s: training image %d is infinite or NaN from %s on; all weights are finite, %s; %s", text, image, part, largest, try)
}

// weights returns the scopes with weights that are not finite, and which weight is the
// largest, in words.
func (t *training) weights() (broken []string, largest string, err error) {
	size := -1.0
	for _, p := range t.holds.parameters {
		if p.kind != "" {
			continue
		}
		v := t.net.Store.GetVariable(p.path())
		value, err := v.Value()
		if err != nil {
			return nil, "", err
		}
		view, err := weights.FromTensor(value)
		if err != nil {
			return nil, "", err
		}
		scope := strings.Trim(v.Scope(), model.ScopeSeparator)
		switch far := weights.Largest(view); {
		case far-far != 0:
			if !slices.Contains(broken, scope) {
				broken = append(broken, scope)
			}
		case far > size:
			size, largest = far, fmt.Sprintf("up to %.3g in %s", far, p.name)
		}
	}
	return broken, largest, nil
}

// firstPart returns the first training image of a batch for which a part of the network
// is not finite, and the first such part.
func (t *training) firstPart(batch picks) (image int, part string, err error) {
	a := t.config.Augment
	var positions []int // in the data set, of all images that the batch is made of
	local := make(picks, 0, len(batch))
	take := func(row picks) picks {
		positions = append(positions, int(row[0]))
		return append(picks{int32(len(positions) - 1)}, row[1:]...)
	}
	for row := range slices.Chunk(batch, a.width()) {
		row = take(row)
		if a == Mixup {
			row = append(row[:4:4], take(row[4:])...)
		}
		local = append(local, row...)
	}
	ds, err := images.Subset(t.train, positions...)
	if err != nil {
		return 0, "", err
	}
	pixels, labels, err := data(ds)
	if err != nil {
		return 0, "", err
	}
	at, part, err := overflow.Find(t.backend, t.net.Store, len(batch)/a.width(), func(scope *model.Scope, in []*Node, p *overflow.Parts) {
		x, label, _, _ := a.pick(in[0], in[1], in[2])
		p.Add("loss", score.LogLikelihood(t.net.Note(scope, x, "", p), label))
	}, pixels, labels, a.tensor(local))
	if err != nil {
		return 0, "", err
	}
	return int(batch[a.width()*at]), part, nil
}
