package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/kernels/cell"
	"github.com/camlab-go/camlab/kernels/jupyter"
)

var (
	errInterrupted = errors.New("interrupted")
	errClosed      = errors.New("the kernel ends")
)

// output is where a cell shows things.
type output struct {
	*jupyter.Output
	count int
	ask   bool            // the front-end can ask for input
	ctx   context.Context // ends with the cell
}

func (o *output) input(ctx context.Context, prompt string, password bool) (string, error) {
	if !o.ask {
		return "", jupyter.ErrNoInput
	}
	return o.Input(ctx, prompt, password)
}

// kernel answers Jupyter's requests.
type kernel struct {
	compiler compiler
	session  *cell.Session
	front    *front
	temp     string // folder of this kernel
	remove   func() // removes it

	current atomic.Pointer[output] // of the cell that runs or ran last

	building sync.Mutex        // held while a cell is compiled
	sources  map[string]string // texts of cells, by their names in errors; under mu
	number   int               // of the last cell

	starting sync.Mutex   // held while the process is started
	life     atomic.Int64 // of the session's values: another when a process has ended

	mu      sync.Mutex
	process *process
	note    string // what is to be said at the next cell
	cancel  func() // of the cell that runs, or nil
	stop    func() // what it does now
	dir     string // of cells
	env     map[string]string
	args    []string // of cells, %args
	history []jupyter.Entry
	closed  bool
}

func newKernel(cells string) (*kernel, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("the notebook's folder: %w", err)
	}
	temp, remove, err := makeFolder()
	if err != nil {
		return nil, err
	}
	k := &kernel{temp: temp, remove: remove, dir: dir, sources: make(map[string]string), env: make(map[string]string)}
	k.compiler = open(cells, filepath.Join(temp, "module"), func(line string) { k.current.Load().Stream("stderr", line+"\n") })
	if err := k.compiler.Ready(); err != nil {
		fmt.Fprintln(os.Stderr, "camlab:", err) // each cell says it to the reader, until it is mended
	}
	k.session = &cell.Session{Importer: k.compiler.Importer(), Packages: k.compiler.Packages, Dir: k.compiler.Dir, Live: live,
		Find: k.compiler.Find}
	k.current.Store(&output{ctx: context.Background()})
	k.front = &front{addresses: make(map[string]bool), deliver: func(v *protocol.CommValue) {
		if p := k.running(); p != nil {
			p.display.send(v)
		}
	}}
	for name, value := range map[string]string{protocol.GONB_DIR_ENV: dir, protocol.GONB_TMP_DIR_ENV: k.compiler.Module(),
		protocol.GONB_VERSION: moduleVersion("github.com/janpfeifer/gonb"), protocol.GONB_GIT_COMMIT: ""} {
		k.env[name] = value
	}
	return k, nil
}

// setID tells the id that Jupyter gave the kernel.
func (k *kernel) setID(id string) {
	k.front.kernelID = id
	k.env[protocol.GONB_JUPYTER_KERNEL_ID_ENV] = id
}

func (k *kernel) Info() map[string]any {
	return map[string]any{
		"implementation": "camlab", "implementation_version": version(),
		"banner": "Go with camlab: the values of cells stay. %help tells what there is.",
		"language_info": map[string]any{"name": "go", "version": goVersion(), "mimetype": "text/x-go", "file_extension": ".go",
			"pygments_lexer": "go", "codemirror_mode": "go", "nbconvert_exporter": ""},
		"debugger":   false,
		"help_links": []any{map[string]any{"text": "Go", "url": "https://go.dev/doc/"}, map[string]any{"text": "Packages", "url": "https://pkg.go.dev/"}},
	}
}

// Execute runs a cell: what it says to the kernel, and its Go.
func (k *kernel) Execute(x *jupyter.Execution) (r jupyter.Reply) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	out := &output{Output: x.Output, count: x.Count, ask: x.AllowStdin, ctx: ctx}
	k.endText() // of goroutines of the cell before
	k.current.Store(out)
	k.mu.Lock()
	k.cancel, k.stop = func() { cancel(errInterrupted) }, nil
	if x.StoreHistory && strings.TrimSpace(x.Code) != "" {
		k.history = append(k.history, jupyter.Entry{Session: 1, Line: x.Count, Input: x.Code})
	}
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.cancel, k.stop = nil, nil
		k.mu.Unlock()
	}()
	out.Stream("stderr", k.said())

	err := k.cell(ctx, out, x, &r)
	k.endText()
	if err != nil {
		f := failureOf(err)
		out.Error(f)
		r.Failure = &f
		return r
	}
	r.UserExpressions = k.expressions(x.UserExpressions)
	return r
}

// cell does the lines for the kernel before the cell's Go, the Go, and the lines
// after it.
func (k *kernel) cell(ctx context.Context, out *output, x *jupyter.Execution, r *jupyter.Reply) error {
	c := parseCell(x.Code)
	m := &magic{kernel: k, ctx: ctx, out: out, reply: r, cell: c}
	if c.whole != nil {
		return m.do(*c.whole)
	}
	for _, line := range c.before {
		if err := m.do(line); err != nil {
			return err
		}
	}
	if strings.TrimSpace(c.text) != "" {
		args := m.args
		if args == nil {
			k.mu.Lock()
			args = slices.Clone(k.args)
			k.mu.Unlock()
		}
		begun := time.Now()
		err := k.run(ctx, out, c.text, args)
		if m.timed {
			k.endText()
			out.Stream("stdout", fmt.Sprintf("%s\n", round(time.Since(begun))))
		}
		if err != nil {
			return err
		}
	}
	for _, line := range c.after {
		if err := m.do(line); err != nil {
			return err
		}
	}
	return nil
}

// doing sets what an interrupt has to stop.
func (k *kernel) doing(stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stop = stop
}

// Interrupt stops the cell that runs.
func (k *kernel) Interrupt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cancel == nil {
		return
	}
	k.cancel()
	if k.stop != nil {
		k.stop()
	}
}

// running is the process, or nil if there is none.
func (k *kernel) running() *process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.process
}

// endText shows what the process has printed.
func (k *kernel) endText() {
	if p := k.running(); p != nil {
		p.stdout.end()
		p.stderr.end()
	}
}

// environment is what cells and commands find in theirs.
func (k *kernel) environment() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	env := os.Environ()
	for name, value := range k.env {
		env = append(env, name+"="+value)
	}
	return env
}

// folder is that of cells and commands.
func (k *kernel) folder() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dir
}

// Shutdown ends the process and takes the kernel's files away.
func (k *kernel) Shutdown(bool) { k.close() }

func (k *kernel) isClosed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed
}

func (k *kernel) close() {
	k.mu.Lock()
	stop := k.stop
	k.closed = true
	if k.cancel != nil {
		k.cancel()
	}
	k.mu.Unlock()
	if stop != nil {
		stop() // a command
	}
	// What begins to start or to be compiled makes no files after this.
	k.starting.Lock()
	defer k.starting.Unlock()
	k.building.Lock()
	defer k.building.Unlock()
	if p := k.running(); p != nil {
		p.kill()
		<-p.dead
	}
	k.remove()
}

// fullDisk says in a sentence that a disk is full, if that is why.
func fullDisk(err error) (string, bool) {
	if err == nil || !errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), "no space left on device") {
		return "", false
	}
	return fmt.Sprintf("disk full: %v; make room there (TMPDIR is %s) and run the cell again", err, filepath.Clean(os.TempDir())), true
}

func round(d time.Duration) time.Duration {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond)
	case d < time.Second:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
