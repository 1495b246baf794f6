package train

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// faults are ways to break a layer: what the weights to one of its outputs become.
var faults = []struct {
	name   string
	weight float32
}{{"+Inf", 3e38}, {"-Inf", -3e38}, {"NaN", float32(math.NaN())}}

// change gives a variable values, row by row.
func change(t *testing.T, net *network.Network, path string, f func(values []float32)) {
	t.Helper()
	values, err := net.Values(path)
	if err != nil {
		t.Fatal(err)
	}
	f(values)
	v := net.Store.GetVariable("/" + path)
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
		t.Fatal(err)
	}
}

// broken calls f with a network broken in each layer and in the head, in each way.
func broken(t *testing.T, f func(net *network.Network, part, weights, fault string)) {
	t.Helper()
	for _, part := range [][2]string{{"conv1", "conv1"}, {"conv2", "conv2"}, {"the head", "dense"}} {
		for _, fault := range faults {
			net := tiny(1)
			change(t, net, part[1]+"/weights", func(w []float32) {
				outputs := map[string]int{"conv1": 8, "conv2": 16, "dense": 10}[part[1]]
				for i := outputs / 2; i < len(w); i += outputs {
					w[i] = fault.weight
				}
			})
			f(net, part[0], part[1], fault.name)
		}
	}
}

// TestEvaluationNamesTheLayer where numbers stop being finite, in every layer.
func TestEvaluationNamesTheLayer(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		ds := few(t, 2)
		broken(t, func(net *network.Network, part, _, fault string) {
			if b.Name() == "xla" && (fault == "-Inf" || part == "conv2") {
				return // XLA compiles a second for each
			}
			e, err := NewEvaluator(b, net)
			if err != nil {
				t.Fatal(err)
			}
			want := "train: evaluate: image 0: infinite or NaN from " + part + " on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate"
			if got, err := e.Evaluate(t.Context(), ds); err == nil || err.Error() != want {
				t.Errorf("%s in %s: evaluation %v, error %v, want %s", fault, part, got, err, want)
			}
		})
	})
}

// TestEvaluationNamesTheImage that alone overflows: the one white among black ones, in the
// second batch.
func TestEvaluationNamesTheImage(t *testing.T) {
	ds := few(t, 64)
	clear(ds.pixels)
	for i := range 192 {
		ds.pixels[40*192+i] = 255
	}
	net := tiny(1)
	change(t, net, "conv1/weights", func(w []float32) {
		for i := range w {
			w[i] = -1e38
		}
	})
	e, err := NewEvaluator(backendtest.Go(t), net)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Evaluate(t.Context(), ds); err == nil || !strings.Contains(err.Error(), "image 40: infinite or NaN from conv1 on") {
		t.Errorf("error %v, want image 40 and conv1", err)
	}
}

// TestStepsNameTheLayer: the loss of each kind of step shows a fault of any layer, and
// the step leaves the weights as they were.
func TestStepsNameTheLayer(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		const n = 2
		ds := few(t, n)
		for kind := range steps {
			broken(t, func(net *network.Network, part, weights, fault string) {
				if b.Name() == "xla" && (fault == "-Inf" || part == "conv2") {
					return // XLA compiles a second for each
				}
				c, err := Config{Step: kind, LearningRate: 0.125}.withDefaults()
				if err != nil {
					t.Fatal(err)
				}
				run := &training{config: c, backend: b, net: net, train: ds, test: ds}
				if err := run.prepare(); err != nil {
					t.Fatal(err)
				}
				if err := run.begin(); err != nil {
					t.Fatal(err)
				}
				run.state.Position = position{Epoch: 1, Step: 2}
				p := None.epochPicks(n, small, margin, 1, 0)
				before := variables(t, net)
				got, err := run.step(run.pixels, run.labels, p, c.LearningRate, 1)
				if err != nil {
					t.Fatal(err)
				}
				loss := got.loss
				if loss-loss == 0 {
					t.Errorf("%s in %s: loss %v, want infinite or NaN", fault, part, loss)
					return
				}
				if !maps.EqualFunc(variables(t, net), before, slices.Equal) {
					t.Errorf("%s in %s: the %s step has changed the weights", fault, part, kind)
				}
				want := fmt.Sprintf("train: epoch 2, step 3: loss %v, want a finite number: training image %d is infinite or NaN from %s on; all weights are finite, up to 3e+38 in %s/weights; try a smaller learning rate than 0.125", loss, p[0], part, weights)
				if fault == "NaN" {
					want = fmt.Sprintf("train: epoch 2, step 3: loss NaN, want a finite number: the weights of %s were infinite or NaN before this step, after an update that was too large; try a smaller learning rate than 0.125", weights)
				}
				if err := run.overflowed(got, c.LearningRate, p); err == nil || err.Error() != want {
					t.Errorf("%s in %s: error %v, want %s", fault, part, err, want)
				}
			})
		}
	})
}

// TestOverflowNamesTheImage of the batch, not of the one before or after: the one white image
// among black ones, the first of the last batch.
func TestOverflowNamesTheImage(t *testing.T) {
	const n, size = 8, 4
	ds, config := few(t, n), Config{Epochs: 1, BatchSize: size, Augment: None, Seed: 1}
	white := int(None.epochPicks(n, small, margin, config.Seed, 0)[4*(n-size)])
	clear(ds.pixels)
	for i := range 192 {
		ds.pixels[white*192+i] = 255
	}
	net := tiny(1)
	change(t, net, "conv1/weights", func(w []float32) {
		for i := range w {
			w[i] = -1e38
		}
	})
	_, err := Train(t.Context(), backendtest.Go(t), net, ds, ds, config)
	if want := fmt.Sprintf("train: epoch 1, step 2: loss NaN, want a finite number: training image %d is infinite or NaN from conv1 on", white); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestLargestWeight is told also where all are small.
func TestLargestWeight(t *testing.T) {
	net := tiny(1)
	for _, path := range []string{"conv1/biases", "conv1/weights", "conv2/biases", "conv2/weights", "dense/biases", "dense/weights"} {
		change(t, net, path, func(values []float32) { clear(values) })
	}
	run := &training{net: net, holds: holds()}
	for _, want := range []string{"up to 0 in conv1/weights", "up to 0.25 in conv2/weights"} {
		broken, largest, err := run.weights()
		if err != nil || broken != nil || largest != want {
			t.Errorf("largest weight %q, broken %v, error %v, want %q", largest, broken, err, want)
		}
		change(t, net, "conv2/weights", func(values []float32) { values[5] = -0.25 })
	}
}

// TestAveragesSurviveABrokenStep: a step whose loss is not finite leaves the averages of
// batch normalization as they were, too.
func TestAveragesSurviveABrokenStep(t *testing.T) {
	b, ds, net := backendtest.Go(t), patterns(t, 4), own()
	if err := prepare(b, net, ds, 1); err != nil {
		t.Fatal(err)
	}
	change(t, net, "stem/conv/weights", func(w []float32) { w[0] = 3e38 })
	before := variables(t, net)
	withAdam(t, net)
	step, err := plainStep(b, net, Config{Optimizer: Adam, Augment: None}, 4)
	if err != nil {
		t.Fatal(err)
	}
	pixels, labels, err := data(ds)
	if err != nil {
		t.Fatal(err)
	}
	got, err := step(pixels, labels, None.epochPicks(4, small, margin, 1, 0), 0.01, 1)
	if err != nil {
		t.Fatal(err)
	}
	if loss := got.loss; loss-loss == 0 {
		t.Fatalf("loss %v, want infinite or NaN", loss)
	}
	if err := clearOptimizer(net.Store); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(variables(t, net), before, slices.Equal) {
		t.Error("the step has changed variables")
	}
}
