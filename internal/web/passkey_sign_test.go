package web_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/auth/passkeytest"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/axetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/notes"
)

// device opens a browser of who's with an authenticator, and enrols a passkey.
func (h *orderHouse) device(t *testing.T, who string) (*browsertest.Page, browsertest.Authenticator) {
	t.Helper()
	p := browsertest.Open(t, browsertest.View{})
	a := p.Authenticator()
	p.Bring(h.As(t, who).Browser.Jar, h.URL)
	p.Go(h.URL + "/profile")
	p.Run(chromedp.SendKeys("#label", "ponsel "+who, chromedp.ByQuery), chromedp.Click(`[data-passkey="create"]`, chromedp.ByQuery), chromedp.WaitVisible(`main [role="status"]`, chromedp.ByQuery))
	return p, a
}

// The whole chain by passkeys, in real browsers: proposed, approved, issued,
// dispatched, received.
func TestAChainIsSignedByPasskeysAndDispatched(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	started := chromedp.Poll(`!!window.htmx`, nil)
	said := chromedp.WaitVisible(`[data-toast]`, chromedp.ByQuery)

	proposer, _ := h.device(t, h.analyst)
	proposer.Go(h.URL + "/cases/" + string(n.CaseID))
	proposer.Run(started, chromedp.WaitVisible("#sign-form", chromedp.ByQuery))
	if err := proposer.Has("kunci sandi, ponsel analyst", notes.Hex(n.Digest)); err != nil {
		t.Error(err)
	}
	axetest.Check(t, proposer.Context, "")
	proposer.Shot("sign-propose")
	proposer.Run(chromedp.Click(`#sign-form button[type="submit"]`, chromedp.ByQuery), said)

	approver, hand := h.device(t, h.approver)
	approver.Go(h.URL + "/approvals/" + string(n.ID))
	sign := chromedp.Click(`aside form[data-sign] button[type="submit"]`, chromedp.ByQuery)
	hand.Verifies(false)
	approver.Run(started, sign, chromedp.WaitVisible(`aside [data-sign-error]`, chromedp.ByQuery))
	if err := approver.Has("Tidak ada kunci sandi yang dipakai."); err != nil {
		t.Error(err)
	}
	if got := h.view(t, n.ID).Life; got != notice.Proposed {
		t.Fatalf("without verification the notice is %s", got)
	}
	hand.Verifies(true)
	approver.Shot("sign-approve")
	approver.Run(sign, said)

	officer, _ := h.device(t, h.officer)
	officer.Go(h.URL + "/approvals/" + string(n.ID))
	officer.Run(started, sign, said)
	h.until(t, "the dispatch", func() bool { return h.view(t, n.ID).Life == notice.Open })

	desk, _ := h.device(t, "platform")
	desk.Go(h.URL + "/inbox/" + string(n.ID))
	desk.Run(started, chromedp.Click(`form[action$="/receive"][data-sign] button[type="submit"]`, chromedp.ByQuery), said)
	if h.view(t, n.ID).ReceivedAt.IsZero() {
		t.Error("the receipt did not count")
	}
	for table, want := range map[string]int64{"notice_signatures": 3, "notice_receipts": 1} {
		got, err := db.Value[int64](t.Context(), h.App.DB, `SELECT count(*) FROM `+table+` WHERE method = 'passkey' AND rp_id = 'localhost' AND length(client_data) > 80 AND length(authenticator_data) >= 37`)
		if err != nil || got != want {
			t.Errorf("%d signatures by passkey in %s (%v), want %d", got, table, err, want)
		}
	}
	for _, p := range []*browsertest.Page{proposer, approver, officer, desk} {
		if said := p.Complaints(); len(said) > 0 {
			t.Errorf("the browser complains: %q", said)
		}
	}
}

var ceremony = regexp.MustCompile(`data-passkey="create" data-options="([^"]+)"`)

// passkey enrols one for who by the page, made in software that can be made to
// cheat.
func (h *orderHouse) passkey(t *testing.T, who string) *passkeytest.Authenticator {
	t.Helper()
	a := passkeytest.New(t, h.URL, "localhost")
	resp, err := h.As(t, who).Browser.Get(h.URL + "/profile")
	_, body := h.page(t, who, resp, err)
	m := ceremony.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("%s is offered no passkey: %s", who, firstWords(body))
	}
	h.does(t, http.StatusOK, who, "/profile/passkeys", url.Values{
		"passkey-challenge": {field(t, body, "passkey-challenge")}, "credential": {string(a.Create(t, html.UnescapeString(m[1])))}, "label": {"ponsel"},
	})
	return a
}

// touched is the form that the page sends after a touch over digest.
func touched(t *testing.T, a *passkeytest.Authenticator, digest [32]byte) url.Values {
	t.Helper()
	options, err := json.Marshal(map[string]string{"challenge": base64.RawURLEncoding.EncodeToString(digest[:])})
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"credential": {string(a.Get(t, string(options)))}, "signature": {""}, "key": {""}}
}

// byAPI is the same as the body of an API call.
func byAPI(t *testing.T, a *passkeytest.Authenticator, digest [32]byte) map[string]any {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(a.Public())
	if err != nil {
		t.Fatal(err)
	}
	client, data, value := a.Assert(t, digest[:])
	return map[string]any{"key": party.KeyIDOf(public), "signature": value, "client_data": client, "authenticator_data": data}
}

// What was touched for another document, by another person, without
// verification or once before signs nothing, by page and by API; nor does a
// browser's key of somebody who has a passkey.
func TestATamperedTouchSignsNothing(t *testing.T) {
	t.Parallel()
	h := startOrders(t)
	n := h.drafted(t, notes.RemovalOrder, links(1)...)
	device, another := h.passkey(t, h.approver), h.passkey(t, "same-approver")
	h.signs(t, h.analyst, n.ID, "propose")
	other := n.Digest
	other[31] ^= 1
	but := func(change func(*passkeytest.Authenticator)) *passkeytest.Authenticator {
		a := device.Clone()
		a.Count += 100 // so that no counter refuses what a check should
		change(a)
		return a
	}
	unverified := but(func(a *passkeytest.Authenticator) { a.Flags = passkeytest.UserPresent })
	elsewhere := but(func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" })
	page, call := "/orders/"+string(n.ID)+"/approve", "/api/v1/notices/"+string(n.ID)+"/approve"
	for name, c := range map[string]struct {
		a      *passkeytest.Authenticator
		digest [32]byte
		status int
		says   string
	}{
		"another digest":   {but(func(*passkeytest.Authenticator) {}), other, http.StatusUnprocessableEntity, "tidak cocok"},
		"another person's": {another, n.Digest, http.StatusForbidden, "bukan milik Anda"},
		"nobody verified":  {unverified, n.Digest, http.StatusUnprocessableEntity, "tidak cocok"},
		"another origin":   {elsewhere, n.Digest, http.StatusUnprocessableEntity, "tidak cocok"},
		"unknown":          {passkeytest.New(t, h.URL, "localhost"), n.Digest, http.StatusUnprocessableEntity, "tidak diterima"},
	} {
		if body := h.does(t, c.status, h.approver, page, touched(t, c.a, c.digest)); !strings.Contains(body, c.says) {
			t.Errorf("%s: the page does not say %q: %s", name, c.says, firstWords(body))
		}
		if status, body := h.As(t, h.approver).Call(t, http.MethodPost, call, byAPI(t, c.a, c.digest)); status < 400 || status >= 500 {
			t.Errorf("%s: the API answers %d %v", name, status, body)
		}
	}
	f := url.Values{"signature": {h.As(t, h.approver).Sign(n.Digest)}, "key": {string(h.As(t, h.approver).Key)}}
	if body := h.does(t, http.StatusForbidden, h.approver, page, f); !strings.Contains(body, "Anda punya kunci sandi") {
		t.Errorf("a browser's key beside the passkey: %s", firstWords(body))
	}
	if got := h.view(t, n.ID); got.Life != notice.Proposed || len(slices.Collect(signers(got))) != 1 {
		t.Fatalf("the notice is %s with %v", got.Life, slices.Collect(signers(got)))
	}

	// It returns and is proposed again: what was touched for the first version is
	// worth nothing for the second.
	steady := but(func(a *passkeytest.Authenticator) { a.Steady = true })
	old := touched(t, steady, n.Digest)
	h.does(t, http.StatusOK, h.approver, "/orders/"+string(n.ID)+"/return", url.Values{"reason": {"too-wide"}, "text": {"Satu saja."}})
	by := h.As(t, h.analyst).Actor
	if _, err := h.App.Casework.Take(t.Context(), by, n.CaseID); err != nil {
		t.Fatal(err)
	}
	h.assess(t, n.CaseID, notes.RemovalOrder, "Mengajak ikut kelompok rekaan.")
	again, err := h.App.Notice.Redraft(t.Context(), by, n.ID, h.draft)
	if err != nil || again.Digest == n.Digest {
		t.Fatalf("redrafted with the same digest: %v", err)
	}
	h.signs(t, h.analyst, n.ID, "propose")
	h.does(t, http.StatusUnprocessableEntity, h.approver, page, old)
	if status, body := h.As(t, h.approver).Call(t, http.MethodPost, call, byAPI(t, steady, again.Digest)); status != http.StatusOK {
		t.Fatalf("a right assertion by API: %d %v", status, body)
	}
	h.does(t, http.StatusForbidden, h.approver, page, touched(t, steady, again.Digest)) // nobody counts twice
	if got := h.view(t, n.ID).Life; got != notice.Approved {
		t.Errorf("the notice is %s", got)
	}
}

// signers are the keys' owners that stand in a notice's chain.
func signers(v notice.View) func(func(party.PersonID) bool) {
	return func(yield func(party.PersonID) bool) {
		for _, c := range v.Chain {
			if c.Person != "" && !yield(c.Person) {
				return
			}
		}
	}
}
