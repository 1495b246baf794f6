package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestShippedRun: the shipped log and model are of one run, as a training writes them.
func TestShippedRun(t *testing.T) {
	const dir = "../article/weights"
	h, err := ReadHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	files := written(t, dir)
	if string(text) != files[LogFile] {
		t.Error("the shipped log is not what a training writes")
	}
	if err := h.check("article-gap-cnn"); err != nil || len(h.Epochs) != 15 {
		t.Errorf("log of %d epochs: error %v", len(h.Epochs), err)
	}
	if err := h.owns([]byte(files[network.ModelFile])); err != nil {
		t.Error(err)
	}
}

// TestEpochWarning: a training that has not learned says so, one that has does not.
func TestEpochWarning(t *testing.T) {
	counts := func(n, right int) score.Evaluation { // ten classes, n images of each, of which so many are right
		e := score.Evaluation{Images: 10 * n, Loss: 2, Accuracy: float64(right) / float64(n), Confusion: make([][]int, 10)}
		for class := range e.Confusion {
			e.Confusion[class] = make([]int, 10)
			e.Confusion[class][class] = right
			e.Confusion[class][(class+1)%10] += n - right
		}
		return e
	}
	losses := func(train, test float64, e score.Evaluation) Epoch {
		e.Loss = test
		return Epoch{TrainLoss: train, Test: e}
	}
	oneClass := counts(10, 10)
	for class := 1; class < 10; class++ {
		oneClass.Confusion[class] = make([]int, 10)
	}
	oneClass.Images = 10
	for _, row := range []struct {
		what string
		Epoch
		want string
	}{
		{"the article's first epoch", losses(1.42, 1.10, counts(1000, 603)), ""},
		{"an accuracy just above chance", losses(2.3, 2.3, counts(1000, 107)), ""},
		{"chance", losses(2.3026, 2.3026, counts(1000, 100)), "accuracy 0.1000 on 10000 test images, no better than guessing"},
		{"two standard deviations above", losses(2.3, 2.3, counts(1000, 106)), "accuracy 0.1060"},
		{"below chance", losses(2.3, 2.3, counts(1000, 0)), "accuracy 0.0000"},
		{"chance of a few images", losses(2.3, 2.3, counts(2, 0)), "accuracy 0.0000 on 20 test images"},
		{"a learning rate of 100", losses(1e23, 1e21, counts(1000, 100)), "train loss 1e+23, far above that of guessing, 2.303"},
		{"wild at the end of the epoch", losses(1.5, 1e20, counts(1000, 300)), "test loss 1e+20, far above that of guessing, 2.303"},
		{"overfitted", losses(0.01, 5, counts(1000, 600)), ""},
		{"a single class", losses(0.1, 0.1, oneClass), ""},
	} {
		got := row.warning(100)
		if row.want == "" && got != "" || !strings.HasPrefix(got, row.want) || row.want != "" && !strings.HasSuffix(got, "try a smaller learning rate than 100") {
			t.Errorf("%s: warning %q, want %q", row.what, got, row.want)
		}
	}
}

// TestTrainingGoneWrongIsSaid trains with learning rates that are too large.
func TestTrainingGoneWrongIsSaid(t *testing.T) {
	b, ds := backendtest.Go(t), few(t, 20)
	config := Config{Epochs: 3, BatchSize: 10, LearningRate: 100, Augment: None, Step: Plain, Dir: t.TempDir()}
	var seen []Epoch
	config.OnEpoch = func(e Epoch) { seen = append(seen, e) }
	h, err := Train(t.Context(), b, tiny(1), ds, ds, config)
	if err == nil {
		log, err := ReadHistory(config.Dir)
		if err != nil || len(seen) != 3 || !strings.HasSuffix(h.Epochs[0].Warning, "try a smaller learning rate than 100") ||
			seen[0].Warning != h.Epochs[0].Warning || log.Epochs[0].Warning != h.Epochs[0].Warning {
			t.Errorf("learning rate 100: error %v, epochs %+v, want a warning in the log and for OnEpoch", err, seen)
		}
	} else if !strings.Contains(err.Error(), "want") {
		t.Error(err)
	}
	config.LearningRate, config.Dir = 1e10, t.TempDir()
	_, err = Train(t.Context(), b, tiny(1), ds, ds, config)
	if err == nil || !strings.Contains(err.Error(), "try a smaller learning rate than 1e+10") {
		t.Errorf("learning rate 1e10: error %v", err)
	}
	if _, err := os.Stat(filepath.Join(config.Dir, network.ModelFile)); err == nil {
		if err := tiny(1).Load(config.Dir); err != nil {
			t.Errorf("a model that cannot be loaded was published: %v", err)
		}
	}
}
