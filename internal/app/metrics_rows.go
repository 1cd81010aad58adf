package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/meter"
)

const (
	// rowsFor is how long a look at the rows holds, whoever asks how often.
	rowsFor = 5 * time.Second
	// countedTo is how many rows of a kind are counted: past it the number says
	// "at least so many".
	countedTo = 10_000
)

// A rowCount is a number of rows in a state, or the time of the oldest of them.
type rowCount struct {
	family meter.Family
	label  []string
	query  string
	oldest bool // the query gives microseconds since 1970, 0 for none
}

// upTo counts at most countedTo rows.
func upTo(rows string) string {
	return fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 AS one FROM %s LIMIT %d) counted`, rows, countedTo)
}

// hookAgeQuery looks for the message that has waited longest this time. What
// waits for a paused webhook waits for a person, and a test is tried once.
const hookAgeQuery = `
	SELECT COALESCE(min(queued_at), 0) FROM (
		SELECT d.queued_at FROM endpoints e JOIN deliveries d ON d.endpoint_id = e.id
		WHERE e.active = TRUE AND e.paused_at IS NULL AND d.state = 'waiting' AND d.lane <> 0 LIMIT 10000) w`

// rowCounts are the numbers that the database knows. Each is an index's, or
// bounded.
func rowCounts() []rowCount {
	feed := meter.Family{Name: "feed_pending", Help: "Entries that wait for their place in the feed."}
	feedAge := meter.Family{Name: "feed_pending_oldest_seconds", Help: "How long the oldest of them has waited."}
	feedSeq := meter.Family{Name: "feed_entries", Help: "Place of the feed's last entry."}
	hooks := meter.Family{Name: "deliveries", Help: "Webhook messages but tests, by state, counted to 10,000.", Labels: []string{"state"}}
	hookAge := meter.Family{Name: "deliveries_waiting_oldest_seconds", Help: "How long the oldest webhook message that waits has waited, paused webhooks apart."}
	ends := meter.Family{Name: "endpoints", Help: "Webhooks that fail (their people were told, or soon are) or are paused, counted to 10,000.", Labels: []string{"state"}}
	mails := meter.Family{Name: "mails", Help: "Letters, by state, counted to 10,000.", Labels: []string{"state"}}
	mailAge := meter.Family{Name: "mails_waiting_oldest_seconds", Help: "How long the oldest letter that waits has waited."}
	jobs := meter.Family{Name: "jobs", Help: "Jobs, by state, counted to 10,000.", Labels: []string{"state"}}
	clocks := meter.Family{Name: "clocks", Help: "Open notices by what their clock says, counted to 10,000.", Labels: []string{"state"}}
	out := []rowCount{
		{family: feed, query: upTo(`feed_pending`)},
		{family: feedAge, query: `SELECT COALESCE(min(at), 0) FROM feed_pending`, oldest: true},
		{family: feedSeq, query: `SELECT seq FROM feed_head WHERE id = 1`},
		{family: hooks, label: []string{"waiting"}, query: upTo(`deliveries WHERE state = 'waiting' AND lane <> 0`)},
		{family: hooks, label: []string{"given-up"}, query: upTo(`deliveries WHERE state = 'given-up' AND lane <> 0`)},
		{family: hookAge, query: hookAgeQuery, oldest: true},
		{family: ends, label: []string{"failing"}, query: upTo(`endpoints WHERE active = TRUE AND paused_at IS NULL AND failing_since IS NOT NULL`)},
		{family: ends, label: []string{"paused"}, query: upTo(`endpoints WHERE active = TRUE AND paused_at IS NOT NULL`)},
		{family: mails, label: []string{"waiting"}, query: upTo(`mails WHERE state = 'waiting'`)},
		{family: mails, label: []string{"returned"}, query: upTo(`mails WHERE returned_at IS NOT NULL AND settled_at IS NULL`)},
		{family: mailAge, query: `SELECT COALESCE(min(created_at), 0) FROM (SELECT created_at FROM mails WHERE state = 'waiting' LIMIT 10000) w`, oldest: true},
		{family: clocks, label: []string{"overdue"}, query: upTo(`notices WHERE life = 'open' AND overdue_at IS NOT NULL AND answered_at IS NULL`)},
		{family: clocks, label: []string{"unreceived"}, query: upTo(`notices WHERE life = 'open' AND received_at IS NULL AND unreceived_at IS NOT NULL`)},
		{family: clocks, label: []string{"running"}, query: upTo(`notices WHERE life = 'open' AND due_at IS NOT NULL AND overdue_at IS NULL AND answered_at IS NULL`)},
	}
	for _, state := range []string{"available", "running", "retryable", "scheduled", "discarded"} {
		out = append(out, rowCount{family: jobs, label: []string{state}, query: upTo(`river_job WHERE state = '` + state + `'`)})
	}
	return out
}

// rowLook remembers what the database last said.
type rowLook struct {
	app    *App
	counts []rowCount

	mu     sync.Mutex // held during a look: one at a time
	at     time.Time  // of values; guarded by mu
	values []float64  // guarded by mu; of the counts, in their order; nil while the database does not answer
}

// look returns the numbers, at most rowsFor old.
func (l *rowLook) look(ctx context.Context) []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now() //nolint:forbidigo // the age of an answer, by the machine
	if !l.at.IsZero() && now.Sub(l.at) < rowsFor {
		return l.values
	}
	l.at, l.values = now, nil
	var values []float64
	for _, c := range l.counts {
		n, err := db.Value[int64](ctx, l.app.DB, c.query)
		if err != nil {
			return nil // what is wrong with the database is told by its part
		}
		v := float64(n)
		if c.oldest && n > 0 {
			v = max(0, l.app.Clock.Now().Sub(time.UnixMicro(n)).Seconds())
		}
		values = append(values, v)
	}
	l.values = values
	return values
}

// readRows tells what the database knows, and how each part of /readyz is.
func (a *App) readRows() {
	l := &rowLook{app: a, counts: rowCounts()}
	told := map[string]bool{}
	for _, c := range l.counts {
		name := c.family.Name
		if told[name] {
			continue
		}
		told[name] = true
		a.Meter.Read(c.family, func(ctx context.Context, add meter.Add) {
			values := l.look(ctx)
			for i, c := range l.counts {
				if c.family.Name == name && values != nil {
					add(values[i], c.label...)
				}
			}
		})
	}
	levels := map[Level]float64{Fine: 0, Warning: 1, Failing: 2}
	a.Meter.Read(meter.Family{Name: "part", Help: "The parts of /readyz: 0 well, 1 warning, 2 failing.", Labels: []string{"part"}}, func(ctx context.Context, add meter.Add) {
		for _, p := range a.health.look(ctx).Parts {
			add(levels[p.Level], p.Name)
		}
	})
}
