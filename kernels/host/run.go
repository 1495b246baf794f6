//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/camlab-go/camlab/internal/cells"
	"github.com/camlab-go/camlab/kernels/loader"
	"github.com/camlab-go/camlab/kernels/wire"
)

// patience is how long an interrupted cell has to end.
const patience = 2 * time.Second

// run is a run of a cell.
type run struct {
	cells.Run
	name      string
	goroutine string // its number, as stacks have it
	failure   *wire.Failure
	done      chan struct{}
	givenUp   chan error // see cells.GiveUp
}

// run loads a cell, runs it, and waits for its end.
func (h *host) run(q *wire.Request, reply *wire.Reply) {
	h.tidy()
	if h.loadErr != nil {
		reply.Failure = &wire.Failure{Kind: wire.Load, Text: h.loadErr.Error()}
		return
	}
	h.loader.AddPackages(q.Packages)
	f, err := h.load(loader.Cell{Package: "cell", Archive: q.Archive, Function: q.Function, Carried: q.Carried, Declared: q.Declared})
	if err != nil {
		reply.Failure = &wire.Failure{Kind: wire.Load, Text: err.Error()}
		return
	}
	reply.Loaded = true
	prepare(q.Args, q.Flags)
	r := h.start(q.Cell, q.Function, f)
	defer h.setCurrent(nil)
	select {
	case <-r.done:
		reply.Failure = r.failure
		return
	case err := <-r.givenUp:
		h.left = append(h.left, r)
		reply.Failure = &wire.Failure{Kind: wire.Error, Text: err.Error(), Left: true}
		return
	case <-h.interrupts:
	}
	cells.Stop(&r.Run)
	h.left = append(h.left, r)
	select {
	case err := <-r.givenUp:
		reply.Failure = &wire.Failure{Kind: wire.Error, Text: err.Error(), Left: true}
	case <-r.done:
		if reply.Failure = r.failure; reply.Failure == nil { // it heard of the interrupt itself
			reply.Failure = &wire.Failure{Kind: wire.Interrupted, Text: "interrupted"}
		}
	case <-time.After(patience):
		reply.Failure = r.leave()
	case <-h.interrupts:
		reply.Failure = r.leave()
	}
}

// load loads a cell.
func (h *host) load(c loader.Cell) (func(), error) {
	_ = h.spare.Close() // there is none where the last one was taken meanwhile
	f, err := h.loader.LoadCell(c)
	if errors.Is(err, syscall.EMFILE) {
		err = fmt.Errorf("%w: cells have opened too many; %%reset ends the process, and closes them", err)
	}
	if n, err := syscall.Dup(int(h.stderr.Fd())); err == nil {
		syscall.CloseOnExec(n)
		h.spare = os.NewFile(uintptr(n), "spare")
	}
	return f, err
}

// start runs a cell in a goroutine.
func (h *host) start(name, function string, f func()) *run {
	r := &run{name: name, done: make(chan struct{}), givenUp: make(chan error, 1)}
	r.Cell, _ = strconv.Atoi(strings.TrimLeft(function, "run"))
	ready := make(chan struct{})
	go pprof.Do(context.Background(), pprof.Labels("cell", name), func(context.Context) {
		r.Label, r.goroutine = profLabel(), goroutine()
		h.setCurrent(r)
		close(ready)
		r.do(f)
	})
	<-ready
	return r
}

func (h *host) setCurrent(r *run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = r
}

// giveUp is [cells.GiveUp].
func (h *host) giveUp(err error) {
	label := profLabel()
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.current; r != nil && r.Label == label {
		select {
		case r.givenUp <- err:
		default: // the first holds
		}
	}
}

func (r *run) do(f func()) {
	defer close(r.done)
	debug.SetPanicOnFault(true) // an address that is not mapped is a panic, too
	ended := false
	defer func() {
		p := recover()
		if p == nil && ended {
			return
		}
		r.failure = failureOf(p)
	}()
	f()
	ended = true
}

// tidy ends the looking for interrupted runs that have ended since.
func (h *host) tidy() {
	var left []*run
	for _, r := range h.left {
		select {
		case <-r.done:
			cells.Forget(&r.Run)
		default:
			left = append(left, r)
		}
	}
	h.left = left
}

// failureOf says why a cell ended early; p is what it panicked with. Call it in the
// deferred function that has recovered it.
func failureOf(p any) *wire.Failure {
	f := &wire.Failure{Kind: wire.Panic}
	for _, t := range cells.Trace() {
		f.Trace = append(f.Trace, wire.Frame{Function: t.Function, File: t.File, Line: t.Line})
	}
	switch p := p.(type) {
	case nil:
		return nil // runtime.Goexit
	case cells.Interrupt:
		f.Kind = wire.Interrupted
	case cells.Failure:
		f.Kind = wire.Error
	case cells.Exit:
		if p.Code == 0 {
			return nil
		}
		f.Kind = wire.Exit
	case error:
		if len(f.Trace) > 0 && strings.HasPrefix(f.Trace[0].Function, "flag.") { // see prepare
			if errors.Is(p, flag.ErrHelp) {
				return nil
			}
			f.Kind = wire.Error
		}
	}
	f.Text = cells.Message(p)
	return f
}

// leave gives up waiting for an interrupted cell.
func (r *run) leave() *wire.Failure {
	f := &wire.Failure{Kind: wire.Interrupted, Left: true, Text: "interrupted; the cell did not end and goes on in the background"}
	stack := stackOf(r.goroutine)
	if stack == nil {
		return f
	}
	// goroutine 7 [sleep, 1 minutes, labels:{...}]:
	_, state, _ := strings.Cut(stack[0], "[")
	state, _, _ = strings.Cut(strings.TrimSuffix(state, "]:"), ", labels")
	for i, l := range stack {
		file, line, ok := strings.Cut(strings.TrimSpace(l), "]:")
		if name, isCell := cells.CellOf(file + "]"); ok && isCell && i > 0 && strings.HasPrefix(l, "\t") {
			n, _ := strconv.Atoi(strings.Fields(line)[0])
			function, _, _ := strings.Cut(stack[i-1], "(")
			f.Trace = append(f.Trace, wire.Frame{Function: function, File: name, Line: n})
		}
	}
	if len(f.Trace) > 0 {
		f.Text += fmt.Sprintf(" (%s, line %d: %s in %s)", f.Trace[0].File, f.Trace[0].Line, state, innermost(stack))
	}
	return f
}

// innermost is the first function in a stack that is not the runtime's, or the first.
func innermost(stack []string) string {
	name := ""
	for i := 1; i < len(stack); i += 2 {
		n := stack[i]
		if j := strings.LastIndexByte(n, '('); j > 0 {
			n = n[:j]
		}
		if name == "" {
			name = n
		}
		if !strings.HasPrefix(n, "runtime.") {
			return n
		}
	}
	return name
}

// goroutine is the number of the goroutine that calls it.
func goroutine() string {
	b := make([]byte, 64)
	f := strings.Fields(string(b[:runtime.Stack(b, false)]))
	return f[1]
}

// stackOf are the lines of a goroutine's stack.
func stackOf(goroutine string) []string {
	b := make([]byte, 1<<20)
	for n := runtime.Stack(b, true); ; n = runtime.Stack(b, true) {
		if n < len(b) || n >= 64<<20 {
			b = b[:n]
			break
		}
		b = make([]byte, 4*len(b))
	}
	for s := range bytes.SplitSeq(b, []byte("\n\n")) {
		if bytes.HasPrefix(s, []byte("goroutine "+goroutine+" ")) {
			return strings.Split(string(s), "\n")
		}
	}
	return nil
}

// prepare gives a cell its arguments, and flags as if the program had just begun.
func prepare(args, defines []string) {
	os.Args = append(os.Args[:1:1], args...)
	old := flag.CommandLine
	// Not ExitOnError: the process stays. failureOf knows these panics.
	flag.CommandLine = flag.NewFlagSet(os.Args[0], flag.PanicOnError)
	flag.CommandLine.Usage = func() { flag.Usage() }
	forgotten := make(map[string]bool)
	for _, name := range defines {
		forgotten[name] = true
	}
	old.VisitAll(func(f *flag.Flag) {
		if !forgotten[f.Name] {
			flag.Var(f.Value, f.Name, f.Usage)
			flag.Lookup(f.Name).DefValue = f.DefValue
		}
	})
}

// deliver waits until what the cell has displayed has reached the kernel, but not
// longer than the kernel lives.
func deliver() {
	if !gonbui.IsNotebook {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		gonbui.Sync()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
	}
}
