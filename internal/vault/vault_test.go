package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/fault"
)

const megabyte = 1 << 20

// open opens a vault in a fresh directory.
func open(t *testing.T) (*Vault, Config) {
	t.Helper()
	dir := t.TempDir()
	c := Config{Dir: filepath.Join(dir, "blobs"), KeyFile: filepath.Join(dir, "instance.key")}
	v, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

func caseKey(t *testing.T, v *Vault) Key {
	t.Helper()
	k, _, err := v.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func put(t *testing.T, v *Vault, k Key, content []byte) Ref {
	t.Helper()
	ref, err := v.Put(t.Context(), k, bytes.NewReader(content), megabyte)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func random(seed uint64, n int) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	out := make([]byte, n)
	_, _ = src.Read(out)
	return out
}

func blobPath(c Config, ref Ref) string {
	return (&FileStore{dir: c.Dir}).path(ref.Stored)
}

func names(t *testing.T, v *Vault) []Digest {
	t.Helper()
	var out []Digest
	if err := v.Walk(t.Context(), func(s Stat) error { out = append(out, s.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// The sizes are around age's chunks of 64 KiB, where off-by-one errors live.
func TestBlobsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	for _, n := range []int{0, 1, 65535, 65536, 65537, 131072, 500_000} {
		content := random(uint64(n), n)
		ref := put(t, v, k, content)
		if want := Digest(sha256.Sum256(content)); ref.SHA256 != want || ref.Size != int64(n) {
			t.Errorf("%d bytes: ref %+v, want digest %s", n, ref, want)
		}
		got, err := v.ReadAll(t.Context(), k, ref, megabyte)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back as %d, error %v", n, len(got), err)
		}
		onDisk, err := os.ReadFile(blobPath(c, ref))
		if err != nil || Digest(sha256.Sum256(onDisk)) != ref.Stored || int64(len(onDisk)) != ref.StoredSize {
			t.Errorf("%d bytes: the file is not the named one: %v", n, err)
		}
		if n > 32 && bytes.Contains(onDisk, content[:32]) {
			t.Errorf("%d bytes: plaintext on disk", n)
		}
		info, err := os.Stat(blobPath(c, ref))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%d bytes: mode %v, error %v; want 0600", n, info.Mode(), err)
		}
	}
}

func TestBlobOpensWithTheAgeFormatAlone(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	ref := put(t, v, k, []byte("exhibit"))
	file, err := os.Open(blobPath(c, ref))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	identity, err := age.ParseX25519Identity(k.text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(file, identity)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "exhibit" {
		t.Errorf("age read %q, error %v", got, err)
	}
}

// T30 and T33: one flipped bit in 1,000 places, of blobs of one, two and
// several chunks, is always found by the reader and by the scrubber.
func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	rng := rand.New(rand.NewPCG(1, 2))
	for i, n := range []int{0, 40, 3000, 65536, 150_000} {
		content := random(uint64(i), n)
		ref := put(t, v, k, content)
		path := blobPath(c, ref)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			bit := rng.IntN(len(good) * 8)
			if rng.IntN(2) == 0 { // half of them in the header
				bit = rng.IntN(min(len(good), 220) * 8)
			}
			bad := bytes.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			overwrite(t, path, bad)
			wantDamaged(t, v, k, ref, content, fmt.Sprintf("blob of %d bytes, bit %d", n, bit))
			if err := v.scrubOne(t.Context(), ref.Stored); !errors.Is(err, ErrDamaged) {
				t.Errorf("scrub, blob of %d bytes, bit %d: %v", n, bit, err)
			}
		}
		overwrite(t, path, good)
		if err := v.Verify(t.Context(), k, ref); err != nil {
			t.Errorf("the undamaged blob of %d bytes: %v", n, err)
		}
	}
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantDamaged reads ref both ways. The stream may give bytes before it fails,
// but only true ones.
func wantDamaged(t *testing.T, v *Vault, k Key, ref Ref, content []byte, what string) {
	t.Helper()
	if got, err := v.ReadAll(t.Context(), k, ref, megabyte); got != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: ReadAll gave %d bytes and %v, want ErrDamaged alone", what, len(got), err)
	}
	r, err := v.Open(t.Context(), k, ref)
	if errors.Is(err, ErrDamaged) {
		return
	}
	if err != nil {
		t.Errorf("%s: Open: %v", what, err)
		return
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: Read ended with %v, want ErrDamaged", what, err)
	}
	if content != nil && !bytes.HasPrefix(content, got) {
		t.Errorf("%s: changed bytes were given out", what)
	}
	if fault.Of(err) != fault.Internal {
		t.Errorf("%s: damage is shown as %v", what, fault.Of(err))
	}
}

func TestTruncatedExtendedAndExchangedBlobsAreDamaged(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	a, b := random(1, 100_000), random(2, 100_000)
	refA, refB := put(t, v, k, a), put(t, v, k, b)
	good, err := os.ReadFile(blobPath(c, refA))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(blobPath(c, refB))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 20, 150, 216, 65_000, len(good) - 1} {
		overwrite(t, blobPath(c, refA), good[:n])
		wantDamaged(t, v, k, refA, a, fmt.Sprintf("cut to %d bytes", n))
	}
	overwrite(t, blobPath(c, refA), append(bytes.Clone(good), 0))
	wantDamaged(t, v, k, refA, a, "one byte more")
	// A blob of the same case opens with its key: only the digest tells.
	overwrite(t, blobPath(c, refA), other)
	wantDamaged(t, v, k, refA, nil, "exchanged for one of the same size")
	overwrite(t, blobPath(c, refA), good)

	if err := os.Remove(blobPath(c, refB)); err != nil {
		t.Fatal(err)
	}
	wantDamaged(t, v, k, refB, nil, "absent")
	wantDamaged(t, v, caseKey(t, v), refA, nil, "another case's key")
}

func TestScrubNamesTheDamagedBlobsOnly(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	put(t, v, k, []byte("good"))
	bad := put(t, v, k, []byte("bad"))
	overwrite(t, filepath.Join(c.Dir, "README"), []byte("foreign"))
	overwrite(t, blobPath(c, bad), []byte("rubbish"))
	var found []Digest
	n, err := v.Scrub(t.Context(), func(s Stat, why error) error {
		if !errors.Is(why, ErrDamaged) {
			t.Errorf("blob %s: %v", s.Name, why)
		}
		found = append(found, s.Name)
		return nil
	})
	if diff := cmp.Diff([]Digest{bad.Stored}, found); n != 2 || err != nil || diff != "" {
		t.Errorf("scrubbed %d, error %v, found (-want +got):\n%s", n, err, diff)
	}
}

func TestContentBeyondItsLimitIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	endless := iotest.OneByteReader(neverEnding{})
	for name, r := range map[string]io.Reader{
		"one byte over": bytes.NewReader(random(1, 1001)),
		"endless":       neverEnding{},
		"endless drip":  endless,
	} {
		_, err := v.Put(t.Context(), k, r, 1000)
		e, ok := fault.As(err)
		if !ok || e.Kind != fault.Invalid || e.Code != "vault.too-large" || e.Args["Bytes"] != int64(1000) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Put(t.Context(), k, bytes.NewReader(random(1, 1000)), 1000); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
	ref := put(t, v, k, random(3, 2000))
	if _, err := v.ReadAll(t.Context(), k, ref, 1999); !fault.Is(err, "vault.too-large") {
		t.Errorf("ReadAll below the size: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(c.Dir, tempPrefix+"*")); len(left) != 0 || err != nil {
		t.Errorf("left over: %v %v", left, err)
	}
	if got := names(t, v); len(got) != 2 {
		t.Errorf("%d blobs visible, want 2", len(got))
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

func TestAFailingOrCancelledSourceLeavesNothing(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	k := caseKey(t, v)
	broken := errors.New("connection lost")
	_, err := v.Put(t.Context(), k, io.MultiReader(bytes.NewReader(random(1, 100_000)), iotest.ErrReader(broken)), megabyte)
	if !errors.Is(err, broken) || fault.Of(err) != fault.Internal {
		t.Errorf("broken source: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := readerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if _, err := v.Put(ctx, k, stop, megabyte); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(c.Dir, tempPrefix+"*")); len(left) != 0 || err != nil {
		t.Errorf("left over: %v %v", left, err)
	}
	if got := names(t, v); len(got) != 0 {
		t.Errorf("%d blobs visible, want none", len(got))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestTheSameContentPutAtOnceIsWholeEachTimeAndSharesNoName(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	content := random(9, 200_000)
	keys := []Key{caseKey(t, v), caseKey(t, v)}
	refs := make([]Ref, 16)
	var wg sync.WaitGroup
	for i := range refs {
		wg.Go(func() {
			ref, err := v.Put(context.WithoutCancel(t.Context()), keys[i%2], bytes.NewReader(content), megabyte)
			if err != nil {
				t.Error(err)
			}
			refs[i] = ref
		})
	}
	wg.Wait()
	seen := map[Digest]bool{}
	for i, ref := range refs {
		if err := v.Verify(t.Context(), keys[i%2], ref); err != nil {
			t.Errorf("copy %d: %v", i, err)
		}
		seen[ref.Stored] = true
	}
	if len(seen) != len(refs) {
		t.Errorf("%d names for %d blobs: equal content shows on disk", len(seen), len(refs))
	}
}

func TestDeletedBlobIsGone(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	k := caseKey(t, v)
	ref := put(t, v, k, []byte("gone"))
	for range 2 { // the second time is no error
		if err := v.Delete(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	if _, err := v.store.Stat(t.Context(), ref.Stored); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}

func TestSweepTakesOnlyOldLeftovers(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	ref := put(t, v, caseKey(t, v), []byte("kept"))
	now := time.Now()
	for name, age := range map[string]time.Duration{"old": 61 * time.Minute, "young": 59 * time.Minute} {
		path := filepath.Join(c.Dir, tempPrefix+name)
		overwrite(t, path, []byte("half"))
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(blobPath(c, ref), now, now.Add(-1000*time.Hour)); err != nil {
		t.Fatal(err)
	}
	n, err := v.Sweep(now)
	left, _ := filepath.Glob(filepath.Join(c.Dir, tempPrefix+"*"))
	if n != 1 || err != nil || len(left) != 1 || !strings.HasSuffix(left[0], "young") {
		t.Errorf("swept %d, error %v, left %v", n, err, left)
	}
	if got := names(t, v); len(got) != 1 {
		t.Errorf("%d blobs after the sweep, want 1", len(got))
	}
}

func TestDigestText(t *testing.T) {
	t.Parallel()
	d := Digest(sha256.Sum256([]byte("x")))
	text, err := d.MarshalText()
	var back Digest
	if err2 := back.UnmarshalText(text); err != nil || err2 != nil || back != d {
		t.Errorf("%s came back as %s: %v %v", d, back, err, err2)
	}
	for _, bad := range []string{"", "ab", strings.ToUpper(d.String()), d.String() + "00", strings.Repeat("g", 64)} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("ParseDigest(%q) accepted", bad)
		}
	}
}

// FuzzOpen: no bytes on disk make a reader panic, or open as other content.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	v, err := Open(Config{Dir: filepath.Join(dir, "b"), KeyFile: filepath.Join(dir, "k")})
	if err != nil {
		f.Fatal(err)
	}
	k, _, err := v.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	ref, err := v.Put(context.Background(), k, strings.NewReader("exhibit"), 100)
	if err != nil {
		f.Fatal(err)
	}
	path := v.store.(*FileStore).path(ref.Stored)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte("age-encryption.org/v1\n-> X25519 \n"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		overwrite(t, path, stored)
		got, err := v.ReadAll(t.Context(), k, ref, megabyte)
		if err == nil && (string(got) != "exhibit" || !bytes.Equal(stored, good)) {
			t.Errorf("%s opened as %q", hex.EncodeToString(stored), got)
		}
	})
}
