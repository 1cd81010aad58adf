package hamming

import (
	"runtime"
	"unsafe"
)

// number is what the arrays of an index hold.
type number interface{ ~uint8 | ~uint32 | ~uint64 }

// arena keeps the large arrays of one segment: off the Go heap where the
// system allows, on huge pages, because most of a look-up is random reads and
// each would miss the TLB otherwise. Its memory goes back to the system when
// the arena is no longer reachable, so whoever reads an array keeps its
// segment alive (runtime.KeepAlive).
type arena struct {
	heap  bool   // small: all of it is on the Go heap
	free  []byte // what is left of the last mapping
	bytes int    // mapped
}

// newArena returns an arena for arrays of about size bytes together.
func newArena(size int) *arena { return &arena{heap: size < hugePage} }

// hugePage is the unit in which memory is mapped.
const hugePage = 2 << 20

// array returns n zeroed elements that live as long as a.
func array[T number](a *arena, n int) []T {
	if n == 0 {
		return nil
	}
	if a.heap {
		return make([]T, n)
	}
	const line = 64
	size := (n*int(unsafe.Sizeof(T(0))) + line - 1) &^ (line - 1)
	if size > len(a.free) {
		b := mapMemory((size + hugePage - 1) &^ (hugePage - 1))
		a.bytes += len(b)
		runtime.AddCleanup(a, unmapMemory, b)
		if len(b)-size < len(a.free) {
			return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n) //nolint:gosec // pages are aligned for every number
		}
		a.free = b
	}
	p := &a.free[0]
	a.free = a.free[size:]
	return unsafe.Slice((*T)(unsafe.Pointer(p)), n) //nolint:gosec // a line is aligned for every number
}
