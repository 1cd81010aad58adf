package hamming

import "math/bits"

// A band is a run of bits of the permuted hash by which a table sorts its
// entries. Its lowest bits, group of them, do not select a bucket: they stand
// in each posting and are compared there, which makes the table of buckets
// 2^group times smaller and the neighbours of a key contiguous. Behind them
// stand as many bits of the following band as there is room for (ahead).
type band struct {
	shift, width, group int
	most                int  // radius to which the band may be probed
	low                 int  // bits of a posting below the position
	tagged              bool // eight more stand in an array of their own
	ahead               int  // of the following band; the first follows the last
}

// key returns the band's bits of w.
func (b *band) key(w *words) uint32 {
	i, s := b.shift>>6, b.shift&63
	v := w[i] >> s
	if s+b.width > 64 {
		v |= w[i+1] << (64 - s)
	}
	return uint32(v & (1<<b.width - 1)) //nolint:gosec // a band is at most 26 bits wide
}

// buckets is the number of buckets that the band's table has.
func (b *band) buckets() int { return 1 << (b.width - b.group) }

// room is the number of bits that a posting has for those of keys.
func (b *band) room() int {
	if b.tagged {
		return b.low + tagBits
	}
	return b.low
}

// inline returns what a posting holds of keys, of the band and the following.
func (b *band) inline(key, following uint32) uint32 {
	return key&(1<<b.group-1) | following&(1<<b.ahead-1)<<b.group
}

// A plan cuts the 256 bits into bands.
//
// Exactness. Let each band b have a radius at[b] >= -1 such that the at[b]+1
// add up to r+1, and let two hashes differ in at most r bits, d[b] of them in
// band b. The d[b]-at[b]-1 then add up to less than 0, so that d[b] <= at[b] in
// some band: it is enough to look, in each band, at the buckets within its
// radius. More than that: going round the bands in a ring, start behind the
// place where the sum so far is greatest; from there on every sum is below 0,
// so that in some band d[b] <= at[b] and d[b]+d[b+1] <= at[b]+at[b+1]+1. What a
// posting shows of the second condition spares reading almost every hash that
// is not near. (Bands: Norouzi, Punjani, Fleet, CVPR 2012. Rings: Qin and Xiao,
// "Pigeonring", VLDB 2018.)
type plan struct{ bands []band }

// maxBands bounds the bands of a plan.
const maxBands = 16

// cut is a number of bands of one width, and the radius each may have.
type cut struct{ count, width, most int }

// The plans, measured against others in docs/performance.md. Reading a bucket
// costs little once it is found, and almost none of its postings leads to a
// hash, so that few probes win until there are thousands in each bucket.
var (
	narrowCuts = []cut{{16, 16, 1}}
	wideCuts   = []cut{{10, 23, 2}, {1, 26, 1}}
)

// Entries from which a segment gets which plan.
const (
	narrowFrom = 4 << 10
	wideFrom   = 32 << 20
)

// planFor returns the plan for n entries, or nil where none is worth it and
// the entries are scanned.
func planFor(n int) *plan {
	switch {
	case n < narrowFrom:
		return nil
	case n < wideFrom:
		return newPlan(n, narrowCuts, narrowTags(n))
	default:
		return newPlan(n, wideCuts, wideTags)
	}
}

// wideTags is as many tags as leave 100 million entries below 90 bytes each.
const wideTags = 5

// narrowTags has all bands tagged where positions leave little room beside
// them.
func narrowTags(n int) int {
	if n < 4<<20 {
		return 0
	}
	return maxBands
}

// tagBits is how much a tag adds to a posting.
const tagBits = 8

// newPlan lays out the bands for n entries; the first tagged of them have tags.
func newPlan(n int, cuts []cut, tagged int) *plan {
	p, shift := &plan{}, 0
	for _, c := range cuts {
		for range c.count {
			b := band{shift: shift, width: c.width, most: c.most, low: 32 - bits.Len(uint(n)), tagged: len(p.bands) < tagged}
			b.group = groupBits(n, c.width, b.room())
			p.bands = append(p.bands, b)
			shift += c.width
		}
	}
	lookAhead(p.bands)
	return p
}

// lookAhead fills what room postings have with bits of the following band.
func lookAhead(bands []band) {
	for i := range bands {
		b, following := &bands[i], &bands[(i+1)%len(bands)]
		b.ahead = min(b.room()-b.group, following.width)
	}
}

// perGroup is the number of postings that share a bucket on average: a cache
// line of them, or half of one.
const perGroup = 8

// groupBits chooses how many low bits of keys of the given width share a
// bucket, at most room.
func groupBits(n, width, room int) int {
	return max(0, min(width-bits.Len(uint(n/perGroup)), room, width-1))
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
func (b *band) probes(radius int) []probe {
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
