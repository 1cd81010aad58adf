// Package feed is the ordered stream of everything that happened.
//
// A room records an Event in the transaction of its decision (T1): the event
// is the audit record and the outgoing news in one, durable when the decision
// is. One sequencer (T2) gives pending events their place in the order, chains
// each to the one before, and runs the subscriptions of later rooms in the
// same transaction. Everything that leaves the program is a view of the
// entries by cursor, so there is one order and one way to resume.
//
// Entries are never ordered by an id taken inside a writer: commits land out
// of order, and a reader by such an id would skip rows.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/db"
)

// Everyone is the audience of what the public may know.
const Everyone = "*"

// maxData bounds an event's data in bytes; an event is news, not a document.
const maxData = 16 << 10

// An Event is something that happened, as its room records it.
type Event struct {
	Kind     string    // noun.verb, as "notice.issued"
	Object   string    // the noun of what it happened to, as "notice"
	ObjectID string    // its identifier
	Ref      string    // its public reference, "" if it has none
	Party    string    // who acted: the party, "" for the program itself
	Person   string    // and the person, "" for a machine
	Audience []string  // parties that may see the entry; Everyone; none = audit only
	Data     any       // a small value, as JSON; nothing sealed: no links, names, free text
	At       time.Time // when it was decided
}

// An Entry is an event in its place in the order.
type Entry struct {
	Seq         int64
	ID          string
	Kind        string
	Object      string
	ObjectID    string
	Ref         string
	Party       string
	Person      string
	Data        json.RawMessage
	At          time.Time
	SequencedAt time.Time
	Chain       string   // hex SHA-256 over the previous entry's chain and this entry
	Audience    []string // set for subscriptions only
}

// ToldAt is the time of an entry as it is told to programs, whose records we do
// not keep: of what follows from a report at once, cut to the hour, so that
// nobody puts it beside records of who used a network when (threat-model T01).
func (e Entry) ToldAt() time.Time {
	if e.Object == "report" || e.Kind == "case.opened" || e.Kind == "case.joined" {
		return e.At.UTC().Truncate(time.Hour)
	}
	return e.At
}

// Record adds e to the transaction of its decision and wakes the sequencer
// once that is durable. It returns the entry's identifier.
func (f *Feed) Record(ctx context.Context, tx *db.Tx, e Event) (string, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return "", fmt.Errorf("record %s: %w", e.Kind, err)
	}
	if e.Data == nil {
		data = []byte("{}")
	}
	if len(data) > maxData {
		return "", fmt.Errorf("record %s: data of %d bytes, at most %d", e.Kind, len(data), maxData)
	}
	audience, err := json.Marshal(unique(e.Audience))
	if err != nil {
		return "", err
	}
	id := db.NewID()
	err = tx.Send(ctx, `
		INSERT INTO feed_pending (id, kind, object, object_id, ref, actor_party, actor_person, audience, data, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, e.Kind, e.Object, e.ObjectID, e.Ref, db.OrNull(e.Party), db.OrNull(e.Person), string(audience), string(data), db.Micros(e.At))
	if err != nil {
		return "", fmt.Errorf("record %s: %w", e.Kind, err)
	}
	tx.AfterCommit(f.pending.Wake)
	return id, nil
}

// unique drops empty and repeated parties, keeping the order.
func unique(parties []string) []string {
	seen := make(map[string]bool, len(parties))
	out := make([]string, 0, len(parties))
	for _, p := range parties {
		if p != "" && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

const columns = `e.seq, e.id, e.kind, e.object, e.object_id, e.ref, e.actor_party, e.actor_person, e.data, e.at, e.sequenced_at, e.chain`

func scan(row db.Row) (Entry, error) {
	var e Entry
	var data string
	err := row.Scan(&e.Seq, &e.ID, &e.Kind, &e.Object, &e.ObjectID, &e.Ref, db.Text(&e.Party), db.Text(&e.Person),
		&data, db.Time(&e.At), db.Time(&e.SequencedAt), &e.Chain)
	e.Data = json.RawMessage(data)
	return e, err
}

// After returns at most n entries that party may see and that come after seq,
// in order. Party Everyone sees what the public sees; a party sees that too.
func After(ctx context.Context, r db.Reader, party string, seq int64, n int) ([]Entry, error) {
	// Each of the two is read along its index, n rows of it: under one IN, the
	// databases sort all that the party will ever see.
	return db.All(ctx, r, scan, `
		SELECT `+columns+` FROM (
			SELECT seq FROM (SELECT seq FROM feed_audience WHERE party_id = $2 AND seq > $1 ORDER BY seq LIMIT $3) AS own
			UNION
			SELECT seq FROM (SELECT seq FROM feed_audience WHERE party_id = '*' AND seq > $1 ORDER BY seq LIMIT $3) AS everyones
			ORDER BY seq LIMIT $3
		) a CROSS JOIN feed_entries e WHERE e.seq = a.seq
		ORDER BY e.seq`, seq, party, n)
}

// Own returns at most n entries of a party's own that come after seq, up to and
// with until, in order. It leaves out what everybody may see.
func Own(ctx context.Context, r db.Reader, party string, seq, until int64, n int) ([]Entry, error) {
	return db.All(ctx, r, scan, `
		SELECT `+columns+` FROM feed_audience a JOIN feed_entries e ON e.seq = a.seq
		WHERE a.party_id = $1 AND a.seq > $2 AND a.seq <= $3 ORDER BY a.seq LIMIT $4`, party, seq, until, n)
}

// CountOwn counts what Own would return.
func CountOwn(ctx context.Context, r db.Reader, party string, seq, until int64, n int) (int, error) {
	c, err := db.Value[int64](ctx, r, `SELECT count(*) FROM (SELECT 1 FROM feed_audience WHERE party_id = $1 AND seq > $2 AND seq <= $3 LIMIT $4) a`, party, seq, until, n)
	return int(c), err
}

// askew is how much earlier Before begins to look: twice the fourteen hours by
// which a clock is wrong that was set to the time of another zone.
const askew = 28 * time.Hour

// Before returns the number before the first entry that got its place at a time
// or later, the last number if none did. The times of places grow with them
// unless a clock is set back or nodes' clocks differ: what then lies before and
// behind is not left out, as long as no clock was wrong by more than half of
// askew. It costs some twenty entries, and those of askew.
func Before(ctx context.Context, r db.Reader, at time.Time) (int64, error) {
	last, err := Last(ctx, r)
	low, high := int64(0), last+1 // numbers have no gaps
	for err == nil && high-low > 1 {
		middle := low + (high-low)/2
		var given int64
		if given, err = db.Value[int64](ctx, r, `SELECT sequenced_at FROM feed_entries WHERE seq = $1`, middle); given < db.Micros(at.Add(-askew)) {
			low = middle
		} else {
			high = middle
		}
	}
	if err != nil {
		return 0, err
	}
	first, err := db.Value[int64](ctx, r, `SELECT seq FROM feed_entries WHERE seq > $1 AND sequenced_at >= $2 ORDER BY seq LIMIT 1`, low, db.Micros(at))
	if errors.Is(err, db.ErrAbsent) {
		return last, nil
	}
	return first - 1, err
}

// Of returns what happened to one object, oldest first, at most n entries.
// The caller has checked that the reader may see the object.
func Of(ctx context.Context, r db.Reader, object, id string, n int) ([]Entry, error) {
	return db.All(ctx, r, scan, `
		SELECT `+columns+` FROM feed_entries e
		WHERE e.object = $1 AND e.object_id = $2 ORDER BY e.seq LIMIT $3`, object, id, n)
}

// Last returns the highest sequence number, 0 for an empty feed.
func Last(ctx context.Context, r db.Reader) (int64, error) {
	return db.Value[int64](ctx, r, `SELECT seq FROM feed_head WHERE id = 1`)
}

// Recent returns the last n entries that party may see before seq (0: from the
// end), the newest first. It leaves out what everybody may see.
func Recent(ctx context.Context, r db.Reader, party string, before int64, n int) ([]Entry, error) {
	if before <= 0 {
		before = 1 << 62
	}
	return db.All(ctx, r, scan, `
		SELECT `+columns+` FROM feed_audience a JOIN feed_entries e ON e.seq = a.seq
		WHERE a.party_id = $1 AND a.seq < $2 ORDER BY a.seq DESC LIMIT $3`, party, before, n)
}
