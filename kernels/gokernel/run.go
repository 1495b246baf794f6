package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/kernels/cell"
	"github.com/camlab-go/camlab/kernels/wire"
)

// built is a cell ready for the process.
type built struct {
	unit    *cell.Unit
	archive string
	err     error
}

// build makes a cell's Go into something to run. An interrupt does not wait for it:
// it ends by itself and is thrown away.
func (k *kernel) build(ctx context.Context, out *output, text string) built {
	done := make(chan built, 1)
	go func() {
		k.building.Lock()
		defer k.building.Unlock()
		var b built
		defer func() {
			if r := recover(); r != nil {
				b.err = &failure{name: "kernel", value: fmt.Sprintf("the kernel has a fault: %v", r), text: string(debug.Stack())}
			}
			if ctx.Err() != nil && b.archive != "" {
				os.Remove(b.archive)
			}
			done <- b
		}()
		if ctx.Err() != nil {
			return
		}
		if k.isClosed() {
			b.err = failed("kernel", errClosed)
			return
		}
		k.number = max(k.number+1, out.count)
		k.session.SetNumber(k.number)
		k.compiler.Within(ctx)
		defer k.compiler.Within(context.Background())
		if err := k.compiler.Ready(); err != nil {
			b.err = failed("kernel", err)
			return
		}
		if b.unit, b.err = k.session.Rewrite(text); b.err == nil {
			b.archive, b.err = k.compiler.Compile(ctx, b.unit)
		}
		if _, full := fullDisk(b.err); full {
			b.err = failed("kernel", b.err)
		} else if b.err != nil && ctx.Err() == nil {
			b.err = compileFailure(k.session.Explain(text, b.err))
		}
	}()
	select {
	case b := <-done:
		if ctx.Err() == nil {
			return b
		}
	case <-ctx.Done():
	}
	return built{err: &failure{name: "interrupted", value: "before the cell ran", text: "interrupted before the cell ran"}}
}

// buildFor builds a cell for the process that it is to run in: one that ends
// meanwhile takes along the values that the cell was built for.
func (k *kernel) buildFor(ctx context.Context, out *output, text string, starting <-chan struct{}) (built, *process, error) {
	for {
		life := k.life.Load()
		b := k.build(ctx, out, text)
		if b.err != nil {
			return b, nil, b.err
		}
		<-starting
		p, err := k.alive()
		if err == nil && k.life.Load() == life {
			return b, p, nil
		}
		if b.archive != "" {
			os.Remove(b.archive)
		}
		if err != nil {
			return b, nil, err
		}
	}
}

// run runs the Go of a cell.
func (k *kernel) run(ctx context.Context, out *output, text string, args []string) error {
	starting := make(chan struct{})
	go func() { // meanwhile; what fails fails again below
		defer close(starting)
		_, _ = k.alive()
	}()
	b, p, err := k.buildFor(ctx, out, text, starting)
	if err != nil {
		return err
	}
	if b.archive != "" {
		defer os.Remove(b.archive)
	}
	for _, w := range b.unit.Warnings {
		out.Stream("stderr", fmt.Sprintf("warning: %s, line %d: %s\n", w.Name, w.Line, w.Text))
	}
	if gone := slices.DeleteFunc(slices.Clone(b.unit.Dropped), func(n string) bool { return k.session.TypeOf(n) == nil }); len(gone) > 0 {
		out.Stream("stderr", fmt.Sprintf("gone with the type that this cell declares anew: %s\n", strings.Join(gone, ", ")))
	}
	k.mu.Lock()
	k.sources[b.unit.Name] = text
	k.mu.Unlock()
	out.Stream("stderr", k.said())
	fresh := make(map[string]string)
	for path, file := range k.compiler.Files() {
		if !p.known[path] {
			fresh[path] = file
		}
	}
	k.doing(p.interrupt)
	defer k.doing(nil)
	if ctx.Err() != nil { // since it was built
		return &failure{name: "interrupted", value: "before the cell ran", text: "interrupted before the cell ran"}
	}
	fed, done := context.WithCancel(ctx)
	defer done()
	go p.feed(fed, out)
	reply, err := p.ask(wire.Request{Op: wire.Run, Cell: b.unit.Name, Archive: b.archive, Function: b.unit.Function, Carried: b.unit.Carried,
		Declared: b.unit.Declared, Packages: fresh, Args: args, Flags: b.unit.Flags})
	if errors.Is(err, errDied) {
		return k.died(p)
	}
	if err != nil {
		return err
	}
	for path := range fresh {
		p.known[path] = true
	}
	if reply.Loaded {
		b.unit.Keep()
	}
	if reply.Failure != nil {
		if reply.Loaded && !reply.Failure.Left {
			unmake(b.unit, reply.Failure.Trace)
		}
		return k.runFailure(*reply.Failure)
	}
	return nil
}

// unmake forgets the variables that a cell has not come to make.
func unmake(u *cell.Unit, trace []wire.Frame) {
	for _, f := range trace {
		if f.File == u.Name && f.Function == cell.PackagePath+"."+u.Function {
			u.Failed(f.Line)
			return
		}
	}
}

// warm starts the process before the first cell.
func (k *kernel) warm() {
	defer survive("starting the cell process")
	if _, err := k.alive(); err != nil && !k.isClosed() {
		fmt.Fprintf(os.Stderr, "camlab: %v\n", err) // the first cell says it to the reader
	}
}

// alive returns the process, and starts one if there is none.
func (k *kernel) alive() (*process, error) {
	k.starting.Lock()
	defer k.starting.Unlock()
	if p := k.running(); p != nil {
		select {
		case <-p.dead: // while a command ran
			f := k.died(p)
			k.mu.Lock()
			k.note = f.text + "\n"
			k.mu.Unlock()
		default:
			return p, nil
		}
	}
	if k.isClosed() {
		return nil, failed("kernel", errClosed)
	}
	p, err := start(k.compiler, k.folder(), k.temp, k.environment(), k.current.Load, k.front)
	if err != nil {
		if _, gone := os.Stat(k.compiler.Host()); errors.Is(gone, os.ErrNotExist) {
			return nil, failed("kernel", fmt.Errorf("the program in which cells run is gone: %w; run `camlab setup`, then the cell again", gone))
		}
		return nil, failed("kernel", fmt.Errorf("the process in which cells run cannot be started: %w; `camlab doctor` may know more", err))
	}
	k.mu.Lock()
	k.process = p
	k.mu.Unlock()
	go k.watch(p)
	return p, nil
}

// said takes what is to be said.
func (k *kernel) said() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	note := k.note
	k.note = ""
	return note
}

// watch tells of a process that ends while no cell runs.
func (k *kernel) watch(p *process) {
	defer survive("watching the cell process")
	<-p.dead
	if p.ending.Load() {
		return
	}
	k.mu.Lock()
	told := k.cancel != nil || k.process != p
	k.mu.Unlock()
	if told { // by the cell, or the next one that wants the process
		return
	}
	f := k.died(p)
	k.mu.Lock()
	k.note = f.text + "\n"
	k.mu.Unlock()
}

// died forgets a process that has ended and tells why it did. Another is started
// already.
func (k *kernel) died(p *process) *failure {
	<-p.dead
	k.mu.Lock()
	first := k.process == p
	if first {
		k.process = nil
		k.life.Add(1)
	}
	k.mu.Unlock()
	if !first { // told already
		return &failure{name: "process ended", value: errDied.Error(), text: errDied.Error() + "\n" + k.said()}
	}
	crash := p.stderr.crashed()
	p.stdout.end()
	p.stderr.end()
	k.front.forget()
	lost, _ := k.session.Restart()
	k.life.Add(1)
	f := k.deathFailure(p.state, crash, lost)
	go k.warm()
	return f
}

// reset ends the process; the values go with it, and what names says is forgotten.
func (k *kernel) reset() {
	k.mu.Lock()
	p := k.process
	k.process = nil
	k.mu.Unlock()
	if p != nil {
		p.kill()
		<-p.dead
		p.stdout.end()
		p.stderr.end()
	}
	k.front.forget()
	k.session.Restart()
	k.session.Forget()
	k.life.Add(1)
	go k.warm()
}

// values asks the process for variables in words.
func (k *kernel) values(names []string) ([]wire.Value, error) {
	p := k.running()
	if p == nil {
		return nil, nil
	}
	reply, err := p.ask(wire.Request{Op: wire.Values, Names: names})
	if err != nil {
		return nil, k.died(p)
	}
	if reply.Failure != nil {
		return nil, &failure{name: string(reply.Failure.Kind), value: reply.Failure.Text, text: reply.Failure.Text}
	}
	return reply.Values, nil
}

// tell has the process change its folder or environment, if there is one.
func (k *kernel) tell(r wire.Request) error {
	p := k.running()
	if p == nil {
		return nil
	}
	reply, err := p.ask(r)
	if err != nil {
		return k.died(p)
	}
	if reply.Failure != nil {
		return errors.New(strings.TrimSpace(reply.Failure.Text))
	}
	return nil
}
