package train

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

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestResumedTrainingIsTheSame protects resuming: a training that is stopped
// in the middle of an epoch and gone on with in another network ends with the
// same bits, and with the same log, as one that was not; also when it finds its
// checkpoint damaged and goes on from the one before. Each kind of step does.
func TestResumedTrainingIsTheSame(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		for kind := range steps {
			t.Run(string(kind), func(t *testing.T) { resumed(t, b, kind) })
		}
	})
}

func resumed(t *testing.T, backend compute.Backend, kind StepKind) {
	ds := few(t, 20)
	config := Config{Epochs: 2, BatchSize: 10, Seed: 5, Augment: FlipCrop, Step: kind, Dir: t.TempDir()}
	whole := tiny(1)
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
	_, err = Train(ctx, backend, tiny(1), ds, ds, config)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped in epoch 2 after 1 steps; train again with the same settings and folder "+config.Dir) {
		t.Fatalf("stopped training: error %v, want one that says where it stopped and how to go on", err)
	}
	h, err := ReadHistory(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	stopped := tiny(99)
	if err := stopped.Load(config.Dir); err != nil {
		t.Fatal(err)
	}
	if got := evaluate(t, backend, stopped, ds).Loss; len(h.Epochs) != 1 || math.Abs(got-h.Epochs[0].Test.Loss) > 1e-6 {
		t.Errorf("folder of a stopped training: a model of loss %v beside a log of %d epochs, want the first epoch's, %v", got, len(h.Epochs), h.Epochs[0].Test.Loss)
	}
	damaged := config
	damaged.Dir = t.TempDir()
	if err := os.CopyFS(damaged.Dir, os.DirFS(config.Dir)); err != nil {
		t.Fatal(err)
	}
	resumed := tiny(99) // its weights come from the checkpoint
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
		if w, g := want.Epochs[i], got.Epochs[i]; w.TrainLoss != g.TrainLoss || w.Test.Loss != g.Test.Loss {
			t.Errorf("epoch %d: losses %v and %v, want %v and %v", i+1, g.TrainLoss, g.Test.Loss, w.TrainLoss, w.Test.Loss)
		}
	}

	data, err := os.ReadFile(filepath.Join(damaged.Dir, TrainingFile))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	put(t, damaged.Dir, TrainingFile, data)
	files := &folder{dir: damaged.Dir, holds: holds()}
	damaged.OnStep = func(p Progress) {
		steps++
		if c, err := files.read(TrainingFile); p.Step == 2 && (err != nil || c.Position.Step != 1) {
			t.Errorf("a checkpoint every nanosecond: error %v, want one of the step before", err)
		}
	}
	damaged.CheckpointEvery = 1
	steps = 0
	beforeDamage := tiny(98)
	if _, err := Train(t.Context(), backend, beforeDamage, ds, ds, damaged); err != nil {
		t.Fatal(err)
	}
	if steps != 2 || !slices.Equal(encode(t, whole), encode(t, beforeDamage)) {
		t.Errorf("%d steps from the checkpoint before the damaged one, want 2, and the same weights", steps)
	}
	sameEnd(t, holds(), damaged.Dir, wholeDir)
	sameEnd(t, holds(), config.Dir, wholeDir)

	// A finished training only reads its checkpoint.
	steps = 0
	again, err := Train(t.Context(), backend, tiny(99), ds, ds, config)
	if err != nil || steps != 0 || len(again.Epochs) != 2 {
		t.Errorf("finished training: %d steps, %d epochs, error %v; want 0, 2 and none", steps, len(again.Epochs), err)
	}
	loaded := tiny(99)
	if err := loaded.Load(config.Dir); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(encode(t, loaded), encode(t, whole)) {
		t.Error("the checkpoint's model is not the trained one")
	}
	h, err = ReadHistory(config.Dir)
	if err != nil || len(h.Epochs) != 2 || h.Config.Seed != 5 || h.Architecture != "tiny" || strings.ContainsAny(h.Backend, `/\`) {
		t.Errorf("log %+v, error %v; want two epochs, seed 5 and a backend without a folder", h, err)
	}
}

// TestStoppedInTheEvaluation: the steps of an epoch are not made again when a training was
// stopped while its network was evaluated.
func TestStoppedInTheEvaluation(t *testing.T) {
	ds, b := few(t, 20), backendtest.Go(t)
	config := Config{Epochs: 1, BatchSize: 10, Seed: 5, Augment: FlipCrop}
	whole, stopped := tiny(1), tiny(1)
	if _, err := Train(t.Context(), b, whole, ds, ds, config); err != nil {
		t.Fatal(err)
	}
	config.Dir = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	config.OnStep = func(p Progress) {
		if p.Step == p.Steps {
			stop()
		}
	}
	if _, err := Train(ctx, b, stopped, ds, ds, config); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped in epoch 1 after 2 steps; train again") {
		t.Fatalf("stopped training: error %v, want one that says where it stopped", err)
	}
	config.OnStep = func(p Progress) { t.Errorf("step %d of %d was made again", p.Step, p.Steps) }
	if _, err := Train(t.Context(), b, stopped, ds, ds, config); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(encode(t, stopped), encode(t, whole)) {
		t.Error("the resumed training ended with other weights than the whole one")
	}
}

// TestStoppedWithoutAFolder: a training that saves nothing does not tell to go on.
func TestStoppedWithoutAFolder(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ds, config := few(t, 20), Config{Epochs: 1, BatchSize: 10, OnStep: func(Progress) { stop() }}
	_, err := Train(ctx, backendtest.Go(t), tiny(1), ds, ds, config)
	want := "train: stopped in epoch 1 after 1 steps, nothing saved: no checkpoint folder was given"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestRemainingIsTheImagesLeft at the rate so far.
func TestRemainingIsTheImagesLeft(t *testing.T) {
	ds, lefts := few(t, 5), []int{7, 5, 2, 0}
	config := Config{Epochs: 2, BatchSize: 3, Augment: None, OnStep: func(p Progress) {
		left := lefts[2*(p.Epoch-1)+p.Step-1]
		if got := p.Remaining.Seconds() * p.ImagesPerSecond; math.Abs(got-float64(left)) > 1e-3 {
			t.Errorf("epoch %d, step %d: time for %v images at %v a second, want %d", p.Epoch, p.Step, got, p.ImagesPerSecond, left)
		}
	}}
	if _, err := Train(t.Context(), backendtest.Go(t), tiny(1), ds, ds, config); err != nil {
		t.Fatal(err)
	}
}

func TestTrainingLearns(t *testing.T) {
	ds := few(t, 100)
	h, err := Train(t.Context(), backendtest.Go(t), tiny(1), ds, ds, Config{Epochs: 20, BatchSize: 20, Augment: None, Seed: 1, LearningRate: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	first, last := h.Epochs[0], h.Epochs[len(h.Epochs)-1]
	if last.Test.Loss > first.Test.Loss-0.5 {
		t.Errorf("loss on the training images went from %.3f to %.3f in 20 epochs, want it 0.5 lower", first.Test.Loss, last.Test.Loss)
	}
}

// TestTrainLossIsTheMeanOverImages, also where the last batch is smaller: with a learning
// rate that changes next to nothing it is the test loss on the same images.
func TestTrainLossIsTheMeanOverImages(t *testing.T) {
	ds := few(t, 11)
	for kind := range steps {
		var progress []Progress
		h, err := Train(t.Context(), backendtest.Go(t), tiny(1), ds, ds, Config{
			Epochs: 1, BatchSize: 4, Augment: None, Seed: 1, LearningRate: 1e-12, Step: kind,
			OnStep: func(p Progress) { progress = append(progress, p) },
		})
		if err != nil {
			t.Fatal(err)
		}
		e := h.Epochs[0]
		if math.Abs(e.TrainLoss-e.Test.Loss) > 1e-6*e.Test.Loss {
			t.Errorf("%s: training loss %v over 11 images in batches of 4, 4 and 3, want %v", kind, e.TrainLoss, e.Test.Loss)
		}
		order := None.epochPicks(11, small, margin, 1, 0)
		var positions []int
		for k := range 8 {
			positions = append(positions, int(order[4*k]))
		}
		want := evaluate(t, backendtest.Go(t), tiny(1), subset(t, ds, positions...)).Loss
		if len(progress) != 3 || math.Abs(progress[1].Loss-want) > 1e-6*want || progress[2].Steps != 3 || math.Abs(progress[2].Loss-e.TrainLoss) > 1e-9 {
			t.Errorf("%s: progress %+v, want three steps, a loss of %v after the second and %v after the last", kind, progress, want, e.TrainLoss)
		}
	}
}

func TestTrainSaysWhatIsWrong(t *testing.T) {
	ds := few(t, 10)
	none := subset(t, ds)
	other := patterns(t, 8)
	gray, err := images.NewMemory(images.Size{Height: 8, Width: 8, Channels: 1}, ds.Classes(), make([]uint8, 10*64), ds.labels)
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := images.NewMemory(ds.Size(), ds.Classes()[:4], ds.pixels[:4*192], ds.labels[:4])
	if err != nil {
		t.Fatal(err)
	}
	noGradients := tiny(1)
	noGradients.Gradients = nil
	noName := tiny(1)
	noName.Name = ""
	for _, c := range []struct {
		what        string
		change      func(*Config)
		net         *network.Network
		train, test images.Dataset
		want        string
	}{
		{"no images", nil, tiny(1), none, ds, "train: 0 training and 10 test images, want at least one of each"},
		{"no test images", nil, tiny(1), ds, nil, "train: 10 training and 0 test images, want at least one of each"},
		{"sizes", nil, tiny(1), ds, other, "train: training images of 8×8×3 and test images of 12×10×1, want one size"},
		{"classes", nil, tiny(1), ds, fewer, "train: training images of 10 classes and test images of 4, want the same"},
		{"another number of channels", nil, tiny(1), gray, gray, "train: tiny does not take images of 8×8×1: "},
		{"another number of classes", nil, tiny(1), fewer, fewer, "train: tiny gives scores shaped [2 10] for 2 images, want [2, 4]: one for each of the data set's classes"},
		{"no network", nil, nil, ds, ds, "train: network: none, want one"},
		{"no gradients", func(c *Config) { c.Step = Winograd }, noGradients, ds, ds, "train: step winograd, but tiny has no Gradients; want plain, or a network with them"},
		{"no name", func(c *Config) { c.Dir = t.TempDir() }, noName, ds, ds, "the network has no name, want one that tells its checkpoints from others'"},
		{"epochs", func(c *Config) { c.Epochs = -1 }, tiny(1), ds, ds, "train: -1 epochs, want 1 or more"},
		{"batch size", func(c *Config) { c.BatchSize = -1 }, tiny(1), ds, ds, "train: batch size -1, want 1 or more"},
		{"learning rate", func(c *Config) { c.LearningRate = -1 }, tiny(1), ds, ds, "train: learning rate -1, want a positive number"},
		{"step", func(c *Config) { c.Step = "slow" }, tiny(1), ds, ds, `train: step "slow", want plain or winograd`},
		{"augmentation", func(c *Config) { c.Augment = "cutmix" }, tiny(1), ds, ds, `train: augmentation "cutmix", want article, flipcrop, cutout, mixup or none`},
		{"divergence", func(c *Config) { c.LearningRate = 1e30 }, tiny(1), ds, ds, "train: epoch 1, step 2: loss NaN, want a finite number: training image "},
	} {
		config := Config{Epochs: 1, BatchSize: 5}
		if c.change != nil {
			c.change(&config)
		}
		_, err := Train(t.Context(), backendtest.Go(t), c.net, c.train, c.test, config)
		if err == nil || !strings.HasPrefix(err.Error(), "train: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
	}
}

// TestTrainsOnEveryBackend: the same losses on pure Go and on XLA.
func TestTrainsOnEveryBackend(t *testing.T) {
	ds := few(t, 6)
	losses := make(map[string]float32)
	for name, backend := range map[string]compute.Backend{"xla": backendtest.XLA(t), "go": backendtest.Go(t)} {
		h, err := Train(t.Context(), backend, tiny(1), ds, ds, Config{Epochs: 2, BatchSize: 3, Augment: FlipCrop, Step: Plain})
		if err != nil {
			t.Fatal(err)
		}
		losses[name] = float32(h.Epochs[1].TrainLoss)
	}
	backendtest.Near(t, "loss of the second epoch", []float32{losses["go"]}, []float32{losses["xla"]}, 1e-4)
}

// counted counts how often images are read.
type counted struct {
	images.Dataset
	reads []int
}

func (c *counted) Read(i int, pixels []uint8) error {
	c.reads[i]++
	return c.Dataset.Read(i, pixels)
}

// TestTrainingImagesAreReadOnce, though they are hashed and trained on: a data set may have
// to open a file for each.
func TestTrainingImagesAreReadOnce(t *testing.T) {
	ds := &counted{few(t, 6), make([]int, 6)}
	h, err := Train(t.Context(), backendtest.Go(t), tiny(1), ds, ds.Dataset, Config{Epochs: 2, BatchSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]int{1}, 6); !slices.Equal(ds.reads, want) {
		t.Errorf("images were read %v times, want each once", ds.reads)
	}
	if h.TrainData != h.TestData {
		t.Errorf("hashes %s and %s of the same images", h.TrainData, h.TestData)
	}
}

func TestEvaluateWantsImages(t *testing.T) {
	e, err := NewEvaluator(backendtest.Go(t), tiny(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Evaluate(t.Context(), subset(t, few(t, 1))); err == nil || !strings.Contains(err.Error(), "train: evaluate: images: data set without images") {
		t.Errorf("error %v, want one that asks for images", err)
	}
}
