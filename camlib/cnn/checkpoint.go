package cnn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/google/renameio/v2"
	"github.com/nlpodyssey/safetensors"
)

// The files of a checkpoint folder, beside [ModelFile]: what a training needs
// to go on, and its log.
const (
	TrainingFile = "training.safetensors"
	LogFile      = "log.json"
)

// position is where a training stands: the steps done of an epoch, counted
// from 0, and what they have added up to.
type position struct {
	Epoch   int     `json:"epoch"`
	Step    int     `json:"step"`
	CostSum float64 `json:"cost_sum"` // over the images of the steps
	Seconds float64 `json:"seconds"`
}

// state is everything of a training that is no tensor.
type state struct {
	Position position `json:"position"`
	History  History  `json:"history"`
}

// saveCheckpoint writes TrainingFile, from which a training resumes, and at the
// end of an epoch also the model and the log, which then belong together. Each
// file is written whole or not at all; TrainingFile holds the weights too, so
// that resuming never mixes files of two moments.
func saveCheckpoint(dir string, m *Model, s state) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cnn: checkpoint: %w", err)
	}
	views := make(map[string]safetensors.TensorView)
	for v := range m.ctx.IterVariables() {
		if v.Shape().IsScalar() {
			continue // counters and the learning rate follow from the state
		}
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("cnn: checkpoint: variable %s: %w", v.ScopeAndName(), err)
		}
		var view safetensors.TensorView
		err = value.ConstBytes(func(data []byte) {
			shape := make([]uint64, value.Rank())
			for i, d := range value.Shape().Dimensions {
				shape[i] = uint64(d)
			}
			view, err = safetensors.NewTensorView(safetensors.F32, shape, append([]byte(nil), data...))
		})
		if err != nil {
			return fmt.Errorf("cnn: checkpoint: variable %s: %w", v.ScopeAndName(), err)
		}
		views[v.ScopeAndName()] = view
	}
	meta, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cnn: checkpoint: %w", err)
	}
	data, err := safetensors.Serialize(views, map[string]string{"architecture": Architecture, "training": string(meta)})
	if err != nil {
		return fmt.Errorf("cnn: checkpoint: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, TrainingFile), data, 0o644); err != nil {
		return fmt.Errorf("cnn: checkpoint: %w", err)
	}
	if s.Position.Step > 0 {
		return nil
	}
	return publish(dir, m, s.History)
}

// publish writes the model and, after it, the log.
func publish(dir string, m *Model, h History) error {
	if err := m.Save(filepath.Join(dir, ModelFile)); err != nil {
		return err
	}
	return h.save(filepath.Join(dir, LogFile))
}

// published says whether a folder's model and log are those of a state. They are
// not where the process ended between two of a checkpoint's files.
func published(dir string, s state) bool {
	log, err := ReadHistory(dir)
	return err == nil && len(log.Epochs) == len(s.History.Epochs)
}

// loadCheckpoint puts the variables of a folder's TrainingFile into the model
// and returns its state; found is false when there is no such file.
func loadCheckpoint(dir string, m *Model) (s state, found bool, err error) {
	path := filepath.Join(dir, TrainingFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	fail := func(err error) (state, bool, error) {
		return s, false, fmt.Errorf("cnn: resume: %s: %w; mend or remove the file to begin anew", path, err)
	}
	if err != nil {
		return fail(err)
	}
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return fail(err)
	}
	_, meta, err := safetensors.ReadMetadata(data)
	if err != nil {
		return fail(err)
	}
	if a := meta.Metadata()["architecture"]; a != Architecture {
		return fail(fmt.Errorf("architecture %q, want %q", a, Architecture))
	}
	if err := json.Unmarshal([]byte(meta.Metadata()["training"]), &s); err != nil {
		return fail(err)
	}
	for _, t := range file.Tensors() {
		if err := setVariable(m.ctx, t.Name, t.TensorView); err != nil {
			return fail(err)
		}
	}
	return s, true, nil
}

// setVariable sets a variable, making it if need be.
func setVariable(ctx *context.Context, scopeAndName string, view safetensors.TensorView) error {
	dims := make([]int, len(view.Shape()))
	for i, d := range view.Shape() {
		dims[i] = int(d)
	}
	if view.DType() != safetensors.F32 {
		return fmt.Errorf("tensor %q: type %s, want F32", scopeAndName, view.DType())
	}
	value := tensors.FromFlatDataAndDimensions(make([]float32, view.DataLen()/4), dims...)
	if err := value.MutableBytes(func(data []byte) { copy(data, view.Data()) }); err != nil {
		return fmt.Errorf("tensor %q: %w", scopeAndName, err)
	}
	scope, name := context.SplitScope(scopeAndName)
	if v := ctx.GetVariableByScopeAndName(scope, name); v != nil {
		if !v.Shape().Equal(value.Shape()) {
			return fmt.Errorf("tensor %q: shape %s, want %s", scopeAndName, value.Shape(), v.Shape())
		}
		return v.SetValue(value)
	}
	if !strings.HasPrefix(scope, context.ScopeSeparator) {
		return fmt.Errorf("tensor %q: want a name of the form /scope/variable", scopeAndName)
	}
	ctx.Checked(false).InAbsPath(scope).VariableWithValue(name, value).SetTrainable(false)
	return nil
}
