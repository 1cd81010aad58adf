package report

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
)

// A Status is what a reporter sees by receipt: what became of the report, and
// the thread with the agency. It names the agency and no person, and gives
// nothing back that was reported, for whoever finds a receipt.
type Status struct {
	Ref        string
	Agency     string // its name
	Category   Category
	ReceivedAt time.Time
	Steps      []Step    // oldest first
	Messages   []Message // oldest first, without persons
	Locations  int
	Files      int
	HasContact bool
	Soon       bool // they said that somebody will be hurt soon
}

// Status returns what became of the report of a receipt code. A code that is
// malformed, wrong, or right for an erased report gets one and the same
// NotFound fault, "report.no-receipt".
func (r *Room) Status(ctx context.Context, code string) (Status, error) {
	code, err := ParseReceipt(code)
	if err != nil {
		return Status{}, err
	}
	found, key, err := r.openByReceipt(ctx, code)
	if err != nil {
		return Status{}, err
	}
	s := Status{Ref: found.Ref, Soon: found.Soon, Category: found.Category, ReceivedAt: found.ReceivedAt, HasContact: found.contactFor != contactNone}
	agency, err := party.Get(ctx, r.db, party.ID(found.Party))
	if err != nil {
		return Status{}, err
	}
	s.Agency = agency.Name
	if s.Steps, err = stepsOf(ctx, r.db, found.ID); err != nil {
		return Status{}, err
	}
	if s.Messages, err = messagesOf(ctx, r.db, key, found.ID); err != nil {
		return Status{}, err
	}
	for i := range s.Messages {
		s.Messages[i].Person = ""
	}
	if s.Locations, err = countLocations(ctx, r.db, found.ID); err != nil {
		return Status{}, err
	}
	s.Files, _, err = fileTotals(ctx, r.db, found.ID)
	return s, err
}

// openByReceipt returns the report of a parsed code and its key.
func (r *Room) openByReceipt(ctx context.Context, code string) (row, vault.Key, error) {
	found, err := r.byReceipt(ctx, r.db, code)
	if err != nil {
		return row{}, vault.Key{}, err
	}
	key, err := r.vault.Unwrap(found.key)
	return found, key, err
}

// Material is what a reporter adds later.
type Material struct {
	Text      string   // at most MaxDescription runes; becomes a message
	Locations []string // as in Submission; the limits hold for the report as a whole
	Files     []Upload
	More      Uploads

	// Spend, if set, is carried out in the transaction that stores the
	// material, before anything of it is stored, and stops all of it with its
	// fault: what it has cost. Without it the material costs nothing.
	Spend func(ctx context.Context, tx *db.Tx) error
}

// AddMaterial adds text, locations and files to the report of a receipt code:
// all of it, or on any fault nothing. The event report.added tells the agency.
// Links that the report has already add nothing, and nobody is told.
func (r *Room) AddMaterial(ctx context.Context, code string, m Material) error {
	code, err := ParseReceipt(code)
	if err != nil {
		return err
	}
	now := r.clock.Now()
	found, key, err := r.openByReceipt(ctx, code)
	if err != nil {
		return err
	}
	var c fault.Checker
	m.Text = cleanText(m.Text)
	checkText(&c, "/text", m.Text, MaxDescription)
	locations := r.parse(&c, m.Locations)
	in := &intake{room: r, report: found.ID, key: key, faults: &c}
	if in.count, in.bytes, err = fileTotals(ctx, r.db, found.ID); err != nil {
		return err
	}
	had := in.count
	err = func() error {
		if err := in.take(ctx, joined(m.Files, m.More), now); err != nil {
			return err
		}
		c.Require(m.Text != "" || len(m.Locations) > 0 || in.count > had, "/text")
		if err := c.Err(); err != nil {
			return err
		}
		if err := r.sealUnknown(ctx, r.db, locations); err != nil {
			return err
		}
		return r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			if m.Spend != nil {
				if err := m.Spend(ctx, tx); err != nil {
					return err
				}
			}
			return r.addTx(ctx, tx, code, in, m.Text, locations, now)
		})
	}()
	if err != nil && !db.Unsure(err) { // its rows may be there
		in.discard(ctx)
	}
	return err
}

// addTx adds what was prepared, under the report's lock: what two requests add
// at once counts together.
func (r *Room) addTx(ctx context.Context, tx *db.Tx, code string, in *intake, text string, locations []found, now time.Time) error {
	found, err := r.lockByReceipt(ctx, tx, code)
	if err != nil {
		return err
	}
	hasLocations, err := countLocations(ctx, tx, found.ID)
	if err != nil {
		return err
	}
	hasFiles, size, err := fileTotals(ctx, tx, found.ID)
	if err != nil {
		return err
	}
	for _, f := range in.stored {
		size += f.Ref.Size
	}
	var c fault.Checker
	if hasFiles+len(in.stored) > MaxFiles {
		c.Add("/files", "report.too-many-files", "Max", MaxFiles)
	}
	if size > MaxTotalBytes {
		c.Add("/files", "report.files-too-large", "Max", totalText)
	}
	added, err := r.attach(ctx, tx, in, locations, nil, hasLocations, hasFiles, now)
	if err != nil {
		return err
	}
	if hasLocations+added > MaxLocations {
		c.Add("/locations", "report.too-many-locations", "Max", MaxLocations, "Got", hasLocations+added)
	}
	if err := c.Err(); err != nil {
		return err
	}
	if text == "" && added == 0 && len(in.stored) == 0 {
		return nil // all of it is there already: a repeat leaves no trace (threat-model T03)
	}
	if err := mayAddMore(ctx, tx, found.ID); err != nil {
		return err
	}
	if text != "" {
		if err := r.writeTx(ctx, tx, in.key, found.ID, text, now); err != nil {
			return err
		}
	}
	if err := r.StepTx(ctx, tx, []ID{found.ID}, Step{Kind: StepAdded, At: now}); err != nil {
		return err
	}
	_, err = r.feed.Record(ctx, tx, feed.Event{
		Kind: EventAdded, Object: "report", ObjectID: string(found.ID), Ref: found.Ref, Audience: []string{found.Party}, At: now,
		Data: received{found.Channel, found.Category, string(found.Lang), added, len(in.stored), false},
	})
	return err
}

// mayAddMore holds a report to so many additions.
func mayAddMore(ctx context.Context, tx *db.Tx, id ID) error {
	n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM report_steps WHERE report_id = $1 AND kind = $2`, id, StepAdded)
	if err == nil && n >= MaxAdditions {
		return fault.New(fault.Invalid, "report.too-many-additions", "Max", MaxAdditions).At("/text")
	}
	return err
}

// Write adds a message of the reporter to the thread. The event report.message
// tells the agency. spend, if not nil, is carried out in the transaction that
// stores the message, once its report is found and before anything is stored, and
// stops it with its fault: what the message has cost. With nil it costs nothing.
func (r *Room) Write(ctx context.Context, code, text string, spend func(ctx context.Context, tx *db.Tx) error) error {
	code, err := ParseReceipt(code)
	if err != nil {
		return err
	}
	_, key, err := r.openByReceipt(ctx, code)
	if err != nil {
		return err
	}
	if text, err = messageText(text); err != nil {
		return err
	}
	now := r.clock.Now()
	return r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := r.lockByReceipt(ctx, tx, code)
		if err != nil {
			return err
		}
		if spend != nil {
			if err := spend(ctx, tx); err != nil {
				return err
			}
		}
		if err := r.writeTx(ctx, tx, key, found.ID, text, now); err != nil {
			return err
		}
		_, err = r.feed.Record(ctx, tx, feed.Event{
			Kind: EventMessage, Object: "report", ObjectID: string(found.ID), Ref: found.Ref,
			Audience: []string{found.Party}, At: now, Data: map[string]Side{"side": Reporter},
		})
		return err
	})
}

// writeTx adds a reporter's message, of which a report takes so many.
func (r *Room) writeTx(ctx context.Context, tx *db.Tx, key vault.Key, id ID, text string, now time.Time) error {
	n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM report_messages WHERE report_id = $1 AND side = $2`, id, Reporter)
	if err != nil {
		return err
	}
	if n >= MaxMessages {
		return fault.New(fault.Conflict, "report.too-many-messages", "Max", MaxMessages).At("/text")
	}
	return insertMessage(ctx, tx, key, id, Message{ID: db.NewID(), Side: Reporter, Text: text, At: now})
}

// messageText returns a message as it is kept, or a fault.
func messageText(s string) (string, error) {
	var c fault.Checker
	s = cleanText(s)
	c.Require(s != "", "/text")
	checkText(&c, "/text", s, MaxDescription)
	return s, c.Err()
}
