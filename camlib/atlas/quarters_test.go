package atlas_test

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/atlas"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// newQuarters is a network whose maps can be computed by hand: its activations are the
// mean red, green and blue of an image's upper left, upper right, lower left and
// lower right, and its head is pooling and a linear layer, or none if it is bent.
func newQuarters(bent bool) *network.Network {
	store := model.NewStore()
	store.VariableWithValue("w", tensors.FromFlatDataAndDimensions(weights, 3, len(bias)))
	store.VariableWithValue("b", tensors.FromFlatDataAndDimensions(bias, 1, len(bias)))
	return &network.Network{
		Name: "quarters", Store: store,
		Layers: []network.Layer{{Name: "quarters", Build: func(_ *model.Scope, x *Node) *Node {
			return ReduceMean(Reshape(x, -1, 2, 16, 2, 16, 3), 2, 4)
		}}},
		Head: func(scope *model.Scope, act *Node) *Node {
			w := scope.GetVariable("w").NodeValue(act.Graph())
			b := scope.GetVariable("b").NodeValue(act.Graph())
			y := MatMul(ReduceMean(act, 1, 2), w)
			if bent {
				y = Square(y)
			}
			return Add(y, BroadcastToDims(b, y.Shape().Dimensions...))
		},
	}
}

// paint makes images of a colour for each quarter.
func paint(labels []uint8, quarters ...[4]int) *cifar10.Dataset {
	ds := &cifar10.Dataset{Split: cifar10.Test, Labels: labels}
	for i, quarter := range quarters {
		ds.Index = append(ds.Index, i)
		for p := range 32 * 32 {
			pixel := make([]byte, 3)
			if c := quarter[p/32/16*2+p%32/16]; c != black {
				pixel[c-1] = 255
			}
			ds.Pixels = append(ds.Pixels, pixel...)
		}
	}
	return ds
}

// five are images of every kind. Their scores, by hand, for
// classes 0, 1 and 2 are
//
//	0: red, 3 black         8/4+½, −4/4, 2/4−¼    =  2.5, −1,   0.25   predicted 0
//	1: 4 red                8+½,   −4,   2−¼      =  8.5, −4,   1.75   predicted 0
//	2: 2 black, 2 green     −2·4/4+½, 2·8/4, 2·2/4−¼ = −1.5,  4,   0.75   predicted 1
//	3: 3 black, blue        ½,     −8/4, 4/4−¼    =  0.5, −2,   0.75   predicted 2
//	4: black, red, black, green  (8−4)/4+½, (8−4)/4, (2+2)/4−¼ = 1.5, 1, 0.75   predicted 0
func five() *cifar10.Dataset {
	return paint([]uint8{0, 1, 1, 2, 1},
		[4]int{red, black, black, black},
		[4]int{red, red, red, red},
		[4]int{black, black, green, green},
		[4]int{black, black, black, blue},
		[4]int{black, red, black, green})
}

func explainer(t testing.TB, net *network.Network) *cam.Explainer {
	t.Helper()
	e, err := cam.New(backendtest.Go(t), net, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func makeAtlas(t testing.TB, ds *cifar10.Dataset) *atlas.Atlas {
	t.Helper()
	a, err := atlas.New(t.Context(), explainer(t, newQuarters(false)), ds)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func near[T float32 | float64](t *testing.T, what string, got []T, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if !(math.Abs(float64(got[i])-want[i]) <= 1e-5) { // of values up to 8 in float32
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}
