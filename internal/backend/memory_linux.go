//go:build cgo

package backend

/*
#include <malloc.h>

static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
	mallopt(M_TOP_PAD, 128 << 20);
#endif
}
*/
import "C"

// keepMemory has glibc keep the memory that XLA frees, for the next run of a graph.
// Otherwise it may give arrays of many megabytes back to the system and get them
// anew, cleared page by page, in every run: those above a threshold, what is free at
// the end of the heap, and the heaps of threads, of 64 MB each, that are free as a
// whole. The last happens in some processes and not in others, by which thread gets
// what; the padding is more than such a heap, so that glibc never finds one to spare.
func keepMemory() { C.keep_memory() }
