package vault

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// rows are what a database says of blobs.
type rows struct {
	mu    sync.Mutex
	names []string
}

func (r *rows) add(ref Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = append(r.names, ref.Stored.String())
}

func (r *rows) named(_ context.Context, of []string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(of), func(n string) bool { return !slices.Contains(r.names, n) }), nil
}

const week = 7 * 24 * time.Hour

// looks collects now and a week later, and returns what the second look removed.
func looks(t *testing.T, v *Vault, named Named) (int, error) {
	t.Helper()
	now := time.Now()
	if n, err := v.Collect(t.Context(), now, week, named); n != 0 || err != nil {
		t.Fatalf("the first look removed %d: %v", n, err)
	}
	return v.Collect(t.Context(), now.Add(week), week, named)
}

func (v *Vault) has(t *testing.T, k Key, ref Ref) bool {
	t.Helper()
	r, err := v.Open(t.Context(), k, ref)
	if err != nil {
		return false
	}
	defer r.Close() //nolint:errcheck // read only
	_, err = io.Copy(io.Discard, r)
	return err == nil
}

// What no row has named for a week goes; what a row names stays, and so does what
// is just being written, however many write while it is looked for.
func TestOnlyWhatNoRowNamesIsCollected(t *testing.T) {
	v, _ := open(t)
	k, db := caseKey(t, v), &rows{}
	var kept, orphans []Ref
	for i := range 3 * collectPage {
		ref := put(t, v, k, fmt.Append(nil, i))
		if i%3 == 0 {
			orphans = append(orphans, ref)
			continue
		}
		db.add(ref)
		kept = append(kept, ref)
	}
	now := time.Now()
	for _, at := range []time.Time{now, now.Add(week - time.Second)} {
		if n, err := v.Collect(t.Context(), at, week, db.named); n != 0 || err != nil {
			t.Fatalf("before the week is over, %d removed: %v", n, err)
		}
	}
	young := put(t, v, k, []byte("its transaction is still to come"))
	var writers sync.WaitGroup
	var mu sync.Mutex
	for w := range 4 {
		writers.Go(func() {
			for i := range 50 {
				ref, err := v.Put(t.Context(), k, strings.NewReader(fmt.Sprint(w, "/", i)), megabyte)
				if err != nil {
					t.Error(err)
					return
				}
				db.add(ref) // as a commit does, a moment later
				mu.Lock()
				kept = append(kept, ref)
				mu.Unlock()
			}
		})
	}
	removed, err := v.Collect(t.Context(), now.Add(week), week, db.named)
	writers.Wait()
	if err != nil || removed != len(orphans) {
		t.Errorf("%d removed, want %d: %v", removed, len(orphans), err)
	}
	for _, ref := range append(kept, young) {
		if !v.has(t, k, ref) {
			t.Fatalf("%s is gone", ref.Stored)
		}
	}
	for _, ref := range orphans {
		if v.has(t, k, ref) {
			t.Fatalf("%s is still there", ref.Stored)
		}
	}
}

// A row that comes between the look and the removal saves its blob, and so does
// one that a look in between has seen: its grace begins anew.
func TestABlobThatIsNamedMeanwhileStays(t *testing.T) {
	v, _ := open(t)
	k, db := caseKey(t, v), &rows{}
	db.add(put(t, v, k, []byte("of another report")))
	ref := put(t, v, k, []byte("late"))
	asked := 0
	late := func(ctx context.Context, names []string) ([]string, error) {
		if asked++; asked == 3 { // the first look, the second, and before the removal
			db.add(ref)
		}
		return db.named(ctx, names)
	}
	removed, err := looks(t, v, late)
	if err != nil || removed != 0 || !v.has(t, k, ref) || asked != 3 {
		t.Errorf("%d removed after %d questions, %v", removed, asked, err)
	}
	seen := &rows{names: slices.Clone(db.names)}
	now := time.Now()
	for i, named := range []Named{(&rows{names: db.names[:1]}).named, seen.named, (&rows{names: db.names[:1]}).named} {
		n, err := v.Collect(t.Context(), now.Add(time.Duration(i)*week), week, named)
		if n != 0 || err != nil || !v.has(t, k, ref) {
			t.Errorf("look %d: %d removed, %v", i, n, err)
		}
	}
}

// Rows that know nothing of a vault, or next to nothing of a large one, are
// another's: nothing goes.
func TestAVaultIsNotEmptiedByAnotherDatabase(t *testing.T) {
	for _, c := range []struct{ named, all int }{{0, 1}, {0, fewOrphans}, {fewOrphans - 1, 2*fewOrphans + 2}} {
		v, _ := open(t)
		k, db := caseKey(t, v), &rows{}
		for i := range c.all {
			if ref := put(t, v, k, fmt.Append(nil, i)); i < c.named {
				db.add(ref)
			}
		}
		removed, err := looks(t, v, db.named)
		if want := fmt.Sprintf("%d of %d files in the vault have no row", c.all-c.named, c.all); err == nil || removed != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%d removed, %v, want %s", removed, err, want)
		}
	}
}

// Marks that a crash has left half written, or none, begin a new week.
func TestMarksThatCannotBeReadBeginAnew(t *testing.T) {
	v, _ := open(t)
	k, db := caseKey(t, v), &rows{}
	db.add(put(t, v, k, []byte("named")))
	put(t, v, k, []byte("left over"))
	now := time.Now()
	for i, want := range []int{0, 0, 1} {
		if i == 1 {
			if err := os.WriteFile(filepath.Join(v.dir, orphansName), []byte(`{"`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := v.Collect(t.Context(), now.Add(time.Duration(i)*week), week, db.named); n != want || err != nil {
			t.Errorf("look %d: %d removed, %v", i, n, err)
		}
	}
	if _, err := os.Stat(filepath.Join(v.dir, orphansName)); err == nil {
		t.Error("nothing is without a row, and the marks are still there")
	}
}
