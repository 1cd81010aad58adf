package pdq

import (
	"github.com/tangkal/tangkal/pdq/internal/kernel"
)

// An Orientation is one of the eight ways in which a picture can be turned and
// mirrored. The names are the reference's.
type Orientation uint8

// The eight orientations. A picture that was turned or mirrored has, at some
// bits' distance, the hash that the original's variant of that name has.
const (
	Original   Orientation = iota
	Rotate90               // a quarter turn against the clock
	Rotate180              // a half turn
	Rotate270              // a quarter turn with the clock
	FlipX                  // top and bottom exchanged
	FlipY                  // left and right exchanged, as in a mirror
	FlipPlus1              // rows and columns exchanged, along the diagonal from the top left
	FlipMinus1             // the same along the other diagonal
)

var orientationNames = [8]string{"original", "rotate-90", "rotate-180", "rotate-270", "flip-x", "flip-y", "flip-plus-1", "flip-minus-1"}

// String returns a name such as "rotate-90".
func (o Orientation) String() string { return orientationNames[o&7] }

// A spectrum is the 16x16 lowest frequencies of a picture, row by row.
type spectrum [kernel.Coefs * kernel.Coefs]float32

// hash returns a bit for each frequency above the median.
func (s *spectrum) hash() Hash { return s.bits().hash() }

// variants returns the hashes of all orientations. Turning a picture changes
// signs and places of its frequencies and nothing else; four patterns of signs,
// each as it is and with rows and columns exchanged, are the eight orientations.
func (s *spectrum) variants() (v [8]Hash) {
	for signs, to := range [4][2]Orientation{{Original, FlipPlus1}, {FlipY, Rotate90}, {FlipX, Rotate270}, {Rotate180, FlipMinus1}} {
		t := s.signed(signs)
		w := t.bits()
		v[to[0]] = w.hash()
		w = w.transposed()
		v[to[1]] = w.hash()
	}
	return v
}

// signed returns s with the values of a pattern negated: 0 none, 1 those in
// even columns, 2 those in even rows, 3 those where row plus column is odd.
func (s *spectrum) signed(pattern int) *spectrum {
	t := *s
	for k := range t {
		i, j := k/kernel.Coefs, k%kernel.Coefs
		if pattern == 1 && j&1 == 0 || pattern == 2 && i&1 == 0 || pattern == 3 && (i+j)&1 == 1 {
			t[k] = -t[k]
		}
	}
	return &t
}

// Words are the rows of a hash, the lowest bit for the first column.
type words [kernel.Coefs]uint16

func (s *spectrum) bits() (w words) {
	median := s.median()
	for i := range w {
		row := s[i*kernel.Coefs : (i+1)*kernel.Coefs]
		for j, v := range row {
			if v > median {
				w[i] |= 1 << j
			}
		}
	}
	return w
}

// transposed exchanges rows and columns: blocks of 8, 4, 2 and 1 at a time.
func (w words) transposed() words {
	for size, mask := 8, uint16(0x00ff); size > 0; size, mask = size/2, mask^mask<<(size/2) {
		for i := 0; i < kernel.Coefs; i++ {
			if i&size == 0 {
				t := (w[i]>>size ^ w[i|size]) & mask
				w[i|size] ^= t
				w[i] ^= t << size
			}
		}
	}
	return w
}

func (w words) hash() (h Hash) {
	for i, v := range w {
		h[Size-1-2*i], h[Size-2-2*i] = byte(v&0xff), byte(v>>8)
	}
	return h
}

// median returns the 128th smallest of the 256 values, by splitting at a pivot
// again and again.
func (s *spectrum) median() float32 {
	v := *s
	lo, hi := 0, len(v)-1
	const want = len(v)/2 - 1
	for lo < hi {
		a, b, c := v[lo], v[(lo+hi)/2], v[hi]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case want <= j:
			hi = j
		case want >= i:
			lo = i
		default:
			return v[want]
		}
	}
	return v[want]
}
