package hamming

import "math/bits"

// A band is a run of bits of the permuted hash by which a table sorts its
// entries. Its lowest bits, group of them, do not select a bucket: they stand
// beside each posting and are compared there, which makes the table of buckets
// 2^group times smaller and the neighbours of a key contiguous.
type band struct {
	shift, width, group int
	most                int // radius to which the band may be probed
}

// key returns the band's bits of w.
func (b band) key(w *words) uint32 {
	i, s := b.shift>>6, b.shift&63
	v := w[i] >> s
	if s+b.width > 64 {
		v |= w[i+1] << (64 - s)
	}
	return uint32(v & (1<<b.width - 1)) //nolint:gosec // a band is at most 26 bits wide
}

// buckets is the number of buckets that the band's table has.
func (b band) buckets() int { return 1 << (b.width - b.group) }

// A plan cuts the 256 bits into bands.
//
// Exactness: two hashes at distance d <= r, cut into bands, cannot differ in
// more than radius(b) bits in every band b if the radius(b)+1 add up to more
// than r, for then they would differ in at least r+1 bits. So it is enough to
// look, in each band, at the buckets within radius(b) of the query's.
type plan struct {
	name  string
	bands []band
}

// maxBands bounds the bands of a plan.
const maxBands = 16

// cut is a number of bands of one width, and the radius each may have.
type cut struct{ count, width, most int }

// The plans, measured against others in docs/performance.md: random reads of
// candidates are what a look-up costs, so that fewer and wider bands win as
// soon as their buckets are not mostly empty.
var (
	narrowCuts = []cut{{16, 16, 1}}
	middleCuts = []cut{{6, 21, 2}, {6, 18, 1}, {1, 22, 1}}
	wideCuts   = []cut{{10, 23, 2}, {1, 26, 1}}
)

// Entries from which a segment gets which plan.
const (
	narrowFrom = 4 << 10
	middleFrom = 256 << 10
	wideFrom   = 2 << 20
)

// planFor returns the plan for n entries, or nil where none is worth it and
// the entries are scanned.
func planFor(n int) *plan {
	switch {
	case n < narrowFrom:
		return nil
	case n < middleFrom:
		return newPlan("16 bands", n, narrowCuts)
	case n < wideFrom:
		return newPlan("13 bands", n, middleCuts)
	default:
		return newPlan("11 bands", n, wideCuts)
	}
}

// newPlan lays out the bands for n entries.
func newPlan(name string, n int, cuts []cut) *plan {
	p, shift := &plan{name: name}, 0
	for _, c := range cuts {
		for range c.count {
			p.bands = append(p.bands, band{shift: shift, width: c.width, group: groupBits(n, c.width), most: c.most})
			shift += c.width
		}
	}
	return p
}

// maxGroup bounds group: a 32-bit word says which of the keys of a group to
// take. A posting has 32 bits, too, for position and group bits.
const maxGroup = 5

// perGroup is the number of postings that share a bucket on average: a cache
// line of them, or half of one.
const perGroup = 8

// groupBits chooses how many low bits of keys of the given width share a
// bucket.
func groupBits(n, width int) int {
	g := width - bits.Len(uint(n/perGroup))
	return max(0, min(g, maxGroup, width-1, 32-bits.Len(uint(n))))
}

// radii are how far each band of a plan is probed for one query; -1 is not.
type radii [maxBands]int8

// spread returns the cheapest radii that are exact for r <= MaxRadius: first
// every band by itself, then one bit around it, then two, as far as needed.
func (p *plan) spread(r int) (at radii) {
	for b := range p.bands {
		at[b] = -1
	}
	need := r + 1
	for level := 0; need > 0; level++ {
		for b := range p.bands {
			if need > 0 && level <= p.bands[b].most {
				at[b]++
				need--
			}
		}
	}
	return at
}

// A probe is a bucket to look at: those whose number differs from the
// query's by mask, with left bits still free to differ inside the group.
type probe struct{ mask, left uint32 }

// probes lists the buckets of b within radius of a key, nearest first.
func (b band) probes(radius int) []probe {
	var out []probe
	width := b.width - b.group
	for k := 0; k <= min(radius, width); k++ {
		choose(width, k, 0, func(m uint32) {
			out = append(out, probe{mask: m, left: uint32(radius - k)}) //nolint:gosec // a radius is small
		})
	}
	return out
}

// choose calls do with every word of the given width that has k bits set, and
// those of m.
func choose(width, k int, m uint32, do func(uint32)) {
	if k == 0 {
		do(m)
		return
	}
	for i := bits.Len32(m); i < width; i++ {
		choose(width, k-1, m|1<<i, do)
	}
}
