package train

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestSettingsAreChecked before anything is computed.
func TestSettingsAreChecked(t *testing.T) {
	for _, row := range []struct {
		c    Config
		want string
	}{
		{Config{Optimizer: "lion"}, `optimizer "lion", want adam, adamw or sgd`},
		{Config{Schedule: "step"}, `schedule "step", want constant, cosine, onecycle or triangular`},
		{Config{Momentum: 0.9}, "momentum 0.9 with adam, want it with sgd alone"},
		{Config{Optimizer: SGD, Momentum: 1}, "momentum 1, want 0 to less than 1"},
		{Config{WeightDecay: 0.01}, "weight decay 0.01 with adam, want adamw or sgd"},
		{Config{Optimizer: AdamW, WeightDecay: -1}, "weight decay -1, want 0 or a positive number"},
		{Config{Optimizer: SGD, LearningRate: 10, WeightDecay: 0.1}, "weight decay 0.1 at a learning rate of 10, want a product of less than 1"},
		{Config{Warmup: 1}, "warmup 1, want 0 to less than 1"},
		{Config{LabelSmoothing: -0.1}, "label smoothing -0.1, want 0 to less than 1"},
		{Config{Average: 1}, "average 1, want 0 for none or a decay of less than 1"},
		{Config{Shift: 5}, "shift 5, want 1 to 4 pixels"},
		{Config{Validation: 1}, "validation 1, want 0 to less than 1"},
		{Config{Patience: 3}, "patience 3 without validation images, want some"},
		{Config{Patience: -3, Validation: 0.1}, "patience -3, want 0 or more epochs"},
		{Config{Rates: map[string]float64{"biases": -1}}, `rate -1 of "biases", want 0 or a positive number`},
		{Config{Keep: -1}, "keep -1 checkpoints, want 1 or more"},
		{Config{EvaluateEvery: -1}, "evaluate every -1 steps, want 0 or more"},
	} {
		if err := row.c.Check(); err == nil || !strings.HasPrefix(err.Error(), "train: "+row.want) {
			t.Errorf("error %v, want %q", err, "train: "+row.want)
		}
	}
}

// TestSettingsComeBack: the settings of a log are read as they were, and misspelt ones are not.
func TestSettingsComeBack(t *testing.T) {
	for _, name := range RecipeNames {
		want, err := Recipe(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeConfig(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	if _, err := DecodeConfig([]byte(`{"learning_rat": 1}`)); err == nil || !strings.Contains(err.Error(), "learning_rat") {
		t.Errorf("error %v, want one that names the setting", err)
	}
	if _, err := DecodeConfig([]byte(`{"epochs": -1}`)); err == nil || err.Error() != "train: -1 epochs, want 1 or more" {
		t.Errorf("error %v", err)
	}
	if _, err := Recipe("quick"); err == nil || err.Error() != `train: recipe "quick", want one of ["article" "best"]` {
		t.Errorf("error %v", err)
	}
}

// TestHeld: the images held out are as many as asked for, others for another seed, and none
// is trained on.
func TestHeld(t *testing.T) {
	trained, out := held(50, 0.2, 3)
	if len(out) != 10 || len(trained) != 40 {
		t.Fatalf("%d held out of 50, %d trained on; want 10 and 40", len(out), len(trained))
	}
	all := slices.Sorted(slices.Values(slices.Concat(trained, out)))
	for i, p := range all {
		if i != p {
			t.Fatalf("positions %v, want each once", all)
		}
	}
	if _, other := held(50, 0.2, 4); slices.Equal(out, other) {
		t.Error("another seed holds out the same images")
	}
	ds := patterns(t, 20)
	for _, a := range []Augmentation{Article, FlipCrop, Mixup} {
		tr := &training{config: Config{Validation: 0.25, Seed: 3, Augment: a, Shift: 2}, train: ds}
		if err := tr.holdOut(); err != nil {
			t.Fatal(err)
		}
		_, out := held(20, 0.25, 3)
		order := tr.order(0)
		if len(order) != 15*a.copies()*a.width() {
			t.Errorf("%s: %d images an epoch, want 15 of each", a, len(order)/a.width())
		}
		for row := range slices.Chunk(order, a.width()) {
			if slices.Contains(out, int(row[0])) || a == Mixup && slices.Contains(out, int(row[4])) {
				t.Errorf("%s: row %v takes an image that is held out: %v", a, row, out)
			}
		}
	}
	tr := &training{config: Config{Validation: 0.01}, train: ds}
	if err := tr.holdOut(); err == nil || err.Error() != "train: validation 0.01: 0 of 20 training images, want at least one and not all" {
		t.Errorf("error %v", err)
	}
}

// TestPatience: a training of a network that learns nothing ends when its patience does, and
// its best model is that of the best epoch.
func TestPatience(t *testing.T) {
	b, ds := backendtest.Go(t), patterns(t, 20)
	c := Config{Epochs: 9, BatchSize: 10, Augment: None, LearningRate: 1e-12, Validation: 0.5, Patience: 2, Seed: 1, Dir: t.TempDir()}
	h, err := Train(t.Context(), b, own(), ds, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Epochs) != 3 || h.Ended != "no better epoch for 2 epochs" || !h.Epochs[0].Best || h.Epochs[1].Best || h.Epochs[2].Best {
		t.Errorf("%d epochs, ended: %q, best %v; want 3, of which the first", len(h.Epochs), h.Ended, h.Epochs)
	}
	if e := h.Epochs[0]; e.Validation == nil || e.Validation.Images != 10 || h.Images != 10 {
		t.Errorf("%+v of %d images, want 10 for validation and 10 to train on", e, h.Images)
	}
	data, err := os.ReadFile(filepath.Join(c.Dir, BestFile))
	if err != nil || hash(data) != h.BestData {
		t.Errorf("%v, sha256 %s, want %s", err, hash(data), h.BestData)
	}
	again, err := Train(t.Context(), b, own(), ds, ds, c)
	if err != nil || len(again.Epochs) != 3 {
		t.Errorf("again: %d epochs, %v; want it to have ended", len(again.Epochs), err)
	}
}

// TestStepsLog: a line for ten steps and for each evaluation, also of a training that was
// stopped and went on.
func TestStepsLog(t *testing.T) {
	b, ds := backendtest.Go(t), patterns(t, 23)
	c := Config{Epochs: 1, BatchSize: 1, Augment: None, LearningRate: 0.01, Seed: 1, Dir: t.TempDir(), EvaluateEvery: 7, CheckpointEvery: -1}
	ctx, stop := context.WithCancel(t.Context())
	c.OnStep = func(p Progress) {
		if p.Step == 12 {
			stop()
		}
	}
	if _, err := Train(ctx, b, own(), ds, ds, c); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	c.OnStep = nil
	// As a process leaves it that was killed after more steps, in a line.
	path := filepath.Join(c.Dir, StepsFile)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{\"step\":14,\"loss\":99}\n{\"step\":2"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Train(t.Context(), b, own(), ds, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var at []int64
	for line := range strings.Lines(string(data)) {
		var s Step
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v in line %q", err, line)
		}
		at = append(at, s.Step)
		if evaluated := s.Step%7 == 0; s.Epoch != 1 || !(s.Loss > 0 && s.Loss < 50) || s.LearningRate != 0.01 || s.Gradient <= 0 || evaluated != (s.EvaluatedLoss > 0) {
			t.Errorf("line %s", line)
		}
	}
	if want := []int64{7, 10, 14, 20, 21}; !slices.Equal(at, want) {
		t.Errorf("lines of steps %v, want %v", at, want)
	}
	if e := h.Epochs[0]; e.Step != 23 || e.LearningRate != 0.01 || h.Processor == "" || h.Versions["go"] == "" || h.Started.IsZero() {
		t.Errorf("log %+v", h)
	}
}

// TestStart: a training begins with the weights of a file, and no other training goes on in its
// folder.
func TestStart(t *testing.T) {
	b, ds := backendtest.Go(t), few(t, 4)
	from := filepath.Join(t.TempDir(), "start.safetensors")
	if err := os.WriteFile(from, encode(t, tiny(7)), 0o644); err != nil {
		t.Fatal(err)
	}
	c := Config{Epochs: 1, LearningRate: 1e-30, Start: from, Dir: t.TempDir()}
	net := tiny(1)
	if _, err := Train(t.Context(), b, net, ds, ds, c); err != nil || !slices.Equal(encode(t, net), encode(t, tiny(7))) {
		t.Errorf("error %v, want a training without effect on the weights of the file", err)
	}
	c.Start = ""
	if _, err := Train(t.Context(), b, net, ds, ds, c); err == nil || !strings.Contains(err.Error(), "it was made with start "+from) {
		t.Errorf("error %v, want one that names the file", err)
	}
	c.Start, c.Dir = "missing", ""
	if _, err := Train(t.Context(), b, net, ds, ds, c); err == nil || !strings.HasPrefix(err.Error(), "train: start: network: load: open missing") {
		t.Errorf("error %v", err)
	}
}

// TestExplosionIsTold before the loss is no number, once.
func TestExplosionIsTold(t *testing.T) {
	var told []string
	tr := &training{config: Config{LearningRate: 3, OnNotice: func(text string) { told = append(told, text) }}, train: patterns(t, 4)}
	for _, loss := range []float64{1.4, 1.5, 1.2, 60, 80} {
		tr.watch(loss, 3)
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "epoch 1, step 0: loss 60, 43 times that of the steps before, at a learning rate of 3: the training explodes; try a smaller learning rate than 3") {
		t.Errorf("told %q", told)
	}
}

// TestTestImagesMustNotChange while a training goes on.
func TestTestImagesMustNotChange(t *testing.T) {
	ds, test := few(t, 4), few(t, 4)
	c := Config{Epochs: 2, OnEpoch: func(Epoch) { test.pixels[0]++ }}
	_, err := Train(t.Context(), backendtest.Go(t), tiny(1), ds, test, c)
	if err == nil || !strings.HasPrefix(err.Error(), "train: epoch 2: the test images are not those that the training began with") {
		t.Errorf("error %v", err)
	}
}

// TestFlips: the scores with flips are the mean of an image's and its mirror image's.
func TestFlips(t *testing.T) {
	b, ds := backendtest.Go(t), few(t, 3)
	net := tiny(1)
	scores := func(ds images.Dataset, flips bool) []float32 {
		e, err := NewEvaluator(b, net)
		if err != nil {
			t.Fatal(err)
		}
		e.Flips = flips
		s, err := e.Scores(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pixels, err := images.Pixels(ds)
	if err != nil {
		t.Fatal(err)
	}
	size := ds.Size()
	mirrored := make([]uint8, len(pixels))
	for i := range len(pixels) / 3 {
		row, x := i/size.Width, i%size.Width
		copy(mirrored[3*(row*size.Width+size.Width-1-x):][:3], pixels[3*i:][:3])
	}
	mirror, err := images.NewMemory(size, ds.Classes(), mirrored, images.Labels(ds))
	if err != nil {
		t.Fatal(err)
	}
	want, other := scores(ds, false), scores(mirror, false)
	for i := range want {
		want[i] = (want[i] + other[i]) / 2
	}
	backendtest.Near(t, "scores", scores(ds, true), want, 1e-6)
}

// TestCutoutAndMixup: the square is gray and where the picks say, also half outside; a mixed
// image is the sum of two, and its target too.
func TestCutoutAndMixup(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		ds := few(t, 2)
		pixels, labels, err := data(ds)
		if err != nil {
			t.Fatal(err)
		}
		run := func(c Config, p picks) (x, target []float32) {
			out, err := CallOnceN(b, func(in []*Node) []*Node {
				x, target := c.batch(in[0], in[1], in[2], 10)
				return []*Node{x, target}
			}, pixels, labels, c.Augment.tensor(p))
			if err != nil {
				t.Fatal(err)
			}
			return tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		}
		plain, _ := run(Config{Augment: None}, picks{0, 0, margin, margin, 1, 0, margin, margin})
		size := ds.Size()
		n := size.Values()
		x, _ := run(Config{Augment: Cutout}, picks{0, 0, margin, margin, 0, 5})
		for i := range x {
			row, col := i/3/size.Width, i/3%size.Width
			want := plain[i]
			if side := size.Height / 2; row < side-side/2 && col >= 5-side/2 && col < 5-side/2+side {
				want = 0.5
			}
			if x[i] != want {
				t.Fatalf("row %d, column %d: %v, want %v", row, col, x[i], want)
			}
		}
		x, target := run(Config{Augment: Mixup, LabelSmoothing: 0.5}, picks{0, 0, margin, margin, 1, 0, margin, margin, one / 4})
		want := make([]float32, n)
		for i := range want {
			want[i] = plain[i]/4 + plain[n+i]*3/4
		}
		backendtest.Near(t, "mixed image", x, want, 1e-6)
		wantTarget := slices.Repeat([]float32{0.05}, 10)
		wantTarget[ds.Label(0)] += 0.5 / 4
		wantTarget[ds.Label(1)] += 0.5 * 3 / 4
		backendtest.Near(t, "target", target, wantTarget, 1e-6)
	})
}

// TestPlan: the work of the network that is tiny, by hand.
func TestPlan(t *testing.T) {
	b, ds := backendtest.Go(t), few(t, 20)
	net := tiny(1)
	before := variables(t, net)
	p, err := NewPlan(t.Context(), b, net, ds, ds, Config{Epochs: 3, BatchSize: 2, Augment: None})
	if err != nil {
		t.Fatal(err)
	}
	side := ds.Size().Height
	want := 2 * float64(side*side*27*8+side*side/4*72*16+160)
	if p.Parameters != net.Store.NumParameters() || p.Images != 20 || p.Steps != 10 || p.ForwardFLOP != want || p.FLOP() != 3*want*60 || p.Seconds <= 0 {
		t.Errorf("plan %+v, want %v FLOP", p, want)
	}
	if !reflect.DeepEqual(variables(t, net), before) {
		t.Error("the plan has changed the network")
	}
}
