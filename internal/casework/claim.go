package casework

import (
	"context"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// Anybody may claim that somebody will be hurt soon, or that an attack is
// announced, and nobody can know it before a person has looked. So that a flood
// of such claims does not bury the queue (threat-model T04), so many cases of a
// party stand ahead by them at once, and so many come forward in an hour. A
// further one stands where it would without its claim, keeps its queue, joins
// the call, and is counted and listed beside it; it comes forward, the longest
// waiting first, as those ahead are looked at. What partners and programs that
// are known claim stands ahead always.
const (
	aheadAtOnce = 6
	aheadAnHour = 60
	// The bounds for cases of which nobody says that it is soon leave the other
	// half to those.
	threatsAtOnce = aheadAtOnce / 2
	threatsAnHour = aheadAnHour / 2
)

const (
	// openClaims are the words of the index cases_claims: claims at which nobody
	// looks yet.
	openClaims = `state = 'open' AND tier = '' AND (soon = TRUE OR urgent = TRUE)`
	// furtherClaims are those that do not move their case forward.
	furtherClaims = openClaims + ` AND ahead_at IS NULL`
)

// ahead reports whether what a reporter claims moves the case forward: until
// somebody has assessed it.
func (c Case) ahead() bool { return c.Tier == "" && !c.AheadAt.IsZero() }

// Further reports whether a reporter claims what would move the case forward,
// and it does not, because many others are claimed.
func (c Case) Further() bool {
	return c.Tier == "" && (c.Soon || c.urgent) && c.AheadAt.IsZero()
}

// claim lets a case come forward by what a report claims, if there is room. A
// list claims nothing.
func claim(ctx context.Context, tx *db.Tx, c *Case, f report.Facts, now time.Time) error {
	if f.Bulk || !c.Further() || !f.Soon && !life(f) {
		return nil
	}
	room := isKnown(f.Channel)
	if !room {
		var err error
		if room, err = roomAhead(ctx, tx, c.Party, c.Soon, now); err != nil {
			return err
		}
	}
	if room {
		c.AheadAt = now
	}
	return nil
}

// roomAhead reports whether one more claim of a party's may stand ahead. Nodes
// that ask at the same moment may let one too many pass.
func roomAhead(ctx context.Context, tx *db.Tx, of party.ID, soon bool, now time.Time) (bool, error) {
	atOnce, anHour := threatsAtOnce, threatsAnHour
	if soon {
		atOnce, anHour = aheadAtOnce, aheadAnHour
	}
	n, err := db.Value[int64](ctx, tx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM cases WHERE `+openClaims+` AND party_id = $1 AND ahead_at > 0 LIMIT %d) AS found`, atOnce), of)
	if err != nil || int(n) >= atOnce {
		return false, err
	}
	n, err = db.Value[int64](ctx, tx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM cases WHERE party_id = $1 AND ahead_at > $2 LIMIT %d) AS found`, anHour),
		of, db.Micros(now.Add(-time.Hour)))
	return int(n) < anHour, err
}

// letAhead lets further claims come forward where those ahead have been looked
// at: first those of which somebody says that it is soon, of these the longest
// waiting.
func (r *Room) letAhead(ctx context.Context, now time.Time) error {
	parties, err := db.All(ctx, r.DB, db.Scalar[party.ID], `SELECT DISTINCT party_id FROM cases WHERE `+furtherClaims)
	if err != nil {
		return err
	}
	for _, of := range parties {
		if err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return r.letAheadOf(ctx, tx, of, now) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) letAheadOf(ctx context.Context, tx *db.Tx, of party.ID, now time.Time) error {
	type waiting struct {
		id   ID
		soon bool
	}
	next, err := db.All(ctx, tx, func(row db.Row) (w waiting, err error) { return w, row.Scan(&w.id, &w.soon) },
		`SELECT id, soon FROM cases WHERE `+furtherClaims+` AND party_id = $1 ORDER BY soon DESC, opened_at, id LIMIT $2`, of, aheadAtOnce)
	if err != nil {
		return err
	}
	var ids []ID
	for _, w := range next {
		room, err := roomAhead(ctx, tx, of, w.soon, now)
		if err != nil {
			return err
		}
		if !room {
			break
		}
		if _, err := tx.Exec(ctx, `UPDATE cases SET ahead_at = $2 WHERE id = $1 AND `+furtherClaims, w.id, db.Micros(now)); err != nil {
			return err
		}
		ids = append(ids, w.id)
	}
	return r.rerank(ctx, tx, ids, now)
}

// Further returns how many claims wait without moving their cases forward, of
// those that the actor may read: exact below Many, and Many from there on.
func (r *Room) Further(ctx context.Context, by party.Actor) (int, error) {
	n, _, err := r.countTenant(ctx, by, furtherClaims, "")
	return n, err
}
