package hamming_test

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/tangkal/tangkal/hamming"
	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// near returns h with its first n bits changed.
func near(h hamming.Hash, n int) hamming.Hash {
	for k := range n {
		h[k/8] ^= 1 << (k % 8)
	}
	return h
}

func Example() {
	x := hamming.New(hamming.Config{})
	defer x.Close()

	picture, err := hamming.ParseHash("d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22")
	if err != nil {
		log.Fatal(err)
	}
	id, err := x.Add(picture, 1)
	if err != nil {
		log.Fatal(err)
	}

	matches, err := x.Within(near(picture, 12), hamming.MaxRadius)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range matches {
		fmt.Println(m.ID == id, m.Distance)
	}
	// Output: true 12
}

// Two banks in one index, asked one at a time.
func ExampleIndex_Search() {
	const shared, own = hamming.Sets(1 << 0), hamming.Sets(1 << 1)
	x := hamming.New(hamming.Config{})
	defer x.Close()
	for _, in := range []hamming.Sets{shared, own, shared | own} {
		if _, err := x.Add(hamming.Hash{}, in); err != nil {
			log.Fatal(err)
		}
	}

	var buffer []hamming.Match // used again and again
	for _, in := range []hamming.Sets{shared, own, hamming.All} {
		var err error
		buffer, err = x.Search(buffer[:0], hamming.Query{Radius: 31, In: in})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(buffer))
	}
	// Output:
	// 2
	// 2
	// 3
}

// Many entries at once, and many questions.
func ExampleBuild() {
	hashes := []hamming.Hash{{0: 1}, {1: 1}, {2: 1}}
	x := hamming.Build(hamming.Config{}, len(hashes), func(i int) (hamming.Hash, hamming.Sets) {
		return hashes[i], 1
	})
	defer x.Close()

	queries := []hamming.Query{{Hash: hashes[0]}, {Hash: hamming.Hash{31: 0xff}, Radius: 3}, {Hash: hashes[2], Radius: 2}}
	err := x.SearchAll(queries, func(i int, m []hamming.Match) {
		fmt.Printf("query %d has %d\n", i, len(m))
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// query 0 has 1
	// query 2 has 3
}

// An index that outlives the process; the mark says from where to read on.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "hamming")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "bank")

	x := hamming.New(hamming.Config{})
	if _, err := x.Add(hamming.Hash{7: 7}, 1); err != nil {
		log.Fatal(err)
	}
	snapshot, err := x.Snapshot()
	if err != nil {
		log.Fatal(err)
	}
	if err := snapshot.WriteFile(name, 1234); err != nil {
		log.Fatal(err)
	}
	x.Close()

	x, mark, err := hamming.Open(name, hamming.Config{})
	if err != nil {
		log.Fatal(err) // errors.Is(err, hamming.ErrCorrupt): build it again
	}
	defer x.Close()
	matches, err := x.Within(hamming.Hash{}, 31)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mark, matches[0].Distance)
	// Output: 1234 3
}

// A picture is found in a bank of PDQ hashes however it was turned: the eight
// hashes come from its spectrum. A deleted entry is not found.
func ExampleIndex_Orientations() {
	known, shown := synthetic.Photo(200, 200), image.NewRGBA(image.Rect(0, 0, 200, 200))
	for y := range 200 {
		for x := range 200 {
			shown.Set(199-x, y, known.At(x, y)) // as in a mirror
		}
	}

	bank := hamming.New(hamming.Config{})
	defer bank.Close()
	id, err := bank.Add(hamming.Hash(pdq.Image(known).Hash), 1)
	if err != nil {
		log.Fatal(err)
	}

	query := pdq.Image(shown)
	var hashes [8]hamming.Hash
	for o, h := range query.Variants() {
		hashes[o] = hamming.Hash(h)
	}
	matches, err := bank.Orientations(hashes, pdq.MatchDistance, hamming.All)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range matches {
		fmt.Println(m.ID == id, pdq.Orientation(m.Orientation))
	}
	fmt.Println(bank.Delete(id), bank.Len())
	// Output:
	// true flip-y
	// true 0
}

// A damaged snapshot is refused, and the bank is built from its source again:
// whoever keeps an index in a file opens it like this.
func ExampleOpen_damaged() {
	dir, err := os.MkdirTemp("", "hamming")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "bank")
	source := []hamming.Hash{{1}, {2}, {3}}

	load := func() (*hamming.Index, error) {
		x, _, err := hamming.Open(name, hamming.Config{})
		if err == nil {
			if err = x.Verify(); err != nil {
				x.Close()
			}
		}
		if err == nil || !errors.Is(err, hamming.ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) {
			return x, err
		}
		fmt.Println("built anew; damaged:", errors.Is(err, hamming.ErrCorrupt))
		x = hamming.Build(hamming.Config{}, len(source), func(i int) (hamming.Hash, hamming.Sets) { return source[i], 1 })
		snapshot, err := x.Snapshot()
		if err != nil {
			return nil, err
		}
		return x, snapshot.WriteFile(name, 0)
	}
	for range 3 {
		x, err := load()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(x.Len(), "entries")
		x.Close()
		file, err := os.ReadFile(name)
		if err != nil {
			log.Fatal(err)
		}
		file[5000] ^= 1 // as a failing disk
		if err := os.WriteFile(name, file, 0o600); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// built anew; damaged: false
	// 3 entries
	// built anew; damaged: true
	// 3 entries
	// built anew; damaged: true
	// 3 entries
}
