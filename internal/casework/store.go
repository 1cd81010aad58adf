package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

const caseColumns = `id, ref, party_id, state, holder, locked_until, jurisdiction, platform, kind, kinds, locations, reports, voices,
	channels, languages, topics, heavy, urgent, soon, ahead_at, burst, bulk, crisis, queue, priority, why, ranked_at, tier, list_class, assessed, complete,
	order_fault, opinion, captures, no_capture, dossiers, held_until, holds, handed_from, outcome, opened_at, deadline_at,
	closed_at, again, again_at, lane_id, turn_at, version, key_wrapped`

func scanCase(row db.Row) (Case, error) {
	var c Case
	var key []byte
	err := row.Scan(&c.ID, &c.Ref, &c.Party, &c.State, db.Text(&c.Holder), db.Time(&c.LockedUntil), &c.Jurisdiction,
		&c.Platform, &c.Kind, db.ListInto(&c.kinds), &c.Locations, &c.ReportCount, &c.Voices, db.ListInto(&c.Channels), db.ListInto(&c.Languages), db.ListInto(&c.Topics), &c.Heavy, &c.urgent, &c.Soon, db.Time(&c.AheadAt), &c.Burst, &c.Bulk, &c.crisis,
		&c.Queue, &c.Priority, db.ListInto(&c.Why), db.Time(&c.rankedAt), &c.Tier, &c.ListClass, &c.Assessed, &c.Complete, &c.OrderFault,
		&c.Opinion, &c.Captures, &c.NoCapture, &c.Dossiers, db.Time(&c.HeldUntil), &c.Holds, db.Text(&c.HandedFrom),
		&c.Outcome, db.Time(&c.OpenedAt), db.Time(&c.Deadline), db.Time(&c.ClosedAt), &c.Again, db.Time(&c.againAt), db.Text(&c.LaneID), db.Time(&c.TurnAt), &c.Version, &key)
	c.key = key
	return c, err
}

// load returns the case under a row lock, or a hidden fault.
func load(ctx context.Context, tx *db.Tx, id ID) (Case, error) {
	return hide(db.One(ctx, tx, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1 FOR UPDATE`, id))
}

func hide[T any](v T, err error) (T, error) {
	if errors.Is(err, db.ErrAbsent) {
		return v, fault.Hidden("case")
	}
	return v, err
}

func insertCase(ctx context.Context, tx *db.Tx, c Case) error {
	return tx.Send(ctx, `INSERT INTO cases (`+caseColumns+`) VALUES (`+db.Places(1, strings.Count(caseColumns, ",")+1)+`)`,
		c.ID, c.Ref, c.Party, c.State, db.OrNull(c.Holder), db.MicrosOrNull(c.LockedUntil), c.Jurisdiction, c.Platform, c.Kind,
		db.List(c.kinds), c.Locations, c.ReportCount, c.Voices, db.List(c.Channels), db.List(c.Languages), db.List(c.Topics), c.Heavy, c.urgent, c.Soon, db.MicrosOrNull(c.AheadAt), c.Burst, c.Bulk, c.crisis, c.Queue,
		c.Priority, db.List(c.Why), db.Micros(c.rankedAt), c.Tier, c.ListClass, c.Assessed, c.Complete, c.OrderFault, c.Opinion,
		c.Captures, c.NoCapture, c.Dossiers, db.MicrosOrNull(c.HeldUntil), c.Holds, db.OrNull(c.HandedFrom), c.Outcome,
		db.Micros(c.OpenedAt), db.Micros(c.Deadline), db.MicrosOrNull(c.ClosedAt), c.Again, db.MicrosOrNull(c.againAt), db.OrNull(c.LaneID), db.MicrosOrNull(c.TurnAt), c.Version, []byte(c.key))
}

// save stores what may change of a case and raises its version.
func save(ctx context.Context, tx *db.Tx, c *Case) error {
	n, err := tx.Exec(ctx, `
		UPDATE cases SET state = $3, holder = $4, locked_until = $5, platform = $6, kind = $7, kinds = $8, locations = $9,
			reports = $10, channels = $11, languages = $12, heavy = $13, urgent = $14, crisis = $15, queue = $16, priority = $17,
			why = $18, ranked_at = $19, tier = $20, list_class = $21, assessed = $22, complete = $23, order_fault = $24,
			opinion = $25, captures = $26, no_capture = $27, dossiers = $28, held_until = $29, holds = $30, outcome = $31,
			closed_at = $32, burst = $33, voices = $34, soon = $35, ahead_at = $36, again = $37, again_at = $38, bulk = $39, turn_at = $40, topics = $41, version = version + 1
		WHERE id = $1 AND version = $2`,
		c.ID, c.Version, c.State, db.OrNull(c.Holder), db.MicrosOrNull(c.LockedUntil), c.Platform, c.Kind, db.List(c.kinds),
		c.Locations, c.ReportCount, db.List(c.Channels), db.List(c.Languages), c.Heavy, c.urgent, c.crisis, c.Queue, c.Priority,
		db.List(c.Why), db.Micros(c.rankedAt), c.Tier, c.ListClass, c.Assessed, c.Complete, c.OrderFault, c.Opinion, c.Captures,
		c.NoCapture, c.Dossiers, db.MicrosOrNull(c.HeldUntil), c.Holds, c.Outcome, db.MicrosOrNull(c.ClosedAt), c.Burst, c.Voices, c.Soon,
		db.MicrosOrNull(c.AheadAt), c.Again, db.MicrosOrNull(c.againAt), c.Bulk, db.MicrosOrNull(c.TurnAt), db.List(c.Topics))
	if err == nil && n != 1 {
		err = fmt.Errorf("case %s changed under its lock", c.ID)
	}
	c.Version++
	return err
}

// act loads the case under its lock, finds the transition, lets change do the
// work, and stores the case with its event: everything that a person does to a
// case goes through here.
func (r *Room) act(ctx context.Context, tx *db.Tx, by party.Actor, id ID, event Event, now time.Time, change func(c *Case, s situation) (any, error)) (Case, error) {
	c, err := load(ctx, tx, id)
	if err != nil {
		return c, err
	}
	s := situation{Case: c, By: by, Now: now, Pack: r.pack(c.Jurisdiction, now)}
	t, err := next(s, event, c.Object())
	if err != nil {
		return c, err
	}
	return r.move(ctx, tx, s, t, change)
}

// move carries out a transition that next allowed.
func (r *Room) move(ctx context.Context, tx *db.Tx, s situation, t Transition, change func(c *Case, s situation) (any, error)) (Case, error) {
	c := s.Case
	c.State = t.To
	if c.Holder == s.By.Person && c.Holder != "" && t.To == Taken {
		c.LockedUntil = s.Now.Add(lockFor) // activity renews the lock
	}
	data, err := change(&c, s)
	if err != nil {
		return s.Case, err
	}
	if err := r.settle(ctx, tx, &c, s.Now); err != nil {
		return s.Case, err
	}
	if err := saw(ctx, tx, s, c); err != nil {
		return s.Case, err
	}
	return c, r.record(ctx, tx, s.By, c, t.Kind, data, s.Now)
}

// settle ranks a case afresh and stores it.
func (r *Room) settle(ctx context.Context, tx *db.Tx, c *Case, now time.Time) error {
	if c.State != Closed {
		c.Again = ""
	}
	r.rank(c, now)
	return save(ctx, tx, c)
}

func (r *Room) record(ctx context.Context, tx *db.Tx, by party.Actor, c Case, kind string, data any, now time.Time) error {
	_, err := r.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "case", ObjectID: string(c.ID), Ref: c.Ref, Party: string(by.Party), Person: string(by.Person),
		Audience: []string{string(c.Party)}, Data: data, At: now,
	})
	return err
}

// news is the data of most events of a case.
type news struct {
	State    State  `json:"state,omitempty"`
	Platform string `json:"platform,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Code     string `json:"code,omitempty"`
	Version  int    `json:"version,omitempty"`
	Count    int    `json:"count,omitempty"`
}

func (c Case) news() news {
	return news{State: c.State, Platform: c.Platform, Kind: c.Kind}
}

// write runs f in one transaction with the current time.
func (r *Room) write(ctx context.Context, f func(ctx context.Context, tx *db.Tx, now time.Time) error) error {
	now := r.Clock.Now()
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return f(ctx, tx, now) })
}

// pack returns the jurisdiction's current pack; the zero pack, which allows
// nothing, if there is none.
func (r *Room) pack(jurisdiction string, now time.Time) policy.Pack {
	p, _ := r.Packs.Current(strings.ToLower(jurisdiction), now)
	return p
}

// rank computes priority and queue.
func (r *Room) rank(c *Case, now time.Time) {
	p := r.pack(c.Jurisdiction, now)
	c.Priority, c.Why = Priority(Facts{
		OpenedAt: c.OpenedAt, Deadline: c.Deadline, Tier: c.Tier, Life: c.ahead() && c.urgent, Soon: c.ahead() && c.Soon, Crisis: c.crisis,
		Kinds: c.kinds, Voices: c.Voices, Bulk: c.Bulk, Turn: c.TurnAt,
	}, p.Priority, now)
	c.rankedAt = now
	if len(p.Queues) == 0 {
		c.Queue = "all"
		return
	}
	tier := c.Tier
	if tier == "" && (c.urgent || c.Soon) {
		tier = policy.ThreatToLife
	}
	c.Queue = p.Queue(policy.CaseFacts{
		Channels: c.Channels, Tier: tier, Platforms: []string{c.Platform}, Languages: c.Languages, Crisis: c.crisis,
	}).Code
}

// keyOf opens the case's key.
func (r *Room) keyOf(c Case) (vault.Key, error) {
	k, err := r.Vault.Unwrap(c.key)
	if err != nil {
		return k, fmt.Errorf("key of case %s: %w", c.ID, err)
	}
	return k, nil
}

// sealed texts are bound to their row by these names.
func aad(kind, id string) string { return "case/" + kind + "/" + id }

func (r *Room) seal(c Case, kind, id string, text []byte) ([]byte, error) {
	k, err := r.keyOf(c)
	if err != nil {
		return nil, err
	}
	return vault.Seal(k, text, aad(kind, id)), nil
}

func (r *Room) unseal(c Case, kind, id string, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	k, err := r.keyOf(c)
	if err != nil {
		return nil, err
	}
	return vault.Unseal(k, sealed, aad(kind, id))
}

// A Note is a text that somebody wrote about a case: why it was closed, held,
// returned, or has no capture. Notes are never edited.
type Note struct {
	ID     string
	Kind   string // event that it belongs to
	Code   string // reason from the closed list, "" if the kind has none
	Person party.PersonID
	At     time.Time
	Text   string
}

// note adds a note; one without code and text is not worth a row.
func (r *Room) note(ctx context.Context, tx *db.Tx, c Case, by party.Actor, kind, code, text string, now time.Time) error {
	if code == "" && text == "" {
		return nil
	}
	id := db.NewID()
	sealed, err := r.seal(c, "note", id, []byte(text))
	if err != nil {
		return err
	}
	if err := r.index(ctx, tx, c, id, now, text, c.Ref, c.Platform); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO case_notes (id, case_id, kind, code, person_id, at, text_sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		id, c.ID, kind, code, db.OrNull(by.Person), db.Micros(now), sealed)
	return err
}

func (r *Room) notesOf(ctx context.Context, q db.Reader, c Case) ([]Note, error) {
	return db.All(ctx, q, func(row db.Row) (Note, error) {
		var n Note
		var sealed []byte
		if err := row.Scan(&n.ID, &n.Kind, &n.Code, db.Text(&n.Person), db.Time(&n.At), &sealed); err != nil {
			return n, err
		}
		text, err := r.unseal(c, "note", n.ID, sealed)
		n.Text = string(text)
		return n, err
	}, `SELECT id, kind, code, person_id, at, text_sealed FROM case_notes WHERE case_id = $1 ORDER BY at, id LIMIT 1000`, c.ID)
}

// Locations returns the identifiers of a case's locations in the order in
// which they came. The caller has checked that its reader may see the case.
func (r *Room) Locations(ctx context.Context, q db.Reader, id ID) ([]report.LocationID, error) {
	return db.All(ctx, q, db.Scalar[report.LocationID], `SELECT location_id FROM case_locations WHERE case_id = $1 ORDER BY n`, id)
}

// ReportIDs returns the reports of a case, the first to come first: whose
// reporters are told what becomes of it. What was taken back is none of them.
func (r *Room) ReportIDs(ctx context.Context, q db.Reader, id ID) ([]report.ID, error) {
	return db.All(ctx, q, db.Scalar[report.ID], `SELECT report_id FROM case_reports WHERE case_id = $1 AND back_at IS NULL ORDER BY joined_at, report_id`, id)
}

const insertLocation = `
	INSERT INTO case_locations (case_id, location_id, n, platform, kind, at) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT DO NOTHING`

// addLocations adds locations that the case does not have yet.
func addLocations(ctx context.Context, tx *db.Tx, c *Case, ls []report.Location, now time.Time) error {
	for _, l := range ls {
		n, err := tx.Exec(ctx, insertLocation, c.ID, l.ID, c.Locations+1, l.Platform, string(l.Kind), db.Micros(now))
		if err != nil {
			return err
		}
		if n > 0 {
			c.hold(l, c.Locations+1)
		}
	}
	return nil
}

// hold counts the n-th location of a case, and names the case for the first.
func (c *Case) hold(l report.Location, n int) {
	if n == 1 {
		c.Platform, c.Kind = l.Platform, string(l.Kind)
	}
	c.Locations = n
	if !slices.Contains(c.kinds, string(l.Kind)) {
		c.kinds = append(c.kinds, string(l.Kind))
	}
}

// steps tells the reporters of a case what became of their reports.
func (r *Room) steps(ctx context.Context, tx *db.Tx, c Case, s report.Step) error {
	ids, err := r.ReportIDs(ctx, tx, c.ID)
	if err != nil || len(ids) == 0 {
		return err
	}
	return r.Reports.StepTx(ctx, tx, ids, s)
}

// mayRead checks that the actor may see the case.
func mayRead(by party.Actor, c Case) error { return auth.May(by, auth.CaseRead, c.Object()) }

// lastNote returns the text of the newest note of a kind, "" if there is none.
func (r *Room) lastNote(ctx context.Context, q db.Reader, c Case, kind Event) (string, error) {
	notes, err := r.notesOf(ctx, q, c)
	for _, n := range slices.Backward(notes) {
		if n.Kind == string(kind) {
			return n.Text, err
		}
	}
	return "", err
}
