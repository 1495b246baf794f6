package metric

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/parallel"
)

var randomization = Metric{
	Name: "randomisation", Better: Lower, Meaning: "size of the rank correlation with the map of the network with permuted parameters",
	Group: Robust, Ranked: true, Relative: true, Explain: true, Flat: new(1.0),
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.Randomization(ctx) },
}

// Degree is how alike maps are before and after a randomization, one value per
// image.
type Degree struct {
	Scopes         []string // those that were drawn anew
	Spearman, SSIM []float64
}

// ParameterRandomization compares the maps with those of networks in which more and
// more is random: Adebayo et al. 2018 (arXiv:1810.03292). Step j has the
// first j + 1 of some scopes of parameters drawn anew, so give them from the last to the
// first for the paper's cascading randomization; with independent, it has scope j alone.
// nil is all, see [network.Network.Scopes], from the last made to the first. A method
// whose maps stay alike does not show what the network has learned.
//
// It runs Explain once for each scope, on a network that has to be compiled for. Its
// errors match [network.ErrLayer] and [ErrExplain].
func (c *Case) ParameterRandomization(ctx context.Context, how network.Redraw, independent bool, scopes ...string) ([]Degree, error) {
	if len(scopes) == 0 {
		scopes = c.evaluator.net.Scopes()
		slices.Reverse(scopes)
	}
	var out []Degree
	for j := range scopes {
		some := scopes[: j+1 : j+1]
		if independent {
			some = scopes[j : j+1 : j+1]
		}
		d, err := c.randomize(ctx, how, some)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Randomization returns the absolute value of the Spearman rank correlation
// ([Spearman]) of each map with that of the network without anything learned: the
// parameters of all scopes (or Options.RandomScopes) permuted within each variable,
// the last step of the cascade of Adebayo et al. 2018, see
// [Case.ParameterRandomization]. One value per image, 0 to 1; lower is better. Absolute,
// since the opposite of a map shows the same places; chance leaves more than 0.
func (c *Case) Randomization(ctx context.Context) ([]float64, error) {
	scopes := c.evaluator.opts.RandomScopes
	if len(scopes) == 0 {
		scopes = c.evaluator.net.Scopes()
	}
	d, err := c.randomize(ctx, network.Permute, scopes)
	for i, v := range d.Spearman {
		d.Spearman[i] = math.Abs(v)
	}
	return d.Spearman, err
}

func (c *Case) randomize(ctx context.Context, how network.Redraw, scopes []string) (Degree, error) {
	net, err := c.evaluator.redrawn(how, scopes)
	if err != nil {
		return Degree{}, err
	}
	maps, err := c.explain(ctx, "randomization", net, c.images, c.classes)
	if err != nil {
		return Degree{}, err
	}
	return c.compare(slices.Clone(scopes), maps), nil
}

// redrawn returns the network with some scopes drawn anew, the same one each time,
// so that an Explain need not compile for it again.
func (e *Evaluator) redrawn(how network.Redraw, scopes []string) (*network.Network, error) {
	return e.randomized.Get(fmt.Sprintf("%d %q", how, scopes), func() (*network.Network, error) {
		return network.Randomized(e.net, how, e.random(parameters).Uint64(), scopes...)
	})
}

// compare holds other maps, [n, height, width], against the case's.
func (c *Case) compare(scopes []string, maps []float32) Degree {
	d := Degree{scopes, make([]float64, c.images.N), make([]float64, c.images.N)}
	_ = parallel.Each(c.images.N, func(i int) error {
		other := maps[i*c.pixels() : (i+1)*c.pixels()]
		d.Spearman[i] = spearman(c.mapOf(i), other)
		d.SSIM[i] = ssim(c.mapOf(i), other, c.images.Height, c.images.Width)
		return nil
	})
	return d
}
