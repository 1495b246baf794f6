package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// lookTime is how often it is looked whether a cell waits for input.
const lookTime = 300 * time.Millisecond

// input is the writing end of the standard input of a process: a FIFO, so that it can
// have an end and go on behind it.
type input struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// newInput makes a FIFO, and opens both ends; theirs is that of the process.
func newInput(path string) (in *input, theirs *os.File, err error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, nil, err
	}
	if theirs, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return nil, nil, err
	}
	// Only a thread that waits in read can be seen to wait; see reads.
	if err := syscall.SetNonblock(int(theirs.Fd()), false); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	in = &input{path: path}
	if in.file, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return in, theirs, nil
}

// WriteString writes for whoever reads next; to a process that has ended it is in vain.
func (in *input) WriteString(text string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, _ = in.file.WriteString(text)
}

// end has whoever reads find the end of the input. It returns when reads says that
// nobody waits any more, or after a while.
func (in *input) end(reads func() bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.file.Close()
	for range 20 {
		if time.Sleep(lookTime / 20); !reads() {
			break
		}
	}
	if f, err := os.OpenFile(in.path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		in.file = f
	} // else the process has ended
}

func (in *input) Close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.file.Close()
}

// feed asks the reader for a line whenever a cell waits for one, as fmt.Scan does,
// until ctx is done. Where the front-end cannot ask, the input has an end.
func (p *process) feed(ctx context.Context, out *output) {
	defer survive("input")
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.dead:
			return
		case <-tick.C:
		}
		if p.display.asking.Load() || !p.reads() {
			continue
		}
		if !out.ask {
			p.stdin.end(p.reads)
			continue
		}
		p.display.input(protocol.InputRequest{})
	}
}

// reads reports whether a thread of the process waits in read for its standard
// input; false where the system does not tell.
func (p *process) reads() bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", p.cmd.Process.Pid)) // the pattern is good
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(text), "0 0x0 ") { // of Linux on amd64
			return true
		}
	}
	return false
}
