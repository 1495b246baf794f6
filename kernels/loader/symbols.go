//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// program is what the running program's file says about it.
type program struct {
	addr map[string]uintptr // of symbols
	// packages are those that it has, with the hash of what they export.
	packages map[string][8]byte
	tls      int32 // where the pointer to a goroutine is, from FS
}

// readProgram reads the symbol table of the running program.
func readProgram() (*program, error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("loader: the program's own file: %w", err)
	}
	defer file.Close()
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, fmt.Errorf("loader: the program's own file: %w", err)
	}
	if f.Type != elf.ET_EXEC {
		return nil, errors.New("loader: the program is position independent; build it with -buildmode=exe")
	}
	table, names := f.Section(".symtab"), f.Section(".strtab")
	if table == nil || names == nil {
		return nil, errors.New("loader: the program has no symbol table; build it without -ldflags=-s")
	}
	// The names stay mapped: a map of as many strings would be copied at each start.
	text, err := mapSection(file, names)
	if err != nil {
		return nil, err
	}
	entries := make([]byte, table.Size)
	if _, err := io.ReadFull(table.Open(), entries); err != nil {
		return nil, fmt.Errorf("loader: the program's symbol table: %w", err)
	}
	p := &program{addr: make(map[string]uintptr, len(entries)/elf.Sym64Size), packages: make(map[string][8]byte), tls: -8}
	hashes := make(map[string]uintptr)
	for ; len(entries) >= elf.Sym64Size; entries = entries[elf.Sym64Size:] {
		at, kind, section, value := le.Uint32(entries), elf.SymType(entries[4]&0xf), elf.SectionIndex(le.Uint16(entries[6:])), le.Uint64(entries[8:])
		if section == elf.SHN_UNDEF || kind == elf.STT_SECTION || kind == elf.STT_FILE || int(at) >= len(text) {
			continue
		}
		n := bytes.IndexByte(text[at:], 0)
		if n <= 0 {
			continue
		}
		name := unsafe.String(&text[at], n)
		if kind == elf.STT_TLS {
			if name == "runtime.tlsg" {
				p.tls = int32(value) - tlsSize(f)
			}
			continue
		}
		if path, ok := strings.CutPrefix(name, "go:link.pkghashbytes."); ok {
			hashes[path] = uintptr(value)
			continue
		}
		if strings.HasPrefix(name, "local.") || strings.HasPrefix(name, "go:link.") {
			continue
		}
		p.addr[name] = uintptr(value)
	}
	// Is it this program's, with the names of types and the hashes of packages?
	if p.addr["os.Args"] != uintptr(unsafe.Pointer(&os.Args)) {
		return nil, errors.New("loader: the symbol table is not this program's")
	}
	if len(hashes) == 0 || p.addr[mangle("type:os.File")] == 0 {
		return nil, errors.New(`loader: the program's symbol table has no types; import _ "plugin" in it`)
	}
	for path, a := range hashes {
		p.packages[path] = *(*[8]byte)(pointer(a))
	}
	return p, nil
}

// mapSection maps the part of a file where a section is.
func mapSection(f *os.File, s *elf.Section) ([]byte, error) {
	before := int64(s.Offset) % int64(os.Getpagesize())
	b, err := syscall.Mmap(int(f.Fd()), int64(s.Offset)-before, int(int64(s.Size)+before), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("loader: the program's symbol table: %w", err)
	}
	return b[before:], nil
}

// tlsSize is the size of the memory that each thread has, which ends at FS.
func tlsSize(f *elf.File) int32 {
	for _, p := range f.Progs {
		if p.Type == elf.PT_TLS {
			return int32((p.Memsz + p.Align - 1) &^ (p.Align - 1))
		}
	}
	return 0
}

// mangle makes a symbol's name as the program's table has it: the linker
// shortens names of types, and of what is made for types, to hashes. It is
// typeSymbolMangle of cmd/link/internal/ld.
func mangle(name string) string {
	isType := strings.HasPrefix(name, "type:")
	if !isType && !strings.Contains(name, "@") || strings.HasPrefix(name, "type:runtime.") || len(name) <= 14 && !strings.Contains(name, "@") {
		return name
	}
	short := func(s string) string {
		h := sha256.Sum256([]byte(s))
		h[0] ^= 0xff
		return base64.StdEncoding.EncodeToString(h[:6])
	}
	if isType {
		prefix := "type:"
		if name[5] == '.' {
			prefix = "type:."
		}
		return prefix + short(name[5:])
	}
	i, j := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if j == -1 || j <= i {
		j = len(name)
	}
	return name[:i+1] + short(name[i+1:j]) + name[j:]
}

// escape writes a package's path as names of symbols have it.
func escape(path string) string {
	i := strings.LastIndexByte(path, '/')
	return path[:i+1] + strings.ReplaceAll(path[i+1:], ".", "%2e")
}
