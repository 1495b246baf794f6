//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// A method that is declared again, of a type that stays, is to be called through
// interfaces and reflection, too, by values that are there already. The cell's
// object has the type's descriptor with the methods as they are now: what it says
// of them is written into the descriptor in use, and into the itabs.

// again is a descriptor that the cell's object has for a type in use.
type again struct {
	s    symbol
	addr uintptr // of the one in use
}

// methodsAgain finds the types of which the cell declares methods again, and has
// the methods loaded.
func (m *module) methodsAgain(a *archive, declared []string) (list []again, err error) {
	l := m.l
	for _, n := range declared {
		t, _, isMethod := strings.Cut(n, ".")
		if !isMethod || slices.Contains(declared, t) {
			continue
		}
		for _, name := range []string{"type:" + l.cell + "." + t, "type:*" + l.cell + "." + t} {
			for _, o := range a.objects {
				for _, i := range o.names()[name] {
					s := symbol{o, i}
					addr := l.known(name, s.abi(), s)
					if addr == 0 || slices.Contains(list, again{s, addr}) {
						continue
					}
					list = append(list, again{s, addr})
					for _, r := range s.relocs() {
						d, _, err := m.find(o, r.target)
						if err != nil {
							return nil, err
						}
						if r.kind == relMethodOff && d.o != nil {
							m.want(d)
						}
					}
				}
			}
		}
	}
	return list, nil
}

// replaceMethods writes the addresses of methods into descriptors and itabs.
func (m *module) replaceMethods(list []again) error {
	for _, t := range list {
		became := make(map[uint32]uint32) // addresses of functions
		for _, r := range t.s.relocs() {
			if r.kind != relMethodOff || r.off+4 > int(t.s.size()) {
				continue
			}
			addr, err := m.address(t.s.o, r.target)
			if err != nil {
				return err
			}
			at := (*uint32)(pointer(t.addr + uintptr(r.off)))
			if old := atomic.LoadUint32(at); old != uint32(addr) && addr != 0 {
				became[old] = uint32(addr)
				atomic.StoreUint32(at, uint32(addr))
			}
		}
		if len(became) > 0 {
			m.l.replaceInItabs(t.addr, became)
		}
	}
	return nil
}

// itabTable is runtime's: a hash table of all itabs.
type itabTable struct {
	size, _ uintptr
	entries [1]*itab
}

type itab struct {
	inter *struct {
		_       [48]byte // what all types have
		_       uintptr  // name of the package
		methods []uint64
	}
	typ uintptr
	_   uint32 // hash
	fun [1]uintptr
}

func (l *Loader) replaceInItabs(typ uintptr, became map[uint32]uint32) {
	table := *(**itabTable)(pointer(l.program.addr["runtime.itabTable"]))
	for _, t := range unsafe.Slice(&table.entries[0], table.size) {
		if t == nil || t.typ != typ || t.fun[0] == 0 { // a type that lacks a method has 0
			continue
		}
		funs := unsafe.Slice(&t.fun[0], len(t.inter.methods))
		for i := range funs {
			if now, ok := became[uint32(funs[i])]; ok {
				atomic.StoreUintptr(&funs[i], uintptr(now))
			}
		}
	}
}
