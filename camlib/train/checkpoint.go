package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/network"
)

// position is where a training stands: the steps done of an epoch, counted
// from 0, and what they have added up to.
type position struct {
	Epoch   int     `json:"epoch"`
	Step    int     `json:"step"`
	LossSum float64 `json:"cost_sum"` // over the images of the steps
	Seconds float64 `json:"seconds"`
}

func (p position) String() string { return fmt.Sprintf("epoch %d, step %d", p.Epoch+1, p.Step) }

// state is everything of a training that is no tensor.
type state struct {
	Position position `json:"position"`
	History  History  `json:"history"`
}

// content is what a training's checkpoints hold: those of a network, with its parameters.
type content struct {
	architecture string
	parameters   []parameter
}

// room is how many bytes a checkpoint takes, about: the parameters, and the model once
// more.
func (holds content) room() (bytes int) {
	for _, p := range holds.parameters {
		bytes += int(p.shape.ByteSize())
		if p.kind == "" {
			bytes += int(p.shape.ByteSize())
		}
	}
	return bytes
}

// check returns an error if a state is none that a training of an architecture could have
// written.
func (s *state) check(architecture string) error {
	if err := s.History.check(architecture); err != nil {
		return err
	}
	p := s.Position
	_, steps := s.History.perEpoch()
	switch {
	case p.Epoch != len(s.History.Epochs):
		return fmt.Errorf("%d epochs done, want the %d of its log", p.Epoch, len(s.History.Epochs))
	case p.Step < 0 || p.Step > steps:
		return fmt.Errorf("step %d, want 0 to the %d of an epoch", p.Step, steps)
	case !isAmount(p.LossSum) || p.Step == 0 && p.LossSum != 0:
		return fmt.Errorf("loss %v after %d steps, want a finite one, 0 before the first step", p.LossSum, p.Step)
	case !isAmount(p.Seconds) || p.Step == 0 && p.Seconds != 0:
		return fmt.Errorf("%v seconds after %d steps, want finite ones, 0 before the first step", p.Seconds, p.Step)
	}
	return nil
}

// checkpoint is all that a training needs to go on, and the model of its last
// whole epoch.
type checkpoint struct {
	state
	values values
	model  []byte // the contents of ModelFile; none in the first epoch
}

// The header of a checkpoint holds the sha256 of the whole file, computed while
// zeros stand in its place.
const checksum = "sha256"

var noSum = strings.Repeat("0", 2*sha256.Size)

// encode returns the contents of a TrainingFile.
func (c *checkpoint) encode() ([]byte, error) {
	views := maps.Clone(c.values)
	var err error
	if len(c.model) > 0 {
		if views[network.ModelFile], err = safetensors.NewTensorView(safetensors.U8, []uint64{uint64(len(c.model))}, c.model); err != nil {
			return nil, fmt.Errorf("train: checkpoint: %w", err)
		}
	}
	training, err := json.Marshal(c.state)
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	data, err := safetensors.Serialize(views, map[string]string{"architecture": c.History.Architecture, "training": string(training), checksum: noSum})
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
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

// decode reads what encode wrote, and nothing else.
func (holds content) decode(data []byte) (*checkpoint, error) {
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
	if a := meta.Metadata()["architecture"]; a != holds.architecture {
		return nil, fmt.Errorf("architecture %q, want %q", a, holds.architecture)
	}
	c := &checkpoint{values: make(values)}
	if err := json.Unmarshal([]byte(meta.Metadata()["training"]), &c.state); err != nil {
		return nil, fmt.Errorf("its settings and position: %w", err)
	}
	if err := c.check(holds.architecture); err != nil {
		return nil, err
	}
	names := []string{network.ModelFile}
	for _, p := range holds.parameters {
		names = append(names, p.name)
		if view, ok := file.Tensor(p.name); ok {
			c.values[p.name] = view
		}
	}
	if err := c.values.check(holds.parameters); err != nil {
		return nil, err
	}
	for _, name := range file.Names() {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("tensor %q, want only weights, biases and their moments", name)
		}
	}
	model, ok := file.Tensor(network.ModelFile)
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

// hash returns the sha256 of a file's contents, in hex.
func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
