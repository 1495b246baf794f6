//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// typeAt is the type whose descriptor is at an address.
func typeAt(addr uintptr) reflect.Type {
	var x any
	(*[2]uintptr)(unsafe.Pointer(&x))[0] = addr
	return reflect.TypeOf(x)
}

// hasPointers reports whether values of a type hold pointers: the second word of
// its descriptor says how far.
func hasPointers(typ uintptr) bool { return *(*uintptr)(pointer(typ + 8)) != 0 }

// pointerMask has a bit for each word of the module's variables: whether it is a
// pointer. By it the garbage collector reads them.
func (m *module) pointerMask() ([]byte, error) {
	mask := make([]byte, roundUp(len(m.vars)/8+1, 8)/8)
	for _, s := range m.data {
		typ, err := m.gotype(s)
		if err != nil {
			return nil, err
		}
		if typ != 0 && hasPointers(typ) {
			mark(typeAt(typ), m.at[s]-addressOf(m.vars), mask)
		}
	}
	return mask, nil
}

// gotype is the descriptor of a variable's type, or 0 if it has none.
func (m *module) gotype(s symbol) (uintptr, error) {
	for _, x := range s.auxs() {
		if x.kind == auxGotype {
			return m.address(s.o, x.target)
		}
	}
	return 0, nil
}

func mark(t reflect.Type, off uintptr, mask []byte) {
	word := func(o uintptr) { mask[o/64] |= 1 << (o / 8 % 8) }
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.String, reflect.Slice:
		word(off)
	case reflect.Interface:
		word(off)
		word(off + 8)
	case reflect.Array:
		e := t.Elem()
		if t.Len() == 0 || !hasPointers(descriptor(e)) {
			return
		}
		for i := range t.Len() {
			mark(e, off+uintptr(i)*e.Size(), mask)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			mark(f.Type, off+f.Offset, mask)
		}
	}
}

// descriptor is where a type's descriptor is.
func descriptor(t reflect.Type) uintptr { return (*[2]uintptr)(unsafe.Pointer(&t))[1] }

// variables are those that the cell has declared.
func (m *module) variables(declared []string) (map[string]variable, error) {
	vars := make(map[string]variable)
	for _, s := range m.order {
		if s.o.pkg != m.l.cell || s.dupok() || !s.writable() {
			continue
		}
		name, ok := strings.CutPrefix(s.name(), m.l.cell+".")
		if !ok || !slices.Contains(declared, name) {
			continue
		}
		typ, err := m.gotype(s)
		if err != nil {
			return nil, err
		}
		if typ != 0 {
			vars[strings.Clone(name)] = variable{m.at[s], typ}
		}
	}
	return vars, nil
}

// typelinks are the types that reflection is to find by their text, sorted by it:
// for reflect.SliceOf and others to return the type that the compiler has made.
func (m *module) typelinks() []int32 {
	type link struct {
		text string
		addr int32
	}
	var links []link
	for _, s := range m.rest {
		if s.typelink() {
			links = append(links, link{typeAt(m.at[s]).String(), int32(m.at[s])})
		}
	}
	slices.SortFunc(links, func(a, b link) int { return cmp.Compare(a.text, b.text) })
	list := make([]int32, len(links))
	for i, l := range links {
		list[i] = l.addr
	}
	return list
}
