package vault

import (
	"context"
	"fmt"
	"io"
	"os"
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

// daysOld makes a blob one of two days ago.
func daysOld(t *testing.T, v *Vault, ref Ref) {
	t.Helper()
	then := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(v.store.(*FileStore).path(ref.Stored), then, then); err != nil {
		t.Fatal(err)
	}
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

// What no row names goes after a day; what a row names stays, and so does what
// is just being written, however many write while it is looked for.
func TestOnlyWhatNoRowNamesIsCollected(t *testing.T) {
	v, _ := open(t)
	k, db := caseKey(t, v), &rows{}
	var kept, orphans []Ref
	for i := range 3 * collectPage {
		ref := put(t, v, k, fmt.Append(nil, i))
		daysOld(t, v, ref)
		if i%3 == 0 {
			orphans = append(orphans, ref)
			continue
		}
		db.add(ref)
		kept = append(kept, ref)
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
	removed, err := v.Collect(t.Context(), time.Now().Add(-24*time.Hour), db.named)
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

// A row that comes between the look and the removal saves its blob.
func TestABlobThatIsNamedMeanwhileStays(t *testing.T) {
	v, _ := open(t)
	k, db := caseKey(t, v), &rows{}
	ref := put(t, v, k, []byte("late"))
	daysOld(t, v, ref)
	asked := 0
	removed, err := v.Collect(t.Context(), time.Now().Add(-24*time.Hour), func(ctx context.Context, names []string) ([]string, error) {
		if asked++; asked == 2 {
			db.add(ref)
		}
		return db.named(ctx, names)
	})
	if err != nil || removed != 0 || !v.has(t, k, ref) {
		t.Errorf("%d removed, %v", removed, err)
	}
}

// Rows that know next to nothing of the vault are another's: nothing goes.
func TestAVaultIsNotEmptiedByAnotherDatabase(t *testing.T) {
	v, _ := open(t)
	k, db := caseKey(t, v), &rows{}
	for i := range 2*fewOrphans + 2 {
		ref := put(t, v, k, fmt.Append(nil, i))
		daysOld(t, v, ref)
		if i < fewOrphans-1 {
			db.add(ref)
		}
	}
	removed, err := v.Collect(t.Context(), time.Now().Add(-24*time.Hour), db.named)
	if err == nil || removed != 0 || !strings.Contains(err.Error(), "103 of 202 files in the vault have no row") {
		t.Errorf("%d removed: %v", removed, err)
	}
}
