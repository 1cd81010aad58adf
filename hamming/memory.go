package hamming

import (
	"runtime"
	"unsafe"
)

// number is what the arrays of an index hold.
type number interface{ ~uint32 | ~uint64 }

// arena keeps the large arrays of one segment: off the Go heap where the
// system allows, on huge pages, because most of a look-up is random reads and
// each would miss the TLB otherwise. Its memory goes back to the system when
// the arena is no longer reachable, so whoever reads an array keeps its
// segment alive (runtime.KeepAlive).
type arena struct{ bytes int }

func newArena() *arena { return new(arena) }

// array returns n zeroed elements that live as long as a.
func array[T number](a *arena, n int) []T {
	if n == 0 {
		return nil
	}
	size := n * int(unsafe.Sizeof(T(0)))
	if size < offHeapFrom {
		return make([]T, n)
	}
	b := mapMemory(size)
	a.bytes += len(b)
	runtime.AddCleanup(a, unmapMemory, b)
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n) //nolint:gosec // pages are aligned for every number
}

// offHeapFrom is the size in bytes from which an array gets pages of its own:
// one huge page.
const offHeapFrom = 2 << 20
