package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// collectPage is how many blobs are asked about at once.
	collectPage = 200
	// fewOrphans is how many blobs without a row are no reason to doubt that the
	// rows are those of this vault, as long as they name others.
	fewOrphans = 100
	// orphansName is the file that remembers since when no row names a blob.
	orphansName = "orphans.json"
)

// Named returns those of some blobs, by Digest.String, that rows name.
type Named func(ctx context.Context, names []string) ([]string, error)

// Collect removes the blobs that no row has named for a time of grace, and
// returns how many: what a crash left between Put and the commit of its rows,
// and what an erasure let go. It marks a blob when it finds it without a row
// first, and removes it when a later look, a grace after, still finds it so, and
// no look in between found a row: neither how old a file is nor how long its
// upload lasts matters, nor a clock that jumps once, and whoever has started
// with another database has that long to notice. If rows name no blob of the
// vault, or more than half of many have none, the rows are another vault's: an
// error says so, and nothing is removed. It costs a walk through the vault and a
// question for each page of blobs.
func (v *Vault) Collect(ctx context.Context, now time.Time, grace time.Duration, named Named) (int, error) {
	n, err := v.collect(ctx, now, grace, named)
	if err != nil {
		err = fmt.Errorf("collect what no row names: %w", err)
	}
	return n, err
}

func (v *Vault) collect(ctx context.Context, now time.Time, grace time.Duration, named Named) (int, error) {
	since, err := v.orphans()
	if err != nil {
		return 0, err
	}
	found, all, err := v.unnamed(ctx, named)
	if err != nil {
		return 0, err
	}
	marked := make(map[string]time.Time, len(found))
	var due []string
	for _, name := range found {
		marked[name] = now
		if at, ok := since[name]; ok {
			marked[name] = at
			if now.Sub(at) >= grace {
				due = append(due, name)
			}
		}
	}
	if len(due) > 0 && (len(found) == all || len(found) > fewOrphans && 2*len(found) > all) {
		return 0, fmt.Errorf("%d of %d files in the vault have no row, so that this may not be its database; none was removed", len(found), all)
	}
	removed := 0
	for some := range slices.Chunk(due, collectPage) {
		n, err := v.discard(ctx, some, named)
		if removed += n; err != nil {
			return removed, err
		}
	}
	for _, name := range due {
		delete(marked, name)
	}
	return removed, v.setOrphans(marked)
}

// unnamed returns the blobs that no row names, and how many there are in all.
func (v *Vault) unnamed(ctx context.Context, named Named) (orphans []string, all int, err error) {
	var page []string
	ask := func() error {
		has, err := without(ctx, page, named)
		all, orphans, page = all+len(page), append(orphans, has...), page[:0]
		return err
	}
	err = v.store.Walk(ctx, func(s Stat) error {
		if page = append(page, s.Name.String()); len(page) < collectPage {
			return nil
		}
		return ask()
	})
	if err == nil {
		err = ask()
	}
	return orphans, all, err
}

// orphans reads since when which blobs have had no row.
func (v *Vault) orphans() (map[string]time.Time, error) {
	since := map[string]time.Time{}
	raw, err := os.ReadFile(filepath.Join(v.dir, orphansName))
	if errors.Is(err, fs.ErrNotExist) {
		return since, nil
	}
	if err == nil && json.Unmarshal(raw, &since) != nil {
		clear(since) // half written: the grace begins anew
	}
	return since, err
}

func (v *Vault) setOrphans(since map[string]time.Time) error {
	path := filepath.Join(v.dir, orphansName)
	if len(since) == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	raw, err := json.Marshal(since)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// discard removes blobs that still no row names.
func (v *Vault) discard(ctx context.Context, names []string, named Named) (int, error) {
	still, err := without(ctx, names, named)
	for i, name := range still {
		d, err := ParseDigest(name)
		if err == nil {
			err = v.store.Delete(ctx, d)
		}
		if err != nil {
			return i, err
		}
	}
	return len(still), err
}

// without returns those of some blobs that no row names.
func without(ctx context.Context, names []string, named Named) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	has, err := named(ctx, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(has, n) }), nil
}
