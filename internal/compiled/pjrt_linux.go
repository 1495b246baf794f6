//go:build cgo

package compiled

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "pjrt.h"
*/
import "C"

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/go-xla/pjrt"

	"github.com/camlab-go/camlab/internal/plugin"
)

const keeps = true

// kept is the folder of this process's plugin.
var kept atomic.Pointer[folder]

// Keep has go-xla use the plugin at path, under that name, with what it compiles kept in
// [Dir]. It is for a processor's plugin, of which a process has one, and its flags have to be
// in the environment.
//
// It does nothing where nothing is to be kept. Nor does it for a plugin that setup has not
// installed, of which nothing is known.
func Keep(path string) {
	dir := Dir()
	if dir == "" || kept.Load() != nil {
		return
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), plugin.FlagsFile)); err != nil {
		return
	}
	maker, err := makerOf(path)
	if err != nil {
		return
	}
	name := append([]byte(path), 0)
	api := C.camlab_open((*C.char)(unsafe.Pointer(unsafe.SliceData(name))))
	if api == nil {
		return
	}
	kept.Store(&folder{dir: dir, maker: maker, most: mostBytes})
	_ = pjrt.RegisterPreloadedPlugin(path, uintptr(unsafe.Pointer(api))) // else go-xla loads it, and says what is wrong
}

// makerOf is all that an executable depends on beside its program: the plugin and its flags,
// and what the processor can do. Two processes that have other numbers of cores divide the work
// otherwise, and sums with it.
func makerOf(path string) (sum [sha256.Size]byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return sum, err
	}
	processor, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	fmt.Fprintln(h, version, path, info.Size(), info.ModTime().UnixNano(), os.Getenv("XLA_FLAGS"), runtime.NumCPU())
	for line := range strings.Lines(string(processor)) {
		if strings.TrimSpace(line) == "" {
			break // of the first core
		}
		for _, field := range []string{"vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU "} {
			if strings.HasPrefix(line, field) {
				fmt.Fprint(h, line)
			}
		}
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// camlabCompile is the function that compiles. It returns an error of PJRT's, or nil.
//
//export camlabCompile
func camlabCompile(args *C.camlab_compile_args) unsafe.Pointer {
	files := kept.Load()
	code := func(p *C.char, n C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n)) }
	file := files.name(code(args.program.code, args.program.code_size), code(args.options, args.options_size))
	if executable := files.get(file); len(executable) > 0 {
		if C.camlab_load(args, unsafe.Pointer(unsafe.SliceData(executable)), C.size_t(len(executable))) != 0 {
			return nil
		}
		files.drop(file)
	}
	if err := C.camlab_compile_anew(args); err != nil {
		return err
	}
	if !writable(args.executable) {
		return nil
	}
	if s := C.camlab_serialize(args.executable); s.bytes != nil {
		files.put(file, code((*C.char)(unsafe.Pointer(s.bytes)), s.size))
		C.camlab_free(s)
	}
	return nil
}

// writable reports whether an executable may be written: that of one with custom calls of
// oneDNN's ends the process.
func writable(executable unsafe.Pointer) bool {
	if !strings.Contains(os.Getenv("XLA_FLAGS"), oneDNN) {
		return true
	}
	var size C.size_t
	program := C.camlab_optimized(executable, &size)
	if program == nil {
		return false
	}
	defer C.free(unsafe.Pointer(program))
	return !bytes.Contains(unsafe.Slice((*byte)(unsafe.Pointer(program)), int(size)), []byte(oneDNN))
}

// oneDNN is a part of its flags' and of its operations' names.
const oneDNN = "onednn"
