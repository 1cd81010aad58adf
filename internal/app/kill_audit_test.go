package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

// A receiver is a platform's webhook receiver: it outlives the server, notes
// every message with a good signature, and complains about any other.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	keys notes.HookKeys     // guarded by mu
	got  map[string]*hooked // guarded by mu: by webhook id
	n    int                // guarded by mu: messages, repeats included
	bad  []string           // guarded by mu
}

// hooked is one message, however often it came.
type hooked struct {
	notes.Webhook
	raw   []byte
	first time.Time
	times int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: map[string]*hooked{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

// register makes r the platform's endpoint for everything about notices.
func (r *receiver) register(t *testing.T, platform *client) {
	t.Helper()
	var made struct {
		PublicKey string `json:"public_key"`
		Secret    string
	}
	platform.inBrowser(t).must(t, "POST", "/webhooks", map[string]any{"url": r.URL, "label": "drill", "events": []string{"notice.*"}}, &made)
	public, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.PublicKey, "whpk_"))
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = notes.HookKeys{Public: []ed25519.PublicKey{public}}
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	now := time.Now()
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		w.WriteHeader(http.StatusBadRequest) // its sender was killed
		return
	}
	r.n++
	id, err := notes.VerifyHook(req.Header, body, now, r.keys)
	h := &hooked{raw: body, first: now}
	if err == nil {
		err = json.Unmarshal(body, &h.Webhook)
	}
	if err != nil {
		r.bad = append(r.bad, fmt.Sprintf("webhook %q: %v: %s", id, err, body))
		w.WriteHeader(http.StatusForbidden)
		return
	}
	before, repeat := r.got[id]
	switch {
	case !repeat:
		h.times, r.got[id] = 1, h
	case !bytes.Equal(before.raw, body):
		r.bad = append(r.bad, fmt.Sprintf("webhook %s came with two bodies: %s and %s", id, before.raw, body))
	default:
		before.times++
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *receiver) repeats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n - len(r.got)
}

// settle waits until nothing that was decided is still on its way. A message
// in flight at a kill is tried again when its claim runs out, after half a
// minute.
func (d *drill) settle(t *testing.T) {
	t.Helper()
	d.awaitReady(t)
	if d.forgetful {
		return // its database is somewhere else, and is thrown away
	}
	data := d.open(t)
	defer data.Close()
	late := time.After(4 * patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := db.All(t.Context(), data, db.Scalar[string], `
			SELECT 'feed entry ' || id FROM feed_pending
			UNION ALL SELECT 'notice ' || id FROM notices n WHERE issued_at IS NOT NULL AND sent_at IS NULL
				AND NOT EXISTS (SELECT 1 FROM notice_refusals r WHERE r.notice_id = n.id)
			UNION ALL SELECT 'delivery ' || id FROM deliveries WHERE state = 'waiting'`)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			d.child.show(t)
			t.Fatalf("%d things were still on their way after %v: %q", len(left), 4*patience, left[:min(len(left), 10)])
		}
	}
}

// open opens the server's database from outside.
func (d *drill) open(t *testing.T) *db.DB {
	t.Helper()
	data, err := db.Open(t.Context(), d.x.Config.DB)
	if err != nil {
		t.Fatal(err)
	}
	data.SealWith(d.x.App.Vault.MAC, nil)
	return data
}

// audit looks for everything that a kill must not do, first through the
// server, then, once it has stopped, in its tables. Each finding is a line;
// those that begin with "lost: " are acknowledgements that did not hold.
func (d *drill) audit(t *testing.T) []string {
	t.Helper()
	found := d.strange.list()
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	d.auditAnswers(t, add)
	d.stop(t)
	data := d.open(t)
	defer data.Close()
	d.auditAcks(t, data, add)
	d.auditTables(t, data, add)
	d.auditNotices(t, data, add)
	d.auditHooks(t, data, add)
	return found
}

// auditAnswers asks the server for what it has acknowledged.
func (d *drill) auditAnswers(t *testing.T, add func(string, ...any)) {
	t.Helper()
	ctx := t.Context()
	for _, a := range d.acks.list() {
		switch a.what {
		case "reported":
			r, err := d.people[""].ask(ctx, "GET", "/receipts", nil, "Receipt: "+a.id)
			var v receiptView
			if err != nil || r.status != http.StatusOK || json.Unmarshal(r.body, &v) != nil {
				add("lost: report %s: its receipt answers %d %v", a.detail, r.status, err)
			} else if v.Ref != a.detail || !strings.HasPrefix(v.steps(), "received") {
				add("half: report %s is %s with steps %q", a.detail, v.Ref, v.steps())
			}
		case "captured":
			if why := d.opens(ctx, a); why != "" {
				add("lost: evidence of case %s: %s", a.id, why)
			}
		}
	}
	d.envelopes = map[string][]byte{}
	for id := range d.hook.sent() {
		r, err := d.people["platform"].ask(ctx, "GET", "/notices/"+id+"/signed", nil)
		if err == nil && r.status == http.StatusOK {
			d.envelopes[id] = r.body
		}
	}
}

// opens reads an acknowledged capture back and says what is wrong with it.
func (d *drill) opens(ctx context.Context, a ack) string {
	id, capture, _ := strings.Cut(a.id, " ")
	r, err := d.people["analyst"].ask(ctx, "GET", "/cases/"+id, nil)
	var v caseView
	if err != nil || r.status != http.StatusOK || json.Unmarshal(r.body, &v) != nil {
		return fmt.Sprintf("the case answers %d %v", r.status, err)
	}
	for _, s := range v.Shots {
		if s.ID != capture || len(s.Files) != 1 {
			continue
		}
		file, err := d.people["analyst"].ask(ctx, "GET", "/captures/files/"+s.Files[0].ID, nil)
		if err != nil || file.status != http.StatusOK || string(file.body) != a.detail {
			return fmt.Sprintf("it opens with %d %v", file.status, err)
		}
		return ""
	}
	return "it is not there"
}

// proof finds the row that an acknowledgement promised; $1 is its object.
var proof = map[string]string{
	"taken":    `SELECT count(*) FROM case_takes WHERE case_id = $1`,
	"excused":  `SELECT count(*) FROM cases WHERE id = $1 AND no_capture = TRUE`,
	"assessed": `SELECT count(*) FROM case_assessments WHERE case_id = $1 AND version = 1 AND complete = TRUE`,
	"drafted":  `SELECT count(*) FROM notices n JOIN notice_versions v ON v.notice_id = n.id WHERE n.id = $1`,
	"proposed": signed + `'proposed' AND n.proposed_at IS NOT NULL`,
	"approved": signed + `'approved' AND n.approved_at IS NOT NULL`,
	"issued":   signed + `'issued' AND n.issued_at IS NOT NULL AND n.sent_at IS NOT NULL`,
	"received": `SELECT count(*) FROM notices n JOIN notice_receipts r ON r.notice_id = n.id WHERE n.id = $1 AND n.received_at IS NOT NULL`,
	"answered": `SELECT count(*) FROM notice_item_answers WHERE notice_id = $1 AND n = 1`,
	"verified": `SELECT count(*) FROM notices n JOIN notice_items i ON i.notice_id = n.id WHERE n.id = $1 AND n.life = 'closed' AND i.state = 'verified'`,
}

const signed = `SELECT count(*) FROM notice_signatures s JOIN notices n ON n.id = s.notice_id AND n.version = s.version WHERE n.id = $1 AND s.step = `

// auditAcks looks up the rows of what was acknowledged.
func (d *drill) auditAcks(t *testing.T, data *db.DB, add func(string, ...any)) {
	t.Helper()
	for _, a := range d.acks.list() {
		query, ok := proof[a.what]
		if !ok {
			continue // seen through the server
		}
		n, err := db.Value[int64](t.Context(), data, query, a.id)
		if err != nil {
			t.Fatalf("%s: %v", a.what, err)
		}
		if n == 0 {
			add("lost: %s was %s", a.id, a.what)
		}
	}
}

// wrong finds rows that no order of whole transactions could have left.
var wrong = map[string]string{
	"a report without its case":          `SELECT ref FROM reports r WHERE NOT EXISTS (SELECT 1 FROM case_reports c WHERE c.report_id = r.id)`,
	"a report without its first step":    `SELECT ref FROM reports r WHERE (SELECT count(*) FROM report_steps s WHERE s.report_id = r.id AND s.kind = 'received') <> 1`,
	"a report without its location":      `SELECT ref FROM reports r WHERE (SELECT count(*) FROM report_locations l WHERE l.report_id = r.id) <> 1`,
	"a case that counts wrongly":         `SELECT ref FROM cases c WHERE reports <> (SELECT count(*) FROM case_reports r WHERE r.case_id = c.id) OR locations <> (SELECT count(*) FROM case_locations l WHERE l.case_id = c.id)`,
	"a location in two cases":            `SELECT location_id FROM case_locations GROUP BY location_id HAVING count(*) > 1`,
	"a case with more than one notice":   `SELECT case_ref FROM notices GROUP BY case_ref HAVING count(*) > 1`,
	"a case in a state of its own":       `SELECT c.ref FROM cases c LEFT JOIN notices n ON n.case_id = c.id WHERE c.state <> CASE WHEN n.id IS NULL THEN CASE WHEN c.holder IS NULL THEN 'open' ELSE 'taken' END WHEN n.life = 'closed' THEN 'closed' WHEN n.issued_at IS NULL THEN 'proposed' ELSE 'decided' END`,
	"a dossier in a state of its own":    `SELECT d.id FROM dossiers d LEFT JOIN notices n ON n.dossier_id = d.id LEFT JOIN dossier_fates f ON f.dossier_id = d.id WHERE n.id IS NULL OR f.state IS NULL OR f.state <> CASE WHEN n.life = 'closed' THEN 'finished' WHEN n.issued_at IS NULL THEN 'frozen' ELSE 'decided' END`,
	"a finding that its case forgot":     `SELECT c.ref FROM cases c WHERE assessed <> (SELECT count(*) FROM case_assessments a WHERE a.case_id = c.id)`,
	"evidence that its case forgot":      `SELECT c.ref FROM cases c WHERE captures <> (SELECT count(*) FROM captures s WHERE s.case_id = c.id AND s.status = 'done')`,
	"evidence without its file":          `SELECT id FROM captures s WHERE (SELECT count(*) FROM capture_files f WHERE f.capture_id = s.id) <> 1`,
	"a notice without its items":         `SELECT ref FROM notices n WHERE item_count <> (SELECT count(*) FROM notice_items i WHERE i.notice_id = n.id) OR version <> (SELECT count(*) FROM notice_versions v WHERE v.notice_id = n.id)`,
	"a life beside its signatures":       `SELECT ref FROM notices n WHERE (SELECT count(*) FROM notice_signatures s WHERE s.notice_id = n.id) <> CASE WHEN life = 'draft' THEN 0 WHEN life = 'proposed' THEN 1 WHEN issued_at IS NULL THEN 2 ELSE 3 END`,
	"a decision that never left":         `SELECT ref FROM notices WHERE issued_at IS NOT NULL AND (logged_at IS NULL OR sent_at IS NULL OR sent_mac IS NULL OR life NOT IN ('open', 'closed') OR delivery = 'queued')`,
	"a message without its decision":     `SELECT ref FROM notices WHERE sent_at IS NOT NULL AND (issued_at IS NULL OR approved_at IS NULL OR sent_at < issued_at)`,
	"a receipt beside its notice":        `SELECT ref FROM notices n WHERE (received_at IS NOT NULL) <> EXISTS (SELECT 1 FROM notice_receipts r WHERE r.notice_id = n.id) OR received_at < sent_at`,
	"an answer beside its item":          `SELECT notice_id FROM notice_items i WHERE answers <> (SELECT count(*) FROM notice_item_answers a WHERE a.notice_id = i.notice_id AND a.n = i.n) OR (state IN ('answered', 'verified')) <> (answers > 0)`,
	"a notice refused":                   `SELECT notice_id || ' ' || why FROM notice_refusals`,
	"a decision that is not in the feed": `SELECT ref FROM notices n WHERE issued_at IS NOT NULL AND (SELECT count(*) FROM feed_entries e WHERE e.object_id = n.id AND e.kind = 'notice.issued' AND e.seq = n.log_seq) <> 1`,
	"news told twice":                    `SELECT object_id || ' ' || kind FROM feed_entries WHERE kind IN ('report.received', 'case.opened', 'notice.proposed', 'notice.approved', 'notice.issued', 'notice.sent', 'notice.received', 'notice.closed') GROUP BY object_id, kind HAVING count(*) > 1`,
	"news of nothing":                    `SELECT e.id FROM feed_entries e WHERE e.object = 'notice' AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.id = e.object_id)`,
	"a message that waits":               `SELECT id FROM deliveries WHERE state <> 'accepted'`,
	"news that was not sent":             `SELECT DISTINCT e.id FROM feed_entries e JOIN feed_audience a ON a.seq = e.seq JOIN endpoints p ON p.party_id = a.party_id WHERE e.object = 'notice' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.seq = e.seq AND d.endpoint_id = p.id)`,
}

// auditTables looks for half states, and checks the store itself.
func (d *drill) auditTables(t *testing.T, data *db.DB, add func(string, ...any)) {
	t.Helper()
	ctx := t.Context()
	for what, query := range wrong {
		rows, err := db.All(ctx, data, db.Scalar[string], query)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(rows) > 0 {
			add("half: %s, %d times: %q", what, len(rows), rows[:min(len(rows), 5)])
		}
	}
	if broken, err := feed.Verify(ctx, data); err != nil || broken != 0 {
		add("half: the feed's chain breaks at %d: %v", broken, err)
	}
	if data.Dialect() != db.SQLite {
		return
	}
	for _, pragma := range []string{"integrity_check", "foreign_key_check"} {
		rows, err := db.All(ctx, data, db.Scalar[string], "SELECT * FROM pragma_"+pragma)
		if err != nil {
			t.Fatalf("%s: %v", pragma, err)
		}
		if len(rows) > 0 && rows[0] != "ok" {
			add("half: %s: %q", pragma, rows[:min(len(rows), 5)])
		}
	}
}

// auditNotices verifies every notice that left, as an outsider would.
func (d *drill) auditNotices(t *testing.T, data *db.DB, add func(string, ...any)) {
	t.Helper()
	ctx := t.Context()
	for id := range d.hook.sent() {
		raw, ok := d.envelopes[id]
		if !ok {
			add("undecided: notice %s was announced, and is not there", id)
			continue
		}
		s, err := notes.ParseSigned(raw)
		if err == nil {
			err = notes.Verify(s, notice.Keys(ctx, data))
		}
		if err != nil || len(s.Approvals) != 3 {
			add("undecided: notice %s was announced with %d signatures: %v", id, len(s.Approvals), err)
		}
	}
}

// sent returns when each notice was announced to the platform for the first
// time.
func (r *receiver) sent() map[string]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]time.Time{}
	for _, h := range r.got {
		if h.Type == "notice.sent" {
			out[filepath.Base(h.URL)] = h.first
		}
	}
	return out
}

// auditHooks compares what arrived with what was decided.
func (d *drill) auditHooks(t *testing.T, data *db.DB, add func(string, ...any)) {
	t.Helper()
	d.hook.mu.Lock()
	got, n, bad := d.hook.got, d.hook.n, d.hook.bad
	d.hook.mu.Unlock()
	for _, b := range bad {
		add("hook: %s", b)
	}
	if n-len(got) > d.kills {
		add("hook: %d repeats after %d kills, with one message in flight at each", n-len(got), d.kills)
	}
	type delivery struct {
		id, object string
		issued     time.Time
	}
	all, err := db.All(t.Context(), data, func(row db.Row) (delivery, error) {
		var v delivery
		return v, row.Scan(&v.id, &v.object, db.Time(&v.issued))
	}, `SELECT d.id, d.object_id, n.issued_at FROM deliveries d JOIN notices n ON n.id = d.object_id`)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, v := range all {
		known[v.id] = true
		h, arrived := got[v.id]
		switch {
		case !arrived:
			add("lost: message %s about %s was never delivered", v.id, v.object)
		case v.issued.IsZero() || v.issued.After(h.first):
			add("undecided: %s about %s arrived at %v, issued %v", h.Type, v.object, h.first, v.issued)
		}
	}
	seen := map[int64]string{}
	for id, h := range got {
		if !known[id] {
			add("undecided: message %s about %s arrived from nowhere", id, h.URL)
		}
		if other, twice := seen[h.Sequence]; twice {
			add("hook: %s and %s are the same news under two ids", id, other)
		}
		seen[h.Sequence] = id
	}
}

// carryEvery is how far a forgetful server's acknowledgements run ahead of its
// database.
const carryEvery = 400 * time.Millisecond

// forget makes the child work on a copy of its database, and carries that back
// now and then: the fault that a database with its durability switched off
// would have at a power cut, at a mere kill. The copy is a whole database each
// time, so that nothing but the newest commits is missing.
func (o *order) forget(ctx context.Context) error {
	real := strings.TrimPrefix(o.App.DB, "sqlite:")
	for _, ending := range []string{"", "-wal"} {
		raw, err := os.ReadFile(real + ending)
		if ending == "-wal" && os.IsNotExist(err) {
			if err := os.RemoveAll(o.Forgetful + ending); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.Forgetful+ending, raw, 0o600); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(o.Forgetful + "-shm"); err != nil {
		return err
	}
	o.App.DB = "sqlite:" + o.Forgetful
	work, err := sql.Open("sqlite", "file:"+o.Forgetful+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(carryEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			next := fmt.Sprintf("%s.%d.%d", o.Forgetful, os.Getpid(), n)
			if _, err := work.ExecContext(ctx, "VACUUM INTO ?", next); err != nil {
				fmt.Fprintln(os.Stderr, "carry:", err)
				continue
			}
			for _, ending := range []string{"-wal", "-shm"} {
				os.Remove(real + ending) //nolint:errcheck // it is absent after the first time
			}
			if err := os.Rename(next, real); err != nil {
				fmt.Fprintln(os.Stderr, "carry:", err)
			}
		}
	}()
	return nil
}
