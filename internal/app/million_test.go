package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// fillAtOnce is how many rows of each table one transaction adds.
const fillAtOnce = 20_000

// fill multiplies one story that was told to its end: n cases with a report and
// its steps, a location, an entry of the feed and what is searched each, three
// notices for ten cases, one case in ten waiting, one notice in twenty-five open.
// The rows are copies of what the rooms wrote, under numbers of their own, so
// lists, counts and searches meet what they would after years; what is sealed in
// them opens only in the original.
func fill(tb testing.TB, x *exchangetest.Exchange, s *story, n int) {
	tb.Helper()
	d := x.App.DB
	report, err := db.Value[string](tb.Context(), d, `SELECT report_id FROM case_reports WHERE case_id = $1`, s.caseID)
	if err != nil {
		tb.Fatal(err)
	}
	location, err := db.Value[string](tb.Context(), d, `SELECT location_id FROM case_locations WHERE case_id = $1`, s.caseID)
	if err != nil {
		tb.Fatal(err)
	}
	of := map[string]string{"cases": s.caseID, "reports": report, "locations": location, "notices": s.id}
	again := withoutWords(tb, d)
	for from := 1; from <= n; from += fillAtOnce {
		to := min(n, from+fillAtOnce-1)
		if err := d.Write(tb.Context(), func(ctx context.Context, tx *db.Tx) error {
			for _, c := range copies {
				first, last := from, to
				if c.every != 0 {
					first, last = (from-1)*3/10+1, to*3/10
				}
				if err := c.make(ctx, tx, of, first, last); err != nil {
					return fmt.Errorf("%s: %w", c.table, err)
				}
			}
			return nil
		}); err != nil {
			tb.Fatal(err)
		}
	}
	prove(tb, x, s)
	again()
	if err := d.Write(tb.Context(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE feed_head SET seq = (SELECT max(seq) FROM feed_entries)`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `ANALYZE`)
		return err
	}); err != nil {
		tb.Fatal(err)
	}
}

// A copied table: each row of the original, once for every number, with these
// columns made of the number n.
type copied struct {
	table string
	key   string            // column that names the original
	of    string            // table whose original it names
	every int               // 0 once a case, else three for ten cases
	made  map[string]string // SQL over n
}

const (
	number = `CAST(1000000000 + g.n AS TEXT)`
	// waiting is one case in ten, of these one in five taken.
	state = `CASE WHEN g.n % 50 = 0 THEN 'taken' WHEN g.n % 10 = 0 THEN 'open' WHEN g.n % 97 = 0 THEN 'proposed' WHEN g.n % 31 = 0 THEN 'decided' ELSE 'closed' END`
	life  = `CASE WHEN g.n % 25 = 0 THEN 'open' WHEN g.n % 500 = 1 THEN 'approved' WHEN g.n % 500 = 2 THEN 'draft' ELSE 'closed' END`
	sent  = `CASE WHEN g.n % 500 IN (1, 2) THEN NULL ELSE t.sent_at - g.n * 60000000 END`
	past  = `- g.n * 30000000` // half a minute between two
)

var copies = []copied{
	{"locations", "id", "locations", 0, map[string]string{"id": `'fl-' || ` + number, "mac": `CAST('fl-' || ` + number + ` AS BLOB)`, "key": `NULL`, "sealed": `NULL`}}, // as if erased
	{"reports", "id", "reports", 0, map[string]string{
		"id": `'fr-' || ` + number, "ref": `'TEST-LP-2024-' || ` + number, "receipt_mac": `NULL`, "key": `NULL`, "description": `NULL`, "contact": `NULL`, "received_at": `t.received_at ` + past,
	}},
	{"report_locations", "report_id", "reports", 0, map[string]string{"report_id": `'fr-' || ` + number, "location_id": `'fl-' || ` + number}},
	{"cases", "id", "cases", 0, map[string]string{
		"id": `'fc-' || ` + number, "ref": `'TEST-KS-2024-' || ` + number, "state": state, "queue": `CASE WHEN g.n % 3 = 0 THEN 'new' ELSE t.queue END`,
		"priority": `(g.n * 37) % 101`, "opened_at": `t.opened_at ` + past, "deadline_at": `t.deadline_at ` + past, "version": `1`, "ranked_at": `t.ranked_at`,
		"platform": `CASE WHEN g.n % 7 = 0 THEN 'kabarkita' ELSE t.platform END`, "holder": `CASE WHEN g.n % 50 = 0 THEN t.holder END`, "locked_until": `NULL`,
	}},
	{"case_slots", "case_id", "cases", 0, map[string]string{"case_id": `'fc-' || ` + number, "slot": `t.slot ` + past}},
	{"case_wordings", "case_id", "cases", 0, map[string]string{"case_id": `'fc-' || ` + number, "slot": `t.slot ` + past}},
	{"report_steps", "report_id", "reports", 0, map[string]string{"id": `t.id || '-' || ` + number, "report_id": `'fr-' || ` + number, "at": `t.at ` + past}},
	{"search_docs", "object_id", "cases", 0, map[string]string{
		"id": earlier, "object_id": `'fc-' || ` + number, "part": `CASE WHEN t.part = '' THEN '' ELSE 'fr-' || ` + number + ` END`, "words": words,
	}},
	{"case_locations", "case_id", "cases", 0, map[string]string{"case_id": `'fc-' || ` + number, "location_id": `'fl-' || ` + number}},
	{"case_reports", "case_id", "cases", 0, map[string]string{"case_id": `'fc-' || ` + number, "report_id": `'fr-' || ` + number}},
	{"feed_entries", "object_id", "cases", 0, map[string]string{
		"seq": `1000000 + g.n`, "id": `'fe-' || ` + number, "object_id": `'fc-' || ` + number, "ref": `'TEST-KS-2024-' || ` + number,
	}},
	{"notices", "id", "notices", 3, map[string]string{
		"id": `'fn-' || ` + number, "ref": `'TEST-PH-2024-' || ` + number, "case_id": `'fc-' || ` + number, "case_ref": `'TEST-KS-2024-' || ` + number,
		"life": life, "created_at": `t.created_at ` + past, "sent_at": sent, "sent_mac": `NULL`, "log_seq": `0`,
		"due_at": `CASE WHEN g.n % 25 = 0 THEN t.created_at + (g.n % 20000 - 500) * 60000000 END`, "delivery": `CASE WHEN g.n % 500 IN (1, 2) THEN 'none' ELSE t.delivery END`,
		"closed_at": `CASE WHEN g.n % 25 = 0 OR g.n % 500 IN (1, 2) THEN NULL ELSE t.created_at END`,
	}},
	{"notice_items", "notice_id", "notices", 3, map[string]string{
		"notice_id": `'fn-' || ` + number, "location_id": `'fl-' || ` + number, "state": `CASE WHEN g.n % 25 = 0 OR g.n % 500 IN (1, 2) THEN 'pending' ELSE 'verified' END`,
	}},
	{"search_docs", "object_id", "notices", 3, map[string]string{"id": earlier, "object_id": `'fn-' || ` + number, "words": words}},
}

// What is searched of a copy: the words of the original, and its number in the
// spellings under which internal/search keeps it, half a minute between two.
const (
	earlier = `t.id - g.n * 30000 * 4194304`
	words   = `replace(t.words, 'qruangsuara', CASE WHEN g.n % 7 = 0 AND t.object = 'case' THEN 'qkabarkita' ELSE 'qruangsuara' END)
		|| ' q2024 qtestks2024' || ` + number + ` || ' qtestlp2024' || ` + number + ` || ' qtestph2024' || ` + number + ` || ' q' || ` + number +
		` || ' q' || substr(` + number + `, 2) || ' q' || substr(` + number + `, 3) || ' q' || substr(` + number + `, 4) || ' q' || substr(` + number + `, 5)
		|| ' q' || substr(` + number + `, 6) || ' q' || substr(` + number + `, 7) || ' q' || substr(` + number + `, 8)
		|| ' b' || substr(` + number + `, 1, 7) || ' b' || substr(` + number + `, 1, 8) || ' b' || substr(` + number + `, 1, 9)`
)

// withoutWords drops PostgreSQL's index over words until the returned function
// makes it again, all rows at once: what takes seconds so takes minutes one by one.
func withoutWords(tb testing.TB, d *db.DB) (again func()) {
	tb.Helper()
	if d.Dialect() != db.Postgres {
		return func() {}
	}
	made, err := db.Value[string](tb.Context(), d, `SELECT indexdef FROM pg_indexes WHERE indexname = 'search_docs_words'`)
	if err != nil {
		tb.Fatal(err)
	}
	do := func(statement string) {
		if _, err := d.Pool().Exec(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
	do(`DROP INDEX search_docs_words`)
	return func() { do(made) }
}

// make adds the copies with the numbers first to last.
func (c copied) make(ctx context.Context, tx *db.Tx, of map[string]string, first, last int) error {
	tables, err := db.Tables(ctx, tx)
	if err != nil {
		return err
	}
	var columns, values []string
	for _, t := range tables {
		if t.Name != c.table {
			continue
		}
		for _, name := range t.Columns {
			columns = append(columns, name)
			if v, ok := c.made[name]; ok {
				values = append(values, v)
			} else {
				values = append(values, "t."+name)
			}
		}
	}
	list := strings.Join(values, ", ")
	if tx.Dialect() == db.Postgres {
		list = strings.ReplaceAll(list, " AS BLOB)", " AS BYTEA)")
	}
	one := ""
	if c.table == "feed_entries" {
		one = ` AND t.kind = 'case.opened'`
	}
	_, err = tx.Exec(ctx, `INSERT INTO `+c.table+` (`+strings.Join(columns, ", ")+`)
		WITH RECURSIVE g (n) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT n + 1 FROM g WHERE n < $3)
		SELECT `+list+` FROM g, `+c.table+` t WHERE t.`+c.key+` = $1`+one, of[c.of], first, last)
	if err == nil && c.table == "feed_entries" {
		_, err = tx.Exec(ctx, `INSERT INTO feed_audience (party_id, seq)
			WITH RECURSIVE g (n) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT n + 1 FROM g WHERE n < $3)
			SELECT c.party_id, 1000000 + g.n FROM g, cases c WHERE c.id = $1`, of["cases"], first, last)
	}
	return err
}

// prove gives the copies the dispatcher's proof, without which no platform is
// shown them.
func prove(tb testing.TB, x *exchangetest.Exchange, s *story) {
	tb.Helper()
	type row struct {
		id, ref, addressee, life string
		version                  int
		digest                   []byte
		at                       time.Time
	}
	key, sealed := opened(tb, x, s)
	after := ""
	for {
		all, err := db.All(tb.Context(), x.App.DB, func(r db.Row) (row, error) {
			var v row
			return v, r.Scan(&v.id, &v.ref, &v.addressee, &v.life, &v.version, &v.digest, db.Time(&v.at))
		}, `SELECT id, ref, addressee, life, version, digest, sent_at FROM notices WHERE id LIKE 'fn-%' AND id > $1 AND sent_at IS NOT NULL ORDER BY id LIMIT 10000`, after)
		if err != nil {
			tb.Fatal(err)
		}
		if len(all) == 0 {
			return
		}
		after = all[len(all)-1].id
		if err := x.App.DB.Write(tb.Context(), func(ctx context.Context, tx *db.Tx) error {
			for _, v := range all {
				mac := x.App.Vault.MAC("notice-sent", fmt.Appendf(nil, "%s|%s|%d|%s|%s|%d",
					v.id, v.ref, v.version, notes.Hex([32]byte(v.digest)), v.addressee, v.at.UnixMicro()))
				if err := tx.Send(ctx, `UPDATE notices SET sent_mac = $2 WHERE id = $1`, v.id, mac); err != nil {
					return err
				}
				if v.life != "open" {
					continue
				}
				seal := func(what string) []byte { return vault.Seal(key, sealed[what], "notice/"+v.id+"/"+what) }
				if err := tx.Send(ctx, `UPDATE notices SET canonical_sealed = $2, envelope_sealed = $3 WHERE id = $1`, v.id, seal("canonical"), seal("envelope")); err != nil {
					return err
				}
				if err := tx.Send(ctx, `UPDATE notice_items SET url_sealed = $2 WHERE notice_id = $1`, v.id, seal("url")); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			tb.Fatal(err)
		}
	}
}

// opened returns the key of the original notice and what is sealed in it, so
// that its open copies can be opened, too.
func opened(tb testing.TB, x *exchangetest.Exchange, s *story) (vault.Key, map[string][]byte) {
	tb.Helper()
	out := map[string][]byte{}
	var key vault.Key
	for what, query := range map[string]string{
		"canonical": `SELECT key_wrapped, canonical_sealed FROM notices WHERE id = $1`,
		"envelope":  `SELECT key_wrapped, envelope_sealed FROM notices WHERE id = $1`,
		"url":       `SELECT n.key_wrapped, i.url_sealed FROM notices n JOIN notice_items i ON i.notice_id = n.id WHERE n.id = $1`,
	} {
		both, err := db.One(tb.Context(), x.App.DB, func(r db.Row) (v [2][]byte, err error) { return v, r.Scan(&v[0], &v[1]) }, query, s.id)
		if err != nil {
			tb.Fatal(err)
		}
		if key, err = x.App.Vault.Unwrap(both[0]); err != nil {
			tb.Fatal(err)
		}
		if out[what], err = vault.Unseal(key, both[1], "notice/"+s.id+"/"+what); err != nil {
			tb.Fatal(err)
		}
	}
	return key, out
}
