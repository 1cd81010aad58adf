package auth

import (
	"context"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
)

// LinkAs makes a link in somebody's name, as no way through the package does.
func (p *Provider) LinkAs(ctx context.Context, tx *db.Tx, by party.Actor, who party.Person, subject string) error {
	return p.link(ctx, tx, by, who, subject)
}
