package truth_test

import (
	"math"
	"testing"

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
