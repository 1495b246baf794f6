package cnn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/compute"
)

// History is the record of a training: how it was set, where it ran, and every
// epoch's results.
type History struct {
	Architecture string       `json:"architecture"`
	Images       int          `json:"images"` // training images before augmentation
	Augment      Augmentation `json:"augmentation"`
	BatchSize    int          `json:"batch_size"`
	LearningRate float64      `json:"learning_rate"`
	Seed         int64        `json:"seed"`
	Step         StepKind     `json:"step"`
	Backend      string       `json:"backend"`
	TrainData    string       `json:"train_sha256"` // of the training images' pixels and, after them, labels
	TestData     string       `json:"test_sha256"`  // the same of the test images
	ModelData    string       `json:"model_sha256"` // of the ModelFile after the last epoch
	Epochs       []Epoch      `json:"epochs"`
}

// Epoch is one row of a [History].
type Epoch struct {
	Epoch     int        `json:"epoch"`      // counted from 1
	TrainCost float64    `json:"train_cost"` // mean over the epoch, as it went, on augmented images
	Test      Evaluation `json:"test"`       // after the epoch
	Seconds   float64    `json:"seconds"`    // wall time of the training steps

	// Warning says that and why the network seems to learn nothing; "" if it does learn.
	Warning string `json:"warning,omitempty"`
}

// warning is an epoch's Warning: accuracy no better than that of guessing, by two
// standard deviations of what always answering the commonest class gets on so many
// images, or costs far above ln(classes), the cost of guessing.
func (e *Epoch) warning(learningRate float64) string {
	guess := math.Log(float64(len(e.Test.Confusion)))
	commonest, right := 0, 0
	for class, row := range e.Test.Confusion {
		n := 0
		for _, count := range row {
			n += count
		}
		commonest, right = max(commonest, n), right+row[class]
	}
	n := float64(e.Test.Images)
	share := float64(commonest) / n
	var what string
	switch {
	case e.TrainCost > 3*guess:
		what = fmt.Sprintf("train cost %.4g, far above that of guessing, %.4g", e.TrainCost, guess)
	case e.Test.Cost > 10*guess:
		what = fmt.Sprintf("test cost %.4g, far above that of guessing, %.4g", e.Test.Cost, guess)
	case share < 1 && float64(right) <= n*share+2*math.Sqrt(n*share*(1-share)):
		what = fmt.Sprintf("accuracy %.4f on %d test images, no better than guessing", e.Test.Accuracy, e.Test.Images)
	default:
		return ""
	}
	return fmt.Sprintf("%s: the network has not learned; check the labels, or try a smaller learning rate than %v", what, learningRate)
}

// check says what in a log no training could have written.
func (l *History) check() error {
	_, err := ParseAugmentation(string(l.Augment))
	switch {
	case l.Architecture != Architecture:
		return fmt.Errorf("architecture %q, want %q", l.Architecture, Architecture)
	case err != nil:
		return err
	case l.Images < 1 || l.BatchSize < 1 || !isAmount(l.LearningRate) || l.LearningRate == 0:
		return fmt.Errorf("%d images, batch size %d, learning rate %v, want positive numbers", l.Images, l.BatchSize, l.LearningRate)
	}
	for i, e := range l.Epochs {
		switch {
		case e.Epoch != i+1:
			return fmt.Errorf("epoch %d in the place of epoch %d", e.Epoch, i+1)
		case !isAmount(e.TrainCost) || !isAmount(e.Test.Cost) || !isAmount(e.Seconds):
			return fmt.Errorf("epoch %d: costs %v and %v, %v seconds, want finite numbers, 0 or more", e.Epoch, e.TrainCost, e.Test.Cost, e.Seconds)
		case e.Test.Images < 1 || !(e.Test.Accuracy >= 0 && e.Test.Accuracy <= 1):
			return fmt.Errorf("epoch %d: accuracy %v on %d images, want 0 to 1 on at least one", e.Epoch, e.Test.Accuracy, e.Test.Images)
		}
	}
	return nil
}

// isAmount tells whether v is finite and not negative.
func isAmount(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }

// perEpoch returns how many images an epoch has, and how many steps; the last
// one's batch may be smaller.
func (l *History) perEpoch() (images, steps int) {
	images = l.Images * l.Augment.copies()
	return images, (images + l.BatchSize - 1) / l.BatchSize
}

// sameRun says what differs between two logs' settings and data. The step and the
// backend may: they change nothing but rounding.
func (l *History) sameRun(saved *History) error {
	for _, f := range []struct {
		name        string
		want, found any
	}{
		{"training images", l.Images, saved.Images},
		{"augmentation", l.Augment, saved.Augment},
		{"batch size", l.BatchSize, saved.BatchSize},
		{"learning rate", l.LearningRate, saved.LearningRate},
		{"seed", l.Seed, saved.Seed},
		{"training images and labels of sha256", l.TrainData, saved.TrainData},
		{"test images and labels of sha256", l.TestData, saved.TestData},
	} {
		if f.want != f.found {
			return fmt.Errorf("it was made with %s %v, this training has %v", f.name, f.found, f.want)
		}
	}
	return nil
}

// owns fails when the contents of a ModelFile are not the model of the last epoch.
func (l *History) owns(model []byte) error {
	if got := hash(model); got != l.ModelData {
		return fmt.Errorf("sha256 %s, want that of the log's last epoch, %s", got, l.ModelData)
	}
	return nil
}

// The parts of the description that GoMLX gives of an XLA backend: the name of
// the plugin's file, which ends in _cpu_plugin or the like, and its version.
var (
	pluginDevice  = regexp.MustCompile(`[_-](cpu|cuda)\b|_(cpu|cuda)_`)
	pluginVersion = regexp.MustCompile(`\bv[0-9][0-9.]*`)
)

// DescribeBackend names a backend: for XLA its device and the plugin's version,
// without the folder that it lies in, which means nothing on another machine.
func DescribeBackend(b compute.Backend) string {
	text := b.Description()
	if !strings.HasPrefix(text, "xla:") {
		return b.Name()
	}
	device := strings.Trim(pluginDevice.FindString(text[strings.LastIndexAny(text, `/\`)+1:]), "_-")
	return fmt.Sprintf("XLA on %s, PJRT plugin %s", strings.ToUpper(device), pluginVersion.FindString(text))
}

// Seconds returns the wall time of all epochs' training steps.
func (l *History) Seconds() (sum float64) {
	for _, e := range l.Epochs {
		sum += e.Seconds
	}
	return sum
}

// String says how the training was set and how it ended.
func (l *History) String() string {
	if l == nil || len(l.Epochs) == 0 {
		return "no epochs"
	}
	last := l.Epochs[len(l.Epochs)-1]
	return fmt.Sprintf("%d epochs on %d images in %.0f s on %s, train cost %.3f; test: %s",
		len(l.Epochs), l.Images, l.Seconds(), l.Backend, last.TrainCost, last.Test)
}

// ReadHistory reads the log of a checkpoint folder.
func ReadHistory(dir string) (*History, error) {
	path := filepath.Join(dir, LogFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cnn: log: %w, want a checkpoint folder", err)
	}
	return decodeHistory(path, data)
}

func decodeHistory(path string, data []byte) (*History, error) {
	var l History
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("cnn: log: %s: %w", path, err)
	}
	return &l, nil
}

// encode returns the contents of a LogFile.
func (l *History) encode() ([]byte, error) {
	data, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cnn: log: %w", err)
	}
	return append(data, '\n'), nil
}
