package web_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/notice"
)

// A shaped request is one that a person sent, on its way.
type shaped func(r *http.Request, form url.Values)

// RoundTrip lets f change every form before it is sent.
func (f shaped) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		f(r, form)
		body := form.Encode()
		r.Body, r.ContentLength, r.GetBody = io.NopCloser(strings.NewReader(body)), int64(len(body)), nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// everyForm sends each form of the main work once, as people do: from a report
// through proposal, approval, issue, receipt and answer to the last item, and
// what administrators do besides.
func everyForm(t *testing.T, h *orderHouse, shape http.RoundTripper) {
	t.Helper()
	sent := &sentForms{next: shape}
	for _, who := range []string{"analyst", "second-analyst", "approver", "officer", "platform", "agency-admin"} {
		h.As(t, who).Browser.Transport = sent
	}
	defer sent.compare(t)
	d := at(t, h.Exchange, "analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	ok := http.StatusOK
	h.does(t, ok, "analyst", path+"/take", nil)
	d.uploads(t, path+"/captures", picture(t)).want(t, ok)
	a := h.does(t, ok, "analyst", path+"/assess", with(complete("removal-order"), "do", "send"))
	id := notice.ID(field(t, a, "notice"))
	h.signs(t, "analyst", id, "propose")
	h.signs(t, "approver", id, "approve")
	h.signs(t, "officer", id, "issue")
	h.until(t, "the dispatch", func() bool { return h.view(t, id).Life == notice.Open })
	h.does(t, ok, "platform", "/inbox/"+string(id)+"/receive", url.Values{"at": {""}})
	h.does(t, ok, "platform", "/inbox/"+string(id)+"/answers", url.Values{"1.answer": {"removed"}, "basis": {"this-order"}})
	h.does(t, ok, "platform", "/inbox/"+string(id)+"/messages", url.Values{"text": {"Sudah."}})
	order := "/orders/" + string(id)
	h.does(t, ok, "officer", order+"/messages", url.Values{"text": {"Terima kasih."}})
	h.does(t, ok, "officer", order+"/verify", url.Values{"item": {"1"}})
	h.does(t, ok, "officer", order+"/items/1/reopen", url.Values{"text": {"Masih daring."}})
	h.does(t, ok, "officer", order+"/withdraw", url.Values{"text": {"Salah alamat."}})

	h.does(t, ok, "analyst", "/profile", url.Values{"lang": {"id"}, "zone": {"Asia/Jakarta"}})
	h.does(t, ok, "agency-admin", "/organisation/people", url.Values{"name": {"Hadi P."}, "email": {"hadi@tangkal.example"}, "roles": {"analyst"}})
	h.does(t, ok, "agency-admin", "/organisation/keys", url.Values{"label": {"case system"}, "person": {string(h.As(t, "analyst").Person)}})
	h.does(t, ok, "agency-admin", "/organisation/people/"+string(h.As(t, "second-analyst").Person), url.Values{"roles": {"analyst"}})
	deskForms(t, h)
	listForms(t, h)
	hookForms(t, h)
	settle(t, h)
}

// settle waits until everything that happened has its place in the record.
func settle(t *testing.T, h *orderHouse) {
	t.Helper()
	h.until(t, "the last entry", func() bool {
		n, err := db.Value[int64](t.Context(), h.App.DB, `SELECT count(*) FROM feed_pending`)
		return err == nil && n == 0
	})
}

// columns are the names of all columns and the values of another's that might
// be taken for them.
func columns(t *testing.T, h *orderHouse) url.Values {
	t.Helper()
	other := h.Cast(t, "same-officer")
	telling := map[string]string{
		"party_id": string(other.Party), "person_id": string(other.Person), "party": string(other.Party), "person": string(other.Person), "issuer": string(other.Party), "addressee": string(other.Party),
		"proposer": string(other.Party), "holder": string(other.Person), "roles": "admin", "role": "admin", "state": "closed", "life": "open", "kind": "authority", "priority": "100",
		"approved": "true", "admin": "true", "is_admin": "1", "verified": "1", "trusted": "true", "fresh": "1", "sealed": "0", "scopes": "write", "crisis": "1", "urgent": "1", "actor": string(other.Person),
		"id": absent, "ref": "TEST-KS-2026-99999", "created_at": "0", "issued_at": "1", "expires_at": "9999999999999999", "deadline_minutes": "1", "version": "99", "digest_hex": "00",
	}
	out := url.Values{}
	names, err := db.All(t.Context(), h.App.DB, db.Scalar[string], `SELECT DISTINCT p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'`)
	must(t, err)
	for _, c := range names {
		out.Set(c, "zz-"+c)
	}
	for name, value := range telling {
		out.Set(name, value)
	}
	return out
}

// trusting are headers by which some servers let themselves be told who asks,
// for what and from where.
var trusting = map[string]string{
	"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "Forwarded": "for=127.0.0.1;host=evil.example", "X-Forwarded-User": "admin", "X-Remote-User": "admin", "Remote-User": "admin",
	"X-User-Id": "1", "X-Party": "kem-komunikasi", "X-Role": "admin", "X-Roles": "admin", "X-Admin": "true", "X-Internal": "true", "X-Tangkal-Internal": "1", "X-Tangkal-Actor": "zz-actor",
	"X-Original-Url": "/organisation", "X-Rewrite-Url": "/organisation", "X-Http-Method-Override": "DELETE", "X-Forwarded-Prefix": "/zz-prefix", "X-Request-Id": "zz-request", "Idempotency-Key": "zz-key", "If-Match": `"99"`,
	"X-Fresh": "1", "X-Debug": "1", "X-Skip-Checks": "1",
}

// TestWhatIsAddedToARequestChangesNothing sends every form twice, in two
// servers: as people do, and with every name of a column, telling values and
// trusting headers added. What the databases hold at the end is the same, and
// holds nothing of what was added (threat-model T09).
func TestWhatIsAddedToARequestChangesNothing(t *testing.T) {
	t.Parallel()
	plain, loaded := startOrders(t), startOrders(t)
	everyForm(t, plain, nil)
	extra, sent := columns(t, loaded), 0
	everyForm(t, loaded, shaped(func(r *http.Request, form url.Values) {
		own := ownFields(r.URL.Path)
		for name, values := range extra {
			if !form.Has(name) && !slices.Contains(own, name) {
				form[name] = values
				sent++
			}
		}
		for name, value := range trusting {
			r.Header.Set(name, value)
		}
	}))
	if sent < 2000 {
		t.Errorf("only %d fields were added", sent)
	}
	state := dbtest.Dump(t, loaded.App.DB, "sessions", "challenges")
	for _, line := range state.Texts() {
		if strings.Contains(line, "zz-") {
			t.Errorf("what was added is kept: %s", line)
		}
	}
	if diff := cmp.Diff(shapes(dbtest.Dump(t, plain.App.DB, "sessions", "challenges")), shapes(state)); diff != "" {
		t.Errorf("the loaded requests left something else (-people's, +loaded):\n%s", diff)
	}
}

// ownFields are names of columns that are also fields of a form, which that form
// may leave out: with them the form says something else.
func ownFields(path string) []string {
	switch {
	case strings.HasSuffix(path, "/assess"), strings.HasSuffix(path, "/opinion/ask"):
		return []string{"list", "entry", "audience", "at", "outcome", "territories", "platform", "language", "reasons", "person", "to", "label", "addressee", "issuer", "deadline", "emergency", "scope"}
	case strings.HasSuffix(path, "/receive"):
		return []string{"signature", "digest", "key", "contact", "key_id"}
	case strings.HasSuffix(path, "/answers"):
		return []string{"signature", "digest", "key", "platform_reference", "at", "document", "offset", "utc_offset"}
	case strings.HasSuffix(path, "/webhooks"):
		return []string{"events", "label"}
	case strings.HasSuffix(path, "/keys"):
		return []string{"scopes", "scope", "expires", "expires_at", "person"}
	case strings.HasSuffix(path, "/people"), strings.Contains(path, "/people/"):
		return []string{"roles", "party", "lang"}
	case path == "/profile":
		return []string{"zone"}
	}
	return nil
}

var chance = regexp.MustCompile(`tgk_[0-9a-z]+|TEST-[A-Z]+-[0-9-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|localhost:[0-9]+|127\.0\.0\.1:[0-9]+|[A-Za-z0-9+/_-]{22,}={0,2}`)

// shapes is a state without what chance decides: of each table the number of
// rows, and of each column its values, sorted.
func shapes(s dbtest.State) map[string]map[string][]string {
	out := map[string]map[string][]string{}
	for table, rows := range s {
		if strings.HasPrefix(table, "search_docs_fts") {
			continue // how the words lie there
		}
		out[table] = map[string][]string{"rows": {strconv.Itoa(len(rows))}}
		for _, row := range rows {
			for column, value := range row {
				switch {
				case strings.HasPrefix(value, "X'"):
					value = "bytes"
				case column == "seq" || strings.HasSuffix(column, "_seq"): // whose news came first, where two work at once
					value = ""
				case column == "took_ms" || column == "next_at" || column == "attempts" || column == "last_error" || column == "fence" || column == "last" || column == "words":
					value = ""
				default:
					value = chance.ReplaceAllString(value, "…")
				}
				out[table][column] = append(out[table][column], value)
			}
		}
		for column := range maps.Keys(out[table]) {
			slices.Sort(out[table][column])
		}
	}
	return out
}

// TestEveryFieldThatDecidesIsAsked leaves each field out of each form that
// decides, as who may send it: the form is refused, and nothing has changed.
func TestEveryFieldThatDecidesIsAsked(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	// The digest that the page showed is compared, if it is sent; what was signed
	// is compared always.
	optional := []string{"digest", "base", "deadline", "tier", "basis", "since", "label", "do", "function", "listed", "read", "at", "events"}
	tried := 0
	refuse := shaped(func(r *http.Request, form url.Values) {
		before := dbtest.Dump(t, h.App.DB, "sessions", "challenges").Texts()
		for name := range form {
			if slices.Contains(optional, name) || strings.Contains(r.URL.Path, "/profile") {
				continue
			}
			less := maps.Clone(form)
			delete(less, name)
			tried++
			again, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, r.URL.String(), bytes.NewReader([]byte(less.Encode())))
			must(t, err)
			again.Header = r.Header.Clone()
			resp, err := http.DefaultTransport.RoundTrip(again)
			must(t, err)
			_ = resp.Body.Close()
			after := dbtest.Dump(t, h.App.DB, "sessions", "challenges").Texts()
			if resp.StatusCode < 400 || !slices.Equal(before, after) {
				t.Errorf("%s without %s: %d %s", r.URL.Path, name, resp.StatusCode, dbtest.Changed(before, after))
				before = after
			}
		}
	})
	everyForm(t, h, shaped(func(r *http.Request, form url.Values) {
		if !strings.HasSuffix(r.URL.Path, "/assess") { // an unfinished assessment may be kept
			settle(t, h)
			refuse(r, form)
		}
	}))
	if tried < 15 {
		t.Errorf("only %d fields were left out", tried)
	}
}
