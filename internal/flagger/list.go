package flagger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage/sheet"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
)

// A File is a list as it arrives.
type File struct {
	Kind    Kind // of its rows
	Name    string
	Content io.Reader // at most sheet.MaxBytes
	Lang    i18n.Lang // of the reports that come of it
	Columns []Field   // what each column holds; nil leaves it to the headings
}

// own are rights over lists of a kind of the actor's own organisation.
func own(by party.Actor, k Kind) auth.Object { return auth.Object{What: k.noun(), Owner: by.Party} }

// Upload reads a file and keeps its rows as a draft. Nothing is reported before
// Start.
func (r *Room) Upload(ctx context.Context, by party.Actor, f File) (List, error) {
	if !f.Kind.known() {
		return List{}, fault.New(fault.Invalid, "report.unknown-choice", "Value", clip(string(f.Kind))).At("/kind")
	}
	if err := auth.May(by, f.Kind.send(), own(by, f.Kind)); err != nil {
		return List{}, err
	}
	if !slices.Contains(i18n.Langs(), f.Lang) {
		return List{}, fault.New(fault.Invalid, "report.unknown-choice", "Value", clip(string(f.Lang))).At("/lang")
	}
	table, err := r.parse(ctx, f.Content)
	if err != nil {
		return List{}, err
	}
	table = headless(table)
	if len(table.Rows) > sheet.MaxRows {
		return List{}, fault.New(fault.Invalid, string(sheet.TooManyRows)).At("/file")
	}
	l := row{List: List{ID: ID(db.NewID()), Kind: f.Kind, Party: by.Party, Person: by.Person, State: Draft, Lines: len(table.Rows), CreatedAt: r.Clock.Now()}}
	l.head = head{Name: cleanName(f.Name), Sheet: table.Name, Other: table.Other, Lang: f.Lang, Columns: f.Columns}
	if f.Columns == nil {
		l.head.Columns = Propose(f.Kind, table)
	} else if err := f.Kind.checkColumns(f.Columns, len(table.Head)); err != nil {
		return List{}, err
	}
	if err := r.keep(ctx, &l, table); err != nil {
		return List{}, err
	}
	return l.List, r.open(&l)
}

// parse reads the table of a file.
func (r *Room) parse(ctx context.Context, content io.Reader) (sheet.Table, error) {
	data, err := io.ReadAll(io.LimitReader(content, sheet.MaxBytes+1))
	if err != nil {
		return sheet.Table{}, err
	}
	if !sheet.IsWorkbook(data) {
		t, err := sheet.ReadText(data)
		if e, ok := errors.AsType[*sheet.Error](err); ok {
			return t, fault.New(fault.Invalid, string(e.Reason)).At("/file")
		}
		return t, err
	}
	if r.Cage == nil {
		return sheet.Table{}, fault.New(fault.Unavailable, "cage.absent")
	}
	t, err := r.Cage.Rows(ctx, int64(len(data)), bytes.NewReader(data))
	if e, ok := fault.As(err); ok && e.Kind == fault.Invalid {
		return t, e.At("/file")
	}
	return t, err
}

// keep stores a draft and its rows.
func (r *Room) keep(ctx context.Context, l *row, table sheet.Table) error {
	raw, err := table.Encode()
	if err != nil {
		return err
	}
	if l.key, l.wrapped, err = r.Vault.NewKey(); err != nil {
		return err
	}
	if l.head.Rows, err = r.Vault.Put(ctx, l.key, bytes.NewReader(raw), sheet.MaxEncoded); err != nil {
		return err
	}
	if l.sealed, err = l.seal(); err != nil {
		return err
	}
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM flagger_imports WHERE party_id = $1 AND state IN ('draft', 'running')`, l.Party)
		if err != nil {
			return err
		}
		if n >= MaxWaiting {
			return fault.New(fault.Conflict, "flagger.waiting", "Max", MaxWaiting)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO flagger_imports (id, kind, party_id, person_id, state, lines, next, made, again, wrong, key, sealed, blob_name, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0, $7, $8, $9, $10)`,
			l.ID, l.Kind, l.Party, l.Person, l.State, l.Lines, []byte(l.wrapped), l.sealed, l.head.Rows.Stored.String(), db.Micros(l.CreatedAt))
		return err
	})
	if err != nil && !db.Unsure(err) {
		_ = r.Vault.Delete(context.WithoutCancel(ctx), l.head.Rows) // else it lies under a key that nobody kept
	}
	return err
}

// maxName bounds the name of a file in characters.
const maxName = 120

// cleanName is the last part of a file's name, as it is shown.
func cleanName(s string) string {
	s = path.Base(strings.ReplaceAll(strings.ToValidUTF8(s, ""), `\`, "/"))
	s = strings.TrimSpace(strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s))
	if runes := []rune(s); len(runes) > maxName {
		s = string(runes[:maxName])
	}
	if s == "" || s == "." || s == "/" {
		return "list"
	}
	return s
}

// Get returns a list of the actor's organisation; of another's, a hidden fault.
func (r *Room) Get(ctx context.Context, by party.Actor, id ID) (List, error) {
	l, err := r.mine(ctx, by, id)
	return l.List, err
}

func (r *Room) mine(ctx context.Context, by party.Actor, id ID) (row, error) {
	l, err := r.load(ctx, r.DB, id, "")
	if err != nil {
		return row{}, err
	}
	return l, auth.May(by, l.Kind.read(), l.Object())
}

// most is how many lists a page has.
const most = 100

// Lists returns the lists of a kind of the actor's organisation, for oversight
// of all, the newest first, at most a hundred.
func (r *Room) Lists(ctx context.Context, by party.Actor, k Kind) ([]List, error) {
	of := by.Party
	if auth.May(by, k.read(), auth.Object{What: k.noun()}) == nil {
		of = ""
	} else if err := auth.May(by, k.read(), own(by, k)); err != nil {
		return nil, err
	}
	all, err := db.All(ctx, r.DB, scanRow, `
		SELECT `+listColumns+` FROM flagger_imports WHERE ($1 = '' OR party_id = $1) AND kind = $2 ORDER BY created_at DESC, id DESC LIMIT $3`, of, k, most)
	if err != nil {
		return nil, err
	}
	out := make([]List, len(all))
	for i := range all {
		if err := r.open(&all[i]); err != nil {
			return nil, err
		}
		out[i] = all[i].List
	}
	return out, nil
}

// SetColumns says what the columns of a draft hold.
func (r *Room) SetColumns(ctx context.Context, by party.Actor, id ID, columns []Field) error {
	return r.change(ctx, by, id, func(ctx context.Context, tx *db.Tx, l row) error {
		if err := l.Kind.checkColumns(columns, len(l.head.Columns)); err != nil {
			return err
		}
		l.head.Columns = columns
		sealed, err := l.seal()
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE flagger_imports SET sealed = $2 WHERE id = $1`, l.ID, sealed)
		return err
	})
}

// change does something to a draft, under its lock.
func (r *Room) change(ctx context.Context, by party.Actor, id ID, do func(ctx context.Context, tx *db.Tx, l row) error) error {
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		l, err := r.load(ctx, tx, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if err := auth.May(by, l.Kind.send(), l.Object()); err != nil {
			return err
		}
		if l.State != Draft {
			return fault.New(fault.Conflict, "flagger.started")
		}
		return do(ctx, tx, l)
	})
}

// Start makes reports, or entries, of a draft's rows, by and by: see Work.
func (r *Room) Start(ctx context.Context, by party.Actor, id ID) error {
	l, err := r.mine(ctx, by, id)
	if err != nil {
		return err
	}
	if l.State == Draft { // what is wrong with its columns is said before it starts
		if err := l.Kind.checkColumns(l.head.Columns, len(l.head.Columns)); err != nil {
			return err
		}
	}
	return r.change(ctx, by, id, func(ctx context.Context, tx *db.Tx, l row) error {
		now := r.Clock.Now()
		if _, err := tx.Exec(ctx, `UPDATE flagger_imports SET state = 'running', started_at = $2 WHERE id = $1`, id, db.Micros(now)); err != nil {
			return err
		}
		if err := r.record(ctx, tx, l.List, by.Person, eventStarted, now); err != nil {
			return err
		}
		if r.Enqueue == nil {
			return nil
		}
		return r.Enqueue(ctx, tx, id)
	})
}

// news is the data of the events of a list.
type news struct {
	Lines int `json:"lines"`
	Made  int `json:"made,omitempty"`
	Again int `json:"again,omitempty"`
	Wrong int `json:"wrong,omitempty"`
	Back  int `json:"back,omitempty"`
}

// record puts on record what happened to a list.
func (r *Room) record(ctx context.Context, tx *db.Tx, l List, person party.PersonID, event string, now time.Time) error {
	_, err := r.Feed.Record(ctx, tx, feed.Event{
		Kind: l.Kind.noun() + "." + event, Object: l.Kind.noun(), ObjectID: string(l.ID), Party: string(l.Party), Person: string(person),
		Audience: []string{string(l.Party)}, At: now, Data: news{l.Lines, l.Made, l.Again, l.Wrong, l.Back},
	})
	return err
}

// Discard removes a draft.
func (r *Room) Discard(ctx context.Context, by party.Actor, id ID) error {
	var rows vault.Ref
	err := r.change(ctx, by, id, func(ctx context.Context, tx *db.Tx, l row) error {
		rows = l.head.Rows
		_, err := tx.Exec(ctx, `DELETE FROM flagger_imports WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.Vault.Delete(ctx, rows); err != nil {
		return fmt.Errorf("discard list %s: %w", id, err)
	}
	return nil
}
