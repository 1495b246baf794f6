package cam

import (
	"errors"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/overflow"
)

// locate returns err and, if it is of kind [ErrNotFinite], says which part of the
// network was the first that is not finite. For that it runs the images once more with
// every part looked at; b are their results from place start on.
func (e *Explainer) locate(err error, j job, p part, b batch, start int) error {
	if !errors.Is(err, ErrNotFinite) {
		return err
	}
	look := func(n chain, in []*Node) { build(j, n, in) }
	inputs := p.inputs()
	if bad := failure.NotFinite(b.perturbed); bad >= 0 {
		each := len(b.perturbed) / len(b.predicted) // scores of one image's perturbations
		p = p.cut(start+bad/each, start+bad/each+1)
		look = func(n chain, in []*Node) {
			own := newForward(n, in[0])
			j.spec.Perturbations.Scores(newPass(own.chain, in[0], own.Act), in[1])
		}
		inputs = []*tensors.Tensor{pixels(p.x), tensors.FromValue([]int32{int32(bad % each / b.classes)})}
	} else if j.general && j.spec.Perturbations != nil {
		look = func(n chain, in []*Node) { newForward(n, in[0]) }
	}
	image, where, findErr := overflow.Find(e.backend, e.net.Store, p.x.N, func(scope *model.Scope, in []*Node, parts *overflow.Parts) {
		look(e.chain(scope, parts), in)
	}, inputs...)
	if findErr != nil || where == "" {
		return err
	}
	return fail(ErrNotFinite, "%s: image %d: %s", j.spec.Name, p.numbers[image], overflow.Message(where))
}
