//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"strings"
	"unsafe"
)

// tables are those by which the runtime finds functions, lines and variables of
// an address. Their form is that of cmd/link/internal/ld/pcln.go.
type tables struct {
	m      *module
	names  texts
	pctab  texts
	files  texts
	cutab  []uint32 // names of files, per object
	cu     map[*object]uint32
	funcs  []byte // a pcHeader, then runtime._func of each function
	ftab   []functab
	inline []byte // runtime.inlinedCall
	// fixes are where in funcs the address of a part of inline goes.
	fixes []fix
}

type fix struct{ at, inline int }

// texts is a table of byte strings, each once.
type texts struct {
	b  []byte
	at map[string]uint32
}

func newTexts() texts { return texts{[]byte{0}, make(map[string]uint32)} }

func (t *texts) add(s, end string) uint32 {
	a, ok := t.at[s]
	if !ok {
		a = uint32(len(t.b))
		t.at[s] = a
		t.b = append(append(t.b, s...), end...)
	}
	return a
}

// Layout of runtime._func, and indices of its tables.
const (
	funcSize        = 44
	pcdataInlTree   = 2
	funcdataInlTree = 3
	noFuncdata      = ^uint32(0)
)

// describe makes the runtime's description of the module.
func (m *module) describe() (*moduledata, error) {
	t := &tables{m: m, names: newTexts(), pctab: newTexts(), files: newTexts(), cu: make(map[*object]uint32), funcs: make([]byte, unsafe.Sizeof(pcHeader{}))}
	for _, s := range m.text {
		if err := t.function(s); err != nil {
			return nil, err
		}
	}
	t.ftab = append(t.ftab, functab{uint32(m.end), 0})
	mask, err := m.pointerMask()
	if err != nil {
		return nil, err
	}
	a := &m.l.data
	mds, err := keep(a, []moduledata{{modulename: "cell"}})
	if err != nil {
		return nil, err
	}
	md := &mds[0]
	inline, err := keep(a, t.inline)
	if err != nil {
		return nil, err
	}
	for _, f := range t.fixes {
		le.PutUint32(t.funcs[f.at:], uint32(addressOf(inline))+uint32(f.inline))
	}
	find, err := keep(a, t.buckets())
	if err != nil {
		return nil, err
	}
	kept, err := keep(a, mask)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		to   *[]byte
		from []byte
	}{{&md.funcnametab, t.names.b}, {&md.filetab, t.files.b}, {&md.pctab, t.pctab.b}, {&md.pclntable, t.funcs}} {
		if *f.to, err = keep(a, f.from); err != nil {
			return nil, err
		}
	}
	if md.cutab, err = keep(a, t.cutab); err != nil {
		return nil, err
	}
	if md.ftab, err = keep(a, t.ftab); err != nil {
		return nil, err
	}
	if md.typelinks, err = keep(a, m.typelinks()); err != nil {
		return nil, err
	}
	md.pcHeader = (*pcHeader)(unsafe.Pointer(&md.pclntable[0]))
	*md.pcHeader = pcHeader{magic: pclnMagic, minLC: 1, ptrSize: 8, nfunc: len(m.text), nfiles: uint(len(t.files.at))}
	md.findfunctab = addressOf(find)
	// text, gofunc, types and rodata are 0: offsets are addresses, see newModules.
	md.minpc, md.maxpc, md.etext = addressOf(m.code), m.end, m.end
	md.data, md.edata = addressOf(m.vars), addressOf(m.vars)+uintptr(len(m.vars))
	md.bss, md.ebss = md.edata, md.edata
	md.noptrdata, md.enoptrdata = addressOf(m.ro), addressOf(m.ro)+uintptr(len(m.ro))
	md.noptrbss, md.enoptrbss = md.enoptrdata, md.enoptrdata
	md.end = md.enoptrdata
	md.epclntab = 1<<31 - 1
	md.gcdatamask = bitvector{int32(len(m.vars) / 8), &kept[0]}
	md.gcbssmask = bitvector{0, &kept[0]}
	return md, nil
}

// pc adds the table of an auxiliary symbol: values by address, delta-encoded.
func (t *tables) pc(o *object, at target) (uint32, error) {
	_, _, d, err := t.m.l.resolve(o, at)
	if err != nil || d.o == nil || len(d.data()) == 0 {
		return 0, err // no table
	}
	return t.pctab.add(string(d.data()), ""), nil
}

// unit is where the names of an object's files begin.
func (t *tables) unit(o *object) uint32 {
	a, ok := t.cu[o]
	if !ok {
		a = uint32(len(t.cutab))
		t.cu[o] = a
		for i := range o.numFiles() {
			t.cutab = append(t.cutab, t.files.add(strings.TrimPrefix(o.file(i), "gofile.."), "\x00"))
		}
	}
	return a
}

// function describes a function.
func (t *tables) function(s symbol) error {
	o, m := s.o, t.m
	t.funcs = append(t.funcs, make([]byte, roundUp(len(t.funcs), 8)-len(t.funcs))...)
	t.ftab = append(t.ftab, functab{uint32(m.at[s]), uint32(len(t.funcs))})
	var info []byte
	var pcsp, pcfile, pcline, pcinline uint32
	var pcdata, funcdata []uint32
	for _, x := range s.auxs() {
		var err error
		switch x.kind {
		case auxFuncInfo:
			var d symbol
			if _, _, d, err = m.l.resolve(o, x.target); err == nil {
				info = d.data()
			}
		case auxPcsp:
			pcsp, err = t.pc(o, x.target)
		case auxPcfile:
			pcfile, err = t.pc(o, x.target)
		case auxPcline:
			pcline, err = t.pc(o, x.target)
		case auxPcinline:
			pcinline, err = t.pc(o, x.target)
		case auxPcdata:
			var a uint32
			a, err = t.pc(o, x.target)
			pcdata = append(pcdata, a)
		case auxFuncdata:
			var a uintptr
			a, err = m.address(o, x.target)
			if a == 0 {
				a = uintptr(noFuncdata)
			}
			funcdata = append(funcdata, uint32(a))
		}
		if err != nil {
			return err
		}
	}
	f := make([]byte, funcSize)
	le.PutUint32(f, uint32(m.at[s]))
	le.PutUint32(f[4:], t.names.add(s.name(), "\x00"))
	if info != nil {
		copy(f[8:12], info) // size of arguments
		copy(f[36:40], info[12:])
		copy(f[40:42], info[8:]) // what is special about it
		n, err := t.inlined(o, info)
		if err != nil {
			return err
		}
		if n >= 0 {
			for len(pcdata) <= pcdataInlTree {
				pcdata = append(pcdata, 0)
			}
			pcdata[pcdataInlTree] = pcinline
			for len(funcdata) <= funcdataInlTree {
				funcdata = append(funcdata, noFuncdata)
			}
			t.fixes = append(t.fixes, fix{len(t.funcs) + funcSize + 4*(len(pcdata)+funcdataInlTree), n})
		}
	}
	for _, r := range s.relocs() {
		if r.kind == relCall {
			if n, _, _, err := m.l.resolve(o, r.target); err == nil && n == "runtime.deferreturn" {
				le.PutUint32(f[12:], uint32(r.off-1)) // where the call begins
				break
			}
		}
	}
	le.PutUint32(f[16:], pcsp)
	le.PutUint32(f[20:], pcfile)
	le.PutUint32(f[24:], pcline)
	le.PutUint32(f[28:], uint32(len(pcdata)))
	le.PutUint32(f[32:], t.unit(o))
	f[43] = uint8(len(funcdata))
	t.funcs = append(t.funcs, f...)
	for _, v := range append(pcdata, funcdata...) {
		t.funcs = le.AppendUint32(t.funcs, v)
	}
	return nil
}

// inlined adds the calls that have been inlined in a function and returns where
// they begin, or -1. info is its FuncInfo of goobj.
func (t *tables) inlined(o *object, info []byte) (int, error) {
	const fixed, node = 16, 24
	calls := info[fixed+4+4*le.Uint32(info[fixed:]):]
	n := le.Uint32(calls)
	if n == 0 {
		return -1, nil
	}
	from := len(t.inline)
	for b := calls[4:]; n > 0; n, b = n-1, b[node:] { // parent, file, line, function, address in parent
		name, id, line, err := t.start(o, target{le.Uint32(b[12:]), le.Uint32(b[16:])})
		if err != nil {
			return 0, err
		}
		t.inline = append(t.inline, id, 0, 0, 0)
		t.inline = le.AppendUint32(t.inline, t.names.add(name, "\x00"))
		t.inline = append(t.inline, b[20:24]...)
		t.inline = le.AppendUint32(t.inline, line)
	}
	return from, nil
}

// start is the name of a function, what is special about it, and its first line.
func (t *tables) start(o *object, at target) (name string, id byte, line uint32, err error) {
	l := t.m.l
	name, abi, d, err := l.resolve(o, at)
	if err != nil {
		return "", 0, 0, err
	}
	if d.o == nil {
		if d, err = l.search(o, name, abi); err != nil {
			return name, 0, 0, nil // only the line is missing
		}
	}
	for _, x := range d.auxs() {
		if x.kind == auxFuncInfo {
			_, _, i, err := l.resolve(d.o, x.target)
			if err != nil {
				return "", 0, 0, err
			}
			return name, i.data()[8], le.Uint32(i.data()[12:]), nil
		}
	}
	return name, 0, 0, nil
}

// buckets tell for each 4096 bytes of the code the function that holds the first:
// runtime.findfuncbucket. The runtime goes on from there.
func (t *tables) buckets() []byte {
	const bucket, bucketSize = 4096, 20
	first := addressOf(t.m.code)
	b := make([]byte, (int(t.m.end-first)/bucket+1)*bucketSize)
	k := 0
	for i := 0; i < len(b)/bucketSize; i++ {
		for k+2 < len(t.ftab) && uintptr(t.ftab[k+1].entryoff) <= first+uintptr(i*bucket) {
			k++
		}
		le.PutUint32(b[i*bucketSize:], uint32(k))
	}
	return b
}
