package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/camlab-go/camlab/camlib/score"
)

// History is the record of a training: how it was set, where it ran, and every
// epoch's results.
type History struct {
	Architecture string `json:"architecture"`
	Images       int    `json:"images"` // training images before augmentation
	Config       Config `json:"config"` // with numbers for zeros
	Backend      string `json:"backend"`
	TrainData    string `json:"train_sha256"`          // of the training images' pixels and, after them, labels
	TestData     string `json:"test_sha256"`           // the same of the test images
	ModelData    string `json:"model_sha256"`          // of the [network.ModelFile] after the last epoch
	BestData     string `json:"best_sha256,omitempty"` // of the [BestFile]
	Ended        string `json:"ended,omitempty"`       // why no more epochs come; "" while some do
	Environment
	Epochs []Epoch `json:"epochs"`
}

// Epoch is one row of a [History].
type Epoch struct {
	Epoch     int              `json:"epoch"`      // counted from 1
	TrainLoss float64          `json:"train_cost"` // mean over the epoch, as it went, on augmented images
	Test      score.Evaluation `json:"test"`       // after the epoch
	// Validation is that of the images held out; nil without any.
	Validation   *score.Evaluation `json:"validation,omitempty"`
	Step         int64             `json:"step,omitempty"`          // steps made in all
	LearningRate float64           `json:"learning_rate,omitempty"` // of the last step
	// Best says that no epoch before had so high an accuracy, on the validation images if
	// there are any, or else on the test images.
	Best    bool    `json:"best,omitempty"`
	Seconds float64 `json:"seconds"` // wall time of the training steps

	// Warning says that and why the network seems to learn nothing; "" if it does learn.
	Warning string `json:"warning,omitempty"`
}

// warning is an epoch's Warning: accuracy no better than that of guessing, by two
// standard deviations of what always answering the commonest class gets on so many
// images, or losses far above ln(classes), the loss of guessing.
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
	case e.TrainLoss > 3*guess:
		what = fmt.Sprintf("train loss %.4g, far above that of guessing, %.4g", e.TrainLoss, guess)
	case e.Test.Loss > 10*guess:
		what = fmt.Sprintf("test loss %.4g, far above that of guessing, %.4g", e.Test.Loss, guess)
	case share < 1 && float64(right) <= n*share+2*math.Sqrt(n*share*(1-share)):
		what = fmt.Sprintf("accuracy %.4f on %d test images, no better than guessing", e.Test.Accuracy, e.Test.Images)
	default:
		return ""
	}
	return fmt.Sprintf("%s: the network has not learned; check the labels, or try a smaller learning rate than %v", what, learningRate)
}

// check returns an error if a log is none that a training of an architecture could have
// written.
func (l *History) check(architecture string) error {
	switch {
	case l.Architecture != architecture:
		return fmt.Errorf("architecture %q, want %q", l.Architecture, architecture)
	case l.Images < 1:
		return fmt.Errorf("%d images, want at least one", l.Images)
	}
	if err := l.Config.checkNumbers(); err != nil {
		return err
	}
	for i, e := range l.Epochs {
		switch {
		case e.Epoch != i+1:
			return fmt.Errorf("epoch %d in the place of epoch %d", e.Epoch, i+1)
		case !isAmount(e.TrainLoss) || !isAmount(e.Test.Loss) || !isAmount(e.Seconds):
			return fmt.Errorf("epoch %d: losses %v and %v, %v seconds, want finite numbers, 0 or more", e.Epoch, e.TrainLoss, e.Test.Loss, e.Seconds)
		case e.Test.Images < 1 || !(e.Test.Accuracy >= 0 && e.Test.Accuracy <= 1):
			return fmt.Errorf("epoch %d: accuracy %v on %d images, want 0 to 1 on at least one", e.Epoch, e.Test.Accuracy, e.Test.Images)
		}
	}
	return nil
}

// accuracy is what epochs are compared by.
func (e *Epoch) accuracy() float64 {
	if e.Validation != nil {
		return e.Validation.Accuracy
	}
	return e.Test.Accuracy
}

// best returns the best epoch, or nil before the first.
func (l *History) best() (best *Epoch) {
	for i := range l.Epochs {
		if best == nil || l.Epochs[i].accuracy() > best.accuracy() {
			best = &l.Epochs[i]
		}
	}
	return best
}

// isAmount reports whether v is finite and not negative.
func isAmount(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }

// perEpoch returns how many images an epoch has, and how many steps; the last
// one's batch may be smaller.
func (l *History) perEpoch() (images, steps int) {
	images = l.Images * l.Config.Augment.copies()
	return images, (images + l.Config.BatchSize - 1) / l.Config.BatchSize
}

// sameRun returns an error if two logs differ in settings or data. The step, the devices and the
// backend may: they change nothing but rounding; and the number of epochs where no schedule depends
// on it.
func (l *History) sameRun(saved *History) error {
	type field struct {
		name        string
		want, found any
	}
	fields := []field{{"training images", l.Images, saved.Images}}
	a, b := reflect.ValueOf(l.Config), reflect.ValueOf(saved.Config)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		if name == "-" || name == "step" || name == "patience" || name == "devices" || name == "epochs" && l.Config.Schedule == Constant && l.Config.Warmup == 0 {
			continue
		}
		fields = append(fields, field{strings.ReplaceAll(name, "_", " "), a.Field(i).Interface(), b.Field(i).Interface()})
	}
	fields = append(fields,
		field{"training images and labels of sha256", l.TrainData, saved.TrainData},
		field{"test images and labels of sha256", l.TestData, saved.TestData})
	for _, f := range fields {
		if !reflect.DeepEqual(f.want, f.found) {
			return fmt.Errorf("it was made with %s %v, this training has %v", f.name, f.found, f.want)
		}
	}
	return nil
}

// owns fails when the contents of a [network.ModelFile] are not the model of the last epoch.
func (l *History) owns(model []byte) error {
	if got := hash(model); got != l.ModelData {
		return fmt.Errorf("sha256 %s, want that of the log's last epoch, %s", got, l.ModelData)
	}
	return nil
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
	return fmt.Sprintf("%d epochs on %d images in %.0f s on %s, train loss %.3f; test: %s",
		len(l.Epochs), l.Images, l.Seconds(), l.Backend, last.TrainLoss, last.Test)
}

// ReadHistory reads the log of a checkpoint folder.
func ReadHistory(dir string) (*History, error) {
	path := filepath.Join(dir, LogFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: log: %w, want a checkpoint folder", err)
	}
	l, err := DecodeHistory(data)
	if err != nil {
		return nil, fmt.Errorf("train: log: %s: %w", path, err)
	}
	return l, nil
}

// DecodeHistory reads the contents of a [LogFile].
func DecodeHistory(data []byte) (*History, error) {
	var l History
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, err
	}
	return &l, nil
}

// encode returns the contents of a LogFile.
func (l *History) encode() ([]byte, error) {
	data, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return nil, fmt.Errorf("train: log: %w", err)
	}
	return append(data, '\n'), nil
}
