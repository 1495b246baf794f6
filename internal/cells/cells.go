// Package cells is what the process in which a notebook's cells run and the
// functions that cells call share: how a cell ends before its last statement.
package cells

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Values with which functions that cells call panic.
type (
	// Interrupt ends a cell that the reader has interrupted.
	Interrupt struct{}
	// Exit is os.Exit in a cell.
	Exit struct{ Code int }
	// Failure is an error that ends a cell.
	Failure struct{ Err error }
)

func (Interrupt) Error() string { return "interrupted" }
func (e Exit) Error() string    { return fmt.Sprintf("exit status %d", e.Code) }
func (f Failure) Error() string { return f.Err.Error() }
func (f Failure) Unwrap() error { return f.Err }

// Running reports whether this is the process in which cells run. It sets it
// before the first cell.
var Running bool

// Run is a run of a cell.
type Run struct {
	Cell  int            // its number
	Label unsafe.Pointer // that of its goroutine and those it starts
}

// GiveUp has the run that the calling goroutine belongs to end for its reader with an
// error, while what it does goes on in the background.
var GiveUp = func(err error) {}

// Label is the label of the goroutine that calls it.
var Label = func() unsafe.Pointer { return nil }

// stopped are the runs that are to end; nil means none.
var (
	stopped atomic.Pointer[[]Run]
	mu      sync.Mutex // for those who change it
)

// Stopping reports whether any run is to end. It is quick.
func Stopping() bool { return stopped.Load() != nil }

// Look panics with [Interrupt] if the run that the goroutine belongs to is to end.
func Look() {
	label := Label()
	if list := stopped.Load(); list != nil && slices.ContainsFunc(*list, func(r Run) bool { return r.Label == label }) {
		panic(Interrupt{})
	}
}

// LookAt panics with [Interrupt] if a run of that cell is to end.
func LookAt(cell int) {
	if list := stopped.Load(); list != nil && slices.ContainsFunc(*list, func(r Run) bool { return r.Cell == cell }) {
		panic(Interrupt{})
	}
}

// Stop has a run end at the next place where it looks.
func Stop(r *Run) { change(func(list []Run) []Run { return append(list, *r) }) }

// Forget ends the looking for a run that has ended.
func Forget(r *Run) {
	change(func(list []Run) []Run {
		return slices.DeleteFunc(list, func(x Run) bool { return x == *r })
	})
}

func change(f func([]Run) []Run) {
	mu.Lock()
	defer mu.Unlock()
	var list []Run
	if old := stopped.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = f(list); len(list) == 0 {
		stopped.Store(nil)
		return
	}
	stopped.Store(&list)
}
