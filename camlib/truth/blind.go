package truth

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
)

// Blind returns a network that is net but does not see the activations of the explained
// layer in a region, a mask of their size: what comes after the layer has them multiplied
// by 0 there. The score cannot depend on them, so a right map shows nothing there, see
// [BlindShare]. The test is that of Taimeskhanov et al. 2024 (arXiv:2404.01964), who train
// a network with such a wall.
//
// Where the head is global average pooling and a linear layer, it no longer is one, and
// methods that want one, such as CAM, refuse it. net is not changed and shares its
// weights; layers, biases and classes stay. It fails when net is not whole, and with
// [ErrTruth] when the region is not one mask; a region that has another size than the
// activations fails the first map.
func Blind(net *network.Network, region Truth) (*network.Network, error) {
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("truth: blind: %w", err)
	}
	if err := region.checkRegion(); err != nil {
		return nil, err
	}
	c := *net
	c.Gradients = nil // those are net's
	c.Attention = network.Attention{Why: "it is made blind in a region, past the attention"}
	if next := net.Explained() + 1; next < len(net.Layers) {
		l := net.Layers[next]
		c.Layers = slices.Clone(net.Layers)
		c.Layers[next].Build = nil
		c.Layers[next].BuildBeside = func(scope *model.Scope, act *Node, beside []*Node) (*Node, []*Node) {
			return l.Apply(scope, region.hide(act), beside)
		}
	} else {
		c.Head = nil
		c.HeadBeside = func(scope *model.Scope, act *Node, beside []*Node) *Node {
			return net.ApplyHead(scope, region.hide(act), beside)
		}
	}
	return &c, nil
}

// hide makes activations 0 in a region.
func (t Truth) hide(act *Node) *Node {
	d := act.Shape().Dimensions
	if len(d) != 4 || d[1] != t.Height || d[2] != t.Width {
		panic(fmt.Errorf("truth: blind: activations shaped %s, want [batch, %d, %d, channels] as the region", act.Shape(), t.Height, t.Width))
	}
	seen := make([]float64, len(t.Masks))
	for p, hidden := range t.Masks {
		if !hidden {
			seen[p] = 1
		}
	}
	return Mul(act, Reshape(ConstAs(act, seen), 1, t.Height, t.Width, 1))
}

func (t Truth) checkRegion() error {
	if err := t.check(); err != nil {
		return err
	}
	if t.N != 1 {
		return fail("blind: a region of %d masks, want 1", t.N)
	}
	return nil
}

// BlindShare returns how much of a map's positive part is in a region that the network
// is blind for, see [Blind],
//
//	B = Σ_{p∈region} ReLU(M_p) / Σ_p ReLU(M_p),
//
// 0 for a map without positive values. Every value of a map whose size is not the
// region's belongs to the region's place that its middle lies in, because a value
// interpolated across the border would be in both; so give the raw maps, not enlarged
// ones. Maps at the resolution of the image may have some right to be above 0 beside
// the border: pixels there do enter activations on the other side.
//
// The result has a value from 0 to 1 for each image, lower is better, 0 is right. It
// fails with [ErrTruth] when the region is not one mask, or r has several maps of an image.
func BlindShare(r *cam.Result, region Truth) ([]float64, error) {
	if err := region.checkRegion(); err != nil {
		return nil, err
	}
	t := Truth{1, r.Height, r.Width, make([]bool, r.Height*r.Width)}
	for p := range t.Masks {
		y := (2*(p/r.Width) + 1) * region.Height / (2 * r.Height)
		x := (2*(p%r.Width) + 1) * region.Width / (2 * r.Width)
		t.Masks[p] = region.Masks[y*region.Width+x]
	}
	t.N, t.Masks = r.N, slices.Repeat(t.Masks, r.N)
	return Energy(r, t)
}
