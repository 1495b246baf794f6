package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/camlab-go/camlab/kernels/jupyter"
	"github.com/camlab-go/camlab/kernels/wire"
)

// failure is why a cell failed, for the reader.
type failure struct {
	name, value string // the protocol's ename and evalue
	text        string // all of it
}

func (f *failure) Error() string { return f.value }

// failureOf is an error in the protocol's terms.
func failureOf(err error) jupyter.Failure {
	var f *failure
	if !errors.As(err, &f) {
		f = failed("error", err)
	}
	return jupyter.Failure{Name: f.name, Value: f.value, Traceback: strings.Split(strings.TrimRight(f.text, "\n"), "\n")}
}

// failed is an error that is not the cell's.
func failed(name string, err error) *failure {
	if full, ok := fullDisk(err); ok {
		return &failure{"disk full", full, full}
	}
	return &failure{name, err.Error(), err.Error()}
}

const (
	red, bold, dim, plainly = "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"

	libraryFrames = 4  // of a trace that are shown
	cellFrames    = 12 // the same
	lostNames     = 30 // of variables
)

func compileFailure(text string) *failure {
	first, _, _ := strings.Cut(text, "\n")
	return &failure{"compile error", first, text}
}

// names of failures in the front-end.
var names = map[wire.Kind]string{wire.Panic: "panic", wire.Error: "error", wire.Interrupted: "interrupted", wire.Exit: "exit", wire.Load: "load error"}

// runFailure tells why a cell failed that ran.
func (k *kernel) runFailure(f wire.Failure) *failure {
	name := names[f.Kind]
	if name == "" {
		name = string(f.Kind)
	}
	head := f.Text
	switch f.Kind {
	case wire.Panic:
		head = strings.TrimPrefix(head, "panic: ")
		if strings.HasSuffix(head, "(types from different scopes)") {
			head += "\nThe value is older than the type's last declaration: make it anew."
		}
	case wire.Interrupted:
		if head == "" || head == "interrupted" {
			head = "the cell was interrupted"
		}
		if f.Left {
			head += "; %reset ends what goes on, and all values with it"
		}
	case wire.Load:
		if full, ok := fullDisk(errors.New(f.Text)); ok {
			return &failure{"disk full", full, full}
		}
	}
	first, _, _ := strings.Cut(head, "\n")
	trace := f.Trace
	if f.Kind == wire.Interrupted && !f.Left {
		trace = slices.DeleteFunc(slices.Clone(trace), func(f wire.Frame) bool { return !isCell(f.File) })
	}
	return &failure{name, first, red + name + ":" + plainly + " " + head + "\n" + k.trace(trace)}
}

func isCell(file string) bool { return strings.HasPrefix(file, "cell[") }

// trace shows the calls of cells with their lines, and a few of libraries.
func (k *kernel) trace(frames []wire.Frame) string {
	var b, rest strings.Builder
	cells, libraries := 0, 0
	for i, f := range frames {
		if i > 0 && f == frames[i-1] || f.File == "must" { // calls itself; Must, Check
			continue
		}
		name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
		if !isCell(f.File) {
			if libraries++; libraries <= libraryFrames {
				fmt.Fprintf(&rest, "  %s%s  %s:%d%s\n", dim, name, f.File, f.Line, plainly)
			}
			continue
		}
		if cells++; cells > cellFrames {
			continue
		}
		in := ""
		if name = strings.TrimPrefix(name, "cell."); !topLevel.MatchString(name) {
			in = ", in " + name
		}
		fmt.Fprintf(&b, "\n%s%s, line %d%s%s:\n", bold, f.File, f.Line, in, plainly)
		if line, ok := k.line(f.File, f.Line); ok {
			fmt.Fprintf(&b, "%s→%s %d  %s\n", red, plainly, f.Line, line)
		}
	}
	if cells > cellFrames {
		fmt.Fprintf(&b, "\nand %d more calls in cells\n", cells-cellFrames)
	}
	if libraries > 0 {
		b.WriteString("\nin libraries:\n" + rest.String())
		if libraries > libraryFrames {
			fmt.Fprintf(&b, "  %sand %d more%s\n", dim, libraries-libraryFrames, plainly)
		}
	}
	return b.String()
}

// topLevel are the functions that hold a cell's statements.
var topLevel = regexp.MustCompile(`^run\d+(\.func\d+)*$`)

// line is a line of a cell.
func (k *kernel) line(cell string, n int) (string, bool) {
	k.mu.Lock()
	text, ok := k.sources[cell]
	k.mu.Unlock()
	lines := strings.Split(text, "\n")
	if !ok || n < 1 || n > len(lines) {
		return "", false
	}
	return strings.TrimSpace(lines[n-1]), true
}

// deathFailure tells why the process ended.
func (k *kernel) deathFailure(state *os.ProcessState, crash string, lost []string) *failure {
	how := state.String()
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		how = "signal " + s.Signal().String()
		if s.Signal() == syscall.SIGKILL {
			how += ", as the system does when memory runs out"
		}
	}
	why, frames := readCrash(crash)
	value := "the process in which cells run has ended (" + how + ")"
	if why != "" {
		value += ": " + why
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%sprocess ended:%s %s\n%s", red, plainly, value, k.trace(frames))
	if len(frames) == 0 && crash != "" {
		lines := strings.Split(strings.TrimSpace(crash), "\n")
		fmt.Fprintf(&b, "\nits last words:\n%s\n", strings.Join(lines[:min(len(lines), 12)], "\n"))
	}
	b.WriteString("\nAnother has been started. ")
	if len(lost) > 0 {
		more := ""
		if n := len(lost) - lostNames; n > 0 {
			lost, more = lost[:lostNames], fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(&b, "Lost with it: %s%s. ", strings.Join(lost, ", "), more)
	}
	b.WriteString("Types, constants and functions are still known.")
	return &failure{"process ended", value, b.String()}
}

var (
	crashPlace = regexp.MustCompile(`^\t(.+):(\d+)( .*)?$`)
	crashWhy   = regexp.MustCompile(`(?m)^(?:panic|fatal error): (.*)$`)
	// crashOwn are the calls of the process itself.
	crashOwn = regexp.MustCompile(`^(runtime[./]|internal/|panic\(|main\.|created by (main|runtime)|github.com/camlab-go/camlab/(kernels/loader|camlib/notebook/live|internal/cells)\.)`)
)

// crashCall is the function in a line of a trace.
func crashCall(line string) string {
	if made, ok := strings.CutPrefix(line, "created by "); ok {
		made, _, _ = strings.Cut(made, " in goroutine ")
		return made
	}
	if at := strings.LastIndexByte(line, '('); at > 0 {
		return line[:at]
	}
	return line
}

// readCrash reads what a Go program writes when it ends by a fault: why, and the
// calls of the goroutine that made it.
func readCrash(text string) (why string, frames []wire.Frame) {
	head, _, _ := strings.Cut(text, "\ngoroutine ")
	if m := crashWhy.FindStringSubmatch(head); m != nil {
		why = m[1]
	} else {
		why, _, _ = strings.Cut(strings.TrimSpace(head), "\n")
	}
	lines := strings.Split(text, "\n")
	first := true
	for i, line := range lines {
		if strings.HasPrefix(line, "goroutine ") && strings.HasSuffix(line, "]:") {
			if !first && slices.ContainsFunc(frames, func(f wire.Frame) bool { return isCell(f.File) }) {
				break // the first goroutine that has something to do with cells
			}
			if !first {
				frames = nil
			}
			first = false
			continue
		}
		m := crashPlace.FindStringSubmatch(line)
		if m == nil || i == 0 {
			continue
		}
		if crashOwn.MatchString(lines[i-1]) {
			continue
		}
		n, err := strconv.Atoi(m[2])
		if err != nil {
			continue
		}
		file := m[1]
		if at := strings.LastIndex(file, "/cell["); at >= 0 {
			file = file[at+1:]
		}
		frames = append(frames, wire.Frame{Function: crashCall(lines[i-1]), File: file, Line: n})
	}
	if !slices.ContainsFunc(frames, func(f wire.Frame) bool { return isCell(f.File) }) && len(frames) > libraryFrames {
		frames = frames[:libraryFrames]
	}
	return why, frames
}
