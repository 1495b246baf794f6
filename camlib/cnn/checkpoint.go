package cnn

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/nlpodyssey/safetensors"
)

// position is where a training stands: the steps done of an epoch, counted
// from 0, and what they have added up to.
type position struct {
	Epoch   int     `json:"epoch"`
	Step    int     `json:"step"`
	CostSum float64 `json:"cost_sum"` // over the images of the steps
	Seconds float64 `json:"seconds"`
}

func (p position) String() string { return fmt.Sprintf("epoch %d, step %d", p.Epoch+1, p.Step) }

// state is everything of a training that is no tensor.
type state struct {
	Position position `json:"position"`
	History  History  `json:"history"`
}

// check says what in a state no training could have written.
func (s *state) check() error {
	if err := s.History.check(); err != nil {
		return err
	}
	p := s.Position
	_, steps := s.History.perEpoch()
	switch {
	case p.Epoch != len(s.History.Epochs):
		return fmt.Errorf("%d epochs done, want the %d of its log", p.Epoch, len(s.History.Epochs))
	case p.Step < 0 || p.Step > steps:
		return fmt.Errorf("step %d, want 0 to the %d of an epoch", p.Step, steps)
	case !isAmount(p.CostSum) || p.Step == 0 && p.CostSum != 0:
		return fmt.Errorf("cost %v after %d steps, want a finite one, 0 before the first step", p.CostSum, p.Step)
	case !isAmount(p.Seconds) || p.Step == 0 && p.Seconds != 0:
		return fmt.Errorf("%v seconds after %d steps, want finite ones, 0 before the first step", p.Seconds, p.Step)
	}
	return nil
}

// checkpoint is all that a training needs to go on, and the model of its last
// whole epoch.
type checkpoint struct {
	state
	values map[string][]float32 // by a parameter's name
	model  []byte               // the contents of ModelFile; none in the first epoch
}

// parameter is one of the arrays that change in a training: weights, biases,
// and Adam's two moments of each.
type parameter struct {
	scope, name string
	dims        []int
	moment      int // 1 or 2; 0 is a weight
}

func (p parameter) String() string { return p.scope + model.ScopeSeparator + p.name }

// parameters lists the 36 arrays of a training.
func parameters() (all []parameter) {
	for _, l := range layers {
		for _, p := range []parameter{{l.scope, "weights", l.dims, 0}, {l.scope, "biases", []int{l.outputs()}, 0}} {
			scope := optimizer.AdamDefaultScope + model.ScopeSeparator + l.scope
			all = append(all, p, parameter{scope, p.name + "_1st_moment", p.dims, 1}, parameter{scope, p.name + "_2nd_moment", p.dims, 2})
		}
	}
	return all
}

// check says which of a parameter's values no training goes on from.
func (p parameter) check(values []float32) error {
	if err := finite(p.String(), values); err != nil || p.moment != 2 {
		return err
	}
	if bad := slices.IndexFunc(values, func(v float32) bool { return v < 0 }); bad >= 0 {
		return fmt.Errorf("tensor %q: value %d is %v, want 0 or more: a mean of squares", p, bad, values[bad])
	}
	return nil
}

// trained returns copies of the model's parameters by name. Moments that Adam
// has not made yet are zero, as it makes them.
func (m *Model) trained() (map[string][]float32, error) {
	all := make(map[string][]float32)
	for _, p := range parameters() {
		values := make([]float32, product(p.dims))
		if p.moment == 0 || m.variable(p) != nil {
			var err error
			if values, err = m.values(p.scope, p.name); err != nil {
				return nil, err
			}
		}
		if err := p.check(values); err != nil {
			return nil, err
		}
		all[p.String()] = values
	}
	return all, nil
}

// setTrained sets those of the model's parameters that values has, and makes
// moments.
func (m *Model) setTrained(values map[string][]float32) error {
	for _, p := range parameters() {
		data, ok := values[p.String()]
		if !ok {
			continue
		}
		value := tensors.FromFlatDataAndDimensions(slices.Clone(data), p.dims...)
		if v := m.variable(p); v != nil {
			if err := v.SetValue(value); err != nil {
				return fmt.Errorf("cnn: %s: %w", p, err)
			}
			continue
		}
		m.store.VariableWithValue(p.String(), value).SetTrainable(false)
	}
	return nil
}

func (m *Model) variable(p parameter) *model.Variable {
	return m.store.GetVariable(p.String())
}

// The header of a checkpoint holds the sha256 of the whole file, computed while
// zeros stand in its place.
const checksum = "sha256"

var noSum = strings.Repeat("0", 2*sha256.Size)

// encode returns the contents of a TrainingFile.
func (c *checkpoint) encode() ([]byte, error) {
	views := make(map[string]safetensors.TensorView)
	var err error
	for _, p := range parameters() {
		if views[p.String()], err = view(c.values[p.String()], p.dims); err != nil {
			return nil, fmt.Errorf("cnn: checkpoint: %s: %w", p, err)
		}
	}
	if len(c.model) > 0 {
		if views[ModelFile], err = safetensors.NewTensorView(safetensors.U8, []uint64{uint64(len(c.model))}, c.model); err != nil {
			return nil, fmt.Errorf("cnn: checkpoint: %w", err)
		}
	}
	training, err := json.Marshal(c.state)
	if err != nil {
		return nil, fmt.Errorf("cnn: checkpoint: %w", err)
	}
	data, err := safetensors.Serialize(views, map[string]string{"architecture": Architecture, "training": string(training), checksum: noSum})
	if err != nil {
		return nil, fmt.Errorf("cnn: checkpoint: %w", err)
	}
	return data, seal(data)
}

// seal writes the checksum into a file.
func seal(data []byte) error {
	place, err := sumOf(data)
	if err != nil {
		return err
	}
	copy(place, noSum)
	sum := sha256.Sum256(data)
	hex.Encode(place, sum[:])
	return nil
}

// sumOf returns the part of a file that holds its checksum.
func sumOf(data []byte) ([]byte, error) {
	const length = 8
	if len(data) < length || binary.LittleEndian.Uint64(data) > uint64(len(data)-length) {
		return nil, errors.New("cut short, or not a safetensors file")
	}
	header := data[length:][:binary.LittleEndian.Uint64(data)]
	key := []byte(`"` + checksum + `":"`) // inside the training's JSON its quotes are escaped
	at := bytes.Index(header, key) + len(key)
	if at < len(key) || at+len(noSum) > len(header) {
		return nil, errors.New("no checksum, want a file that a training of this version of camlab wrote")
	}
	return header[at:][:len(noSum)], nil
}

// decodeCheckpoint reads what encode wrote, and nothing else.
func decodeCheckpoint(data []byte) (*checkpoint, error) {
	sum, err := sumOf(data)
	if err != nil {
		return nil, err
	}
	written := string(sum)
	if err := seal(data); err != nil {
		return nil, err
	}
	if string(sum) != written {
		return nil, errors.New("damaged: its checksum is of other contents")
	}
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, err
	}
	_, meta, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, err
	}
	if a := meta.Metadata()["architecture"]; a != Architecture {
		return nil, fmt.Errorf("architecture %q, want %q", a, Architecture)
	}
	c := &checkpoint{values: make(map[string][]float32)}
	if err := json.Unmarshal([]byte(meta.Metadata()["training"]), &c.state); err != nil {
		return nil, fmt.Errorf("its settings and position: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	names := []string{ModelFile}
	for _, p := range parameters() {
		names = append(names, p.String())
		values, err := floats(file, p.String(), p.dims)
		if err == nil {
			err = p.check(values)
		}
		if err != nil {
			return nil, err
		}
		c.values[p.String()] = values
	}
	for _, name := range file.Names() {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("tensor %q, want only weights, biases and their moments", name)
		}
	}
	model, ok := file.Tensor(ModelFile)
	if ok {
		c.model = model.Data()
	}
	if ok != (c.Position.Epoch > 0) {
		return nil, fmt.Errorf("model there: %v after %d whole epochs, want one after the first", ok, c.Position.Epoch)
	}
	if ok {
		return c, c.History.owns(c.model)
	}
	return c, nil
}

// hash is the sha256 of parts one after the other.
func hash(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
