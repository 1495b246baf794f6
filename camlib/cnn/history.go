package cnn

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/gomlx/backends"
	"github.com/google/renameio/v2"
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
	Epochs       []Epoch      `json:"epochs"`
}

// Epoch is one row of a [History].
type Epoch struct {
	Epoch     int        `json:"epoch"`      // counted from 1
	TrainCost float64    `json:"train_cost"` // mean over the epoch, as it went, on augmented images
	Test      Evaluation `json:"test"`       // after the epoch
	Seconds   float64    `json:"seconds"`    // wall time of the training steps
}

// The parts of the description that GoMLX gives of an XLA backend: the name of
// the plugin's file, which ends in _cpu_plugin or the like, and its version.
var (
	pluginDevice  = regexp.MustCompile(`[_-](cpu|cuda)\b|_(cpu|cuda)_`)
	pluginVersion = regexp.MustCompile(`\bv[0-9][0-9.]*`)
)

// DescribeBackend names a backend: for XLA its device and the plugin's version,
// without the folder that it lies in, which means nothing on another machine.
func DescribeBackend(b backends.Backend) string {
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

func (l *History) save(path string) error {
	data, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return fmt.Errorf("cnn: log: %w", err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cnn: log: %w", err)
	}
	return nil
}
