package hamming

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	gocmp "github.com/google/go-cmp/cmp"
)

// reference is the obvious search: every entry, in turn. All others must
// answer as it does.
type reference struct {
	entries map[ID]entry
}

type entry struct {
	hash Hash
	in   Sets
}

func (r *reference) within(q Hash, radius int, in Sets) (out []Match) {
	for id, e := range r.entries {
		if d := q.Distance(e.hash); d <= radius && e.in&in != 0 {
			out = append(out, Match{id, d, e.in})
		}
	}
	return sorted(out)
}

// sorted brings matches in one order, to compare them.
func sorted(m []Match) []Match {
	slices.SortFunc(m, func(a, b Match) int { return cmp.Compare(a.ID, b.ID) })
	return m
}

// wantSame fails unless x finds what r finds.
func wantSame(t rapid.TB, x *Index, r *reference, q Hash, radius int, in Sets) {
	t.Helper()
	got, err := x.Search(nil, Query{Hash: q, Radius: radius, In: in})
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	if in == 0 {
		in = All
	}
	if diff := gocmp.Diff(r.within(q, radius, in), sorted(got)); diff != "" {
		t.Fatalf("within %d of %v (-reference +index):\n%s", radius, q, diff)
	}
}

// A bank is a kind of hashes to search among.
type bank struct {
	name string
	draw func(r *rand.Rand) Hash
}

// banks are uniform hashes, and such as real pictures give.
var banks = []bank{
	{"uniform", uniform},
	{"clustered", func(r *rand.Rand) Hash {
		switch p := r.IntN(100); {
		case p < 60:
			return uniform(r)
		case p < 75:
			return documentLike(r)
		case p < 95:
			return family(r)
		default:
			return blankish(r)
		}
	}},
	{"flood", func(r *rand.Rand) Hash { // half of it is one picture
		if r.IntN(2) == 0 {
			return uniform(r)
		}
		return flip(r, seeded(7), r.IntN(24))
	}},
	{"adversarial", func(r *rand.Rand) Hash { // equal in all but a few places, or one bit off the radius
		h := seeded(uint64(r.IntN(4)))
		return flip(r, h, 28+r.IntN(8))
	}},
	{"equal", func(*rand.Rand) Hash { return seeded(9) }},
}

func uniform(r *rand.Rand) Hash { return words{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}.hash() }

// seeded is one uniform hash for each n.
func seeded(n uint64) Hash { return uniform(rand.New(rand.NewPCG(n, 42))) }

// flip returns h with exactly n of its bits changed.
func flip(r *rand.Rand, h Hash, n int) Hash {
	for _, k := range r.Perm(256)[:n] {
		h[k>>3] ^= 1 << (k & 7)
	}
	return h
}

// documentLike is what separable pictures give: rows and columns that repeat.
func documentLike(r *rand.Rand) (h Hash) {
	row, col := r.Uint32(), r.Uint32()
	for k := range 256 {
		if (row>>(k>>4)^col>>(k&15))&1 == 1 {
			h[k>>3] |= 1 << (k & 7)
		}
	}
	return flip(r, h, r.IntN(12))
}

// family is near one of a few often seen pictures, the first seen most.
func family(r *rand.Rand) Hash {
	return flip(r, seeded(100+uint64(r.ExpFloat64()*20)), r.IntN(20))
}

// blankish is a picture with almost nothing on it.
func blankish(r *rand.Rand) Hash { return flip(r, seeded(1), r.IntN(60)) }

// queryNear draws a query: near an entry at a distance of 0 to 36, or afresh.
func queryNear(r *rand.Rand, b bank, h Hash) Hash {
	if r.IntN(4) == 0 {
		return b.draw(r)
	}
	return flip(r, h, r.IntN(37))
}
