package notice_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
)

// column is one column of a table as the database describes it.
type column struct{ name, kind string }

func columnsOf(t tb, d *db.DB, table string) []column {
	t.Helper()
	q := `SELECT name, type FROM pragma_table_info($1)`
	if d.Dialect() == db.Postgres {
		q = `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`
	}
	all, err := db.All(t.Context(), d, func(row db.Row) (column, error) {
		var c column
		err := row.Scan(&c.name, &c.kind)
		return c, err
	}, q, table)
	must(t, err)
	if len(all) < 3 {
		t.Fatalf("table %s has %d columns", table, len(all))
	}
	return all
}

// forgery is a value that the column does not have, as far as possible one
// that the database takes.
func (h *house) forgery(c column) string {
	stranger := h.dimas
	switch {
	case c.name == "step":
		return `'approved'`
	case c.name == "person_id", c.name == "drafted_by":
		return `'` + string(stranger.Person) + `'`
	case c.name == "proposer", c.name == "issuer", c.name == "addressee", c.name == "party_id":
		return `'` + string(h.other.Party) + `'`
	case c.name == "key_id":
		return `(SELECT id FROM person_keys WHERE person_id = '` + string(stranger.Person) + `')`
	}
	switch kind := strings.ToLower(c.kind); {
	case strings.Contains(kind, "bool"):
		return `NOT ` + c.name
	case strings.Contains(kind, "int"):
		return `COALESCE(` + c.name + `, 0) + 1`
	case kind == "blob":
		return `CAST(COALESCE(` + c.name + `, x'00') || x'00' AS BLOB)`
	case kind == "bytea":
		return `COALESCE(` + c.name + `, ''::bytea) || '\x00'::bytea`
	case strings.HasPrefix(c.name, "grounds"), strings.HasPrefix(c.name, "functions"), c.name == "broad", c.name == "roles", c.name == "read_parts":
		return `'["forged"]'`
	default:
		return `'forged'`
	}
}

// A row of any column forged by SQL: nothing leaves, and what did not leave
// stays unseen by the platform. Restored, the same notice leaves.
func TestNoForgedRowIsEverDispatched(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.issued(t, 2)
		h.drain(t)
		for _, table := range []string{"notices", "notice_items", "notice_versions", "notice_signatures"} {
			key := "notice_id"
			if table == "notices" {
				key = "id"
			}
			for _, c := range columnsOf(t, d, table) {
				if c.name == "look_at" { // when the sweep looks again at what was sent: it orders nothing
					continue
				}
				h.forge(t, n, table, key, c)
			}
		}
		if sent, err := h.Dispatch(t.Context()); err != nil || sent != 1 {
			t.Fatalf("sent %d (%v) once restored, want 1", sent, err)
		}
		h.drain(t)
		if got := h.announcedTo(h.platform.ID, "notice.issued"); got != 1 {
			t.Fatalf("announced %d times, want once", got)
		}
	})
}

// forge changes one column of the notice's rows, wants nothing to leave, and
// puts everything back.
func (h *house) forge(t *testing.T, n notice.Notice, table, key string, c column) {
	t.Helper()
	copyOf := "kept_" + table
	exec := func(sql string) error {
		return h.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			changed, err := tx.Exec(ctx, sql)
			if err == nil && changed != 1 && strings.HasPrefix(sql, "UPDATE") {
				err = fmt.Errorf("%d rows changed, want 1: %s", changed, sql)
			}
			return err
		})
	}
	must(t, exec(`CREATE TABLE `+copyOf+` AS SELECT * FROM `+table)) //nolint:gosec // a constant
	where := ` WHERE ` + key + ` = '` + string(n.ID) + `'`
	if table == "notice_items" || table == "notice_signatures" {
		where += ` AND n = 1`
	}
	err := exec(`UPDATE ` + table + ` SET ` + c.name + ` = ` + h.forgery(c) + where)
	if err != nil && !strings.Contains(strings.ToLower(err.Error()), "constraint") {
		t.Fatalf("%s.%s: %v", table, c.name, err)
	}
	if err == nil {
		h.wantUnsent(t, n, table+"."+c.name)
		sets := []string{}
		for _, all := range columnsOf(t, h.db, table) {
			sets = append(sets, all.name)
		}
		list := strings.Join(sets, ", ")
		same := `k.` + key + ` = '` + string(n.ID) + `'`
		if table != "notices" {
			number := "n"
			if table == "notice_versions" {
				number = "version"
			}
			if c.name != number {
				same += ` AND k.` + number + ` = ` + table + `.` + number
			} else {
				same += ` AND k.` + number + ` = 1`
			}
		}
		must(t, exec(`UPDATE `+table+` SET (`+list+`) = (SELECT `+list+` FROM `+copyOf+` k WHERE `+same+`)`+
			restoreWhere(table, key, n, c)))
	}
	must(t, exec(`DROP TABLE `+copyOf))
	must(t, exec(`DELETE FROM notice_refusals`))
}

// restoreWhere finds the forged row again.
func restoreWhere(table, key string, n notice.Notice, c column) string {
	if c.name == key {
		return ` WHERE ` + key + ` = 'forged'`
	}
	where := ` WHERE ` + key + ` = '` + string(n.ID) + `'`
	if table == "notice_items" || table == "notice_signatures" {
		if c.name == "n" {
			return where + ` AND n NOT IN (SELECT n FROM kept_` + table + ` WHERE ` + key + ` = '` + string(n.ID) + `')`
		}
		return where + ` AND n = 1`
	}
	return where
}

func (h *house) wantUnsent(t *testing.T, n notice.Notice, what string) {
	t.Helper()
	sent, err := h.Dispatch(t.Context())
	if err != nil || sent != 0 {
		t.Fatalf("%s forged: sent %d (%v), want nothing", what, sent, err)
	}
	h.drain(t)
	if v, err := h.Get(t.Context(), h.lina, n.ID); err == nil {
		t.Fatalf("%s forged: the platform sees %s", what, v.Ref)
	}
	rows, _, err := h.Inbox(t.Context(), h.lina, notice.Filter{})
	if err != nil || len(rows) != 0 {
		t.Fatalf("%s forged: %d notices in the inbox (%v)", what, len(rows), err)
	}
	if got := h.announcedTo(h.platform.ID, "notice.issued"); got != 0 {
		t.Fatalf("%s forged: announced to the platform", what)
	}
}

// Whoever can write every table still cannot show a platform an order: the
// proofs are under a key that is not in the database.
func TestAWholeForgedOrderIsUnseen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.proposed(t, 1)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `
				UPDATE notices SET life = 'open', delivery = 'sent', approved_at = 1, issued_at = 1, sent_at = $2, sent_mac = row_mac WHERE id = $1`,
				n.ID, db.Micros(h.clock.Now()))
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `
				INSERT INTO feed_pending (id, kind, object, object_id, ref, audience, data, at) VALUES ('0', 'notice.sent', 'notice', $1, $2, $3, '{}', $4)`,
				n.ID, n.Ref, fmt.Sprintf(`["%s"]`, h.platform.ID), db.Micros(h.clock.Now()))
			return err
		})
		h.drain(t)
		h.wantUnsent(t, n, "everything")
		_, err := h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{})
		wantFault(t, err, "fault.hidden")
		_, err = h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{})
		wantFault(t, err, "fault.hidden")
	})
}

// A key that is revoked, or a colleague's key enrolled for another person, does
// not make a signature valid.
func TestKeysOfOthersDoNotCount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.proposed(t, 1)
		_, err := h.Approve(t.Context(), h.bima, n.ID, h.sign(h.sari, n.Digest))
		wantFault(t, err, "notice.key")
		sig := h.sign(h.sari, n.Digest)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			return party.RevokeKey(ctx, tx, h.sari.Person, sig.Key, h.clock.Now())
		})
		_, err = h.Approve(t.Context(), h.sari, n.ID, sig)
		wantFault(t, err, "notice.key-revoked")
		other := n.Digest
		other[0] ^= 1
		_, err = h.Approve(t.Context(), h.bima, n.ID, h.sign(h.bima, other))
		wantFault(t, err, "notice.signature")
	})
}

// A key put into the database by SQL under a signer's name is found out.
func TestASwappedPublicKeyIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.issued(t, 1)
		h.drain(t)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE person_keys SET public = (SELECT public FROM person_keys WHERE person_id = $2) WHERE person_id = $1`,
				h.sari.Person, h.dimas.Person)
			return err
		})
		h.wantUnsent(t, n, "public key")
		if v := h.view(t, h.bagus, n.ID); v.Refused == "" {
			t.Fatal("the refusal is not shown")
		}
	})
}

// Deemed service starts a clock by the word of two. Written or changed by SQL it
// is nobody's word: it is refused, shown to nobody and told to the operator.
func TestForgedDeemedServiceIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 1)
		must(t, h.ServeOnPaper(t.Context(), h.bagus, n.ID, notice.Service{Text: "Kurir, 20 November."}))
		h.clock.Set(time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC))
		must(t, h.ProposeDeemed(t.Context(), h.bagus, n.ID, notice.Evidence{Methods: []string{"portal", "paper"}, Text: "Diantar kurir; ditolak penjaga."}))
		exec := func(sql string, args ...any) {
			t.Helper()
			must(t, d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, sql, args...); return err }))
		}
		must(t, d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `CREATE TABLE kept_deemed AS SELECT * FROM notice_deemed`)
			return err
		}))
		restore := func() {
			t.Helper()
			exec(`DELETE FROM notice_deemed`)
			exec(`INSERT INTO notice_deemed SELECT * FROM kept_deemed`)
		}
		for name, forged := range map[string]string{
			"who proposed it": `proposed_by = '` + string(h.dimas.Person) + `'`, "when": `proposed_at = proposed_at - 1`, "by which ways": `methods = '["paper","portal"]'`,
			"the evidence": `evidence_sealed = mac`, "the MAC": `mac = evidence_sealed`, "no MAC": `mac = NULL`,
		} {
			exec(`UPDATE notice_deemed SET ` + forged)
			if _, err := h.ConfirmDeemed(t.Context(), h.ayu, n.ID); !fault.Is(err, "notice.damaged") {
				t.Errorf("with %s forged: %v", name, err)
			}
			if _, err := h.Get(t.Context(), h.bagus, n.ID); !fault.Is(err, "notice.damaged") {
				t.Errorf("with %s forged it is shown: %v", name, err)
			}
			restore()
		}
		// The second word, put beside the first.
		exec(`UPDATE notice_deemed SET confirmed_by = $1, confirmed_at = proposed_at + 1`, h.ayu.Person)
		if _, err := h.Get(t.Context(), h.bagus, n.ID); !fault.Is(err, "notice.damaged") {
			t.Errorf("a forged second word is shown: %v", err)
		}
		restore()
		got, err := h.ConfirmDeemed(t.Context(), h.ayu, n.ID)
		must(t, err)
		if got.Delivery != notice.Deemed || h.view(t, h.bagus, n.ID).Deemed.ConfirmedBy != h.ayu.Person {
			t.Errorf("restored, it is %s", got.Delivery)
		}
	})
}

// What was deemed before rows had a MAC gets one, once.
func TestOldDeemedServiceIsSealedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 1)
		must(t, h.ServeOnPaper(t.Context(), h.bagus, n.ID, notice.Service{Text: "Kurir, 20 November."}))
		h.clock.Set(time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC))
		must(t, h.ProposeDeemed(t.Context(), h.bagus, n.ID, notice.Evidence{Methods: []string{"portal", "paper"}, Text: "Diantar kurir; ditolak penjaga."}))
		unseal := func() {
			t.Helper()
			must(t, d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE notice_deemed SET mac = NULL`)
				return err
			}))
		}
		unseal()
		must(t, h.SealOldDeemed(t.Context()))
		if v := h.view(t, h.bagus, n.ID); v.Deemed == nil || v.Deemed.ProposedBy != h.bagus.Person {
			t.Errorf("sealed, it is %+v", v.Deemed)
		}
		unseal()
		must(t, h.SealOldDeemed(t.Context()))
		_, err := h.ConfirmDeemed(t.Context(), h.ayu, n.ID)
		wantFault(t, err, "notice.damaged")
	})
}
