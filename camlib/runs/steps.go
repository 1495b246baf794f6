package runs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/camlab-go/camlab/camlib/train"
)

// Steps returns the lines of [train.StepsFile] in the order of their steps; none where there is no
// such file. Where a training went on from an earlier step, the later lines count. A line
// that is being written is left out. With any other line that is none comes an error that
// names the first of them, beside the lines that are good.
func (r *Run) Steps() ([]train.Step, error) {
	f, err := os.Open(filepath.Join(r.Dir, train.StepsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	defer f.Close()
	steps, err := readSteps(f)
	if err != nil {
		err = fmt.Errorf("runs: %s: %w", f.Name(), err)
	}
	return steps, err
}

func readSteps(r io.Reader) (steps []train.Step, wrong error) {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return steps, wrong
		}
		if err != nil {
			return steps, err
		}
		s, err := decodeStep(line)
		if err != nil {
			if wrong == nil {
				wrong = fmt.Errorf("line %d: %w", n, err)
			}
			continue
		}
		for len(steps) > 0 && steps[len(steps)-1].Step >= s.Step {
			steps = steps[:len(steps)-1]
		}
		steps = append(steps, s)
	}
}

// evaluated reports whether a line has an evaluation.
func evaluated(s train.Step) bool { return s.Accuracy != 0 || s.EvaluatedLoss != 0 }

func decodeStep(line []byte) (s train.Step, err error) {
	if err := json.Unmarshal(line, &s); err != nil {
		return s, fmt.Errorf("%w, want a JSON object like %s", err, `{"step":10,"epoch":1,"loss":2.3,...}`)
	}
	if s.Step < 1 {
		return s, fmt.Errorf("step %d, want 1 or more", s.Step)
	}
	return s, nil
}

// lastStep returns the last whole line of a folder's [train.StepsFile], or nil where there is
// none, without reading the others.
func lastStep(dir string) *train.Step {
	f, err := os.Open(filepath.Join(dir, train.StepsFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	const tail = 4 << 10 // many lines
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tail), tail))
	if err != nil {
		return nil
	}
	lines := bytes.Split(data, []byte("\n"))
	for i := len(lines) - 2; i >= 0; i-- { // after the last "\n" is nothing, or a line that is being written
		if s, err := decodeStep(lines[i]); err == nil {
			return &s
		}
	}
	return nil
}
