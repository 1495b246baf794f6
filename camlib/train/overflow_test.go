package cnn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backendtest"
)

var nan, inf = float32(math.NaN()), float32(math.Inf(1))




// faults are ways to break a layer: what the weights to one of its outputs become.
var faults = []struct {
	name   string
	weight float32
}{{"+Inf", 3e38}, {"-Inf", -3e38}, {"NaN", nan}}

// set gives a variable values, row by row.
func set(t *testing.T, v *model.Variable, values []float32) {
	t.Helper()
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
		t.Fatal(err)
	}
}

// broken calls f with the model broken in each layer, in one of the ways in turn, and
// mended afterwards. TestReLU has all of them.
func broken(t *testing.T, m *Model, f func(layer, fault string)) {
	t.Helper()
	for k, l := range layers {
		v := m.store.GetVariable(l.scope + "/weights")
		sound, err := m.values(l.scope, "weights")
		if err != nil {
			t.Fatal(err)
		}
		w, fault := slices.Clone(sound), faults[k%len(faults)]
		for i := l.outputs() / 2; i < len(w); i += l.outputs() {
			w[i] = fault.weight
		}
		set(t, v, w)
		f(l.scope, fault.name)
		set(t, v, sound)
	}
}

// TestEvaluationNamesTheLayer where numbers stop being finite, in every layer. Few
// images make XLA take the direct convolution, ten the tiled one.
func TestEvaluationNamesTheLayer(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		n := 10
		if isGo(b) {
			n = 1
		}
		m, ds := New(1), few(t, n)
		e, err := NewEvaluator(b, m)
		if err != nil {
			t.Fatal(err)
		}
		broken(t, m, func(layer, fault string) {
			want := "cnn: evaluate: image 0: infinite or NaN from " + layer + " on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate"
			if got, err := e.Evaluate(t.Context(), ds); err == nil || err.Error() != want {
				t.Errorf("%s in %s: evaluation %v, error %v, want %s", fault, layer, got, err, want)
			}
		})
		if _, err := e.Evaluate(t.Context(), ds); err != nil {
			t.Errorf("mended: %v", err)
		}
	})
}

// TestEvaluationNamesTheImage that alone overflows: the one white among black ones.
func TestEvaluationNamesTheImage(t *testing.T) {
	m, ds := New(1), few(t, 3)
	clear(ds.Pixels)
	for i := range 3072 {
		ds.Pixels[2*3072+i] = 255
	}
	set(t, m.store.GetVariable("/conv1/weights"), slices.Repeat([]float32{-1e38}, 864))
	e, err := NewEvaluator(backendtest.XLA(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Evaluate(t.Context(), ds); err == nil || !strings.Contains(err.Error(), "image 2: infinite or NaN from conv1 on") {
		t.Errorf("error %v, want image 2 and conv1", err)
	}
}

// weightsOf returns the bits of all weights, of which some may be NaN.
func weightsOf(t *testing.T, m *Model) (bits []uint32) {
	t.Helper()
	for _, l := range layers {
		for _, name := range []string{"weights", "biases"} {
			values, err := m.values(l.scope, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				bits = append(bits, math.Float32bits(v))
			}
		}
	}
	return bits
}

// TestStepsNameTheLayer: the cost of each kind of step shows a fault of any layer, and
// the step leaves the weights as they were.
func TestStepsNameTheLayer(t *testing.T) {
	check := func(t *testing.T, b compute.Backend, kind StepKind, n int) {
		ds := few(t, n)
		c, err := TrainConfig{Step: kind, LearningRate: 0.125}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		run := &training{config: c, backend: b, model: New(1), train: ds, test: ds}
		if err := run.begin(); err != nil {
			t.Fatal(err)
		}
		run.state.Position = position{Epoch: 1, Step: 2}
		p := None.epochPicks(n, 1, 0)
		broken(t, run.model, func(layer, fault string) {
			if !isGo(b) && layer != "conv1" && layer != "conv3" && layer != "dense" {
				return // XLA compiles seconds for each
			}
			before := weightsOf(t, run.model)
			cost, err := run.step(run.pixels, run.labels, p)
			if err != nil {
				t.Fatal(err)
			}
			if cost-cost == 0 {
				t.Errorf("%s in %s: cost %v, want infinite or NaN", fault, layer, cost)
				return
			}
			if !slices.Equal(weightsOf(t, run.model), before) {
				t.Errorf("%s in %s: the step has changed the weights", fault, layer)
			}
			want := fmt.Sprintf("cnn: train: epoch 2, step 3: cost %v, want a finite number: training image %d is infinite or NaN from %s on, whose weights are finite, up to 3e+38; try a smaller learning rate than 0.125", cost, p[0], layer)
			if fault == "NaN" {
				want = fmt.Sprintf("cnn: train: epoch 2, step 3: cost NaN, want a finite number: the weights of %s were infinite or NaN before this step, after an update that was too large; try a smaller learning rate than 0.125", layer)
			}
			if err := run.overflowed(cost, p); err == nil || err.Error() != want {
				t.Errorf("%s in %s: error %v, want %s", fault, layer, err, want)
			}
		})
	}
	for kind := range steps {
		t.Run(string(kind), func(t *testing.T) { check(t, backendtest.XLA(t), kind, 10) })
	}
	t.Run("go", func(t *testing.T) { check(t, backendtest.Go(t), Winograd, 1) })
}

// TestScoreRefusesWhatIsNotFinite, which no class is the largest of.
func TestScoreRefusesWhatIsNotFinite(t *testing.T) {
	for _, bad := range []float32{nan, inf, -inf} {
		_, err := Score([]float32{1, 2, 3, bad}, []uint8{0, 1}, []string{"ant", "bee"})
		if want := fmt.Sprintf("cnn: score: image 1: score %v of class 1, want finite scores", bad); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
