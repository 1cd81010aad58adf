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
	Name    string
	Content io.Reader // at most sheet.MaxBytes
	Lang    i18n.Lang // of the reports that come of it
	Columns []Field   // what each column holds; nil leaves it to the headings
}

// own are rights over lists of the actor's own organisation.
func own(by party.Actor) auth.Object { return auth.Object{What: "list", Owner: by.Party} }

// Upload reads a file and keeps its rows as a draft. Nothing is reported before
// Start.
func (r *Room) Upload(ctx context.Context, by party.Actor, f File) (List, error) {
	if err := auth.May(by, auth.ListSend, own(by)); err != nil {
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
	l := row{List: List{ID: ID(db.NewID()), Party: by.Party, Person: by.Person, State: Draft, Lines: len(table.Rows), CreatedAt: r.Clock.Now()}}
	l.head = head{Name: cleanName(f.Name), Sheet: table.Name, Other: table.Other, Lang: f.Lang, Columns: f.Columns}
	if f.Columns == nil {
		l.head.Columns = Propose(table)
	} else if err := checkColumns(f.Columns, len(table.Head)); err != nil {
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
		n, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM flagger_imports WHERE party_id = $1 AND state <> 'done'`, l.Party)
		if err != nil {
			return err
		}
		if n >= MaxWaiting {
			return fault.New(fault.Conflict, "flagger.waiting", "Max", MaxWaiting)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO flagger_imports (id, party_id, person_id, state, lines, next, made, again, wrong, key, sealed, blob_name, created_at)
			VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6, $7, $8, $9)`,
			l.ID, l.Party, l.Person, l.State, l.Lines, []byte(l.wrapped), l.sealed, l.head.Rows.Stored.String(), db.Micros(l.CreatedAt))
		return err
	})
	if err != nil {
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
	return l, auth.May(by, auth.ListRead, l.Object())
}

// most is how many lists a page has.
const most = 100

// Lists returns the lists of the actor's organisation, the newest first, at
// most a hundred.
func (r *Room) Lists(ctx context.Context, by party.Actor) ([]List, error) {
	if err := auth.May(by, auth.ListRead, own(by)); err != nil {
		return nil, err
	}
	all, err := db.All(ctx, r.DB, scanRow, `SELECT `+listColumns+` FROM flagger_imports WHERE party_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2`, by.Party, most)
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
		if err := checkColumns(columns, len(l.head.Columns)); err != nil {
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
		if err := auth.May(by, auth.ListSend, l.Object()); err != nil {
			return err
		}
		if l.State != Draft {
			return fault.New(fault.Conflict, "flagger.started")
		}
		return do(ctx, tx, l)
	})
}

// Start makes reports of a draft's rows, by and by: see Work.
func (r *Room) Start(ctx context.Context, by party.Actor, id ID) error {
	l, err := r.mine(ctx, by, id)
	if err != nil {
		return err
	}
	if l.State == Draft { // what is wrong with its columns is said before it starts
		if err := checkColumns(l.head.Columns, len(l.head.Columns)); err != nil {
			return err
		}
	}
	return r.change(ctx, by, id, func(ctx context.Context, tx *db.Tx, l row) error {
		now := r.Clock.Now()
		if _, err := tx.Exec(ctx, `UPDATE flagger_imports SET state = 'running', started_at = $2 WHERE id = $1`, id, db.Micros(now)); err != nil {
			return err
		}
		if err := r.record(ctx, tx, l.List, by.Person, EventStarted, now); err != nil {
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
}

func (r *Room) record(ctx context.Context, tx *db.Tx, l List, person party.PersonID, kind string, now time.Time) error {
	_, err := r.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "list", ObjectID: string(l.ID), Party: string(l.Party), Person: string(person),
		Audience: []string{string(l.Party)}, At: now, Data: news{l.Lines, l.Made, l.Again, l.Wrong},
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
