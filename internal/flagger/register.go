package flagger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/vault"
)

// An EntryID identifies an entry of a register (UUIDv7).
type EntryID string

// A Past is what a row of an old register says, in the register's own words: a
// decision that somebody took before this instance was there, by rules that it
// does not know. It is shown and found, and nothing rests on it.
type Past struct {
	Decided   time.Time `json:"decided,omitzero"` // the day, in UTC; zero if none is given
	Decision  string    `json:"decision,omitempty"`
	Ground    string    `json:"ground,omitempty"`
	Service   string    `json:"service,omitempty"` // the platform
	Standing  string    `json:"standing,omitempty"`
	Withdrawn bool      `json:"withdrawn,omitempty"` // Standing says that it no longer stands
}

// An Entry is a row of an old register.
type Entry struct {
	Past
	ID        EntryID
	List      ID // that it came with
	Party     party.ID
	N         int      // its row
	Locations []string // canonical
	Reference string   // the register's own
	Note      string
	At        time.Time // when the list was started
}

// entryBody is what is sealed of an entry.
type entryBody struct {
	Past
	Locations []string `json:"locations"`
	Reference string   `json:"reference,omitempty"`
	Note      string   `json:"note,omitempty"`
}

// aad ties what is sealed to its entry, its list and to whose it is.
func (e Entry) aad() string {
	return "register/" + string(e.ID) + "/" + string(e.List) + "/" + string(e.Party)
}

// withdrawn are words for a decision that no longer stands, in either language.
var withdrawn = []string{
	"withdrawn", "lifted", "revoked", "quashed", "annulled", "cancelled", "canceled", "reversed", "overturned", "expired", "ended",
	"dicabut", "ditarik", "dibatalkan", "batal", "dibuka", "dipulihkan", "kedaluwarsa", "berakhir",
}

// gone reports whether a word for how a decision stands says that it does not.
func gone(standing string) bool {
	words := strings.FieldsFunc(strings.ToLower(standing), func(r rune) bool { return r < 'a' || r > 'z' })
	not := slices.ContainsFunc(words, func(w string) bool {
		return w == "not" || w == "tidak" || w == "belum" || w == "partly" || w == "sebagian"
	})
	return !not && slices.ContainsFunc(words, func(w string) bool { return slices.Contains(withdrawn, w) })
}

// A sealedEntry is an entry on its way into the database.
type sealedEntry struct {
	Entry
	mark, sealed []byte
	places       [][]byte
}

// keepEntries makes entries of the rows of a running register, so many at a
// time. Each part and the list's progress are one commit.
func (w *work) keepEntries(ctx context.Context, rows []Row, key vault.Key) error {
	entries := make([]sealedEntry, 0, len(rows))
	wrong := 0
	for _, row := range rows {
		if row.mark == nil {
			wrong++
			continue
		}
		e := sealedEntry{mark: row.mark, Entry: Entry{
			Past: row.Past, ID: EntryID(db.NewID()), List: w.list.ID, Party: w.list.Party, N: row.N, Locations: row.Locations, Reference: row.Reference,
			Note: row.Note, At: w.list.StartedAt,
		}}
		plain, err := json.Marshal(entryBody{e.Past, e.Locations, e.Reference, e.Note})
		if err != nil {
			return err
		}
		e.sealed = vault.Seal(key, plain, e.aad())
		for _, url := range e.Locations {
			e.places = append(e.places, w.room.Reports.Mark(url))
		}
		entries = append(entries, e)
	}
	err := w.room.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		w.again, w.wrong, w.skipped = 0, wrong, len(rows)-len(entries)
		made := 0
		for _, e := range entries {
			n, err := w.room.insertEntry(ctx, tx, e)
			if err != nil {
				return err
			}
			made += n
		}
		w.again = len(entries) - made
		w.skipped += w.again
		return w.advance(ctx, tx, made)
	})
	if err == nil {
		w.list.Next += len(rows)
		w.skipped, w.again, w.wrong = 0, 0, 0
	}
	return err
}

// insertEntry stores an entry unless the organisation has the same row already.
func (r *Room) insertEntry(ctx context.Context, tx *db.Tx, e sealedEntry) (int, error) {
	n, err := tx.Exec(ctx, `
		INSERT INTO register_entries (id, import_id, party_id, n, mark, sealed) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		e.ID, e.List, e.Party, e.N, e.mark, e.sealed)
	if err != nil || n == 0 {
		return 0, err
	}
	for _, mark := range e.places {
		if err := tx.Send(ctx, `INSERT INTO register_places (entry_id, party_id, mac) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, e.ID, e.Party, mark); err != nil {
			return 0, err
		}
	}
	return 1, r.Search.Add(ctx, tx, search.Doc{
		Party: string(e.Party), Object: searchEntry, ObjectID: string(e.ID), Plain: []string{e.Reference, e.Service},
		Sealed: strings.Join(slices.Concat([]string{e.Decision, e.Ground, e.Standing, e.Note}, e.Locations), " "), At: e.At,
	})
}

// searchEntry is what entries are called in the index of words.
const searchEntry = "register"

const entryColumns = `e.id, e.import_id, e.party_id, e.n, e.sealed, i.key, i.started_at`

// storedEntry is an entry as stored.
type storedEntry struct {
	Entry
	sealed  []byte
	wrapped vault.WrappedKey
}

func scanEntry(from db.Row) (storedEntry, error) {
	var e storedEntry
	var key []byte
	err := from.Scan(&e.ID, &e.List, &e.Party, &e.N, &e.sealed, &key, db.Time(&e.At))
	e.wrapped = key
	return e, err
}

// openEntries unseals entries. Those of one list have one key. What does not hold
// under it, because SQL gave it to another list or organisation, is as if absent.
func (r *Room) openEntries(all []storedEntry) ([]Entry, error) {
	keys := map[ID]vault.Key{}
	out := make([]Entry, 0, len(all))
	for _, e := range all {
		key, ok := keys[e.List]
		if !ok {
			var err error
			if key, err = r.Vault.Unwrap(e.wrapped); err != nil {
				return nil, fmt.Errorf("open entry %s: %w", e.ID, err)
			}
			keys[e.List] = key
		}
		plain, err := vault.Unseal(key, e.sealed, e.aad())
		if err != nil {
			continue
		}
		var body entryBody
		if err := json.Unmarshal(plain, &body); err != nil {
			return nil, fmt.Errorf("open entry %s: %w", e.ID, err)
		}
		e.Past, e.Locations, e.Reference, e.Note = body.Past, body.Locations, body.Reference, body.Note
		out = append(out, e.Entry)
	}
	return out, nil
}

// maxBefore bounds the entries that are shown with a case.
const maxBefore = 50

// Before returns what registers say of the things of a case, the latest
// decision first, at most fifty: the actor's own organisation's, or, for
// oversight, those of the case's. Whoever may read none is told of none.
func (r *Room) Before(ctx context.Context, by party.Actor, owner party.ID, ls []report.Location) ([]Entry, error) {
	of := by.Party
	reads := func(owner party.ID) bool {
		return auth.May(by, auth.RegisterRead, auth.Object{What: "register", Owner: owner}) == nil
	}
	switch {
	case reads(""):
		of = owner
	case !reads(of):
		return nil, nil
	}
	var marks [][]byte
	for _, l := range ls {
		if l.URL != "" {
			marks = append(marks, r.Reports.Mark(l.URL))
		}
	}
	all, err := db.AllIn(ctx, r.DB, scanEntry, func(in string) string {
		return `SELECT DISTINCT ` + entryColumns + ` FROM register_places p JOIN register_entries e ON e.id = p.entry_id JOIN flagger_imports i ON i.id = e.import_id
			WHERE p.party_id = $1 AND e.party_id = $1 AND p.mac IN (` + in + `) ORDER BY e.id DESC LIMIT $2`
	}, marks, of, maxBefore)
	if err != nil {
		return nil, err
	}
	entries, err := r.openEntries(all)
	if err != nil {
		return nil, err
	}
	// A row that SQL has put at another place says nothing of it.
	entries = slices.DeleteFunc(entries, func(e Entry) bool {
		return !slices.ContainsFunc(ls, func(l report.Location) bool { return slices.Contains(e.Locations, l.URL) })
	})
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.Decided.Compare(a.Decided), strings.Compare(string(b.ID), string(a.ID)))
	})
	entries = slices.CompactFunc(entries, func(a, b Entry) bool { return a.ID == b.ID })
	return entries[:min(len(entries), maxBefore)], nil
}

// Entry returns an entry of a register, or a hidden fault.
func (r *Room) Entry(ctx context.Context, by party.Actor, id EntryID) (Entry, error) {
	const what = "register"
	e, err := db.One(ctx, r.DB, scanEntry, `
		SELECT `+entryColumns+` FROM register_entries e JOIN flagger_imports i ON i.id = e.import_id WHERE e.id = $1`, id)
	if errors.Is(err, db.ErrAbsent) {
		return Entry{}, fault.Hidden(what)
	}
	if err != nil {
		return Entry{}, err
	}
	if err := auth.May(by, auth.RegisterRead, auth.Object{What: what, Owner: e.Party}); err != nil {
		return Entry{}, err
	}
	all, err := r.openEntries([]storedEntry{e})
	if err != nil {
		return Entry{}, err
	}
	if len(all) == 0 {
		return Entry{}, fault.Hidden(what)
	}
	return all[0], nil
}

// maxFound bounds a page of what is found.
const maxFound = 50

// FindEntries returns the entries about which every word of text stands
// somewhere: in their references, their platform or whatever else they say.
// The latest come first; before is where the page before ended, and next is 0
// at the end. Oversight finds those of everybody by reference and platform.
func (r *Room) FindEntries(ctx context.Context, by party.Actor, text string, before int64, limit int) (found []Entry, next int64, err error) {
	const what = "register"
	q := search.Question{Object: searchEntry, Text: text, Before: before, Limit: min(max(limit, 1), maxFound)}
	if auth.May(by, auth.RegisterRead, auth.Object{What: what}) != nil {
		q.Party = string(by.Party)
		if err := auth.May(by, auth.RegisterRead, auth.Object{What: what, Owner: by.Party}); err != nil {
			return nil, 0, err
		}
	}
	ids, next, err := r.Search.Find(ctx, r.DB, q)
	if err != nil {
		return nil, 0, err
	}
	all, err := db.AllIn(ctx, r.DB, scanEntry, func(in string) string {
		return `SELECT ` + entryColumns + ` FROM register_entries e JOIN flagger_imports i ON i.id = e.import_id
			WHERE ($1 = '' OR e.party_id = $1) AND e.id IN (` + in + `)`
	}, slices.Compact(slices.Clone(ids)), q.Party)
	if err != nil {
		return nil, 0, err
	}
	entries, err := r.openEntries(all)
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(place[string(a.ID)], place[string(b.ID)]) })
	entries = slices.CompactFunc(entries, func(a, b Entry) bool { return a.ID == b.ID }) // a list of values is filled up with its last
	return entries, next, err
}

// undo destroys the entries of a register.
func (r *Room) undo(ctx context.Context, tx *db.Tx, l row) error {
	ids, err := db.All(ctx, tx, db.Scalar[EntryID], `SELECT id FROM register_entries WHERE import_id = $1`, l.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.Search.Drop(ctx, tx, string(id)); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`DELETE FROM register_places WHERE entry_id IN (SELECT id FROM register_entries WHERE import_id = $1)`, `DELETE FROM register_entries WHERE import_id = $1`,
	} {
		if _, err := tx.Exec(ctx, query, l.ID); err != nil {
			return err
		}
	}
	return r.strip(ctx, tx, l)
}
