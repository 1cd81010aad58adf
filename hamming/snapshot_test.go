package hamming

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written returns the bytes of a snapshot of n entries in two segments, one of
// them with a table.
func written(t testing.TB, n int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	x := Build(Config{Seed: [32]byte{1}}, n, func(int) (Hash, Sets) { return banks[1].draw(r), 1 })
	defer x.Close()
	for range 10 {
		if _, err := x.Add(uniform(r), 2); err != nil {
			t.Fatal(err)
		}
	}
	x.Delete(4)
	return bytesOfSnapshot(t, x)
}

func bytesOfSnapshot(t testing.TB, x *Index) []byte {
	t.Helper()
	s, err := x.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "index")
	if err := s.WriteFile(name, 5); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writtenSmall is a snapshot with a small table, for many tries.
func writtenSmall(t testing.TB) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	x := New(Config{Seed: [32]byte{1}})
	defer x.Close()
	s := newSegment(1, 200)
	for range 200 {
		s.add(x.perm.apply(banks[1].draw(r)), 1)
	}
	s.table = buildTable(s, newPlan(200, []cut{{16, 10, 1}}, 2), 1)
	gaps := newSegment(201, 3)
	gaps.ids = []uint32{0, 2, 5}
	for range 3 {
		gaps.add(x.perm.apply(uniform(r)), 3)
	}
	x.next = 210
	x.publish(s, gaps, newSegment(x.next, 1))
	return bytesOfSnapshot(t, x)
}

// tryAll opens b and uses all of it; what it finds does not matter, as long as
// it ends and every error is ErrCorrupt.
func tryAll(t testing.TB, b []byte) (err error) {
	t.Helper()
	x, _, err := open(&file{arena: newArena(0), data: b}, Config{})
	if err == nil {
		err = useAll(x)
		x.Close()
	}
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatalf("%v, want ErrCorrupt or nothing", err)
	}
	return err
}

func useAll(x *Index) error {
	r := rand.New(rand.NewPCG(1, 1))
	for range 4 {
		if _, err := x.Within(uniform(r), r.IntN(32)); err != nil {
			return err
		}
	}
	for _, id := range []ID{1, 2, 203, 4000} {
		if h, _, ok := x.Get(id); ok {
			if _, err := x.Within(h, 31); err != nil {
				return err
			}
		}
		x.Delete(id)
	}
	if _, err := x.Add(uniform(r), 1); err != nil {
		return err
	}
	return x.Verify()
}

// Whatever single byte of the file changes, or wherever it is cut, it is
// refused: at once, or by the search or the check that meets it.
func TestDamageIsRefused(t *testing.T) {
	b := written(t, narrowFrom)
	if err := tryAll(t, b); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		i := r.IntN(len(b))
		if r.IntN(3) == 0 {
			i = len(b) - 1 - r.IntN(3000) // directory and sums
		}
		bit := byte(1) << r.IntN(8)
		b[i] ^= bit
		if err := tryAll(t, b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d of %d changed: %v, want ErrCorrupt", i, len(b), err)
		}
		b[i] ^= bit
	}
}

// Wherever the file is cut, Open refuses it.
func TestCutFileIsRefused(t *testing.T) {
	b := written(t, 100)
	name := filepath.Join(t.TempDir(), "index")
	for n := 0; n < len(b); n += 1 + n/7 {
		if err := os.WriteFile(name, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(name, Config{}); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes of %d: %v, want ErrCorrupt", n, len(b), err)
		}
	}
	if _, _, err := Open(name+"-none", Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
}

// FuzzOpen changes a snapshot at will, and may make its sums right again, as
// whoever writes files for us could.
func FuzzOpen(f *testing.F) {
	whole := writtenSmall(f)
	f.Add(uint32(0), []byte{}, false)
	f.Add(uint32(len(whole)-40), []byte{1, 2, 3, 4}, true) //nolint:gosec // small
	f.Add(uint32(8192), []byte{255, 255, 255, 255, 255, 255, 255, 255}, true)
	f.Fuzz(func(t *testing.T, at uint32, change []byte, reseal bool) {
		b := append([]byte(nil), whole...)
		copy(b[int(at)%len(b):], change)
		if reseal {
			sealAgain(b, len(whole))
		}
		_ = tryAll(t, b) // any answer, as long as there is one
	})
}

// sealAgain makes the sums of a changed file right.
func sealAgain(b []byte, n int) {
	le := binary.LittleEndian
	footer := b[n-footerBytes:]
	at, end := le.Uint64(footer), uint64(n-footerBytes)
	if at > end || at%blockBytes != 0 || end-at < at/blockBytes*4 {
		return
	}
	for k := range at / blockBytes {
		le.PutUint32(b[at+4*k:], crc32.Checksum(b[k*blockBytes:(k+1)*blockBytes], castagnoli))
	}
	le.PutUint32(footer[16:], crc32.Checksum(b[at:end], castagnoli))
}

// TestOpenedAddedToAndWrittenAgain: a bank that lives in a file, as one that is
// updated each hour, does not come apart into ever more pieces, and gets its
// tables.
func TestOpenedAddedToAndWrittenAgain(t *testing.T) {
	const rounds, each = 50, 120
	name := filepath.Join(t.TempDir(), "bank")
	x := New(Config{})
	defer func() { x.Close() }()
	for i := range rounds {
		for k := range each {
			if _, err := x.Add(seeded(uint64(i*each+k)), 1); err != nil { //nolint:gosec // small
				t.Fatal(err)
			}
		}
		s, err := x.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		x.Close()
		if err := s.WriteFile(name, 0); err != nil {
			t.Fatal(err)
		}
		if x, _, err = Open(name, Config{}); err != nil {
			t.Fatal(err)
		}
		if segments := x.view.Load().segments; len(segments) > 4 {
			t.Fatalf("after %d rounds there are %d segments", i+1, len(segments))
		}
		if i%10 == 9 {
			if err := x.Verify(); err != nil {
				t.Fatal(err)
			}
			x.tasks.Wait()
		}
	}
	if s := x.view.Load().segments[0]; s.table == nil || s.guard.Load() != nil {
		t.Errorf("%d entries of a verified file have no table", s.len())
	}
	for i := range rounds * each {
		got, err := x.Within(seeded(uint64(i)), 0) //nolint:gosec // small
		if err != nil || len(got) != 1 || got[0].ID != ID(i+1) {
			t.Fatalf("entry %d: %v, %v", i+1, got, err)
		}
	}
}

// TestWhatIsNoSnapshotIsNamed: errors say which file, and what it is instead.
func TestWhatIsNoSnapshotIsNamed(t *testing.T) {
	other := written(t, 10)
	other[7]++
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"another-format": {other, "format 3, and this program reads format 2"},
		"no-snapshot":    {bytes.Repeat([]byte("tangkal\n"), 1000), "does not begin or end as a snapshot"},
		"short":          {[]byte("tangkal"), "too short"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(path, Config{}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Open(dir, Config{}); err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), dir+": not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}

// TestAReplacedFileKeepsItsMode: who could read the older snapshot can read the
// new one.
func TestAReplacedFileKeepsItsMode(t *testing.T) {
	x := New(Config{})
	defer x.Close()
	name := filepath.Join(t.TempDir(), "bank")
	for _, mode := range []os.FileMode{0o600, 0o640} {
		s, err := x.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFile(name, 0); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil || info.Mode() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
		if err := os.Chmod(name, 0o640); err != nil { //nolint:gosec // the point of it
			t.Fatal(err)
		}
	}
}
