package hamming

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// kernelCase is random input for every kernel, near enough for hits.
type kernelCase struct {
	s      *segment
	query  *scanQuery
	q      words
	starts []uint32
	ids    []uint32
	tags   []uint8
	probes []probe
	key    uint32
	filter filter
}

func newKernelCase(r *rand.Rand, entries int) *kernelCase {
	k := &kernelCase{s: newSegment(1, entries), q: uniform(r).words()}
	var looks []*look
	for i := range 1 + r.IntN(scanWidth) {
		looks = append(looks, &look{q: flip(r, k.q.hash(), i*7).words(), radius: r.IntN(MaxRadius + 1), limit: r.IntN(8)})
	}
	k.query = newScanQuery(looks)
	for range entries {
		w := uniform(r)
		if r.IntN(3) == 0 {
			w = flip(r, k.q.hash(), r.IntN(80))
		}
		k.s.add(w.words(), 1)
	}
	k.filter = filter{key: r.Uint32(), low: r.Uint32N(25), slack: r.Uint32N(4)}
	k.filter.own = 1<<r.IntN(8) - 1
	k.filter.all = k.filter.own | (1<<r.IntN(17)-1)<<bits.Len32(k.filter.own)
	const width = 6
	k.key = r.Uint32N(1 << width)
	b := band{width: width}
	k.probes = b.probes(r.IntN(3))
	k.starts = make([]uint32, 1<<width+1)
	for i := 1; i < len(k.starts); i++ {
		k.starts[i] = k.starts[i-1] + uint32(r.IntN(3)*r.IntN(3)*r.IntN(20)) //nolint:gosec // small
	}
	for range k.starts[1<<width] {
		e := r.Uint32()
		if r.IntN(2) == 0 { // near enough to be wanted
			e ^= (e ^ k.filter.key) & (1<<k.filter.low - 1) &^ (1 << r.IntN(32))
		}
		k.ids = append(k.ids, e)
		k.tags = append(k.tags, uint8(k.filter.key>>k.filter.low)^1<<r.IntN(12)) //nolint:gosec // as posted
	}
	return k
}

// check compares the kernels that this processor uses with the portable ones.
func (k *kernelCase) check(t *testing.T, r *rand.Rand) {
	t.Helper()
	k.checkScan(t)
	buckets := make([]bucket, len(k.probes)+1)
	want := make([]bucket, len(k.probes)+1)
	if r.IntN(4) == 0 {
		k.ids = k.ids[:r.IntN(len(k.ids)+1)] // some bucket ends behind them
	}
	if r.IntN(8) == 0 {
		k.starts[r.IntN(len(k.starts))] = r.Uint32()
	}
	tags := k.tags[:min(len(k.ids), len(k.tags)*r.IntN(2))]
	touchKernel(k.starts, k.key, k.probes)
	runs, postings := boundsKernel(k.starts, k.key, k.probes, k.ids, tags, buckets)
	runs2, postings2 := boundsPortable(k.starts, k.key, k.probes, k.ids, want)
	if runs != runs2 || runs >= 0 && (postings != postings2 || !slices.Equal(buckets[:runs], want[:runs])) {
		t.Fatalf("bounds: %d buckets %d postings %v\nwant %d %d %v", runs, postings, buckets, runs2, postings2, want)
	}
	if runs >= 0 {
		k.checkTake(t, buckets[:runs], postings)
	}
	k.checkNear(t, r)
}

func (k *kernelCase) checkScan(t *testing.T) {
	t.Helper()
	var got, want [scanGroups]groupHit
	n := scanPortable(k.s.lo, k.query, want[:])
	for name, kernel := range scanKernels() {
		clear(got[:])
		m := kernel(k.s.lo, k.query, got[:])
		if diff := gocmp.Diff(want[:n], got[:m], gocmp.AllowUnexported(groupHit{})); diff != "" {
			t.Fatalf("%s of %d groups, %+v (-portable +kernel):\n%s", name, len(k.s.lo)/16, k.query, diff)
		}
	}
}

func (k *kernelCase) checkTake(t *testing.T, runs []bucket, postings int) {
	t.Helper()
	got, want := make([]uint32, postings+takeSlack), make([]uint32, postings+takeSlack)
	for _, tags := range [][]uint8{nil, k.tags} {
		f, room := k.filter, k.filter.low
		if len(tags) > 0 {
			room += tagBits
		}
		f.own, f.all = f.own&(1<<room-1), f.all&(1<<room-1)
		n := takeKernel(k.ids, tags, runs, &f, got)
		m := takePortable(k.ids, tags, runs, &f, want)
		if !slices.Equal(got[:n], want[:m]) {
			t.Fatalf("take %+v from %v, %d tags:\n%v\nwant\n%v", f, runs, len(tags), got[:n], want[:m])
		}
	}
}

func (k *kernelCase) checkNear(t *testing.T, r *rand.Rand) {
	t.Helper()
	var cands []uint32
	for range r.IntN(100) {
		cands = append(cands, r.Uint32N(uint32(k.s.len()))) //nolint:gosec // small
	}
	if r.IntN(8) == 0 {
		cands = append(cands, uint32(k.s.len())+r.Uint32N(9)) //nolint:gosec // small
	}
	limit, other := r.IntN(MaxRadius+1), slices.Clone(cands)
	touchLinesKernel(k.s.lo, cands)
	n := r.IntN(len(cands) + 1)
	other = other[:n]
	got := nearKernel(k.s.lo, k.s.len(), cands[:n], len(cands), &k.q, limit)
	want := nearPortable(k.s.lo, k.s.len(), other, &k.q, limit)
	if got != want || got > 0 && !slices.Equal(cands[:got], other[:got]) {
		t.Fatalf("near: %d %v, want %d %v", got, cands, want, other)
	}
}

func TestKernelsEqualPortable(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		newKernelCase(r, 1+r.IntN(300)).check(t, r)
	}
}

func FuzzKernels(f *testing.F) {
	f.Add(uint64(1), uint16(9))
	f.Fuzz(func(t *testing.T, seed uint64, entries uint16) {
		r := rand.New(rand.NewPCG(seed, 2))
		newKernelCase(r, 1+int(entries)%(scanGroups*inGroup)).check(t, r)
	})
}
