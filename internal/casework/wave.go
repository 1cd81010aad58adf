package casework

import (
	"context"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/report"
)

const (
	// SlotOf is how long reports count as having come together.
	SlotOf = 10 * time.Minute
	// waveOf is how many reports in a slot are a wave, if half of them read
	// alike.
	waveOf = 20
)

// A Slot is ten minutes in which reports joined a case.
type Slot struct {
	At      time.Time // when it began
	Reports int
	Alike   int // the most of them that read alike, or had no words

	fresh int // wordings that were new to the case
}

// Wave reports whether a slot looks like a campaign: at least twenty reports of
// which half read alike (threat-model T04).
func (s Slot) Wave() bool { return s.Reports >= waveOf && 2*s.Alike >= s.Reports }

// voices is as how many a slot's reports count: each wording once, and a wave
// as one voice, so that a thousand copies weigh no more than the first.
func (s Slot) voices() int {
	if s.Wave() {
		return min(s.fresh, 1)
	}
	return s.fresh
}

// isKnown reports whether who reports by a channel is: a program or a partner, a
// voice each time, but an organisation only once.
func isKnown(ch report.Channel) bool {
	return ch == report.Partner || ch == report.Match || ch == report.Watch
}

// heardFrom reports whether the organisation that reports has reported the case
// before: however many lists it stands on, an organisation is one voice, until
// all that it reported is taken back.
func (r *Room) heardFrom(ctx context.Context, tx *db.Tx, id ID, f report.Facts) (bool, error) {
	if f.From == "" {
		return false, nil
	}
	n, err := db.Value[int64](ctx, tx, `
		SELECT count(*) FROM (SELECT 1 FROM reports r JOIN case_reports c ON c.report_id = r.id
			WHERE c.case_id = $1 AND r.from_party = $2 AND r.id <> $3 AND c.back_at IS NULL LIMIT 1) h`, id, f.From, f.ID)
	return n > 0, err
}

// hearFirst is hear for the report that opens a case: one voice.
func hearFirst(ctx context.Context, tx *db.Tx, c Case, f report.Facts, now time.Time) error {
	if isKnown(f.Channel) {
		return nil
	}
	slot, wording := db.Micros(now.Truncate(SlotOf)), f.Wording
	if wording == nil {
		wording = []byte{}
	}
	if err := tx.Send(ctx, `INSERT INTO case_wordings (case_id, wording, slot, n) VALUES ($1, $2, $3, 1)`, c.ID, wording, slot); err != nil {
		return err
	}
	return tx.Send(ctx, `INSERT INTO case_slots (case_id, slot, reports, alike, fresh) VALUES ($1, $2, 1, 1, 1)`, c.ID, slot)
}

// hear counts a report among its slot, and adds to the case's voices what it
// changes.
func (r *Room) hear(ctx context.Context, tx *db.Tx, c *Case, f report.Facts, now time.Time) error {
	if isKnown(f.Channel) {
		again, err := r.heardFrom(ctx, tx, c.ID, f)
		if err == nil && !again {
			c.Voices++
		}
		return err
	}
	slot := now.Truncate(SlotOf)
	alike, fresh, err := r.alike(ctx, tx, *c, f, slot)
	if err != nil {
		return err
	}
	before, err := slotAt(ctx, tx, c.ID, slot)
	if err != nil {
		return err
	}
	after := before
	after.Reports++
	after.Alike = max(after.Alike, alike)
	if fresh {
		after.fresh++
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO case_slots (case_id, slot, reports, alike, fresh) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (case_id, slot) DO UPDATE SET reports = excluded.reports, alike = excluded.alike, fresh = excluded.fresh`,
		c.ID, db.Micros(slot), after.Reports, after.Alike, after.fresh)
	c.Voices += after.voices() - before.voices()
	return err
}

// alike counts a report's wording, and says how often it has come in the slot
// and whether it is new to the case. Reports without words are all alike, and
// each is new: most people only give a link.
func (r *Room) alike(ctx context.Context, tx *db.Tx, c Case, f report.Facts, slot time.Time) (n int, fresh bool, err error) {
	at, err := db.Value[report.LocationID](ctx, tx, `
		SELECT c.location_id FROM case_locations c JOIN report_locations l ON l.location_id = c.location_id
		WHERE c.case_id = $1 AND l.report_id = $2 ORDER BY c.n LIMIT 1`, c.ID, f.ID)
	if err != nil && !errors.Is(err, db.ErrAbsent) {
		return 0, false, err
	}
	wording, err := r.Reports.Wording(ctx, tx, f.ID, at)
	if err != nil {
		return 0, false, err
	}
	if wording == nil {
		wording, fresh = []byte{}, true
	}
	type heard struct{ slot, n int64 }
	before, err := db.One(ctx, tx, func(row db.Row) (h heard, err error) { return h, row.Scan(&h.slot, &h.n) },
		`SELECT slot, n FROM case_wordings WHERE case_id = $1 AND wording = $2`, c.ID, wording)
	if errors.Is(err, db.ErrAbsent) {
		fresh, err = true, nil
	}
	if err != nil {
		return 0, false, err
	}
	if before.slot != db.Micros(slot) {
		before.n = 0
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO case_wordings (case_id, wording, slot, n) VALUES ($1, $2, $3, $4)
		ON CONFLICT (case_id, wording) DO UPDATE SET slot = excluded.slot, n = excluded.n`, c.ID, wording, db.Micros(slot), before.n+1)
	return int(before.n) + 1, fresh, err
}

const slotColumns = `slot, reports, alike, fresh`

func scanSlot(row db.Row) (Slot, error) {
	var s Slot
	return s, row.Scan(db.Time(&s.At), &s.Reports, &s.Alike, &s.fresh)
}

func slotAt(ctx context.Context, q db.Reader, id ID, slot time.Time) (Slot, error) {
	s, err := db.One(ctx, q, scanSlot, `SELECT `+slotColumns+` FROM case_slots WHERE case_id = $1 AND slot = $2`, id, db.Micros(slot))
	if errors.Is(err, db.ErrAbsent) {
		return Slot{At: slot}, nil
	}
	return s, err
}

// waveSlots is how many slots before and after the highest one a picture of it
// shows: two hours on each side.
const waveSlots = 12

// wave returns what is around the slot with the most reports, the first first;
// nothing for a case that no wave has come to.
func wave(ctx context.Context, q db.Reader, id ID) ([]Slot, error) {
	top, err := db.One(ctx, q, scanSlot, `SELECT `+slotColumns+` FROM case_slots
		WHERE case_id = $1 AND reports >= $2 AND 2 * alike >= reports ORDER BY reports DESC, slot LIMIT 1`, id, waveOf)
	if errors.Is(err, db.ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return db.All(ctx, q, scanSlot, `SELECT `+slotColumns+` FROM case_slots WHERE case_id = $1 AND slot BETWEEN $2 AND $3 ORDER BY slot`,
		id, db.Micros(top.At.Add(-waveSlots*SlotOf)), db.Micros(top.At.Add(waveSlots*SlotOf)))
}
