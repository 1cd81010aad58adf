package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
)

// alteredFor is how long the operator is told of messages that were given up
// because a row was altered.
const alteredFor = 7 * 24 * time.Hour

// alteredEvery is how often all rows of parties, people and keys are looked at.
const alteredEvery = time.Minute

// alteredRows knows which sealed rows were found not to hold.
type alteredRows struct {
	log *slog.Logger

	mu    sync.Mutex
	known map[string]bool // rows that the log has named; guarded by mu
	at    time.Time       // of last; guarded by mu
	last  []string        // guarded by mu
}

// note writes once to the log that a row does not hold.
func (r *alteredRows) note(table, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if row := table + " " + id; !r.known[row] && len(r.known) < 10_000 {
		r.known[row] = true
		r.log.Error("a row was written by something else than this program, and is treated as absent", "table", table, "row", id)
	}
}

// look returns the rows that do not hold, as they were at most a minute ago.
func (r *alteredRows) look(ctx context.Context, d *db.DB) ([]string, error) {
	now := time.Now() //nolint:forbidigo // the age of an answer, by the machine
	r.mu.Lock()
	fresh, last := now.Sub(r.at) < alteredEvery, r.last
	r.mu.Unlock()
	if fresh {
		return last, nil
	}
	found, err := party.Altered(ctx, d)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.last = now, found
	return found, nil
}

// rowsPart tells whether rows were found that this program has not written. The
// instance goes on without them: nothing that they ask for is done.
func (a *App) rowsPart(ctx context.Context) Part {
	p := Part{Name: "rows", Level: Fine}
	var found []string
	n, err := a.Outbox.AlteredSince(ctx, a.Clock.Now().Add(-alteredFor))
	if err == nil && n > 0 {
		found = append(found, fmt.Sprintf("%d webhook messages were given up within a week", n))
	}
	rows, err := a.rows.look(ctx, a.DB)
	if err == nil && len(rows) > 0 {
		found = append(found, strings.Join(rows, ", "))
	}
	keys, err := a.Auth.AlteredKeys(ctx)
	if err == nil && len(keys) > 0 {
		found = append(found, "API keys "+strings.Join(keys, ", "))
	}
	if len(found) > 0 {
		p.Level, p.What = Warning, "were altered outside the program, and what they asked for was not done"
		p.Do = "read the log: it names each; find out who can write to the database, and change its password"
		p.why = fmt.Errorf("altered: %s", strings.Join(found, "; "))
	}
	return p
}
