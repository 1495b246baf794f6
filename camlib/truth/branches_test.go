package truth_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// branching is a network whose second layer is one branch of two.
func branching() *network.Network {
	n := newPlain()
	n.Layers = append(n.Layers,
		network.Layer{Name: "branch", BuildBeside: func(_ *model.Scope, x *Node, beside []*Node) (*Node, []*Node) {
			return MulScalar(x, 2), append([]*Node{x}, beside...)
		}},
		network.Layer{Name: "sum", BuildBeside: func(_ *model.Scope, x *Node, beside []*Node) (*Node, []*Node) {
			return Add(x, beside[0]), beside[1:]
		}})
	return n
}

// TestBranches is that a network with branches takes a trigger and a wall.
func TestBranches(t *testing.T) {
	b := backendtest.Go(t)
	trigger := truth.Trigger{Class: 1, Strength: 3}
	x, _, err := truth.Stamp(gray(2, 12, 8), 1)
	if err != nil {
		t.Fatal(err)
	}
	net, err := truth.WithTrigger(branching(), trigger)
	with := explain(t, toyExplainer(t, b, net, err), "hirescam", x, cam.Class(1))
	own := explain(t, toyExplainer(t, b, branching(), nil), "hirescam", x, cam.Class(1))
	for i := range x.N {
		if gain := float64(with.Scores[2*i+1] - own.Scores[2*i+1]); math.Abs(gain-trigger.Gain(12, 8)) > 1e-3 {
			t.Errorf("image %d: the trigger adds %v to its class, want %v", i, gain, trigger.Gain(12, 8))
		}
	}
	at, err := branching().At("branch")
	if err != nil {
		t.Fatal(err)
	}
	region := masks(t, 6, 4, "##..##..##..##..##..##..")
	blind, err := truth.Blind(at, region)
	got, shareErr := truth.BlindShare(explain(t, toyExplainer(t, b, blind, err), "hirescam", x, cam.Class(1)), region)
	equal(t, "share", got, []float64{0, 0}, shareErr)
}

// TestAttentionIsNotOfTheChanged is that the attention of a network is not taken for that of
// one with a trigger or a wall, whose scores are others.
func TestAttentionIsNotOfTheChanged(t *testing.T) {
	b := backendtest.Go(t)
	net := newPlain()
	net.Attention = network.Attention{Height: 6, Width: 4, Build: func(scope *model.Scope, x *Node) (*Node, []*Node) {
		return net.Forward(scope, x), []*Node{Zeros(x.Graph(), shapes.Make(x.DType(), x.Shape().Dim(0), 1, 24, 24))}
	}}
	x := gray(1, 12, 8)
	rollout := cam.AttentionRollout{}
	if _, err := toyExplainer(t, b, net, nil).Explain(t.Context(), rollout, x, cam.Class(0)); err != nil {
		t.Fatal(err)
	}
	trigger, err := truth.WithTrigger(net, truth.Trigger{Class: 1, Strength: 3})
	_, refused := toyExplainer(t, b, trigger, err).Explain(t.Context(), rollout, x, cam.Class(0))
	blind, err := truth.Blind(net, masks(t, 6, 4, "##..##..##..##..##..##.."))
	_, unseen := toyExplainer(t, b, blind, err).Explain(t.Context(), rollout, x, cam.Class(0))
	for want, err := range map[string]error{"it has a trigger, past the attention": refused, "it is made blind in a region, past the attention": unseen} {
		if !errors.Is(err, cam.ErrAttention) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error %v, want of kind %q with text %q", err, cam.ErrAttention, want)
		}
	}
}
