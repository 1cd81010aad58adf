package vault

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// collectPage is how many blobs are asked about at once.
	collectPage = 200
	// fewOrphans is how many blobs without a row are no reason to doubt that the
	// rows are those of this vault.
	fewOrphans = 100
)

// Named returns those of some blobs, by Digest.String, that rows name.
type Named func(ctx context.Context, names []string) ([]string, error)

// Collect removes the blobs that were stored before a time and that no row
// names, and returns how many: what a crash left between Put and the commit of
// its rows, and what an erasure let go. before lies so far back that whoever has
// put a blob then has committed by now. If more than half of many blobs have no
// row, the rows are another vault's, as after a restore of one and not the
// other: an error says so, and nothing is removed. It costs a walk through the
// vault and a question for each page of blobs.
func (v *Vault) Collect(ctx context.Context, before time.Time, named Named) (int, error) {
	var page, orphans []string
	old := 0
	ask := func() error {
		has, err := unnamed(ctx, page, named)
		old, orphans, page = old+len(page), append(orphans, has...), page[:0]
		return err
	}
	err := v.store.Walk(ctx, func(s Stat) error {
		if !s.ModTime.Before(before) {
			return nil
		}
		if page = append(page, s.Name.String()); len(page) < collectPage {
			return nil
		}
		return ask()
	})
	if err == nil {
		err = ask()
	}
	if err != nil {
		return 0, fmt.Errorf("collect what no row names: %w", err)
	}
	if len(orphans) > fewOrphans && 2*len(orphans) > old {
		return 0, fmt.Errorf("collect what no row names: %d of %d files in the vault have no row, so that this may not be its database; none was removed", len(orphans), old)
	}
	removed := 0
	for some := range slices.Chunk(orphans, collectPage) {
		n, err := v.discard(ctx, some, named)
		if removed += n; err != nil {
			return removed, fmt.Errorf("collect what no row names: %w", err)
		}
	}
	return removed, nil
}

// discard removes blobs that still no row names.
func (v *Vault) discard(ctx context.Context, names []string, named Named) (int, error) {
	still, err := unnamed(ctx, names, named)
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

// unnamed returns those of some blobs that no row names.
func unnamed(ctx context.Context, names []string, named Named) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	has, err := named(ctx, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(has, n) }), nil
}
