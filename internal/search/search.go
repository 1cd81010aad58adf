// Package search finds things by the words about them: references, platforms
// and an organisation's own notes, in either language.
//
// A text is kept as words in lower case without accents, each with two letters in
// front of it, what kind of word it is and of what kind of thing (a word that
// many cases and no notice have is one look for notices), and found by whole words; the last word asked for may be the
// beginning of one. Beginnings are kept like words: a database that had to look
// for all words that begin so would read whatever stands about any of them.
// Words of sealed texts are kept as MACs under the instance key and the party:
// whoever holds the database reads none of them, and a word that somebody
// guesses tells nothing without the key. They are found whole only. The rows are
// written in the transaction of what they are about.
package search

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/tangkal/tangkal/internal/db"
)

// Bounds of what is kept and asked.
const (
	maxWords  = 400 // different words of one text
	maxTerms  = 8   // of one question
	maxWord   = 40  // letters of a word; what is longer is cut
	minPrefix = 3   // letters of the beginning of a word,
	maxPrefix = 12  // and of one that is not yet the word
)

// What stands in front of a kept word: what kind of word it is.
const (
	plainWord  = "q"
	beginWord  = "b" // the beginning of a plain one
	sealedWord = "z"
	partyWord  = "p"
)

// of says a word of the kinds above for one kind of object: after its first
// letter stands the object's.
func of(object, word string) string { return word[:1] + object[:1] + word[1:] }

// An Index keeps and finds words. It is safe for concurrent use. The nil Index
// keeps nothing and finds nothing, for rooms that stand alone in tests.
type Index struct {
	mac   func(purpose string, data []byte) []byte
	begin int64
	count atomic.Int64 // of the row identifiers given out

	lately int // how many of the latest texts are looked at first
}

// New returns an index whose sealed words are MACs by mac (vault.Vault.MAC).
func New(mac func(purpose string, data []byte) []byte) *Index {
	return &Index{mac: mac, begin: rand.Int64N(1 << 20), lately: lately} //nolint:gosec // tells nodes apart, guards nothing
}

// A Doc is one text about one thing, for one party.
type Doc struct {
	Party    string // who finds it
	Object   string // "case", "notice"
	ObjectID string
	Part     string // which of the thing's texts it is, "" for its head
	Plain    []string
	Sealed   string    // a text that is kept sealed where it stands
	At       time.Time // later is found first
}

// Put keeps a text, in place of what was kept for the same part.
func (x *Index) Put(ctx context.Context, tx *db.Tx, d Doc) error {
	if x == nil || d.Party == "" {
		return nil
	}
	if err := tx.Spill(ctx); err != nil {
		return err
	}
	if err := tx.Send(ctx, `DELETE FROM search_docs WHERE object_id = $1 AND part = $2 AND party_id = $3`, d.ObjectID, d.Part, d.Party); err != nil {
		return err
	}
	return x.Add(ctx, tx, d)
}

// Add is Put for a part that nothing was kept for.
func (x *Index) Add(ctx context.Context, tx *db.Tx, d Doc) error {
	if x == nil || d.Party == "" {
		return nil
	}
	var words []string
	for _, p := range d.Plain {
		ref := numbers(p)
		for _, w := range split(p) {
			words = append(words, plainWord+w)
			if ref == nil {
				words = append(words, beginnings(w)...)
			}
		}
		words = append(words, ref...)
	}
	for _, w := range split(d.Sealed) {
		words = append(words, x.sealed(d.Party, w))
	}
	for i, w := range words {
		words[i] = of(d.Object, w)
	}
	words = unique(append([]string{party(d.Party)}, words...))
	return tx.Gather(ctx, `INSERT INTO search_docs (id, party_id, object, object_id, part, words)`,
		x.next(d.At), d.Party, d.Object, d.ObjectID, d.Part, strings.Join(words, " "))
}

// Drop forgets everything about a thing.
func (x *Index) Drop(ctx context.Context, tx *db.Tx, objectID string) error {
	if x == nil {
		return nil
	}
	if err := tx.Spill(ctx); err != nil {
		return err
	}
	return tx.Send(ctx, `DELETE FROM search_docs WHERE object_id = $1`, objectID)
}

// next returns a row identifier that rises with time: milliseconds, and a
// counter that tells four million of one millisecond apart. It begins anywhere,
// so that two nodes hardly ever meet.
func (x *Index) next(at time.Time) int64 {
	const bits = 22
	return at.UnixMilli()<<bits | (x.begin+x.count.Add(1))&(1<<bits-1)
}

// party spells who finds a text, as a word.
func party(id string) string { return partyWord + strings.ReplaceAll(strings.ToLower(id), "-", "") }

func (x *Index) sealed(party, word string) string {
	return sealedWord + hex.EncodeToString(x.mac("search", []byte(party+"/"+word))[:8])
}

// split returns the words of a text: runs of letters and digits, in lower case,
// without accents; a word of another script is spelled by its letters' numbers.
func split(text string) []string {
	folded := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
	var out []string
	for _, w := range strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if r := []rune(w); len(r) > maxWord {
			w = string(r[:maxWord])
		}
		out = append(out, ascii(w))
	}
	return out
}

// ascii spells a word with a to z and 0 to 9 alone.
func ascii(w string) string {
	if !strings.ContainsFunc(w, func(r rune) bool { return r > unicode.MaxASCII }) {
		return w
	}
	return "u" + hex.EncodeToString([]byte(w))
}

// numbers are the ways in which people write a reference: whole without its
// dashes, the last digits of its number, and that without the zeros in front;
// and the beginnings of the first and the last. Nil for what is no reference.
func numbers(p string) []string {
	if !strings.Contains(p, "-") || strings.ContainsAny(p, " ") {
		return nil
	}
	parts := split(p)
	last := parts[len(parts)-1]
	series := strings.Join(parts[:len(parts)-1], "")
	out := []string{plainWord + series + last}
	for n := 1; n < len(parts); n++ {
		out = append(out, beginWord+strings.Join(parts[:n], ""))
	}
	for n := 1; n < min(len(last), maxPrefix+1); n++ {
		out = append(out, beginWord+series+last[:n])
	}
	for i := 1; i+minPrefix <= len(last); i++ {
		out = append(out, plainWord+last[i:])
	}
	if last = strings.TrimLeft(last, "0"); last != "" {
		out = append(append(out, plainWord+last), beginnings(last)...)
	}
	return out
}

// beginnings are what somebody may have typed of a word.
func beginnings(w string) []string {
	var out []string
	for n := minPrefix; n < min(len(w), maxPrefix+1); n++ {
		out = append(out, beginWord+w[:n])
	}
	return out
}

func unique(words []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range words {
		if !seen[w] && len(out) < maxWords {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// A Question is what somebody looks for.
type Question struct {
	Party  string // whose texts are searched; "" is everybody's, for oversight
	Object string
	Text   string
	Before int64 // where the page before ended, 0 at first
	Limit  int
}

// Find returns the identifiers of things with a text that holds every word of
// the question, the latest first, and where the next page begins, 0 at the end.
// The caller reads the things as its reader may see them. A question without a
// word finds nothing. Sealed words of everybody are never searched at once.
func (x *Index) Find(ctx context.Context, r db.Reader, q Question) (ids []string, next int64, err error) {
	terms := x.terms(q)
	if x == nil || len(terms) == 0 {
		return nil, 0, nil
	}
	dialect := r.Dialect()
	condition, argument := db.MatchWords(dialect, "1", terms)
	id := db.WordsID(dialect)
	args := []any{argument, q.Object, before(q.Before), q.Limit + 1}
	from := ` FROM ` + db.WordsTable(dialect) + ` WHERE ` + condition + ` AND d.object = $2 AND ` + id + ` < $3`
	if q.Party != "" {
		from += ` AND d.party_id = $5`
		args = append(args, q.Party)
	}
	hits, err := x.find(ctx, r, `SELECT d.id, d.object_id`+from, id, q, args)
	if err != nil {
		return nil, 0, err
	}
	if len(hits) > q.Limit {
		hits = hits[:q.Limit]
		next = hits[q.Limit-1].id
	}
	for _, h := range hits {
		if !slices.Contains(ids, h.object) { // found by several of its texts
			ids = append(ids, h.object)
		}
	}
	return ids, next, nil
}

// hit is a text that holds the words.
type hit struct {
	id     int64
	object string
}

// lately is how many of the latest texts PostgreSQL looks at first: some
// milliseconds' worth.
const lately = 2000

// find reads the latest hits, one more than a page. PostgreSQL cannot tell a
// word that most texts hold from one that none does: it would walk through every
// text from the latest back in search of a word that is in none. So it is asked
// for the hits among the latest texts, and where those fill no page, for all
// from the index of words, which are few then, and the latest of them.
func (x *Index) find(ctx context.Context, r db.Reader, query, id string, q Question, args []any) ([]hit, error) {
	scan := func(row db.Row) (h hit, err error) { return h, row.Scan(&h.id, &h.object) }
	const latest = ` DESC LIMIT $4`
	if r.Dialect() != db.Postgres {
		return db.All(ctx, r, scan, query+` ORDER BY `+id+latest, args...)
	}
	floor, err := db.Value[int64](ctx, r, `SELECT coalesce((SELECT id FROM search_docs WHERE id < $1 ORDER BY id DESC OFFSET $2 LIMIT 1), -1)`, before(q.Before), x.lately)
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(len(args) + 1)
	hits, err := db.All(ctx, r, scan, query+` AND `+id+` > $`+n+` ORDER BY `+id+latest, append(slices.Clone(args), floor)...)
	if err != nil || floor < 0 || len(hits) > q.Limit {
		return hits, err
	}
	// A sum is in no index: once it plans for any words, PostgreSQL would read the
	// numbers of all texts beside those few.
	query = strings.Replace(query, id+" < ", id+" + 0 < ", 1)
	return db.All(ctx, r, scan, `WITH found AS MATERIALIZED (`+query+`) SELECT id, object_id FROM found ORDER BY id`+latest, args...)
}

func before(id int64) int64 {
	if id <= 0 {
		return 1<<63 - 1
	}
	return id
}

// terms are the words that a text must hold: the party's own, and those of the
// question.
func (x *Index) terms(q Question) []db.Term {
	asked := split(q.Text)
	if x == nil || len(asked) == 0 {
		return nil
	}
	if whole := numbers(strings.ToLower(strings.TrimSpace(q.Text))); len(whole) > 0 && len(asked) > 2 {
		return append(x.scope(q), db.Term{of(q.Object, whole[0]), of(q.Object, beginWord+strings.TrimPrefix(whole[0], plainWord))})
	}
	out := x.scope(q)
	for i, w := range asked[:min(len(asked), maxTerms)] {
		t := db.Term{of(q.Object, plainWord+w)}
		if q.Party != "" {
			t = append(t, of(q.Object, x.sealed(q.Party, w)))
		}
		if i == len(asked)-1 && len(w) >= minPrefix {
			t = append(t, of(q.Object, beginWord+w))
		}
		out = append(out, t)
	}
	return out
}

// scope narrows a question to a party.
func (x *Index) scope(q Question) []db.Term {
	if q.Party == "" {
		return nil
	}
	return []db.Term{{party(q.Party)}}
}
