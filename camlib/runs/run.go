// Package runs reads run folders, what trainings leave in their folders: lists them,
// compares them, draws their curves, and writes them as CSV and for TensorBoard. It reads
// also what is half finished, still running or damaged, and says what is missing.
package runs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/lock"
)

// State is how a run stands.
type State string

// The states. A training that was stopped goes on when it is started again; what is
// damaged, [Run].Problems says.
const (
	Running  State = "running"
	Finished State = "finished"
	Stopped  State = "stopped"
	Damaged  State = "damaged"
)

// Run is what a run folder says about its training.
type Run struct {
	Dir      string        `json:"dir"`
	State    State         `json:"state"`
	Holder   string        `json:"running_as,omitempty"` // the process that trains, as far as known
	Problems []string      `json:"problems,omitempty"`   // what is missing or damaged, a sentence each
	Log      train.History `json:"log"`                  // as far as it could be read; an older one lacks fields, which are zero
	LastStep *train.Step   `json:"last_step,omitempty"`  // the last line of [train.StepsFile]

	written time.Time // when the log was, or else the folder
}

// ErrNoRun is the error for a folder without anything that a training writes, for errors.Is.
var ErrNoRun = errors.New("no run")

// Open reads a run folder. It fails for one that is no folder, cannot be read or holds
// nothing that a training writes; everything else that is wrong is in Problems. Of the
// models it looks at the sizes alone; [Run.Verify] reads them.
func Open(dir string) (*Run, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("runs: %w, want a folder that `camlab train` wrote", err)
	}
	there := make(map[string]bool)
	for _, e := range entries {
		there[e.Name()] = true
	}
	if !isRun(there) {
		return nil, fmt.Errorf("runs: %w in %s: neither %s, %s nor %s, want a folder that `camlab train` wrote",
			ErrNoRun, dir, train.LogFile, train.StepsFile, train.TrainingFile)
	}
	r := &Run{Dir: dir}
	if r.Holder, err = lock.Holder(dir); err != nil {
		r.problem("it cannot be told whether a training runs: %v", err)
	}
	r.LastStep = lastStep(dir)
	r.State = r.read(there)
	if r.Holder != "" {
		r.State = Running
	}
	return r, nil
}

// isRun reports whether a folder with these files is a run's.
func isRun(there map[string]bool) bool {
	return there[train.LogFile] || there[train.StepsFile] || there[train.TrainingFile]
}

func (r *Run) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// read reads the log and returns the state of a run that is not running.
func (r *Run) read(there map[string]bool) State {
	running := r.Holder != "" // what is missing may be written soon
	if info, err := os.Stat(r.Dir); err == nil {
		r.written = info.ModTime()
	}
	path := filepath.Join(r.Dir, train.LogFile)
	again := mend(there[train.TrainingFile])
	if !there[train.LogFile] {
		switch {
		case there[network.ModelFile] && !running:
			r.problem("%s is missing; %s", train.LogFile, again)
			return Damaged
		case !running:
			r.problem("no %s yet: it stopped before the end of its first epoch", train.LogFile)
		}
		return Stopped
	}
	data, err := os.ReadFile(path)
	if err != nil {
		r.problem("%s cannot be read: %v", train.LogFile, err)
		return Damaged
	}
	if info, err := os.Stat(path); err == nil {
		r.written = info.ModTime()
	}
	l, err := decodeLog(data)
	if l != nil {
		r.Log = *l
	}
	if err != nil {
		r.problem("%s: %v; %s", train.LogFile, err, again)
		return Damaged
	}
	if len(r.Log.Epochs) == 0 {
		if !running {
			r.problem("it stopped before the end of its first epoch")
		}
		return Stopped
	}
	if !running {
		sound := true
		for _, m := range r.models() {
			if err := checkModel(filepath.Join(r.Dir, m.file)); err != nil {
				r.problem("%s %v; %s", m.file, err, m.mend)
				sound = false
			}
		}
		if !sound {
			return Damaged
		}
	}
	switch {
	case r.LastStep != nil && r.LastStep.Step > r.lastStep(r.last()): // also after it ended, when more epochs were asked for
		return Stopped
	case r.Log.Ended != "" || len(r.Log.Epochs) >= r.Log.Config.Epochs: // an older log does not tell how many were asked for
		return Finished
	}
	return Stopped
}

// modelFile is a file of weights that a folder should have.
type modelFile struct {
	file, sum, of string // sum is its sha256, "" in an older log
	mend          string // how a damaged one becomes a good one
}

// models are those of a run that has epochs.
func (r *Run) models() []modelFile {
	_, err := os.Stat(filepath.Join(r.Dir, train.TrainingFile))
	all := []modelFile{{network.ModelFile, r.Log.ModelData, "last", mend(err == nil)}}
	if r.Log.BestData != "" { // only if it is the last epoch's is it in the checkpoint
		all = append(all, modelFile{train.BestFile, r.Log.BestData, "best", mend(err == nil && r.last().Best)})
	}
	return all
}

// mend says how a damaged file becomes a good one.
func mend(checkpoint bool) string {
	if checkpoint {
		return "start the training again and it is written from the checkpoint"
	}
	return "put a good copy in its place"
}

// checkModel returns an error if a model file is missing, or of another size than its
// header tells.
func checkModel(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("is missing")
	}
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	const prefix = 8 // bytes that hold the header's length
	var length uint64
	if err := binary.Read(f, binary.LittleEndian, &length); err != nil || length > uint64(info.Size()-prefix) {
		return errors.New("is cut short, or no safetensors file")
	}
	var tensors map[string]struct {
		Place [2]int64 `json:"data_offsets"`
	}
	if err := json.NewDecoder(io.LimitReader(f, int64(length))).Decode(&tensors); err != nil {
		return fmt.Errorf("has a damaged header: %w", err)
	}
	var end int64
	for _, t := range tensors {
		end = max(end, t.Place[1])
	}
	if want := prefix + int64(length) + end; info.Size() != want {
		return fmt.Errorf("has %d bytes, want %d as its header says", info.Size(), want)
	}
	return nil
}

// Verify reads the model files of a run that does not run and wants them to be those of its
// last and its best epoch. If one is not, the run is [Damaged], and Problems says so.
func (r *Run) Verify() error {
	if r.State == Running || r.State == Damaged || len(r.Log.Epochs) == 0 {
		return nil
	}
	for _, m := range r.models() {
		if m.sum == "" {
			continue
		}
		sum, err := sha256Of(filepath.Join(r.Dir, m.file))
		if err != nil {
			return fmt.Errorf("runs: %w", err)
		}
		if sum != m.sum {
			r.State = Damaged
			r.problem("%s is not that of the %s epoch: its sha256 is %s, want %s; %s", m.file, m.of, sum, m.sum, m.mend)
		}
	}
	return nil
}

func sha256Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
