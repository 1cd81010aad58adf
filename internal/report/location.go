package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/vault"
)

// A LocationID identifies a location of this instance (UUIDv7).
type LocationID string

// A Location is where something is. It belongs to the instance and is shared
// by every report and case that names it.
type Location struct {
	ID       LocationID
	URL      string         // canonical; sealed at rest; "" once erased
	Platform string         // key of the platform, "" if unknown
	Kind     canonical.Kind // what it names
	Broad    []string       // canonical.Broad reasons, sorted; nil for one narrow thing
}

// Defanged returns the location as it is shown to people: not clickable.
func (l Location) Defanged() string { return canonical.Defang(l.URL) }

// found is a location on its way into the database.
type found struct {
	Location
	mac    []byte
	site   string // domain that was registered, "" for what has none
	stored bool   // has a row already
	key    vault.WrappedKey
	sealed []byte
}

// LocationsTx finds or creates the locations of raw links or handles. Repeats
// are folded, the order is kept. What cannot be a location is one fault with a
// part at "/locations/<i>" for each, and nothing is created.
func (r *Room) LocationsTx(ctx context.Context, tx *db.Tx, raw []string, now time.Time) ([]Location, error) {
	var c fault.Checker
	fs := r.parse(&c, raw)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return r.storeLocations(ctx, tx, fs, now)
}

// Read returns what raw links or handles name, without looking whether anybody
// has named them before. Repeats are folded, the order is kept; what cannot be
// a location is one fault with a part at "/locations/<i>" for each.
func (r *Room) Read(raw []string) ([]Location, error) {
	var c fault.Checker
	out := []Location{}
	for _, f := range r.parse(&c, raw) {
		out = append(out, f.Location)
	}
	return out, c.Err()
}

// Mark returns by which mark a canonical link or handle, as Read has it, is known
// again without being shown.
func (r *Room) Mark(url string) []byte { return r.vault.MAC("location", []byte(url)) }

// FindLocation returns the location of one raw link or handle, or a hidden
// fault if nobody has named it yet.
func (r *Room) FindLocation(ctx context.Context, q db.Reader, raw string) (Location, error) {
	var c fault.Checker
	fs := r.parse(&c, []string{raw})
	if err := c.Err(); err != nil {
		return Location{}, err
	}
	if err := known(ctx, q, fs); err != nil {
		return Location{}, err
	}
	if !fs[0].stored {
		return Location{}, fault.Hidden("location")
	}
	return fs[0].Location, nil
}

// Locations returns the locations with these identifiers, opened, in the order
// given; unknown ones are left out. The caller has checked that its reader may
// see them. Opening costs about 0.2 ms a location.
func (r *Room) Locations(ctx context.Context, q db.Reader, ids []LocationID) ([]Location, error) {
	return inOrder(ctx, q, ids, r.openLocation)
}

// Places is Locations without opening: every URL is "". It is for those who
// only count or sort, as the sequencer does.
func (r *Room) Places(ctx context.Context, q db.Reader, ids []LocationID) ([]Location, error) {
	return inOrder(ctx, q, ids, func(row locationRow) (Location, error) { return row.Location, nil })
}

func inOrder(ctx context.Context, q db.Reader, ids []LocationID, open func(locationRow) (Location, error)) ([]Location, error) {
	rows := make(map[LocationID]locationRow, len(ids))
	got, err := db.AllIn(ctx, q, scanLocation, func(in string) string {
		return `SELECT ` + locationColumns + ` FROM locations WHERE id IN (` + in + `)`
	}, ids)
	if err != nil {
		return nil, err
	}
	for _, row := range got {
		rows[row.ID] = row
	}
	out := make([]Location, 0, len(ids))
	for _, id := range ids {
		row, ok := rows[id]
		if !ok {
			continue
		}
		l, err := open(row)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// LocationIDs returns the locations of a report in the order given.
func (r *Room) LocationIDs(ctx context.Context, q db.Reader, id ID) ([]LocationID, error) {
	return locationIDs(ctx, q, id)
}

// Reported returns the reports of a party that name any of the locations, the
// oldest first, at most n.
func (r *Room) Reported(ctx context.Context, q db.Reader, party string, ids []LocationID, n int) ([]ID, error) {
	all, err := db.AllIn(ctx, q, db.Scalar[ID], func(in string) string {
		return `SELECT DISTINCT r.id FROM report_locations l JOIN reports r ON r.id = l.report_id
			WHERE r.party_id = $1 AND l.location_id IN (` + in + `) ORDER BY r.id LIMIT $2`
	}, ids, party, n)
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(n, len(all))], err
}

// Wording returns the mark of a report's wording at one of its locations, nil
// if it has no words: equal marks at a location are of texts that read alike.
func (r *Room) Wording(ctx context.Context, q db.Reader, id ID, at LocationID) ([]byte, error) {
	mark, err := db.One(ctx, q, func(row db.Row) (b []byte, err error) { return b, row.Scan(&b) },
		`SELECT wording FROM report_locations WHERE report_id = $1 AND location_id = $2`, id, at)
	if errors.Is(err, db.ErrAbsent) {
		err = nil
	}
	return mark, err
}

// parse reads links and handles, drops repeats and adds a fault for each that
// is none.
func (r *Room) parse(c *fault.Checker, raw []string) []found {
	if len(raw) > MaxLocations {
		c.Add("/locations", "report.too-many-locations", "Max", MaxLocations, "Got", len(raw))
		return nil
	}
	seen := make(map[string]bool, len(raw))
	out := make([]found, 0, len(raw))
	for i, s := range raw {
		l, err := canonical.Parse(s, r.platforms)
		if err != nil {
			addLocationFault(c, fmt.Sprintf("/locations/%d", i), err)
			continue
		}
		if seen[l.Canonical] {
			continue
		}
		seen[l.Canonical] = true
		out = append(out, found{
			Location: Location{URL: l.Canonical, Platform: l.Platform, Kind: l.Kind, Broad: l.Broad},
			mac:      r.Mark(l.Canonical), site: l.Registrable,
		})
	}
	return out
}

// addLocationFault says why an input is no location. The reason is a key of
// the catalogues; the offending part comes quoted and defanged.
func addLocationFault(c *fault.Checker, pointer string, err error) {
	e, ok := errors.AsType[*canonical.Error](err)
	if !ok {
		c.Add(pointer, "location.bad-host", "Part", "")
		return
	}
	c.Add(pointer, string(e.Reason), "Part", e.Part, "Max", canonical.MaxBytes)
}

// known fills in what the database holds of fs already.
func known(ctx context.Context, q db.Reader, fs []found) error {
	byMAC := make(map[string]*found, len(fs))
	macs := make([][]byte, 0, len(fs))
	for i := range fs {
		byMAC[string(fs[i].mac)] = &fs[i]
		macs = append(macs, fs[i].mac)
	}
	rows, err := db.AllIn(ctx, q, scanLocation, func(in string) string {
		return `SELECT ` + locationColumns + ` FROM locations WHERE mac IN (` + in + `)`
	}, macs)
	if err != nil {
		return err
	}
	for _, row := range rows {
		f := byMAC[string(row.mac)]
		url := f.URL
		f.Location, f.stored = row.Location, true
		f.URL = url // the one spelling, which is what was sealed
	}
	return nil
}

// sealLocation readies f for storing, under a key of its own, so that one
// location can be erased alone.
func (r *Room) sealLocation(f *found) error {
	key, wrapped, err := r.vault.NewKey()
	if err != nil {
		return err
	}
	f.ID, f.key = LocationID(db.NewID()), wrapped
	f.sealed = vault.Seal(key, []byte(f.URL), "location/"+string(f.ID))
	return nil
}

// sealUnknown seals what is not in the database yet, outside of the writer,
// where it would keep others waiting.
func (r *Room) sealUnknown(ctx context.Context, q db.Reader, fs []found) error {
	if err := known(ctx, q, fs); err != nil {
		return err
	}
	for i := range fs {
		if !fs[i].stored {
			if err := r.sealLocation(&fs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// storeLocations creates what is missing. Rows are locked in the order of
// their MACs, so that two reports of the same links cannot wait for each other.
func (r *Room) storeLocations(ctx context.Context, tx *db.Tx, prepared []found, now time.Time) ([]Location, error) {
	fs := slices.Clone(prepared) // a transaction may be tried again
	missing := func(f *found) bool { return !f.stored }
	if unsealed := func(f *found) bool { return !f.stored && f.sealed == nil }; len(those(fs, unsealed)) > 0 {
		if err := known(ctx, tx, fs); err != nil {
			return nil, err
		}
	}
	order := those(fs, missing)
	slices.SortFunc(order, func(a, b *found) int { return bytes.Compare(a.mac, b.mac) })
	for _, f := range order {
		if f.sealed == nil {
			if err := r.sealLocation(f); err != nil {
				return nil, err
			}
		}
		if err := tx.Send(ctx, `
			INSERT INTO locations (id, mac, key, sealed, platform, kind, broad, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (mac) DO NOTHING`,
			f.ID, f.mac, []byte(f.key), f.sealed, f.Platform, string(f.Kind), db.List(f.Broad), db.Micros(now)); err != nil {
			return nil, err
		}
	}
	if len(order) > 0 { // whoever was faster gave it its identifier
		if err := known(ctx, tx, fs); err != nil {
			return nil, err
		}
	}
	out := make([]Location, len(fs))
	for i := range fs {
		out[i] = fs[i].Location
	}
	return out, nil
}

// those are the locations that want something.
func those(fs []found, want func(*found) bool) []*found {
	var out []*found
	for i := range fs {
		if want(&fs[i]) {
			out = append(out, &fs[i])
		}
	}
	return out
}

const locationColumns = `id, mac, key, sealed, platform, kind, broad`

// locationRow is a location as stored.
type locationRow struct {
	Location
	mac    []byte
	key    []byte
	sealed []byte
}

func scanLocation(row db.Row) (locationRow, error) {
	var l locationRow
	err := row.Scan(&l.ID, &l.mac, &l.key, &l.sealed, &l.Platform, &l.Kind, db.ListInto(&l.Broad))
	return l, err
}

// openLocation unseals a stored location; an erased one has no URL.
func (r *Room) openLocation(row locationRow) (Location, error) {
	if len(row.key) == 0 {
		return row.Location, nil
	}
	key, err := r.vault.Unwrap(row.key)
	if err != nil {
		return Location{}, fmt.Errorf("open location %s: %w", row.ID, err)
	}
	url, err := vault.Unseal(key, row.sealed, "location/"+string(row.ID))
	if err != nil {
		return Location{}, fmt.Errorf("open location %s: %w", row.ID, err)
	}
	row.URL = string(url)
	return row.Location, nil
}
