package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/tangkal/tangkal/hamming"
)

// benchSearchCmd measures the search among hashes.
type benchSearchCmd struct {
	measuring `embed:""`
	Entries   int `help:"Hashes to search among, made on the spot." default:"1000000"`
}

// Help shows by example.
func (benchSearchCmd) Help() string {
	return `Examples:

  tangkal bench search
  tangkal bench search --entries 10000000 --rounds 9 --json

Measures look-ups of every hash within 31 bits, with one thread: alone and 64 together, by tables and by comparing with
every entry, and all eight orientations of a picture. Half of the queries are near an entry. Hashes are uniform; 10
million take about 1.7 GB.`
}

// Run measures and prints.
func (c *benchSearchCmd) Run(sh *shell) error {
	if c.Entries < 1 {
		return usageError{fmt.Errorf("--entries %d: there must be some", c.Entries)}
	}
	queries, tables := c.bank(hamming.Config{})
	defer tables.Close()
	_, scans := c.bank(hamming.Config{ScanOnly: true})
	defer scans.Close()
	rows := c.measure([]trial{
		{"look-up", 0, oneByOne(tables, queries)},
		{"look-up, 64 together", 0, together(tables, queries)},
		{"look-up of eight orientations", 0, orientations(tables, queries)},
		{"scan", 0, oneByOne(scans, queries)},
		{"scan, 64 together", 0, together(scans, queries)},
	})
	for _, i := range []int{1, 4} {
		rows[i].Median, rows[i].Least, rows[i].Most = rows[i].Median/batch, rows[i].Least/batch, rows[i].Most/batch
	}
	return c.report(sh, hamming.Instructions(), rows)
}

const (
	manyQueries = 1024 // different ones, so that caches do not hold what they read
	batch       = 64   // asked together
)

// bank makes the entries, the same each time, and the queries.
func (c *benchSearchCmd) bank(config hamming.Config) ([]hamming.Query, *hamming.Index) {
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // measured data, no secret
	var queries []hamming.Query
	x := hamming.Build(config, c.Entries, func(int) (hamming.Hash, hamming.Sets) {
		h := uniformHash(r)
		if len(queries) < manyQueries {
			near := h
			near[len(queries)%32] ^= 0xff // at a distance of 8
			queries = append(queries,
				hamming.Query{Hash: near, Radius: hamming.MaxRadius}, hamming.Query{Hash: uniformHash(r), Radius: hamming.MaxRadius})
		}
		return h, 1
	})
	return queries, x
}

func uniformHash(r *rand.Rand) (h hamming.Hash) {
	for i := range 4 {
		binary.LittleEndian.PutUint64(h[8*i:], r.Uint64())
	}
	return h
}

// oneByOne makes one look-up a run. Errors cannot come: the radius is right and
// nothing is closed or corrupt.
func oneByOne(x *hamming.Index, queries []hamming.Query) func() {
	var found []hamming.Match
	i := 0
	return func() {
		found, _ = x.Search(found[:0], queries[i%len(queries)])
		i++
	}
}

// together makes a batch of look-ups a run.
func together(x *hamming.Index, queries []hamming.Query) func() {
	i := 0
	return func() {
		_ = x.SearchAll(queries[i:min(i+batch, len(queries))], func(int, []hamming.Match) {})
		i = (i + batch) % len(queries)
	}
}

// orientations looks up eight hashes a run.
func orientations(x *hamming.Index, queries []hamming.Query) func() {
	i := 0
	return func() {
		var eight [8]hamming.Hash
		for o := range eight {
			eight[o] = queries[(i+o)%len(queries)].Hash
		}
		_, _ = x.Orientations(eight, hamming.MaxRadius, hamming.All)
		i += len(eight)
	}
}
