package main

import (
	"context"
	"encoding/binary"
	"errors"
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
	if c.Entries < 1 || c.Entries > maxBenchEntries {
		return usageError{fmt.Errorf("--entries %d: give 1 to %d", c.Entries, maxBenchEntries)}
	}
	queries, tables, err := c.bank(sh.ctx, hamming.Config{})
	if err != nil {
		return err
	}
	defer tables.Close()
	_, scans, err := c.bank(sh.ctx, hamming.Config{ScanOnly: true})
	if err != nil {
		return err
	}
	defer scans.Close()
	rows, err := c.measure(sh.ctx, []trial{
		{"look-up", 0, oneByOne(tables, queries)},
		{"look-up, 64 together", 0, together(tables, queries)},
		{"look-up of eight orientations", 0, orientations(tables, queries)},
		{"scan", 0, oneByOne(scans, queries)},
		{"scan, 64 together", 0, together(scans, queries)},
	})
	if err != nil {
		return err
	}
	for _, i := range []int{1, 4} {
		rows[i].Median, rows[i].Least, rows[i].Most = rows[i].Median/batch, rows[i].Least/batch, rows[i].Most/batch
	}
	return c.report(sh, hamming.Instructions(), rows)
}

const (
	manyQueries = 1024 // different ones, so that caches do not hold what they read
	batch       = 64   // asked together
)

// maxBenchEntries take some 36 GB: more is no use on the machines of today.
const maxBenchEntries = 200_000_000

// bank makes the entries, the same each time, and the queries.
func (c *benchSearchCmd) bank(ctx context.Context, config hamming.Config) (queries []hamming.Query, x *hamming.Index, err error) {
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // measured data, no secret
	defer func() {
		if why, _ := recover().(error); errors.Is(why, errStopped) {
			err = interruptedError{"nothing was measured"}
		} else if why != nil {
			panic(why)
		}
	}()
	x = hamming.Build(config, c.Entries, func(int) (hamming.Hash, hamming.Sets) {
		if ctx.Err() != nil {
			panic(errStopped) // the way out of Build
		}
		h := uniformHash(r)
		if len(queries) < manyQueries {
			near := h
			near[len(queries)%32] ^= 0xff // at a distance of 8
			queries = append(queries,
				hamming.Query{Hash: near, Radius: hamming.MaxRadius}, hamming.Query{Hash: uniformHash(r), Radius: hamming.MaxRadius})
		}
		return h, 1
	})
	return queries, x, nil
}

var errStopped = errors.New("stopped")

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
