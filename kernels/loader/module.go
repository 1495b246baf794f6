//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"fmt"
	"maps"
	"strings"
)

// module is what one load adds to the program.
type module struct {
	l     *Loader
	order []symbol           // all symbols of it
	at    map[symbol]uintptr // their addresses, once they have been placed
	first map[string]symbol  // of several definitions of one name, the one taken

	text, data, rest, itabs []symbol // order, by kind

	code []byte  // of text, with what fills its last page
	vars []byte  // of data
	ro   []byte  // of rest: what needs no scanning, variables without pointers too
	copy []byte  // words for itabs that are far away, see itabSlot
	end  uintptr // of text
}

// load links the cell's archive a, with packages that the program lacks, and
// returns the address of the function that runs the cell. All that can fail comes
// before the runtime is told of the module.
func (m *module) load(a *archive, packages []string, c Cell) (start uintptr, err error) {
	l := m.l
	for _, o := range a.objects {
		for i := range o.numDefs() {
			s := symbol{o, i}
			name := s.name()
			if v, ok := l.vars[strings.TrimPrefix(name, l.cell+".")]; ok && s.writable() && l.isCarried(name) && typeAt(v.typ).Size() != uintptr(s.size()) {
				return 0, fmt.Errorf("loader: %s: variable %s has %d bytes, want %d as an earlier cell declared it", c.Archive, name, s.size(), typeAt(v.typ).Size())
			}
			if !s.dupok() && !l.isCarried(name) && (s.text() || s.writable() || strings.HasPrefix(name, "type:")) {
				m.want(s)
			}
		}
	}
	var tasks []symbol
	task := func(o *object) {
		for _, i := range o.names()[escape(o.pkg)+"..inittask"] {
			m.want(symbol{o, i})
			tasks = append(tasks, symbol{o, i})
		}
	}
	for _, p := range packages {
		b, err := l.archive(p)
		if err != nil {
			return 0, err
		}
		for _, o := range b.objects {
			task(o)
		}
	}
	for _, o := range a.objects {
		task(o)
	}
	types, err := m.methodsAgain(a, c.Declared)
	if err != nil {
		return 0, err
	}
	for _, step := range []func() error{m.closure, m.place, m.relocateData} {
		if err := step(); err != nil {
			return 0, err
		}
	}
	md, err := m.describe()
	if err != nil {
		return 0, err
	}
	itabs, err := m.makeItabs()
	if err != nil {
		return 0, err
	}
	for _, list := range [][]symbol{m.rest, m.data, m.text} {
		if err := m.relocate(list, itabs); err != nil {
			return 0, err
		}
	}
	if err := executable(m.code); err != nil {
		return 0, err
	}
	run := c.Package + "." + c.Function
	for _, s := range m.text {
		if s.o.pkg == c.Package && s.name() == run {
			start = m.at[s]
		}
	}
	if start == 0 {
		return 0, fmt.Errorf("loader: %s: it has no function %s", c.Archive, c.Function)
	}
	vars, err := m.variables(c.Declared)
	if err != nil {
		return 0, err
	}
	maps.Copy(l.vars, vars)
	l.modules.add(md)
	if err := m.replaceMethods(types); err != nil {
		return 0, err
	}
	m.remember(run)
	for _, s := range tasks {
		b := s.data() // state, number of functions, their addresses
		for i := range uintptr(le.Uint32(b[4:])) {
			l.tasks = append(l.tasks, *(*uintptr)(pointer(m.at[s] + 8 + 8*i)))
		}
	}
	return start, nil
}

// remember keeps what later loads may refer to: not the function that runs the
// cell with its closures, nor the static symbols of a cell.
func (m *module) remember(run string) {
	for _, s := range m.order {
		name := s.name()
		own := s.o.pkg == m.l.cell && !s.dupok()
		if private(name, s) || s.itab() || own && (name == run || strings.HasPrefix(name, run+".") || strings.HasPrefix(name, m.l.cell+"..")) {
			continue
		}
		if k := key(name, s.abi()); own || m.l.addr[k] == 0 {
			m.l.add(k, m.at[s])
		}
	}
}

func (m *module) want(s symbol) {
	if _, ok := m.at[s]; !ok {
		m.at[s] = 0
		m.order = append(m.order, s)
	}
}

// find resolves what an object refers to: a symbol that is or could be of this
// module, or the address of another.
func (m *module) find(o *object, t target) (s symbol, addr uintptr, err error) {
	name, abi, d, err := m.l.resolve(o, t)
	if err != nil || name == "" && d.o == nil {
		return symbol{}, 0, err
	}
	if d.o != nil {
		if _, ok := m.at[d]; ok {
			return d, 0, nil
		}
	}
	if a := m.l.known(name, abi, d); a != 0 {
		return symbol{}, a, nil
	}
	if d.o == nil {
		if d, err = m.l.search(o, name, abi); err != nil {
			return symbol{}, 0, err
		}
	}
	if d.o.pkg == m.l.cell && !d.dupok() && d.writable() && m.l.isCarried(name) {
		return symbol{}, 0, fmt.Errorf("loader: the variable %s of an earlier cell is not in this process", name)
	}
	if private(name, d) {
		return d, 0, nil
	}
	k := key(name, abi)
	if s, ok := m.first[k]; ok {
		return s, 0, nil
	}
	m.first[k] = d
	return d, 0, nil
}

// address is that of what an object refers to, or 0 if it is not there.
func (m *module) address(o *object, t target) (uintptr, error) {
	s, addr, err := m.find(o, t)
	if s.o != nil {
		addr = m.at[s]
	}
	return addr, err
}

// Kinds of relocations, of cmd/internal/objabi. Others leave the code as it is.
const (
	relAddr      = 1
	relAddrOff   = 5 // 32 bits
	relCall      = 7
	relPCRel     = 14
	relTLS       = 15
	relMethodOff = 26      // 32 bits, of a method that may be missing
	relWeak      = 1 << 15 // does not ask for the symbol
)

// sets reports whether a relocation changes the symbol that has it.
func (r reloc) sets() bool {
	switch r.kind &^ relWeak {
	case relAddr, relAddrOff, relCall, relPCRel, relTLS, relMethodOff:
		return true
	}
	return false
}

// notes are relocations that only tell the linker what is used (R_USEIFACE and
// others) or where debuggers and initialization orders look.
func (r reloc) notes() bool {
	switch k := r.kind &^ relWeak; k {
	case 0, 10, 21, 22, 23, 24, 25, 27:
		return true
	default:
		return k > 80
	}
}

// closure adds all that the symbols of the module need.
func (m *module) closure() error {
	for n := 0; n < len(m.order); n++ {
		s := m.order[n]
		want := func(t target) error {
			d, _, err := m.find(s.o, t)
			if err == nil && d.o != nil {
				m.want(d)
			}
			return err
		}
		for _, r := range s.relocs() {
			switch {
			case r.notes(), r.kind == relTLS, isItab(s) && r.off >= itabHash:
				continue
			case !r.sets():
				return fmt.Errorf("loader: %s: relocation %d is not known", s.name(), r.kind)
			case r.kind&relWeak != 0:
				// A weak call initializes a map: it is made. What else is weak is
				// needed only if it is there for other reasons.
				if d, _, err := m.find(s.o, r.target); err != nil || d.o == nil || !d.text() {
					continue
				}
			}
			if err := want(r.target); err != nil {
				return fmt.Errorf("%w, for %s", err, s.name())
			}
		}
		for _, x := range s.auxs() {
			if x.kind == auxFuncdata || x.kind == auxGotype && (s.scanned() || s.writable() && s.o.pkg == m.l.cell) {
				if err := want(x.target); err != nil {
					return fmt.Errorf("%w, for %s", err, s.name())
				}
			}
		}
	}
	return nil
}

// place gives each symbol its address and copies it there.
func (m *module) place() error {
	sizes := make(map[*[]symbol]int)
	put := func(s symbol, list *[]symbol, least int) {
		n := roundUp(sizes[list], max(alignment(s), least))
		m.at[s] = uintptr(n)
		sizes[list] = n + max(int(s.size()), len(s.data()), 1) // each has an address of its own
		*list = append(*list, s)
	}
	copies := 0
	for _, s := range m.order {
		switch {
		case isItab(s):
			m.itabs = append(m.itabs, s)
			copies += itabSlotSize(s)
		case s.text():
			put(s, &m.text, 32)
		case s.scanned():
			put(s, &m.data, 8)
		default:
			put(s, &m.rest, 1)
		}
	}
	// A byte more: the module ends after its last function, so that an address
	// of return at its very end belongs to it.
	ends := sizes[&m.text] + 1
	var err error
	if m.code, err = m.l.code.alloc(roundUp(ends, pageSize), pageSize); err != nil {
		return err
	}
	for i := range m.code {
		m.code[i] = 0xcc // INT3
	}
	m.end = addressOf(m.code) + uintptr(ends)
	if m.vars, err = m.l.data.alloc(roundUp(sizes[&m.data], 8), 32); err != nil {
		return err
	}
	if m.ro, err = m.l.data.alloc(roundUp(sizes[&m.rest], 8), 32); err != nil {
		return err
	}
	if m.copy, err = m.l.data.alloc(copies, 8); err != nil {
		return err
	}
	for _, part := range []struct {
		list []symbol
		mem  []byte
	}{{m.text, m.code}, {m.data, m.vars}, {m.rest, m.ro}} {
		for _, s := range part.list {
			copy(part.mem[m.at[s]:], s.data())
			m.at[s] += addressOf(part.mem)
		}
	}
	return nil
}

// alignment is as cmd/link has it: without one of its own a symbol's is the
// largest power of 2 up to its size and 32. Code loads 16 bytes of data at once.
func alignment(s symbol) int {
	if a := int(s.align()); a > 0 {
		return a
	}
	a := 32
	for a > 1 && a > int(s.size()) {
		a /= 2
	}
	return a
}
