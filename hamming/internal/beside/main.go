// Command beside answers rounds of look-ups for a program that measures
// another engine beside package hamming (scripts/faiss-beside). It writes a
// uniform bank and queries to a directory, prints a line when its index stands,
// and then answers each line that it reads with one line of JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/tangkal/tangkal/hamming"
)

// round is what one pass over the queries took and found.
type round struct {
	WallNS int64  `json:"wall_ns"` // a query
	CPUNS  int64  `json:"cpu_ns"`  // a query, of the whole process
	Hits   int    `json:"hits"`
	Sum    uint64 `json:"sum"` // of (query+1)*entry over the hits, both from 0
}

func main() {
	entries := flag.Int("entries", 1_000_000, "entries of the bank")
	queries := flag.Int("queries", 200, "queries of a round")
	dir := flag.String("dir", ".", "where to write bank and queries")
	flag.Parse()
	runtime.GOMAXPROCS(1) // one thread beside one thread
	if err := run(*entries, *queries, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(entries, queries int, dir string) error {
	r := rand.New(rand.NewPCG(1, uint64(entries))) //nolint:gosec // a bank that anyone can make again
	qs, err := writeBank(r, entries, queries, filepath.Join(dir, "bank"))
	if err != nil {
		return err
	}
	if err := writeQueries(qs, filepath.Join(dir, "queries")); err != nil {
		return err
	}
	x, err := build(entries, filepath.Join(dir, "bank"))
	if err != nil {
		return err
	}
	defer x.Close()
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		out, err := answer(x, qs)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
			return err
		}
	}
	return nil
}

func uniform(r *rand.Rand) (h hamming.Hash) {
	for i := range 4 {
		binary.LittleEndian.PutUint64(h[8*i:], r.Uint64())
	}
	return h
}

// writeBank writes the entries and returns queries: half of them planted at
// distances 0 to 31 from an entry.
func writeBank(r *rand.Rand, entries, queries int, name string) ([]hamming.Query, error) {
	w := make([]byte, 0, entries*len(hamming.Hash{}))
	var qs []hamming.Query
	for i := range entries {
		h := uniform(r)
		w = append(w, h[:]...)
		if i%max(1, 2*entries/queries) == 0 {
			near := h
			for _, k := range r.Perm(256)[:len(qs)/2%32] {
				near[k>>3] ^= 1 << (k & 7)
			}
			qs = append(qs, hamming.Query{Hash: near, Radius: hamming.MaxRadius}, hamming.Query{Hash: uniform(r), Radius: hamming.MaxRadius})
		}
	}
	return qs, os.WriteFile(name, w, 0o600)
}

func writeQueries(qs []hamming.Query, name string) error {
	var b []byte
	for _, q := range qs {
		b = append(b, q.Hash[:]...)
	}
	return os.WriteFile(name, b, 0o600)
}

// build reads the bank back, so that both engines have it from there.
func build(entries int, name string) (*hamming.Index, error) {
	all, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	in := bytes.NewReader(all)
	var broken error
	x := hamming.Build(hamming.Config{}, entries, func(int) (h hamming.Hash, _ hamming.Sets) {
		if broken == nil {
			_, broken = io.ReadFull(in, h[:])
		}
		return h, 1
	})
	return x, broken
}

func answer(x *hamming.Index, qs []hamming.Query) (out round, err error) {
	var found []hamming.Match
	start, cpu := time.Now(), processTime()
	for i, q := range qs {
		if found, err = x.Search(found[:0], q); err != nil {
			return out, err
		}
		out.Hits += len(found)
		for _, m := range found {
			out.Sum += uint64(i+1) * (uint64(m.ID) - 1) //nolint:gosec // a position
		}
	}
	n := int64(len(qs))
	out.WallNS, out.CPUNS = time.Since(start).Nanoseconds()/n, (processTime()-cpu).Nanoseconds()/n
	return out, nil
}

// processTime is the processor time used so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
