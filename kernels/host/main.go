//go:build linux && amd64

// Command host is the process in which the cells of a notebook run. It links what
// cells commonly import, loads each cell as the kernel has compiled it, and runs
// it. Values live as long as the process does.
//
// The kernel starts it; see package wire for what they say to one another. It
// must be linked as package loader says:
//
//	go build -ldflags=-pruneweakmap=false ./kernels/host
package main

//go:generate go run gen.go

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe" // for linkname, too

	"github.com/camlab-go/camlab/internal/cells"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels/loader"
	"github.com/camlab-go/camlab/kernels/wire"
)

// host answers requests.
type host struct {
	loader     *loader.Loader
	loadErr    error // why there is no loader
	interrupts chan os.Signal
	// Marks go here: cells may set os.Stdout, or close it.
	stdout, stderr *os.File
	// spare is closed while a cell is loaded: a cell that can close files runs even
	// where there are too many of them.
	spare *os.File
	left  []*run // that did not end when they were interrupted

	mu      sync.Mutex
	current *run
}

//go:linkname profLabel runtime/pprof.runtime_getProfLabel
func profLabel() unsafe.Pointer

func main() {
	syscall.CloseOnExec(wire.RequestFile) // not for what cells start
	syscall.CloseOnExec(wire.ReplyFile)
	requests, replies := os.NewFile(wire.RequestFile, "requests"), os.NewFile(wire.ReplyFile, "replies")
	if _, err := requests.Stat(); err != nil {
		fmt.Fprintln(os.Stderr, "host: the camlab kernel starts this program: it reads requests from file 3 and answers on file 4")
		os.Exit(2)
	}
	// A panic of a goroutine that is not a cell's, or a fatal error, ends the
	// process: let the stack name cells and lines even where GOTRACEBACK is none.
	debug.SetTraceback("single")
	// A function that calls itself without end is such an error: let it come soon.
	debug.SetMaxStack(256 << 20)
	cells.Running = true
	plugin.RunForeign() // a notebook may open any network, at any time
	cells.Label = profLabel
	h := &host{interrupts: make(chan os.Signal, 4), stdout: own(os.Stdout), stderr: own(os.Stderr), spare: own(os.Stderr)}
	cells.GiveUp = h.giveUp
	signal.Notify(h.interrupts, os.Interrupt)
	h.loader, h.loadErr = loader.New(nil)

	in := make(chan *wire.Request)
	go func() {
		d := json.NewDecoder(requests)
		for {
			q := &wire.Request{}
			if err := d.Decode(q); err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // the kernel has closed it, or is gone
					os.Exit(0)
				}
				h.end(err)
			}
			in <- q
		}
	}()
	out := json.NewEncoder(replies)
	for {
		select {
		case <-h.interrupts: // nothing runs
		case q := <-in:
			if err := out.Encode(h.answer(q)); err != nil {
				h.end(err)
			}
		}
	}
}

// end ends the process, which cannot speak to the kernel any more.
func (h *host) end(err error) {
	fmt.Fprintf(h.stderr, "host: %v: a cell has closed a file that the kernel speaks through (numbers 0 to %d and a few after them)\n", err, wire.ReplyFile)
	os.Exit(1)
}

// own is a file as a file of the host's own.
func own(f *os.File) *os.File {
	n, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
	syscall.CloseOnExec(n)
	return os.NewFile(uintptr(n), f.Name())
}

// answer does what is asked.
func (h *host) answer(q *wire.Request) *wire.Reply {
	r := &wire.Reply{ID: q.ID}
	var err error
	switch q.Op {
	case wire.Run:
		h.run(q, r)
		deliver()
		for _, f := range []*os.File{h.stdout, h.stderr} {
			if _, err := f.WriteString(wire.Mark(q.ID)); err != nil {
				h.end(err)
			}
		}
	case wire.Values:
		r.Values = h.values(q.Names)
	case wire.Chdir:
		err = os.Chdir(q.Dir)
	case wire.Setenv:
		if q.Unset {
			err = os.Unsetenv(q.Name)
		} else {
			err = os.Setenv(q.Name, q.Value)
		}
	default:
		err = fmt.Errorf("host: request %q is not known", q.Op)
	}
	if err != nil {
		r.Failure = &wire.Failure{Kind: wire.Load, Text: err.Error()}
	}
	return r
}
