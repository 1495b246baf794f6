package cnn

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/compiled"
)

// few returns some images of all classes.
func few(t *testing.T, n int) *cifar10.Dataset {
	t.Helper()
	var positions []int
	for i := range n {
		positions = append(positions, (i*101)%cifar10.Sample().Len())
	}
	ds, err := cifar10.Sample().Select(positions...)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestStepsAreThePlainStep protects every gradient of the fast steps, whose batch of
// 34 images is two chunks.
// After one step Adam's first moment is a tenth of the gradient, so the
// moments show it in its size too, which Adam's update divides out. Then the
// costs of more steps have to agree, which shows that the weights do.
func TestStepsAreThePlainStep(t *testing.T) {
	ds := few(t, 68)
	pixels := tensors.FromFlatDataAndDimensions(ds.Pixels, 68, 32, 32, 3)
	labels := tensors.FromFlatDataAndDimensions(ds.Labels, 68)
	order := Article.epochPicks(68, 5, 0)
	moments := make(map[StepKind]map[string][]float32)
	costs := make(map[StepKind][]float32)
	for kind, prepare := range steps {
		m := New(1)
		step, err := prepare(backendtest.XLA(t), m, 1e-4)
		if err != nil {
			t.Fatal(err)
		}
		moments[kind] = make(map[string][]float32)
		for k := range 6 {
			cost, err := step(pixels, labels, order[4*34*k:4*34*(k+1)])
			if err != nil {
				t.Fatal(err)
			}
			costs[kind] = append(costs[kind], float32(cost))
			for v := range m.store.IterVariables() {
				if k == 0 && strings.HasSuffix(v.Name(), "_1st_moment") {
					value, err := v.Value()
					if err != nil {
						t.Fatal(err)
					}
					moments[kind][v.Path()] = tensors.MustCopyFlatData[float32](value)
				}
			}
		}
	}
	if len(moments[Plain]) != 2*len(layers) {
		t.Fatalf("%d moments, want those of %d weights and biases", len(moments[Plain]), 2*len(layers))
	}
	for name, want := range moments[Plain] {
		near(t, name, moments[Winograd][name], want, 2e-4)
	}
	near(t, "costs of six steps", costs[Winograd], costs[Plain], 2e-4)
}

// TestResumedTrainingIsTheSame protects resuming: a training that is stopped
// in the middle of an epoch and gone on with in another model ends with the
// same bits, and with the same log, as one that was not; also when it finds its
// checkpoint damaged and goes on from the one before.
func TestResumedTrainingIsTheSame(t *testing.T) {
	backend, ds := backendtest.XLA(t), few(t, 20)
	config := TrainConfig{Epochs: 2, BatchSize: 10, Seed: 5, Augment: FlipCrop, Step: Plain, Dir: t.TempDir()}
	whole := New(1)
	want, err := Train(t.Context(), backend, whole, ds, ds, config)
	if err != nil {
		t.Fatal(err)
	}

	wholeDir := config.Dir
	config.Dir, config.CheckpointEvery = t.TempDir(), -1
	ctx, stop := context.WithCancel(t.Context())
	steps := 0
	config.OnStep = func(Progress) {
		if steps++; steps == 3 { // the first of the second epoch's two steps
			stop()
		}
	}
	_, err = Train(ctx, backend, New(1), ds, ds, config)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped in epoch 2 after 1 steps; train again with the same settings and folder "+config.Dir) {
		t.Fatalf("stopped training: error %v, want one that says where it stopped and how to go on", err)
	}
	h, err := ReadHistory(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := Load(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := evaluate(t, stopped, ds).Cost; len(h.Epochs) != 1 || math.Abs(got-h.Epochs[0].Test.Cost) > 1e-6 {
		t.Errorf("folder of a stopped training: a model of cost %v beside a log of %d epochs, want the first epoch's, %v", got, len(h.Epochs), h.Epochs[0].Test.Cost)
	}
	damaged := config
	damaged.Dir = t.TempDir()
	if err := os.CopyFS(damaged.Dir, os.DirFS(config.Dir)); err != nil {
		t.Fatal(err)
	}
	resumed := New(99) // its weights come from the checkpoint
	var epochs []int
	config.OnEpoch = func(e Epoch) { epochs = append(epochs, e.Epoch) }
	got, err := Train(t.Context(), backend, resumed, ds, ds, config)
	if err != nil {
		t.Fatal(err)
	}
	if steps != 4 {
		t.Errorf("%d steps in all, want 4", steps)
	}
	if !slices.Equal(epochs, []int{1, 2}) {
		t.Errorf("OnEpoch saw epochs %v, want 1 and 2", epochs)
	}
	if !slices.Equal(encode(t, whole), encode(t, resumed)) {
		t.Error("the resumed training ended with other weights than the whole one")
	}
	for i := range want.Epochs {
		if w, g := want.Epochs[i], got.Epochs[i]; w.TrainCost != g.TrainCost || w.Test.Cost != g.Test.Cost {
			t.Errorf("epoch %d: costs %v and %v, want %v and %v", i+1, g.TrainCost, g.Test.Cost, w.TrainCost, w.Test.Cost)
		}
	}

	data, err := os.ReadFile(filepath.Join(damaged.Dir, TrainingFile))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	put(t, damaged.Dir, TrainingFile, data)
	damaged.OnStep = func(p Progress) {
		steps++
		if c, err := readCheckpoint(filepath.Join(damaged.Dir, TrainingFile)); p.Step == 2 && (err != nil || c.Position.Step != 1) {
			t.Errorf("a checkpoint every nanosecond: error %v, want one of the step before", err)
		}
	}
	damaged.CheckpointEvery = 1
	steps = 0
	beforeDamage := New(98)
	if _, err := Train(t.Context(), backend, beforeDamage, ds, ds, damaged); err != nil {
		t.Fatal(err)
	}
	if steps != 2 || !slices.Equal(encode(t, whole), encode(t, beforeDamage)) {
		t.Errorf("%d steps from the checkpoint before the damaged one, want 2, and the same weights", steps)
	}
	sameEnd(t, damaged.Dir, wholeDir)
	sameEnd(t, config.Dir, wholeDir)

	// A finished training only reads its checkpoint.
	steps = 0
	again, err := Train(t.Context(), backend, New(99), ds, ds, config)
	if err != nil || steps != 0 || len(again.Epochs) != 2 {
		t.Errorf("finished training: %d steps, %d epochs, error %v; want 0, 2 and none", steps, len(again.Epochs), err)
	}
	loaded, err := Load(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(encode(t, loaded), encode(t, whole)) {
		t.Error("the checkpoint's model is not the trained one")
	}
	h, err = ReadHistory(config.Dir)
	if err != nil || len(h.Epochs) != 2 || h.Seed != 5 || strings.ContainsAny(h.Backend, `/\`) {
		t.Errorf("log %+v, error %v; want two epochs, seed 5 and a backend without a folder", h, err)
	}
}

func TestTrainingLearns(t *testing.T) {
	ds := few(t, 100)
	h, err := Train(t.Context(), backendtest.XLA(t), New(1), ds, ds, TrainConfig{Epochs: 12, BatchSize: 20, Augment: None, Seed: 1, Step: Plain})
	if err != nil {
		t.Fatal(err)
	}
	first, last := h.Epochs[0], h.Epochs[len(h.Epochs)-1]
	if last.Test.Cost > first.Test.Cost-0.2 {
		t.Errorf("cost on the training images went from %.3f to %.3f in 12 epochs, want it 0.2 lower", first.Test.Cost, last.Test.Cost)
	}
}

func TestTrainSaysWhatIsWrong(t *testing.T) {
	ds := few(t, 10)
	none, err := ds.Select()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		change func(*TrainConfig)
		train  *cifar10.Dataset
		want   string
	}{
		{"no images", nil, none, "0 training and 10 test images, want at least one of each"},
		{"epochs", func(c *TrainConfig) { c.Epochs = -1 }, ds, "-1 epochs, want 1 or more"},
		{"batch size", func(c *TrainConfig) { c.BatchSize = -1 }, ds, "batch size -1, want 1 or more"},
		{"learning rate", func(c *TrainConfig) { c.LearningRate = -1 }, ds, "learning rate -1, want a positive number"},
		{"step", func(c *TrainConfig) { c.Step = "slow" }, ds, `step "slow", want plain or winograd`},
		{"augmentation", func(c *TrainConfig) { c.Augment = "mixup" }, ds, `augmentation "mixup", want article, flipcrop or none`},
		{"divergence", func(c *TrainConfig) { c.LearningRate = 1e30 }, ds, "epoch 1, step 2: cost NaN, want a finite number: training image "},
	} {
		config := TrainConfig{Epochs: 1, BatchSize: 5, Step: Plain}
		if c.change != nil {
			c.change(&config)
		}
		_, err := Train(t.Context(), backendtest.XLA(t), New(1), c.train, ds, config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
	}
}

// TestTrainsOnPureGo: the same costs as XLA's, step by step.
func TestTrainsOnPureGo(t *testing.T) {
	ds := few(t, 6)
	costs := make(map[string]float32)
	for name, backend := range map[string]compute.Backend{"xla": backendtest.XLA(t), "go": backendtest.Go(t)} {
		h, err := Train(t.Context(), backend, New(1), ds, ds, TrainConfig{Epochs: 2, BatchSize: 3, Augment: FlipCrop, Step: Plain})
		if err != nil {
			t.Fatal(err)
		}
		costs[name] = float32(h.Epochs[1].TrainCost)
		if last := h.Epochs[1].TrainCost; last >= h.Epochs[0].TrainCost {
			t.Errorf("%s: cost %v after %v, want it to fall", name, last, h.Epochs[0].TrainCost)
		}
	}
	near(t, "cost of the second epoch", []float32{costs["go"]}, []float32{costs["xla"]}, 1e-4)
}

// TestChunks: chunks are alike where they can be, and never more than fits the cache.
func TestChunks(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 32: 32, 34: 17, 125: 25, 128: 32, 100: 25, 127: 32, 33: 11} {
		got := chunkSize(n)
		if got != want || got > compiled.Batch {
			t.Errorf("chunks of %d for %d images, want %d", got, n, want)
		}
	}
}

// TestSampleRunsAgain: what setup times can be done any number of times.
func TestSampleRunsAgain(t *testing.T) {
	run, err := Sample(backendtest.XLA(t))
	for range 2 {
		if err == nil {
			err = run()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
