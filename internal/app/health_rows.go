package app

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// alteredFor is how long the operator is told of messages that were given up
// because a row was altered.
const alteredFor = 7 * 24 * time.Hour

// rowsPart tells whether rows were found that this program has not written. The
// instance goes on without them: nothing that they ask for is done.
func (a *App) rowsPart(ctx context.Context) Part {
	p := Part{Name: "rows", Level: Fine}
	var found []string
	n, err := a.Outbox.AlteredSince(ctx, a.Clock.Now().Add(-alteredFor))
	if err == nil && n > 0 {
		found = append(found, fmt.Sprintf("%d webhook messages were given up within a week", n))
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
