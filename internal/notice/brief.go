package notice

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// A Brief is as much of a notice as may travel on a postcard: nothing of what
// it is about.
type Brief struct {
	ID        ID
	Ref       string
	Kind      notes.NoticeKind
	Proposer  party.ID
	Issuer    party.ID
	Addressee party.ID
	Limit     time.Duration // from receipt; 0 for a kind without a clock
	DueAt     time.Time     // zero without a running clock
}

// BriefOf returns the brief of a notice that the dispatcher has sent, or a
// hidden fault: of anything else nobody outside is told (threat-model T12).
func (r *Room) BriefOf(ctx context.Context, reader db.Reader, id ID) (Brief, error) {
	n, err := get(ctx, reader, id)
	if err == nil && !r.sentRightly(n) {
		_, err = hide(n, db.ErrAbsent)
	}
	return Brief{
		ID: n.ID, Ref: n.Ref, Kind: n.Kind, Proposer: n.Proposer, Issuer: n.Issuer, Addressee: n.Addressee,
		Limit: time.Duration(n.DeadlineMinutes) * time.Minute, DueAt: n.DueAt,
	}, err
}
