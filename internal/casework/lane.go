package casework

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// Whoever reports five thousand links, each once, makes five thousand cases,
// and nothing folds. So that such a flood delays only itself (threat-model
// T04), cases that came in one burst and have only the voice of somebody who is
// not known stand in a lane of their own. They come up in turns: at the pace
// that is usual for what they have in common, and the rest counts as if it had
// come later. Nothing is dropped or decided by it; whatever carries weight of
// its own (an organisation that is known, a report that is no part of a burst,
// a claim within its bounds, an assessment) takes a case out of its lane.

// A LaneID identifies a Lane (UUIDv7).
type LaneID string

// A LaneKind says what the cases of a lane have in common.
type LaneKind string

// The kinds.
const (
	LaneWords LaneKind = "words" // nearly the same words, wherever they point
	LaneSite  LaneKind = "site"  // the same platform or domain, with words
	LaneLinks LaneKind = "links" // the same platform or domain, without words
	LaneNew   LaneKind = "new"   // domains that nobody had reported a week ago
)

// LaneKinds lists the kinds; their texts are case.lane.<kind>.
func LaneKinds() []LaneKind { return []LaneKind{LaneWords, LaneSite, LaneLinks, LaneNew} }

// A Lane is a burst of cases that come up in turns.
type Lane struct {
	ID       LaneID
	Party    party.ID
	Kind     LaneKind
	Platform string // key, "" where it is unknown or several
	Cases    int    // that stood in it, ever
	Began    time.Time
	Last     time.Time // when the last case came

	next time.Time // the next turn
	gap  time.Duration
}

const laneColumns = `id, party_id, kind, platform, cases, next_at, began_at, last_at`

func scanLane(row db.Row) (Lane, error) {
	var l Lane
	return l, row.Scan(&l.ID, &l.Party, &l.Kind, &l.Platform, &l.Cases, db.Time(&l.next), db.Time(&l.Began), db.Time(&l.Last))
}

// laneOf returns the lane of a case, nil if it stands in none.
func laneOf(ctx context.Context, q db.Reader, id LaneID) (*Lane, error) {
	if id == "" {
		return nil, nil
	}
	l, err := db.One(ctx, q, scanLane, `SELECT `+laneColumns+` FROM case_lanes WHERE id = $1`, id)
	if errors.Is(err, db.ErrAbsent) {
		return nil, nil
	}
	return &l, err
}

// InTurns reports whether the case waits for its turn at now: until then it
// stands behind everything that does not.
func (c Case) InTurns(now time.Time) bool {
	return c.State == Open && c.Tier == "" && !c.ahead() && !c.crisis && c.TurnAt.After(now)
}

// enter gives a new case its place in a lane.
func (l *Lane) enter(ctx context.Context, tx *db.Tx, c *Case, now time.Time) error {
	c.LaneID, c.TurnAt = l.ID, l.turn(now)
	l.Last = now
	return l.save(ctx, tx)
}

// turn takes the next turn, not before a moment.
func (l *Lane) turn(earliest time.Time) time.Time {
	at := l.next
	if at.Before(earliest) {
		at = earliest
	}
	l.next = at.Add(l.gap)
	l.Cases++
	return at
}

func (l *Lane) save(ctx context.Context, tx *db.Tx) error {
	return tx.Send(ctx, `UPDATE case_lanes SET cases = $2, next_at = $3, last_at = $4 WHERE id = $1`, l.ID, l.Cases, db.Micros(l.next), db.Micros(l.Last))
}

// drawIn puts cases that came before the burst was one into its lane, the first
// first.
func (r *Room) drawIn(ctx context.Context, tx *db.Tx, l *Lane, ids []ID, now time.Time) error {
	for _, id := range ids {
		c, err := db.One(ctx, tx, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1 FOR UPDATE`, id)
		if errors.Is(err, db.ErrAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		if c.LaneID != "" || c.State != Open || slices.ContainsFunc(c.Channels, byKnown) {
			continue
		}
		c.LaneID, c.TurnAt = l.ID, l.turn(c.OpenedAt)
		r.rank(&c, now)
		if err := tx.Send(ctx, `UPDATE cases SET lane_id = $2, turn_at = $3, queue = $4, priority = $5, why = $6, ranked_at = $7 WHERE id = $1`,
			c.ID, c.LaneID, db.Micros(c.TurnAt), c.Queue, c.Priority, db.List(c.Why), db.Micros(now)); err != nil {
			return err
		}
	}
	return nil
}

// byKnown is isKnown for a channel as a case keeps it.
func byKnown(ch string) bool { return isKnown(report.Channel(ch)) }

// sitesFor is how long what is usual at a site is known after its last report.
const sitesFor = 30 * 24 * time.Hour

// sweepFlows forgets what is not needed to tell a burst: marks of words after
// two hours in which nothing of them came, those of sites after a month.
func (r *Room) sweepFlows(ctx context.Context, now time.Time) error {
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM case_flows WHERE words = TRUE AND from_at < $1`, db.Micros(now.Add(-2*flowHour))); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM case_flows WHERE words = FALSE AND from_at < $1 AND mark <> $2`, db.Micros(now.Add(-sitesFor)), []byte{markParty})
		return err
	})
}
