package cells

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Trace is the stack of the goroutine, the innermost call first, without the
// calls of the process itself: those of the runtime, and those that called the cell.
// Call it in the deferred function that recovers a panic.
func Trace() []runtime.Frame {
	pcs := make([]uintptr, 200)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var list []runtime.Frame
	cell := -1 // the last call of a cell
	for {
		f, more := frames.Next()
		if name, ok := CellOf(f.File); ok {
			f.File, cell = name, len(list)
		}
		if f.Function != "" && !ours(f.Function) {
			list = append(list, f)
		}
		if !more {
			break
		}
	}
	if cell >= 0 {
		list = list[:cell+1]
	}
	return list
}

// CellOf is the cell whose name a file has, such as "cell[3]".
func CellOf(file string) (name string, ok bool) {
	name = filepath.Base(file)
	return name, strings.HasPrefix(name, "cell[") && strings.HasSuffix(name, "]")
}

// ours reports whether a function is the process's.
func ours(function string) bool {
	const module = "github.com/camlab-go/camlab/"
	for _, p := range []string{"runtime.", "main.", module + "kernels/", module + "internal/cells.", module + "camlib/notebook/live."} {
		if strings.HasPrefix(function, p) {
			return true
		}
	}
	return function == "reflect.makeFuncStub" || function == "reflect.callReflect"
}

// Message is what a panic says: the text of its value.
func Message(p any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T, whose own text panics", p)
		}
	}()
	switch p := p.(type) {
	case error:
		return p.Error()
	case fmt.Stringer:
		return p.String()
	default:
		return fmt.Sprintf("%v", p)
	}
}
