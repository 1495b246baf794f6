package board_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/nn"
)

// newToy is a network of two pointwise layers with ReLU and biases, the second on means of
// 2×2 places, and a head that is pooling and a linear layer.
func newToy() *network.Network {
	rng, store := rand.New(rand.NewPCG(1, 2)), model.NewStore()
	set := func(name string, dims ...int) {
		v := make([]float32, slices.Max([]int{1, dims[0] * dims[len(dims)-1]}))
		if len(dims) == 1 {
			v = v[:dims[0]]
		}
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		store.VariableWithValue(name, tensors.FromFlatDataAndDimensions(v, dims...))
	}
	set("point/w", 3, 5)
	set("point/b", 5)
	set("deep/w", 5, 5)
	set("deep/b", 5)
	set("dense/w", 5, 4)
	set("dense/b", 4)
	variable := func(scope *model.Scope, name string, like *Node) *Node {
		return ConvertDType(scope.GetVariable(name).NodeValue(like.Graph()), like.DType())
	}
	layer := func(name string, before func(x *Node) *Node) network.Layer {
		bias := func(scope *model.Scope, like *Node) *Node { return variable(scope.At("%s", name), "b", like) }
		return network.Layer{Name: name, Bias: bias, Build: func(scope *model.Scope, x *Node) *Node {
			x = before(x)
			return nn.ReLU(nn.AddBias(Einsum("bhwc,ck->bhwk", x, variable(scope.At("%s", name), "w", x)), bias(scope, x)))
		}}
	}
	return &network.Network{
		Name: "toy", Store: store, Classes: []string{"ant", "bee", "cow", "doe"},
		Layers: []network.Layer{
			layer("point", func(x *Node) *Node { return x }),
			layer("deep", func(x *Node) *Node {
				d := x.Shape().Dimensions
				return ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
			}),
		},
		Head: func(scope *model.Scope, act *Node) *Node {
			in := scope.At("dense")
			return nn.AddBias(MatMul(ReduceMean(act, 1, 2), variable(in, "w", act)), variable(in, "b", act))
		},
	}
}

// toyImages are n images of 12×12 pixels, of four classes in turn.
func toyImages(t *testing.T, n int) images.Dataset {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	pixels, labels := make([]uint8, n*12*12*3), make([]int, n)
	for i := range pixels {
		pixels[i] = uint8(rng.IntN(256))
	}
	for i := range labels {
		labels[i] = i % 4
	}
	ds, err := images.NewMemory(images.Size{Height: 12, Width: 12, Channels: 3}, []string{"ant", "bee", "cow", "doe"}, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// outsider is a method, and middle a metric, that camlab does not have.
type outsider struct{ Times int }

func (o outsider) Spec() cam.Spec {
	setting := ""
	if o.Times != 0 {
		setting = fmt.Sprintf("%d times", o.Times)
	}
	return cam.Spec{
		Name: "outsider", Setting: setting, Unit: "activation",
		Map: func(p *cam.Pass) *Node { return MulScalar(ReduceMax(p.Act, -1), float64(max(1, o.Times))) },
	}
}

var middle = metric.Metric{
	Name: "middle", Better: metric.Higher, Meaning: "the map's value in the middle", Group: "From outside", Ranked: true,
	Compute: func(_ context.Context, c *metric.Case) ([]float64, error) {
		var out []float64
		for i := range c.Result.N {
			out = append(out, float64(c.Result.Maps[i*c.Result.Height*c.Result.Width+c.Result.Width/2]))
		}
		return out, nil
	},
}

func init() {
	for _, err := range []error{cam.Register(outsider{}), metric.Register(middle)} {
		if err != nil {
			panic(err)
		}
	}
}

func toyBoard(t *testing.T, opts board.Options) *board.Board {
	t.Helper()
	table, err := board.NewBoard(t.Context(), backendtest.Go(t), newToy(), toyImages(t, 8), opts)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestWholeBoard is of all methods and all metrics, those from outside among them, on a
// network that is not the article's. Cells are empty where a method promises no sum and
// where CAM wants pooling and a linear layer, and no others.
func TestWholeBoard(t *testing.T) {
	table := toyBoard(t, board.Options{Again: 8, Mosaics: 2, Seed: 3})
	if len(table.Columns) != len(board.Entries()) || table.Column("middle") < 0 {
		t.Errorf("%d columns, that from outside at %d, want all %d", len(table.Columns), table.Column("middle"), len(board.Entries()))
	}
	sums := []string{"cam", "hirescam", "fullgrad", "integratedgradients"}
	linear := []string{"cam"}
	var names []string
	blind := map[string]float64{}
	for _, r := range table.Rows {
		if e := r.Cells[table.Column("blind")]; e != nil {
			blind[r.Name] = e.Mean
		}
		if !r.Baseline {
			names = append(names, r.Name)
		}
		for k, e := range r.Cells {
			want := true
			switch table.Columns[k].Name {
			case "completeness":
				want = slices.Contains(sums, r.Name)
			case "blind":
				want = !slices.Contains(linear, r.Name)
			}
			if (e != nil) != want {
				t.Errorf("%s, %s: %v, want a value: %t", r.Name, table.Columns[k].Name, e, want)
			}
			if e != nil && e.N != table.Columns[k].N {
				t.Errorf("%s, %s: of %d, want %d", r.Name, table.Columns[k].Name, e.N, table.Columns[k].N)
			}
			if e != nil && r.Name == "fullgrad" && table.Columns[k].Name == "completeness" && e.Mean > 1e-5 {
				t.Errorf("fullgrad misses the score by %v, want rounding", e)
			}
		}
	}
	// Grad-CAM and XGrad-CAM are the same on the network, but not where it is blind.
	if blind["hirescam"] != 0 || blind["gradcam"] == blind["xgradcam"] {
		t.Errorf("blind shares %v, want 0 for hirescam and others for gradcam and xgradcam", blind)
	}
	if len(names) != len(cam.MethodsFor(newToy())) || !slices.Contains(names, "outsider") {
		t.Errorf("rows %v, want all methods, that from outside among them", names)
	}
}

// TestFlatIsWhatUniformGets: the value that a metric gives flat maps is what it says.
func TestFlatIsWhatUniformGets(t *testing.T) {
	table := toyBoard(t, board.Options{Methods: []cam.Method{}, Again: 8, Mosaics: 3})
	checked := 0
	for _, r := range table.Rows {
		for k, e := range board.Entries() {
			if r.Name == "uniform" && e.Flat != nil {
				if checked++; math.Abs(r.Cells[k].Mean-*e.Flat) > 1e-6 {
					t.Errorf("%s of a flat map is %v, want %v", e.Name, r.Cells[k], *e.Flat)
				}
			}
		}
	}
	if checked < 7 {
		t.Errorf("%d metrics say what a flat map gets, want 7 or more", checked)
	}
}

// TestEconomies: what a board says of a method's setting is what it was measured with, and
// is said of no other.
func TestEconomies(t *testing.T) {
	settings := map[string]string{
		"scorecam": "32 channels", "sscam": "8 channels, 2 noises", "iscam": "8 channels, 3 steps", "rise": "64 masks",
		"integratedgradients": "8 steps", "smoothgrad": "4 noises",
	}
	taken := map[string]*cam.Result{}
	take := board.Entry{
		Metric: metric.Metric{Name: "take", Meaning: "keeps the maps"},
		Compute: func(_ context.Context, c *board.Contestant) (*metric.Estimate, error) {
			taken[c.Name+" "+c.Setting] = c.Whole.Result
			return nil, nil
		},
	}
	methods := append(cam.MethodsFor(newToy()), cam.RISE{Masks: 7}, outsider{Times: 2})
	table := toyBoard(t, board.Options{Methods: methods, Entries: []board.Entry{take}})
	if n := len(taken); n != len(methods)+4 {
		t.Errorf("%d rows, want those of %d methods and four baselines", n, len(methods))
	}
	for _, r := range table.Rows {
		switch {
		case r.Name == "rise" && r.Setting == "7 masks", r.Name == "outsider" && r.Setting == "2 times": // the caller's own
		case r.Setting != settings[r.Name]:
			t.Errorf("%s: setting %q, want %q", r.Name, r.Setting, settings[r.Name])
		}
	}
	e, err := cam.New(backendtest.Go(t), newToy(), cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := images.FromDataset(toyImages(t, 8), 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []cam.Method{
		cam.ScoreCAM{Channels: 32}, cam.SSCAM{Channels: 8, Samples: 2}, cam.ISCAM{Channels: 8, Steps: 3}, cam.RISE{Masks: 64},
		cam.IntegratedGradients{Steps: 8}, cam.SmoothGrad{Samples: 4}, cam.RISE{Masks: 7}, cam.GradCAM{},
	} {
		r, err := e.Explain(t.Context(), m, x, cam.Predicted)
		if err != nil {
			t.Fatal(err)
		}
		got := taken[m.Spec().Name+" "+m.Spec().Setting]
		if got == nil {
			t.Errorf("no row of %#v", m)
			continue
		}
		// The board makes the maps in two parts and joins all that is said of them.
		near := cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-4*(1+math.Abs(float64(a))) })
		if diff := cmp.Diff(r, got, near); diff != "" {
			t.Errorf("%#v (-want +got):\n%s", m, diff)
		}
	}
}
