//go:build linux && amd64

package main

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/camlab-go/camlab/internal/cells"
	"github.com/camlab-go/camlab/kernels/wire"
)

const (
	valueBytes = 200                    // of a value's text, about
	valueTime  = 300 * time.Millisecond // for a value's own String method
)

// values describes variables of cells, all if no names are given.
func (h *host) values(names []string) []wire.Value {
	if h.loader == nil {
		return nil
	}
	if names == nil {
		names = h.loader.Variables()
	}
	var list []wire.Value
	for _, name := range names {
		v, ok := h.loader.Variable(name)
		if !ok {
			continue
		}
		list = append(list, wire.Value{Name: name, Type: strings.ReplaceAll(v.Type().String(), "cell.", ""), Text: text(v)})
	}
	return list
}

// text is a value in a line. It may be that of a program's own method: that one
// can panic, or wait for what does not come.
func text(v reflect.Value) string {
	done := make(chan string, 1)
	go func() {
		var w words
		defer func() {
			if p := recover(); p != nil {
				w.add("(its text panics: " + cells.Message(p) + ")")
			}
			done <- w.line()
		}()
		debug.SetPanicOnFault(true) // a goroutine of a cell may be changing it
		w.value(v, 0)
	}()
	select {
	case s := <-done:
		return s
	case <-time.After(valueTime):
		return "(its text takes long)"
	}
}

// words is a text up to a length.
type words struct{ b strings.Builder }

func (w *words) full() bool { return w.b.Len() > valueBytes }

func (w *words) add(s string) {
	if !w.full() {
		w.b.WriteString(s[:min(len(s), 2*valueBytes)])
	}
}

func (w *words) line() string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, w.b.String())
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > valueBytes {
		s = strings.ToValidUTF8(s[:valueBytes], "") + "…"
	}
	return s
}

// value writes a value. Maps are not read: a goroutine of a cell may be writing
// one, which would end the process.
func (w *words) value(v reflect.Value, depth int) {
	if w.full() {
		return
	}
	if !v.IsValid() {
		w.add("nil")
		return
	}
	k := v.Kind()
	nilable := k == reflect.Pointer || k == reflect.Interface || k == reflect.Map || k == reflect.Slice || k == reflect.Func || k == reflect.Chan
	if nilable && v.IsNil() {
		w.add("nil")
		return
	}
	if v.CanInterface() && k != reflect.Interface {
		switch x := v.Interface().(type) {
		case error:
			w.add(x.Error())
			return
		case fmt.Stringer:
			w.add(x.String())
			return
		}
	}
	switch k {
	case reflect.String:
		s := v.String()
		w.add(strconv.Quote(s[:min(len(s), valueBytes)]))
	case reflect.Interface:
		w.value(v.Elem(), depth)
	case reflect.Pointer:
		if e := v.Elem(); depth == 0 && (e.Kind() == reflect.Struct || e.Kind() == reflect.Array || e.Kind() == reflect.Slice) {
			w.add("&")
			w.value(e, depth+1)
			return
		}
		w.add(fmt.Sprintf("(%s)(%#x)", v.Type(), v.Pointer()))
	case reflect.Slice, reflect.Array:
		w.add("[")
		for i := 0; i < v.Len() && !w.full(); i++ {
			if i > 0 {
				w.add(" ")
			}
			w.value(v.Index(i), depth+1)
		}
		w.add("]")
	case reflect.Struct:
		if depth > 3 {
			w.add("{…}")
			return
		}
		w.add("{")
		for i := 0; i < v.NumField() && !w.full(); i++ {
			if i > 0 {
				w.add(" ")
			}
			w.add(v.Type().Field(i).Name + ":")
			w.value(v.Field(i), depth+1)
		}
		w.add("}")
	case reflect.Map:
		w.add(fmt.Sprintf("%d entries", v.Len()))
	case reflect.Chan:
		w.add(fmt.Sprintf("%d of %d in it", v.Len(), v.Cap()))
	case reflect.Func:
		w.add("func")
	default:
		w.add(fmt.Sprint(v))
	}
}
