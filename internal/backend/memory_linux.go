//go:build cgo

package backend

/*
#include <malloc.h>

#ifdef __GLIBC__
static int one_arena;

// Before there are threads, which otherwise get arenas of their own.
__attribute__((constructor)) static void limit_arenas(void) {
	one_arena = mallopt(M_ARENA_MAX, 1);
}
#endif

static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
	if (!one_arena)
		mallopt(M_TOP_PAD, 128 << 20);
#endif
}
*/
import "C"

// keepMemory has glibc keep the memory that XLA frees, for the next run of a graph.
// Otherwise it may give arrays of many megabytes back to the system and get them
// anew, cleared page by page, in every run: those above a threshold, what is free at
// the end of the heap, and of a thread's arena all heaps, of 64 MB each, that are free
// and all arrays that are larger than one. Hence a single arena for all threads: with
// more, which thread got what decided whether a process was a third slower than others.
// Go's own linker leaves the constructor out (camlab's releases are linked so): there a
// padding larger than a heap has glibc keep the heaps at least.
func keepMemory() { C.keep_memory() }
