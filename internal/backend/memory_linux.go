//go:build cgo

package backend

/*
#include <malloc.h>

static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
#endif
}
*/
import "C"

// keepMemory has glibc keep the memory that XLA frees, for the next run of a graph.
// Otherwise it may give arrays of many megabytes back to the system and get them
// anew, cleared page by page, in every run.
func keepMemory() { C.keep_memory() }
