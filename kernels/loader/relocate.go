//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"fmt"
	"strings"
	"unsafe"
)

// memory is where a symbol has been placed.
func (m *module) memory(s symbol) []byte {
	b := m.ro
	switch {
	case s.text():
		b = m.code
	case s.scanned():
		b = m.vars
	}
	return b[m.at[s]-addressOf(b):]
}

// relocate writes the addresses that symbols refer to. itabs are those that the
// runtime has made.
func (m *module) relocate(list []symbol, itabs map[symbol]uintptr) error {
	for _, s := range list {
		for _, r := range s.relocs() {
			if r.notes() {
				continue
			}
			if err := m.relocateOne(s, r, itabs); err != nil {
				return fmt.Errorf("loader: %s: relocation %d at %d: %w", s.name(), r.kind, r.off, err)
			}
		}
	}
	return nil
}

func (m *module) relocateOne(s symbol, r reloc, itabs map[symbol]uintptr) error {
	mem := m.memory(s)
	b := mem[r.off:]
	kind := r.kind &^ relWeak
	if kind == relTLS {
		le.PutUint32(b, uint32(m.l.program.tls))
		return nil
	}
	d, addr, err := m.find(s.o, r.target)
	if err != nil {
		return err
	}
	if d.o != nil {
		if a, ok := itabs[d]; ok {
			addr = a
		} else {
			addr = m.at[d]
		}
	}
	if addr == 0 && (r.kind&relWeak == 0 || kind == relCall || kind == relPCRel) && r.size > 0 {
		return fmt.Errorf("nothing there")
	}
	v := int64(addr) + r.add
	switch kind {
	case relCall, relPCRel:
		next := int64(m.at[s]) + int64(r.off) + int64(r.size)
		if kind == relPCRel && d.o != nil && isItab(d) && !fits(v-next) {
			if v, err = m.farItab(d, addr, r, mem); err != nil {
				return err
			}
		}
		return put32(b, v-next)
	case relMethodOff:
		if addr == 0 {
			v = -1 // the runtime's sign for a method that is not there
		}
	default:
		if addr == 0 {
			v = 0
		}
	}
	switch r.size {
	case 8:
		le.PutUint64(b, uint64(v))
	case 4:
		// Offsets are counted from 0, see newModules: they are addresses.
		return put32(b, v)
	}
	return nil
}

func fits(v int64) bool { return v == int64(int32(v)) }

func put32(b []byte, v int64) error {
	if !fits(v) {
		return fmt.Errorf("%#x does not fit in 32 bits", v)
	}
	le.PutUint32(b, uint32(v))
	return nil
}

// An itab is a table of an interface type and a type that implements it: the two,
// a hash, and then the methods.
const itabHash = 16 // where the hash is, after the two

func isItab(s symbol) bool { return s.itab() || strings.HasPrefix(s.name(), "go:itab.") }

func itabSlotSize(s symbol) int { return 8 + roundUp(int(s.size()), 8) }

// farItab is for code that refers to an itab by its distance, where the runtime
// has made it too far away. The itab's address is loaded from a word of ours
// instead of computed: LEA becomes MOV. What the code reads out of the itab, which
// never changes, it reads from a copy.
func (m *module) farItab(d symbol, itab uintptr, r reloc, code []byte) (int64, error) {
	slot := 0
	for _, s := range m.itabs {
		if s == d {
			break
		}
		slot += itabSlotSize(s)
	}
	at := int64(addressOf(m.copy)) + int64(slot)
	if r.add != 0 {
		copy(m.copy[slot+8:], unsafe.Slice((*byte)(pointer(itab)), d.size()))
		return at + 8 + r.add, nil
	}
	const lea, mov = 0x8d, 0x8b
	if op := code[r.off-2]; op != lea && op != mov {
		return 0, fmt.Errorf("instruction %#x for an itab", op)
	}
	code[r.off-2] = mov
	le.PutUint64(m.copy[slot:], uint64(itab))
	return at, nil
}

// relocateData makes types whole: methods are looked up in them before itabs, to
// which the code refers, are there. It is done again with the itabs.
func (m *module) relocateData() error {
	none := make(map[symbol]uintptr)
	for _, s := range m.itabs {
		none[s] = 1
	}
	return m.relocate(m.rest, none)
}

//go:linkname getitab runtime.getitab
func getitab(inter, typ unsafe.Pointer, canfail bool) unsafe.Pointer

// makeItabs has the runtime make the itabs: there is to be one for each pair of
// types, since interface values are compared by it.
func (m *module) makeItabs() (map[symbol]uintptr, error) {
	itabs := make(map[symbol]uintptr)
	for _, s := range m.itabs {
		var types [2]uintptr
		for _, r := range s.relocs() {
			if r.off < itabHash && r.size == 8 {
				a, err := m.address(s.o, r.target)
				if err != nil {
					return nil, err
				}
				types[r.off/8] = a
			}
		}
		if types[0] == 0 || types[1] == 0 {
			return nil, fmt.Errorf("loader: %s: no types", s.name())
		}
		p := getitab(pointer(types[0]), pointer(types[1]), false)
		// The runtime leaves out the hash, which type switches look at: that of the type.
		if h := (*uint32)(unsafe.Add(p, itabHash)); *h == 0 {
			*h = *(*uint32)(pointer(types[1] + 16))
		}
		itabs[s] = uintptr(p)
	}
	return itabs, nil
}
