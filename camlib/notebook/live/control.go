// Package live is what cells call in the process in which the camlab kernel runs
// them. The kernel writes the calls into a cell's code: around its last
// expression, at the heads of its loops, and in the place of functions such as
// os.Exit that would end the process, and with it the values of all cells.
package live

import (
	"fmt"
	"log"
	"os"
	"reflect"

	"github.com/camlab-go/camlab/internal/cells"
)

// Running reports whether the program is the process in which cells run.
func Running() bool { return cells.Running }

// Loop ends the cell if the reader has interrupted it. It is called at the head of
// every loop of a cell.
func Loop() {
	if cells.Stopping() {
		cells.Look()
	}
}

// Step is Loop between the statements of a cell, with the number of its run.
func Step(cell int) {
	if cells.Stopping() {
		cells.LookAt(cell)
		cells.Look()
	}
}

// Go returns f as it is to be started in a goroutine: a panic in it, which would
// end the process, is reported on the error output. f is a function.
func Go[F any](f F) F {
	if g, ok := any(f).(func()); ok && g != nil {
		return any(func() {
			defer report()
			g()
		}).(F)
	}
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Func || v.IsNil() {
		return f
	}
	call := v.Call
	if v.Type().IsVariadic() {
		call = v.CallSlice
	}
	return reflect.MakeFunc(v.Type(), func(args []reflect.Value) (results []reflect.Value) {
		// The results of a function that is started in a goroutine are not used; but
		// reflect wants some of one that has panicked.
		defer func() {
			if results == nil {
				for i := range v.Type().NumOut() {
					results = append(results, reflect.Zero(v.Type().Out(i)))
				}
			}
		}()
		defer report()
		return call(args)
	}).Interface().(F)
}

// report says why a goroutine of a cell has panicked.
func report() {
	p := recover()
	switch p := p.(type) {
	case nil, cells.Interrupt:
		return
	case cells.Exit:
		fmt.Fprintf(os.Stderr, "os.Exit(%d) in a goroutine of a cell ends that goroutine alone\n", p.Code)
		return
	}
	text := "panic in a goroutine: " + cells.Message(p) + "\n"
	for _, f := range cells.Trace() {
		text += fmt.Sprintf("  %s, %s:%d\n", f.Function, f.File, f.Line)
	}
	fmt.Fprint(os.Stderr, text)
}

// Exit is os.Exit in a cell: it ends the cell.
func Exit(code int) { panic(cells.Exit{Code: code}) }

// Fatal is log.Fatal in a cell: it ends the cell.
func Fatal(v ...any) {
	log.Print(v...)
	Exit(1)
}

// Fatalf is log.Fatalf in a cell: it ends the cell.
func Fatalf(format string, v ...any) {
	log.Printf(format, v...)
	Exit(1)
}

// Fatalln is log.Fatalln in a cell: it ends the cell.
func Fatalln(v ...any) {
	log.Println(v...)
	Exit(1)
}

// Fail ends the cell with an error. The reader sees its text.
func Fail(err error) { panic(cells.Failure{Err: err}) }

// GiveUp ends the cell with an error, from any of its goroutines, without waiting for
// what it does, which goes on in the background: for what cannot be interrupted.
func GiveUp(err error) { cells.GiveUp(err) }
