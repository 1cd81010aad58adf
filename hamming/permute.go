package hamming

import (
	"math/rand/v2"
)

// A permutation moves the bits of every hash before it is indexed. Distances
// stay as they are; but neighbouring bits of real hashes depend on each other,
// and are spread over the bands. It is drawn per index, so that nobody can
// prepare hashes that all fall into one bucket of everybody's index.
type permutation struct {
	to    [256]byte // bit i of a hash goes to bit to[i]
	there tables    // the way there
	back  tables    // and back
}

// tables hold what each nibble of a hash becomes.
type tables [64][16]words

// drawPermutation draws a permutation from a seed.
func drawPermutation(seed [32]byte) *permutation {
	var to [256]byte
	r := rand.New(rand.NewChaCha8(seed)) //nolint:gosec // the seed decides, and comes from crypto/rand
	for i, v := range r.Perm(256) {
		to[i] = byte(v) //nolint:gosec // below 256
	}
	p, _ := newPermutation(to)
	return p
}

// newPermutation makes the tables of to; ok is false if to is none.
func newPermutation(to [256]byte) (p *permutation, ok bool) {
	p = &permutation{to: to}
	var seen [256]bool
	for i, v := range to {
		if seen[v] {
			return nil, false
		}
		seen[v] = true
		p.there.set(i, int(v))
		p.back.set(int(v), i)
	}
	return p, true
}

// set has bit i go to bit v.
func (t *tables) set(i, v int) {
	for n := range 16 {
		if n>>(i&3)&1 == 1 {
			t[i>>2][n][v>>6] |= 1 << (v & 63)
		}
	}
}

// apply returns the words of h in the order of the index.
func (p *permutation) apply(h Hash) words { return p.there.move(h) }

// undo is the inverse of apply.
func (p *permutation) undo(w words) Hash { return p.back.move(w.hash()).hash() }

func (t *tables) move(h Hash) (o words) {
	for i, b := range h {
		a, c := &t[2*i][b&15], &t[2*i+1][b>>4]
		o[0] |= a[0] | c[0]
		o[1] |= a[1] | c[1]
		o[2] |= a[2] | c[2]
		o[3] |= a[3] | c[3]
	}
	return o
}
