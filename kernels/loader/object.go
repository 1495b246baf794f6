//go:build linux && amd64 && go1.26 && !go1.27

package loader

// The format is that of cmd/internal/goobj, Go 1.26, which says what each block holds.

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// Blocks of an object.
const (
	blkAutolib = iota
	blkPkgIdx
	blkFile
	blkSymdef
	blkHashed64def
	blkHasheddef
	blkNonpkgdef
	blkNonpkgref
	_ // flags of references
	_ // short hashes
	_ // hashes
	blkRelocIdx
	blkAuxIdx
	blkDataIdx
	blkReloc
	blkAux
	blkData
	_ // names of references
	blkEnd
	numBlk
)

const (
	objMagic   = "\x00go120ld"
	headerSize = len(objMagic) + 8 + 4 + 4*numBlk

	stringSize  = 8
	autolibSize = stringSize + 8
	symSize     = 21
	relocSize   = 23
	auxSize     = 9
)

// Package indices of references. Others count the package's imports from 1.
const (
	pkgNone     = 1<<31 - 1
	pkgHashed64 = pkgNone - 1
	pkgHashed   = pkgNone - 2
	pkgBuiltin  = pkgNone - 3
	pkgSelf     = pkgNone - 4
	pkgInvalid  = 0
)

// Kinds of symbols, of cmd/internal/objabi.
const (
	symText, symTextFIPS = 1, 2
	symNoptrData         = 5
	symData, symDataFIPS = 7, 8
	symBSS, symNoptrBSS  = 9, 10
)

// ABIs of symbols.
const (
	abiInternal = 1
	abiStatic   = ^uint16(0)
)

// Kinds of auxiliary symbols.
const (
	auxGotype   = 0
	auxFuncInfo = 1
	auxFuncdata = 2
	auxPcsp     = 7
	auxPcfile   = 8
	auxPcline   = 9
	auxPcinline = 10
	auxPcdata   = 11
)

var le = binary.LittleEndian

// object is one Go object of an archive. Its methods panic where the object is
// damaged: indices out of range.
type object struct {
	b     []byte
	pkg   string
	off   [numBlk]uint32
	named map[string][]uint32 // definitions by name; made when first needed
}

func newObject(b []byte, pkg string) (*object, error) {
	if len(b) < headerSize || string(b[:len(objMagic)]) != objMagic {
		return nil, fmt.Errorf("not an object of Go 1.26")
	}
	o := &object{b: b, pkg: pkg}
	before := uint32(headerSize)
	for i := range o.off {
		o.off[i] = le.Uint32(b[headerSize-4*numBlk+4*i:])
		if o.off[i] < before || int(o.off[i]) > len(b) {
			return nil, fmt.Errorf("damaged: it ends after %d bytes", len(b))
		}
		if i < blkEnd {
			before = o.off[i]
		}
	}
	return o, nil
}

// fingerprint is the hash of what the package exports.
func (o *object) fingerprint() [8]byte { return [8]byte(o.b[len(objMagic):]) }

func (o *object) u32(off uint32) uint32 { return le.Uint32(o.b[off:]) }

// count is the number of entries of a block.
func (o *object) count(block, size int) uint32 {
	return (o.off[block+1] - o.off[block]) / uint32(size)
}

// str is the string at an offset. It shares the object's memory.
func (o *object) str(off uint32) string {
	n, at := o.u32(off), o.u32(off+4)
	if n == 0 {
		return ""
	}
	b := o.b[at : at+n]
	return unsafe.String(&b[0], len(b))
}

func (o *object) packageAt(i uint32) string { return o.str(o.off[blkPkgIdx] + i*stringSize) }
func (o *object) numFiles() uint32          { return o.count(blkFile, stringSize) }
func (o *object) file(i uint32) string      { return o.str(o.off[blkFile] + i*stringSize) }

// imported is a package that an object needs, with the hash that it had.
type imported struct {
	path        string
	fingerprint [8]byte
}

func (o *object) imports() []imported {
	list := make([]imported, o.count(blkAutolib, autolibSize))
	for i := range list {
		at := o.off[blkAutolib] + uint32(i)*autolibSize
		list[i] = imported{o.str(at), [8]byte(o.b[at+stringSize:])}
	}
	return list
}

// Symbols are numbered: those of the package, those known by a hash (short and
// long), others, and then references to others.
func (o *object) firstHashed64() uint32 { return o.count(blkSymdef, symSize) }
func (o *object) firstHashed() uint32 {
	return o.firstHashed64() + o.count(blkHashed64def, symSize)
}
func (o *object) firstNonpkg() uint32 {
	return o.firstHashed() + o.count(blkHasheddef, symSize)
}
func (o *object) numDefs() uint32 { return o.firstNonpkg() + o.count(blkNonpkgdef, symSize) }

// symbol is a definition in an object, or a reference by name. Its zero value
// means none.
type symbol struct {
	o *object
	i uint32
}

func (s symbol) entry() []byte {
	at := s.o.off[blkSymdef] + s.i*symSize
	return s.o.b[at : at+symSize]
}

func (s symbol) name() string  { return s.o.str(s.o.off[blkSymdef] + s.i*symSize) }
func (s symbol) abi() uint16   { return le.Uint16(s.entry()[8:]) }
func (s symbol) kind() byte    { return s.entry()[10] }
func (s symbol) size() uint32  { return le.Uint32(s.entry()[13:]) }
func (s symbol) align() uint32 { return le.Uint32(s.entry()[17:]) }

// dupok reports whether other objects may define the symbol, too, all the same.
func (s symbol) dupok() bool    { return s.entry()[11]&(1<<0) != 0 }
func (s symbol) typelink() bool { return s.entry()[11]&(1<<2) != 0 }
func (s symbol) itab() bool     { return s.entry()[12]&(1<<1) != 0 }

// abiWrapper reports whether the symbol calls the function of the same name that
// has the other ABI.
func (s symbol) abiWrapper() bool { return s.entry()[12]&(1<<5) != 0 }

func (s symbol) text() bool { return s.kind() == symText || s.kind() == symTextFIPS }

// scanned reports whether the symbol is a variable in which pointers may be.
func (s symbol) scanned() bool {
	k := s.kind()
	return k == symData || k == symDataFIPS || k == symBSS
}

// writable reports whether the symbol is a variable.
func (s symbol) writable() bool { return s.kind() >= symNoptrData && s.kind() <= symNoptrBSS }

// slice returns entries of a block that an index counts for the symbol.
func (s symbol) slice(index, block, size int) []byte {
	at := s.o.off[index] + 4*s.i
	from, end := s.o.u32(at)*uint32(size), s.o.u32(at+4)*uint32(size)
	base := s.o.off[block]
	return s.o.b[base+from : base+end : base+end]
}

func (s symbol) data() []byte { return s.slice(blkDataIdx, blkData, 1) }

// target names a symbol: PkgIdx and SymIdx of goobj.
type target struct{ pkg, sym uint32 }

// reloc is a place in a symbol's data where an address goes.
type reloc struct {
	off, size int
	kind      uint16
	add       int64
	target    target
}

func (s symbol) relocs() []reloc {
	b := s.slice(blkRelocIdx, blkReloc, relocSize)
	list := make([]reloc, len(b)/relocSize)
	for i := range list {
		e := b[i*relocSize:]
		list[i] = reloc{int(int32(le.Uint32(e))), int(e[4]), le.Uint16(e[5:]), int64(le.Uint64(e[7:])), target{le.Uint32(e[15:]), le.Uint32(e[19:])}}
	}
	return list
}

// aux is a symbol that describes another one.
type aux struct {
	kind   byte
	target target
}

func (s symbol) auxs() []aux {
	b := s.slice(blkAuxIdx, blkAux, auxSize)
	list := make([]aux, len(b)/auxSize)
	for i := range list {
		e := b[i*auxSize:]
		list[i] = aux{e[0], target{le.Uint32(e[1:]), le.Uint32(e[5:])}}
	}
	return list
}

// names are the object's definitions by name.
func (o *object) names() map[string][]uint32 {
	if o.named == nil {
		o.named = make(map[string][]uint32)
		for i := range o.numDefs() {
			if name := (symbol{o, i}).name(); name != "" {
				o.named[name] = append(o.named[name], i)
			}
		}
	}
	return o.named
}
