package metric

import (
	"context"
	"slices"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/exec"
)

// Explain makes one map per image, of the class given for it.
type Explain func(ctx context.Context, net *network.Network, x images.Batch, classes []int) (*cam.Result, error)

// Explaining returns the Explain of a method. It keeps an explainer for each
// network that it meets.
func Explaining(backend compute.Backend, method cam.Method, opts cam.Options) Explain {
	var explainers exec.Cache[*network.Network, *cam.Explainer]
	return func(ctx context.Context, net *network.Network, x images.Batch, classes []int) (*cam.Result, error) {
		e, err := explainers.Get(net, func() (*cam.Explainer, error) { return cam.New(backend, net, opts) })
		if err != nil {
			return nil, err
		}
		return e.Explain(ctx, method, x, cam.Classes(classes...))
	}
}

// explain makes maps of other images, classes or another network, at the images'
// size.
func (c *Case) explain(ctx context.Context, name string, net *network.Network, x images.Batch, classes []int) ([]float32, error) {
	if c.Explain == nil {
		return nil, fail(ErrExplain, "%s: %s: no Explain in the case, want the method's, see Explaining", c.Result.Method, name)
	}
	r, err := c.Explain(ctx, net, x, slices.Clone(classes))
	if err != nil {
		return nil, within(err, "%s: %s", c.Result.Method, name)
	}
	return c.enlarge(r, classes)
}
