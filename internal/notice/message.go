package notice

import (
	"context"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// A Message is one line of a notice's conversation.
type Message struct {
	ID     string
	Party  party.ID
	Person party.PersonID
	Text   string
	At     time.Time

	sealed []byte
}

func scanMessage(row db.Row) (Message, error) {
	var m Message
	err := row.Scan(&m.ID, &m.Party, &m.Person, &m.sealed, db.Time(&m.At))
	return m, err
}

// maxMessages bounds what one view reads.
const maxMessages = 500

func (r *Room) messages(ctx context.Context, reader db.Reader, n Notice) ([]Message, error) {
	all, err := db.All(ctx, reader, scanMessage, `
		SELECT id, party_id, person_id, text_sealed, at FROM notice_messages WHERE notice_id = $1 ORDER BY at, id LIMIT $2`, n.ID, maxMessages)
	if err != nil {
		return nil, err
	}
	for i := range all {
		text, err := r.open(n, all[i].sealed, "message")
		if err != nil {
			return nil, err
		}
		all[i].Text = string(text)
	}
	return all, nil
}

// Write adds a message to the conversation between the platform and those who
// decided. It is sealed as evidence.
func (r *Room) Write(ctx context.Context, by party.Actor, id ID, text string) error {
	var c fault.Checker
	c.Require(strings.TrimSpace(text) != "", "/text")
	checkText(&c, "/text", text)
	if err := c.Err(); err != nil {
		return err
	}
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		n, err := r.at(ctx, tx, by, id, EventWrite)
		if err != nil {
			return err
		}
		if err := r.write(ctx, tx, by, n, text, now); err != nil {
			return err
		}
		return r.record(ctx, tx, by, "notice.message", n, nil, now)
	})
}

func (r *Room) write(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, text string, now time.Time) error {
	sealed, err := r.close(n, []byte(text), "message")
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO notice_messages (id, notice_id, party_id, person_id, text_sealed, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		db.NewID(), n.ID, by.Party, by.Person, sealed, db.Micros(now))
	return err
}

// Messages returns the conversation, oldest first.
func (r *Room) Messages(ctx context.Context, by party.Actor, id ID) ([]Message, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return nil, err
	}
	if err := auth.May(by, auth.NoticeRead, r.object(n, nil)); err != nil {
		return nil, err
	}
	return r.messages(ctx, r.DB, n)
}

// Withdraw takes a notice back at any point: one authorised person suffices to
// lift what several imposed. Before it was sent its case is taken up again;
// after, the platform is told, and may undo what it did.
func (r *Room) Withdraw(ctx context.Context, by party.Actor, id ID, why string) (Notice, error) {
	var n Notice
	var c fault.Checker
	c.Require(strings.TrimSpace(why) != "", "/why")
	checkText(&c, "/why", why)
	if err := c.Err(); err != nil {
		return n, err
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, err = r.at(ctx, tx, by, id, EventWithdraw); err != nil {
			return err
		}
		t, err := n.check(EventWithdraw)
		if err != nil {
			return err
		}
		if err := r.endDossier(ctx, tx, by, n, now); err != nil {
			return err
		}
		if err := r.write(ctx, tx, by, n, why, now); err != nil {
			return err
		}
		if err := r.endBatches(ctx, tx, by, n, BatchChanged, now); err != nil {
			return err
		}
		told := n // who knew of it before is told
		n.Life, n.WithdrawnAt, n.DueAt = t.To, now, time.Time{}
		if err := save(ctx, tx, n); err != nil {
			return err
		}
		if n.SentAt.IsZero() { // the MAC of what it was must not fit again
			if err := r.seal(ctx, tx, n.ID); err != nil {
				return err
			}
		}
		return r.record(ctx, tx, by, "notice.withdrawn", told, map[string]any{"from": told.Life}, now)
	})
	return n, err
}

// endDossier gives the case back, or ends its dossier where the notice had left.
func (r *Room) endDossier(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, now time.Time) error {
	switch {
	case n.Life == Closed:
		return r.tellReporters(ctx, tx, n, report.StepWithdrawn, now, nil)
	case n.SentAt.IsZero():
		return r.release(ctx, tx, by, n, "withdrawn", now)
	}
	d, err := r.Cases.Dossier(ctx, tx, n.DossierID)
	if err != nil {
		return err
	}
	if d.State == casework.Settled {
		if err := r.Cases.FinishTx(ctx, tx, n.DossierID, "withdrawn", nil, now); err != nil {
			return err
		}
	}
	return r.tellReporters(ctx, tx, n, report.StepWithdrawn, now, nil)
}

// QuashTx ends a notice by oversight's or a court's decision, whose reference
// is given. It is for the room that decided, in its transaction.
func (r *Room) QuashTx(ctx context.Context, tx *db.Tx, by party.Actor, id ID, decision string, now time.Time) error {
	n, err := lock(ctx, tx, id)
	if err != nil {
		return err
	}
	t, err := n.check(EventQuash)
	if err != nil {
		return err
	}
	if err := r.endDossier(ctx, tx, by, n, now); err != nil {
		return err
	}
	n.Life, n.DueAt = t.To, time.Time{}
	if err := save(ctx, tx, n); err != nil {
		return err
	}
	return r.record(ctx, tx, by, "notice.quashed", n, map[string]any{"decision": decision}, now)
}
