package report

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/huandu/go-sqlbuilder"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
)

// A Report is one as its agency's staff read it, opened.
type Report struct {
	Facts
	Description string
	Locations   []Location
	Files       []File
	Messages    []Message
	Steps       []Step
	HasContact  bool
	Erased      bool // nothing sealed is left
}

// A Summary is a report in a list; nothing in it was sealed.
type Summary struct {
	ID         ID
	Ref        string
	Channel    Channel
	Category   Category
	Lang       string
	ReceivedAt time.Time
	Locations  int
	Files      int
	Messages   int
}

// A Filter chooses reports of one's own agency. Zero fields choose nothing.
type Filter struct {
	Channel  Channel
	Category Category
	Platform string // key of the platform of one of its locations
	Location LocationID
	Cursor   string // next of the page before
	Limit    int    // at most 200; 50 if 0
}

const (
	defaultPage = 50
	maxPage     = 200
)

// object is a report as far as rights depend on it.
func (r row) object() auth.Object {
	return auth.Object{What: "report", Owner: party.ID(r.Party)}
}

// List returns the reports of the actor's agency, the latest first, and the
// cursor of the next page, "" at the end.
func (r *Room) List(ctx context.Context, by party.Actor, f Filter) ([]Summary, string, error) {
	if err := auth.May(by, auth.ReportRead, auth.Object{What: "report", Owner: by.Party}); err != nil {
		return nil, "", err
	}
	if f.Limit <= 0 {
		f.Limit = defaultPage
	}
	f.Limit = min(f.Limit, maxPage)
	query, args, err := f.query(by.Party)
	if err != nil {
		return nil, "", err
	}
	out, err := db.All(ctx, r.db, scanSummary, query, args...)
	if err != nil {
		return nil, "", err
	}
	if len(out) <= f.Limit {
		return out, "", nil
	}
	out = out[:f.Limit]
	last := out[len(out)-1]
	return out, db.Mark{Key: db.Micros(last.ReceivedAt), ID: string(last.ID)}.String(), nil
}

// query writes the list's statement; one row more than the page tells whether
// there is a next.
func (f Filter) query(tenant party.ID) (string, []any, error) {
	b := sqlbuilder.PostgreSQL.NewSelectBuilder()
	b.Select("r.id", "r.ref", "r.channel", "r.category", "r.lang", "r.received_at",
		"(SELECT count(*) FROM report_locations l WHERE l.report_id = r.id)",
		"(SELECT count(*) FROM report_files f WHERE f.report_id = r.id)",
		"(SELECT count(*) FROM report_messages m WHERE m.report_id = r.id)").From("reports r")
	b.Where(b.Equal("r.party_id", string(tenant)))
	if f.Channel != "" {
		b.Where(b.Equal("r.channel", string(f.Channel)))
	}
	if f.Category != "" {
		b.Where(b.Equal("r.category", string(f.Category)))
	}
	if f.Location != "" {
		b.Where("EXISTS (SELECT 1 FROM report_locations l WHERE l.report_id = r.id AND l.location_id = " + b.Var(string(f.Location)) + ")")
	}
	if f.Platform != "" {
		b.Where("EXISTS (SELECT 1 FROM report_locations l JOIN locations o ON o.id = l.location_id WHERE l.report_id = r.id AND o.platform = " + b.Var(f.Platform) + ")")
	}
	if f.Cursor != "" {
		m, err := db.ParseMark(f.Cursor)
		if err != nil {
			return "", nil, err
		}
		b.Where("(r.received_at, r.id) < (" + b.Var(m.Key) + ", " + b.Var(m.ID) + ")")
	}
	b.OrderBy("r.received_at DESC", "r.id DESC").Limit(f.Limit + 1)
	query, args := b.Build()
	return query, args, nil
}

func scanSummary(row db.Row) (Summary, error) {
	var s Summary
	return s, row.Scan(&s.ID, &s.Ref, &s.Channel, &s.Category, &s.Lang, db.Time(&s.ReceivedAt), &s.Locations, &s.Files, &s.Messages)
}

// Get returns a report of the actor's agency, opened; of another's, a hidden
// fault. The contact stays sealed.
func (r *Room) Get(ctx context.Context, by party.Actor, id ID) (Report, error) {
	found, err := byID(ctx, r.db, id)
	if err != nil {
		return Report{}, err
	}
	if err := auth.May(by, auth.ReportRead, found.object()); err != nil {
		return Report{}, err
	}
	return r.open(ctx, r.db, found)
}

// GetTx returns a report, opened, for a later room that has checked who reads.
func (r *Room) GetTx(ctx context.Context, q db.Reader, id ID) (Report, error) {
	found, err := byID(ctx, q, id)
	if err != nil {
		return Report{}, err
	}
	return r.open(ctx, q, found)
}

// open reads all of a report.
func (r *Room) open(ctx context.Context, q db.Reader, found row) (Report, error) {
	out := Report{Facts: found.Facts, HasContact: found.contactFor != contactNone, Erased: len(found.key) == 0}
	var err error
	if out.Facts.Locations, err = locationIDs(ctx, q, found.ID); err != nil {
		return Report{}, err
	}
	if out.Locations, err = r.Locations(ctx, q, out.Facts.Locations); err != nil {
		return Report{}, err
	}
	if out.Steps, err = stepsOf(ctx, q, found.ID); err != nil || out.Erased {
		return out, err
	}
	key, err := r.vault.Unwrap(found.key)
	if err != nil {
		return Report{}, fmt.Errorf("open report %s: %w", found.ID, err)
	}
	description, err := vault.Unseal(key, found.description, aad(found.ID, "description"))
	if err != nil {
		return Report{}, fmt.Errorf("open report %s: %w", found.ID, err)
	}
	out.Description = string(description)
	if out.Files, err = filesOf(ctx, q, key, found.ID); err != nil {
		return Report{}, err
	}
	out.Facts.Files = len(out.Files)
	out.Messages, err = messagesOf(ctx, q, key, found.ID)
	return out, err
}

// Reply adds a message of the agency to the thread. The reporter sees the
// agency's name, not the person's.
func (r *Room) Reply(ctx context.Context, by party.Actor, id ID, text string) error {
	now := r.clock.Now()
	return r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := lockByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := auth.May(by, auth.ReportReply, found.object()); err != nil {
			return err
		}
		text, err := messageText(text)
		if err != nil {
			return err
		}
		if len(found.key) == 0 {
			return fault.New(fault.Conflict, "report.erased")
		}
		key, err := r.vault.Unwrap(found.key)
		if err != nil {
			return fmt.Errorf("reply to report %s: %w", id, err)
		}
		m := Message{ID: db.NewID(), Side: Staff, Person: by.Person, Text: text, At: now}
		if err := insertMessage(ctx, tx, key, id, m); err != nil {
			return err
		}
		_, err = r.feed.Record(ctx, tx, feed.Event{
			Kind: EventMessage, Object: "report", ObjectID: string(id), Ref: found.Ref, Party: string(by.Party), Person: string(by.Person),
			Audience: []string{found.Party}, At: now, Data: map[string]Side{"side": Staff},
		})
		return err
	})
}

// OpenFile returns a file and its content, whole and verified before the first
// byte is given out. That it was opened, by whom, is on record before. The
// caller closes the content.
func (r *Room) OpenFile(ctx context.Context, by party.Actor, report ID, id FileID) (File, io.ReadCloser, error) {
	now := r.clock.Now()
	var f file
	var key vault.Key
	err := r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := byID(ctx, tx, report)
		if err != nil {
			return err
		}
		if err := auth.May(by, auth.CaseEvidence, found.object()); err != nil {
			return err
		}
		rows, err := db.All(ctx, tx, scanFile, `SELECT id, report_id, sealed FROM report_files WHERE report_id = $1 AND id = $2`, report, id)
		if err != nil {
			return err
		}
		if len(rows) == 0 || len(found.key) == 0 {
			return fault.Hidden("file")
		}
		if key, err = r.vault.Unwrap(found.key); err != nil {
			return err
		}
		if f, err = rows[0].open(key); err != nil {
			return err
		}
		_, err = r.feed.Record(ctx, tx, feed.Event{
			Kind: EventOpened, Object: "report", ObjectID: string(report), Ref: found.Ref, Party: string(by.Party), Person: string(by.Person),
			Data: map[string]FileID{"file": id}, At: now,
		})
		return err
	})
	if err != nil {
		return File{}, nil, err
	}
	if err := r.vault.Verify(ctx, key, f.Ref); err != nil {
		return File{}, nil, err
	}
	content, err := r.vault.Open(ctx, key, f.Ref)
	return f.File, content, err
}
