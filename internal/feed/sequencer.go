package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
)

const (
	// maxDrain bounds how many entries one sequencing transaction orders, and
	// drainLite on SQLite, where yieldLite ends it before it has come further.
	maxDrain  = 256
	drainLite = 48
	// pollEvery is the safety net under the wake-ups, which are hints.
	pollEvery = time.Second
	// yieldLite bounds how long one transaction orders on SQLite, whose one
	// writer accepts reports and answers in between, and yieldPostgres there: a
	// slow server must not come to maxHold with everything still to be done again.
	yieldLite     = 8 * time.Millisecond
	yieldPostgres = 300 * time.Millisecond
	// maxHold is how long one node may hold the head row.
	maxHold = 5 * time.Second
)

// A Subscription is what a later room does about entries of some kinds, inside
// the sequencing transaction. It must be idempotent by entry and must not wait
// for anything outside of the database.
type Subscription struct {
	Name  string
	Kinds []string // entry kinds; none means all
	Do    Do

	// Ahead, if set, comes before Do. It is given the entries of one transaction
	// in their order, those of Kinds, and reads together what is needed of them:
	// a database that answers through a network is then asked some times a
	// transaction, not some times an entry. What it returns is called in the
	// place of Do, entry by entry and in between the other subscriptions; it has
	// to mind what its own earlier calls have changed since.
	Ahead func(ctx context.Context, tx *db.Tx, all []Entry) (Do, error)
}

// A Do does what follows from one entry.
type Do func(ctx context.Context, tx *db.Tx, e Entry) error

// A Feed records, orders and hands out entries.
type Feed struct {
	db    *db.DB
	clock clock.Clock
	log   *slog.Logger
	subs  []Subscription
	yield time.Duration // how long one transaction orders at most

	pending   Signal // something awaits its place
	sequenced Signal // something has got it
	stuck     atomic.Pointer[string]
}

// New returns a feed over d. Subscriptions run in the order given.
func New(d *db.DB, c clock.Clock, log *slog.Logger, subs ...Subscription) *Feed {
	f := &Feed{db: d, clock: c, log: log, subs: subs, yield: yieldLite}
	if d.Dialect() == db.Postgres {
		f.yield = yieldPostgres
	}
	return f
}

// Subscribe adds a subscription; only before Run.
func (f *Feed) Subscribe(s Subscription) { f.subs = append(f.subs, s) }

// Sequenced is raised whenever entries have got their place.
func (f *Feed) Sequenced() *Signal { return &f.sequenced }

// Stuck returns why the sequencer cannot go on, "" while it can. A
// subscription that fails stops the order at its entry: skipping it would lose
// an effect of an acknowledged decision.
func (f *Feed) Stuck() string {
	if s := f.stuck.Load(); s != nil {
		return *s
	}
	return ""
}

// Run orders pending entries until ctx ends. Any number of nodes may run it;
// whoever locks the head row works, the others look again at the next wake-up.
func (f *Feed) Run(ctx context.Context) error {
	wake, stop := f.pending.Listen()
	defer stop()
	wait := pollEvery
	for {
		n, err := f.Drain(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			text := err.Error()
			f.stuck.Store(&text)
			f.log.ErrorContext(ctx, "feed is stuck", "error", err, "again_in", wait)
			wait = min(2*wait, time.Minute)
		default:
			f.stuck.Store(nil)
			wait = pollEvery
		}
		if n > 0 && err == nil {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Drain orders what is pending now, at most maxDrain entries, and returns how
// many it ordered. When a batch fails, entries are tried one by one, so that
// those before the failing one are not held up by it.
func (f *Feed) Drain(ctx context.Context) (int, error) {
	n, err := f.drain(ctx, maxDrain)
	for err != nil && ctx.Err() == nil {
		one, oneErr := f.drain(ctx, 1)
		n += one
		if oneErr != nil || one == 0 {
			return n, oneErr
		}
	}
	return n, err
}

func (f *Feed) drain(ctx context.Context, limit int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, maxHold)
	defer cancel()
	// A look without the writer first: an idle feed must not cost a commit.
	waiting, err := db.Value[int64](ctx, f.db, `SELECT count(*) FROM (SELECT 1 FROM feed_pending LIMIT 1) p`)
	if err != nil || waiting == 0 {
		return 0, err
	}
	ordered := 0
	err = f.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		ordered = 0
		began := time.Now() //nolint:forbidigo // monotonic, for the duration only
		head, err := db.One(ctx, tx, scanHead, `SELECT seq, chain FROM feed_head WHERE id = 1 FOR UPDATE SKIP LOCKED`)
		if errors.Is(err, db.ErrAbsent) {
			return nil // another node holds it
		}
		if err != nil {
			return err
		}
		events, err := db.All(ctx, tx, scanPending, `
			SELECT id, kind, object, object_id, ref, actor_party, actor_person, audience, data, at
			FROM feed_pending ORDER BY at, id LIMIT $1`, atMost(tx.Dialect(), limit))
		if err != nil {
			return err
		}
		subs, err := f.lookAhead(ctx, tx, events)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := f.order(ctx, tx, &head, e, subs); err != nil {
				return fmt.Errorf("order entry %s (%s): %w", e.ID, e.Kind, err)
			}
			ordered++
			if time.Since(began) > f.yield { //nolint:forbidigo // see above
				break
			}
		}
		if ordered == 0 {
			return nil
		}
		if err := tx.Send(ctx, `UPDATE feed_head SET seq = $1, chain = $2, fence = fence + 1 WHERE id = 1`, head.seq, head.chain); err != nil {
			return err
		}
		if tx.Dialect() == db.Postgres {
			if err := tx.Send(ctx, `SELECT pg_notify('tangkal_feed', $1)`, fmt.Sprint(head.seq)); err != nil {
				return err
			}
		}
		tx.AfterCommit(f.sequenced.Wake)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return ordered, nil
}

func atMost(dialect db.Dialect, limit int) int {
	if dialect == db.SQLite {
		return min(limit, drainLite)
	}
	return limit
}

// lookAhead returns the subscriptions with what they do about these entries.
func (f *Feed) lookAhead(ctx context.Context, tx *db.Tx, events []Entry) ([]Subscription, error) {
	subs := slices.Clone(f.subs)
	for i, s := range subs {
		if s.Ahead == nil {
			continue
		}
		var wanted []Entry
		for _, e := range events {
			if s.wants(e.Kind) {
				wanted = append(wanted, e)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		do, err := s.Ahead(ctx, tx, wanted)
		if err != nil {
			return nil, fmt.Errorf("%s reads ahead: %w", s.Name, err)
		}
		subs[i].Do = do
	}
	return subs, nil
}

// order gives e the next place and runs what follows from it.
func (f *Feed) order(ctx context.Context, tx *db.Tx, head *head, e Entry, subs []Subscription) error {
	head.seq++
	e.Seq, e.SequencedAt = head.seq, f.clock.Now()
	head.chain = chain(head.chain, e)
	e.Chain = head.chain
	err := tx.Send(ctx, `
		INSERT INTO feed_entries (seq, id, kind, object, object_id, ref, actor_party, actor_person, data, at, sequenced_at, chain)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		e.Seq, e.ID, e.Kind, e.Object, e.ObjectID, e.Ref, db.OrNull(e.Party), db.OrNull(e.Person), string(e.Data),
		db.Micros(e.At), db.Micros(e.SequencedAt), e.Chain)
	if err != nil {
		return err
	}
	for _, party := range e.Audience {
		if err := tx.Send(ctx, `INSERT INTO feed_audience (party_id, seq) VALUES ($1, $2)`, party, e.Seq); err != nil {
			return err
		}
	}
	if err := tx.Send(ctx, `DELETE FROM feed_pending WHERE id = $1`, e.ID); err != nil {
		return err
	}
	for _, s := range subs {
		if !s.wants(e.Kind) {
			continue
		}
		if err := s.Do(ctx, tx, e); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

func (s Subscription) wants(kind string) bool {
	for _, k := range s.Kinds {
		if k == kind {
			return true
		}
	}
	return len(s.Kinds) == 0
}

// chain returns the hex SHA-256 over the previous chain value and e's own
// fields, each with its length, so that no two entries read alike.
func chain(previous string, e Entry) string {
	h := sha256.New()
	for _, field := range []string{
		previous, fmt.Sprint(e.Seq), e.ID, e.Kind, e.Object, e.ObjectID, e.Ref, e.Party, e.Person,
		string(e.Data), fmt.Sprint(db.Micros(e.At)),
	} {
		fmt.Fprintf(h, "%d:%s,", len(field), field)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Verify walks the whole chain and returns the first sequence number that does
// not follow from the ones before it, or 0 when all do. It reads every entry.
func Verify(ctx context.Context, r db.Reader) (broken int64, err error) {
	previous, seq := "", int64(0)
	for {
		batch, err := db.All(ctx, r, scan, `SELECT `+columns+` FROM feed_entries e WHERE e.seq > $1 ORDER BY e.seq LIMIT 1000`, seq)
		if err != nil {
			return 0, err
		}
		for _, e := range batch {
			if e.Seq != seq+1 || chain(previous, e) != e.Chain {
				return seq + 1, nil
			}
			previous, seq = e.Chain, e.Seq
		}
		if len(batch) == 0 {
			break
		}
	}
	end, err := db.One(ctx, r, scanHead, `SELECT seq, chain FROM feed_head WHERE id = 1`)
	if err != nil {
		return 0, err
	}
	if end.seq != seq || end.chain != previous {
		return seq + 1, nil
	}
	return 0, nil
}

// head is the end of the order.
type head struct {
	seq   int64
	chain string
}

func scanHead(row db.Row) (head, error) {
	var h head
	err := row.Scan(&h.seq, &h.chain)
	return h, err
}

func scanPending(row db.Row) (Entry, error) {
	var e Entry
	var audience, data string
	err := row.Scan(&e.ID, &e.Kind, &e.Object, &e.ObjectID, &e.Ref, db.Text(&e.Party), db.Text(&e.Person), &audience, &data, db.Time(&e.At))
	if err != nil {
		return e, err
	}
	e.Data = json.RawMessage(data)
	if err := json.Unmarshal([]byte(audience), &e.Audience); err != nil {
		return e, fmt.Errorf("audience of entry %s (%s): %w", e.ID, e.Kind, err) // so that somebody can mend the row
	}
	return e, nil
}
