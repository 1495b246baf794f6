//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"fmt"
	"syscall"
	"unsafe"
)

const pageSize = 4096

// arena is memory in the first 2 GiB, which is where the program is, too: 32 bits
// are then enough for addresses, and for distances from code to what it uses.
// What has been taken is never given back.
type arena struct {
	free []byte
	used int
}

// alloc returns size bytes, all 0, at a multiple of align.
func (a *arena) alloc(size, align int) ([]byte, error) {
	if len(a.free) > 0 {
		at := addressOf(a.free)
		a.take(min(roundUp(int(at), align)-int(at), len(a.free)))
	}
	if size > len(a.free) {
		const chunk = 256 << 10
		b, err := syscall.Mmap(-1, 0, roundUp(max(size, chunk), pageSize), syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_32BIT)
		if err != nil {
			return nil, fmt.Errorf("loader: no memory below 2 GiB: %w", err)
		}
		a.free = b
	}
	return a.take(size), nil
}

func (a *arena) take(n int) []byte {
	b := a.free[:n:n]
	a.free = a.free[n:]
	a.used += n
	return b
}

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// executable makes code executable, and no longer writable.
func executable(code []byte) error {
	if err := syscall.Mprotect(code, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		return fmt.Errorf("loader: the system does not let memory become executable: %w", err)
	}
	return nil
}

// keep copies a table into an arena.
func keep[T any](a *arena, table []T) ([]T, error) {
	if len(table) == 0 {
		return nil, nil
	}
	b, err := a.alloc(len(table)*int(unsafe.Sizeof(table[0])), 8)
	if err != nil {
		return nil, err
	}
	t := unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(table))
	copy(t, table)
	return t, nil
}
