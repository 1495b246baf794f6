//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"errors"
	"sync/atomic"
	"unsafe"
)

// The types here are runtime's, of Go 1.26: see runtime/symtab.go.

type pcHeader struct {
	magic          uint32
	pad1, pad2     uint8
	minLC          uint8
	ptrSize        uint8
	nfunc          int
	nfiles         uint
	_              uintptr
	funcnameOffset uintptr
	cuOffset       uintptr
	filetabOffset  uintptr
	pctabOffset    uintptr
	pclnOffset     uintptr
}

type functab struct{ entryoff, funcoff uint32 }

type bitvector struct {
	n        int32
	bytedata *uint8
}

type moduledata struct {
	pcHeader     *pcHeader
	funcnametab  []byte
	cutab        []uint32
	filetab      []byte
	pctab        []byte
	pclntable    []byte
	ftab         []functab
	findfunctab  uintptr
	minpc, maxpc uintptr

	text, etext           uintptr
	noptrdata, enoptrdata uintptr
	data, edata           uintptr
	bss, ebss             uintptr
	noptrbss, enoptrbss   uintptr
	covctrs, ecovctrs     uintptr
	end, gcdata, gcbss    uintptr
	types, etypes         uintptr
	rodata                uintptr
	gofunc                uintptr
	epclntab              uintptr

	textsectmap []struct{ vaddr, end, base uintptr }
	typelinks   []int32
	itablinks   []unsafe.Pointer

	ptab []struct{ name, typ int32 }

	pluginpath string
	pkghashes  []struct{} // not used

	inittasks []unsafe.Pointer

	modulename   string
	modulehashes []struct{} // not used

	hasmain uint8
	bad     bool

	gcdatamask, gcbssmask bitvector

	typemap map[int32]unsafe.Pointer

	next *moduledata
}

// modules is what the runtime knows of the program's parts: a list, in which it
// looks for the part that has an address, and a slice of those with variables and
// types, for the garbage collector and for reflection.
//
// A plugin is made known in the same way while a program runs. The runtime's own
// function for it, modulesinit, makes the slice anew for each; here it grows.
type modules struct {
	base   *moduledata
	active []*moduledata
	slice  *unsafe.Pointer // runtime.modulesSlice
}

const pclnMagic = 0xfffffff1

// newModules puts a part without code at the end of the list. In it all addresses
// below 2 GiB are types: types that are not the program's are looked for there,
// and their 32-bit offsets, to names, other types and methods, count from 0. So
// an offset is an address, and reaches into the program and into any module.
func (l *Loader) newModules() (*modules, error) {
	at := func(name string) unsafe.Pointer { return pointer(l.program.addr["runtime."+name]) }
	main, last, slice := (*moduledata)(at("firstmoduledata")), (**moduledata)(at("lastmoduledatap")), (*unsafe.Pointer)(at("modulesSlice"))
	// Are the structures those that are known?
	switch {
	case main == nil || last == nil || slice == nil,
		main.pcHeader == nil || main.pcHeader.magic != pclnMagic || main.pcHeader.ptrSize != 8,
		main.minpc != l.program.addr["runtime.text"], main.etypes != l.program.addr["runtime.etypes"],
		main.hasmain != 1, main.gcdatamask.bytedata == nil, main.next != nil, *last != main, *slice == nil:
		return nil, errors.New("loader: the runtime of this program is not that of Go 1.26, or plugins are loaded")
	}
	mem, err := l.data.alloc(int(unsafe.Sizeof(moduledata{})), 8)
	if err != nil {
		return nil, err
	}
	base := (*moduledata)(unsafe.Pointer(&mem[0]))
	base.modulename = "types of cells"
	base.etypes = 1<<31 - 1
	s := &modules{base: base, active: append([]*moduledata(nil), *(*[]*moduledata)(*slice)...), slice: slice}
	storeModule(&main.next, base)
	*last = base
	return s, nil
}

// add makes a module known. It comes first among those loaded, since functions of
// the newest cells are looked for most.
func (s *modules) add(md *moduledata) {
	s.active = append(s.active, md)
	active := s.active
	atomic.StorePointer(s.slice, unsafe.Pointer(&active))
	md.next = s.base.next
	storeModule(&s.base.next, md)
}

func storeModule(at **moduledata, md *moduledata) {
	atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(at)), unsafe.Pointer(md))
}
