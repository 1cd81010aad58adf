package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/api"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

// eachPrepared runs f over prepared data on SQLite and on PostgreSQL.
func eachPrepared(t *testing.T, f func(t *testing.T, x *exchangetest.Exchange)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, exchangetest.Prepare(t, "sqlite:"+filepath.Join(t.TempDir(), "tangkal.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, exchangetest.Prepare(t, dbtest.PostgresURL(t)))
	})
}

// tamper runs statements as somebody with the database's password does.
func tamper(t *testing.T, x *exchangetest.Exchange, statements ...string) {
	t.Helper()
	data, err := db.Open(t.Context(), x.Config.DB)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	for _, s := range statements {
		err := data.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			n, err := tx.Exec(ctx, s)
			if err == nil && n == 0 {
				err = fmt.Errorf("changed nothing")
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// approved is told up to the approver's signature.
func (s *story) approved(t *testing.T, n int) *story {
	t.Helper()
	s.report(t, n)
	s.draft(t)
	s.analyst.sign(t, "propose", s.id)
	s.approver.sign(t, "approve", s.id)
	return s
}

// issuedAsleep issues notices while nothing dispatches them.
func issuedAsleep(t *testing.T, x *exchangetest.Exchange, all ...*story) {
	t.Helper()
	x.Open(t)
	defer x.App.Close()
	for _, s := range all {
		canonical, err := x.App.Notice.Canonical(t.Context(), s.officer.Actor, notice.ID(s.id))
		if err != nil {
			t.Fatal(err)
		}
		sig := notice.Sig{Key: s.officer.Key, Value: s.officer.SignBytes(notes.Digest(notes.KindNotice, canonical))}
		if _, err := x.App.Notice.Issue(t.Context(), s.officer.Actor, notice.ID(s.id), sig); err != nil {
			t.Fatal(err)
		}
	}
}

// page reads a page as somebody signed in sees it.
func page(t *testing.T, x *exchangetest.Exchange, who, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", x.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Language", "en")
	res, err := x.As(t, who).Browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Notices that were issued and not yet dispatched are changed by SQL while the
// server is down. It starts, sends the one that is whole, and refuses the
// others where people can see it; neither inbox nor webhook has heard of them.
func TestForgedRows(t *testing.T) {
	eachPrepared(t, func(t *testing.T, x *exchangetest.Exchange) {
		stop := x.Serve(t)
		h := newHook(t, clientOf(t, x, "platform"), "notice.*")
		var all []*story
		for n := range 6 {
			all = append(all, inIndonesia(t, x).approved(t, n))
		}
		whole, deadline, link, signer, bytes, never := all[0], all[1], all[2], all[3], all[4], all[5]
		stop()
		issuedAsleep(t, x, whole, deadline, link, signer, bytes)
		tamper(t, x,
			`UPDATE notices SET deadline_minutes = 60 WHERE id = '`+deadline.id+`'`,
			`UPDATE notice_items SET url_sealed = (SELECT url_sealed FROM notice_items WHERE notice_id = '`+whole.id+`') WHERE notice_id = '`+link.id+`'`,
			`UPDATE notice_signatures SET person_id = (SELECT id FROM people WHERE email LIKE 'agency-admin@%') WHERE step = 'approved' AND notice_id = '`+signer.id+`'`,
			`UPDATE notices SET canonical_sealed = key_wrapped, key_wrapped = canonical_sealed WHERE id = '`+bytes.id+`'`,
			// Nobody has issued this one: its row and its news say so all the same.
			`UPDATE notices SET life = 'open', delivery = 'sent', issued_at = 1, sent_at = 1, sent_mac = row_mac WHERE id = '`+never.id+`'`,
			`INSERT INTO feed_pending (id, kind, object, object_id, ref, audience, data, at) VALUES ('0', 'notice.sent', 'notice', '`+never.id+`', '`+never.ref+`', '["`+string(never.platform.Party)+`"]', '{}', 1)`,
			`INSERT INTO deliveries (id, endpoint_id, party_id, seq, type, object, object_id, ref, body, state, attempts, next_at, created_at)
				SELECT 'forged', id, party_id, 1000000, 'notice.sent', 'notice', '`+never.id+`', '`+never.ref+`', secret_sealed, 'waiting', 0, 0, 1 FROM endpoints`,
		)
		x.Serve(t)
		for _, s := range []*story{deadline, link, signer, bytes} {
			s.refusalSeen(t)
		}
		whole.sent(t)
		if m := h.wait(t, "notice.sent"); m.Reference != whole.ref {
			t.Errorf("the platform's webhook heard of %s, want %s alone", m.Reference, whole.ref)
		}
		whole.officer.must(t, "POST", "/notices/"+whole.id+"/messages", map[string]any{"text": "The last word."}, nil)
		for m := h.next(t); m.Type != "notice.message"; m = h.next(t) {
			t.Errorf("the platform's webhook heard of %s %s", m.Type, m.Reference)
		}
		var inbox list[api.NoticeBody]
		whole.platform.must(t, "GET", "/inbox?limit=200", nil, &inbox)
		if len(inbox.Items) != 1 || inbox.Items[0].Ref != whole.ref {
			t.Errorf("the inbox holds %+v, want %s alone", inbox.Items, whole.ref)
		}
		probe := *whole.reporter
		probe.url = x.URL
		eventually(t, "/readyz to tell of the forged message", func() bool {
			r, err := probe.ask(t.Context(), "GET", "/readyz", nil)
			return err == nil && r.status == http.StatusOK && strings.Contains(string(r.body), `"name":"rows","level":"warning"`)
		})
		for _, s := range all[1:] {
			s.platform.want(t, http.StatusNotFound, "GET", "/notices/"+s.id, nil, nil)
			s.platform.want(t, http.StatusNotFound, "POST", "/notices/"+s.id+"/receive", map[string]any{}, nil)
		}
	})
}

// next returns the next message of any type.
func (h *hook) next(t *testing.T) message {
	t.Helper()
	select {
	case m := <-h.came:
		return m
	case <-time.After(patience):
		t.Fatalf("waited %v in vain for a webhook", patience)
		return message{}
	}
}

// refusals are words of the catalogue by the reason in the API.
var refusals = map[string]string{
	"rows": "Rows were changed outside the program", "items": "Items differ from the document", "bytes": "The document is damaged",
	"signatures": "A signature does not hold", "persons": "one person", "envelope": "The envelope is damaged",
}

// refusalSeen wants the dispatcher's refusal in the API and on the page.
func (s *story) refusalSeen(t *testing.T) {
	t.Helper()
	var listed api.NoticeBody
	eventually(t, s.ref+" to be refused", func() bool {
		var all list[api.NoticeBody]
		s.officer.must(t, "GET", "/notices?limit=200", nil, &all)
		for _, n := range all.Items {
			if n.ID == s.id {
				listed = n
			}
		}
		return listed.Refused != ""
	})
	if listed.SentAt != nil || listed.Life == "open" {
		t.Errorf("%s was refused (%s) and is %s, sent %v", s.ref, listed.Refused, listed.Life, listed.SentAt)
	}
	// What can still be read is shown with the reason; bytes that cannot are
	// named as damaged, "Nothing is sent".
	if status, body := page(t, s.x, "officer", "/orders/"+s.id+"?lang=en"); status == http.StatusOK && !strings.Contains(body, refusals[listed.Refused]) ||
		status != http.StatusOK && (status != http.StatusConflict || !strings.Contains(body, "Nothing is sent")) {
		t.Errorf("the page of %s, refused for its %s, answers %d without saying so", s.ref, listed.Refused, status)
	}
}

// A server with poison in its rows goes on for everybody else, and says itself
// that something is wrong.
func TestPoisonStopsNobodyElse(t *testing.T) {
	eachPrepared(t, func(t *testing.T, x *exchangetest.Exchange) {
		x.Serve(t)
		first, second := inIndonesia(t, x).told(t, 1), inIndonesia(t, x).told(t, 2)
		first.sent(t)
		second.sent(t)
		t.Run("a sent notice whose row is damaged", func(t *testing.T) { first.damaged(t, second) })
		t.Run("evidence whose file is gone", func(t *testing.T) { second.evidenceGone(t) })
		t.Run("news that a room cannot take", func(t *testing.T) { second.feedStuck(t) })
	})
}

// damaged breaks s in the database and wants the others' work to go on.
func (s *story) damaged(t *testing.T, other *story) {
	tamper(t, s.x, `UPDATE notices SET grounds = '{', key_wrapped = canonical_sealed WHERE id = '`+s.id+`'`)
	if err := s.x.App.Notice.Sweep(t.Context(), clock.System{}.Now().Add(time.Hour)); err == nil {
		t.Error("the sweep does not tell of a damaged row")
	}
	if v := other.view(t, other.officer); !strings.Contains(v.steps(), "next-channel") {
		t.Errorf("the sweep stopped at the damaged row: on record of the other notice is %q", v.steps())
	}
	for _, seen := range []struct {
		by   *client
		path string
	}{{other.officer, "/notices"}, {other.analyst, "/notices"}, {other.platform, "/inbox"}, {other.officer, "/notices/awaiting"}, {other.officer, "/notices/approvals"}} {
		r, err := seen.by.ask(t.Context(), "GET", seen.path, nil)
		if err != nil || r.status != http.StatusOK || seen.path != "/notices/awaiting" && seen.path != "/notices/approvals" && !strings.Contains(string(r.body), other.ref) {
			t.Errorf("%s of %s: %d %v\n%s", seen.path, seen.by.Email, r.status, err, r.body)
		}
	}
	inIndonesia(t, s.x).told(t, 3).sent(t)
	r, err := s.officer.ask(t.Context(), "GET", "/notices/"+s.id, nil)
	if err != nil || r.status != http.StatusConflict || !strings.Contains(string(r.body), "notice.damaged") {
		t.Errorf("the damaged notice answers %d %v\n%s", r.status, err, r.body)
	}
}

// evidenceGone removes the vault's files, but not the mark by which it is known
// as a vault, and wants an answer that says so.
func (s *story) evidenceGone(t *testing.T) {
	var v caseView
	s.analyst.must(t, "GET", "/cases/"+s.caseID, nil, &v)
	blobs := 0
	err := filepath.WalkDir(filepath.Join(s.x.Config.Data, "vault"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && e.Name() != "key-check" {
			blobs++
			return os.Remove(path)
		}
		return err
	})
	if err != nil || blobs == 0 {
		t.Fatalf("removed %d files: %v", blobs, err)
	}
	r, err := s.analyst.ask(t.Context(), "GET", "/captures/files/"+v.Shots[0].Files[0].ID, nil)
	if err != nil || r.status < 400 || strings.Contains(string(r.body), "no such file") {
		t.Errorf("lost evidence answers %d %v\n%s", r.status, err, r.body)
	}
	t.Logf("lost evidence answers %d %s", r.status, r.body)
	inIndonesia(t, s.x).told(t, 4).sent(t)
}

// feedStuck gives the feed news that no room can take. Until somebody mends
// that, nothing is ordered; reports are still taken, and the server says that
// it is not ready. Then it goes on where it stopped.
func (s *story) feedStuck(t *testing.T) {
	tamper(t, s.x, `INSERT INTO feed_pending (id, kind, object, object_id, ref, audience, data, at) VALUES ('0', 'report.received', 'report', 'nowhere', '', '[', '{}', 1)`)
	s.ready(t, http.StatusServiceUnavailable)
	var got struct{ Receipt string }
	s.reporter.must(t, "POST", "/reports", map[string]any{"locations": []string{"https://ruangsuara.example/v/777"}, "category": "recruitment", "agency": s.analyst.Code}, &got)
	s.platform.must(t, "POST", "/notices/"+s.id+"/receive", map[string]any{}, nil)
	tamper(t, s.x, `DELETE FROM feed_pending WHERE id = '0'`)
	s.ready(t, http.StatusOK)
	eventually(t, "the report's case", func() bool {
		var r receiptView
		s.reporter.must(t, "GET", "/receipts", nil, &r, "Receipt: "+got.Receipt)
		return len(r.Steps) > 0
	})
	inIndonesia(t, s.x).told(t, 5).sent(t)
}

// ready waits for an answer of /readyz.
func (s *story) ready(t *testing.T, want int) {
	t.Helper()
	probe := *s.reporter
	probe.url = s.x.URL
	eventually(t, fmt.Sprintf("/readyz to answer %d", want), func() bool {
		r, err := probe.ask(t.Context(), "GET", "/readyz", nil)
		return err == nil && r.status == want
	})
}
