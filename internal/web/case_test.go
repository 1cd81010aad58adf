package web_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/notice"
)

// field is the value of a hidden field of a page.
func field(t *testing.T, body, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("the page has no field %q: %s", name, clip(body))
	}
	return m[1]
}

// signs answers the page that asks for a signature, as the browser does.
func (d desk) signs(t *testing.T, page answer, path string) answer {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(field(t, page.body, "digest"))
	if err != nil || len(raw) != 32 {
		t.Fatalf("digest %q: %v", field(t, page.body, "digest"), err)
	}
	return d.post(t, path+"/propose", url.Values{
		"notice": {field(t, page.body, "notice")}, "signature": {d.Sign([32]byte(raw))}, "key": {string(d.Key)},
	})
}

func TestFromTheQueueToASentProposal(t *testing.T) {
	t.Parallel()
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		for _, kind := range []string{"removal-order", "referral"} {
			d := at(t, x, "analyst")
			c := d.reported(t, aPost+"-"+kind)
			path := "/cases/" + string(c.ID)
			d.get(t, path+"?lang=en").want(t, http.StatusOK, "Take")
			d.post(t, path+"/take?lang=en", nil).want(t, http.StatusOK, "You hold the case.", "In review by you", "0 / 23")

			// What is missing is named, and nothing that was sent is lost.
			f := with(complete(kind), "g-threaten", "", "purpose-why", "")
			a := d.post(t, path+"/assess?lang=en", with(f, "do", "send")).want(t, http.StatusUnprocessableEntity, "Answer ground G5", "P4, art or satire", "Mengajak ikut kelompok rekaan.")
			if got := field(t, a.body, "base"); got != "1" {
				t.Errorf("the form goes on from version %s, want 1", got)
			}
			f = with(complete(kind), "base", "1", "do", "send")
			d.post(t, path+"/assess?lang=en", f).want(t, http.StatusConflict, "has no capture yet")
			d.uploads(t, path+"/captures", picture(t)).want(t, http.StatusOK, "Sealed", "image/png")

			f = with(f, "base", "2")
			a = d.post(t, path+"/assess?lang=en", f).want(t, http.StatusOK, "Ready to sign", "Ruangsuara", "hxxps://ruangsuara[.]example")
			n := d.notice(t, c.ID)
			if !strings.Contains(a.body, hexOf(n)) {
				t.Errorf("the page does not show the digest %x", n.Digest)
			}
			d.signs(t, a, path).want(t, http.StatusOK, "Signed and sent for approval.", n.Ref)
			if n = d.notice(t, c.ID); n.Life != notice.Proposed {
				t.Errorf("the notice is %s", n.Life)
			}
			d.get(t, path+"?lang=id").want(t, http.StatusOK, n.Ref, "Menunggu persetujuan", "solicit-group")
		}
	})
}

func hexOf(n notice.Row) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, x := range n.Digest {
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}

// notice is the one of a case.
func (d desk) notice(t *testing.T, id casework.ID) notice.Row {
	t.Helper()
	rows, _, err := d.App.Notice.List(t.Context(), d.Actor, notice.Filter{CaseID: id})
	if err != nil || len(rows) != 1 {
		t.Fatalf("notices of the case: %v, %v", rows, err)
	}
	return rows[0]
}

func TestADraftCanGoBackToItsAssessment(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	d.post(t, path+"/captures/none", url.Values{"why": {"Halaman hanya terbuka bagi anggota."}}).want(t, http.StatusOK, "Halaman hanya terbuka bagi anggota.")
	a := d.post(t, path+"/assess?lang=en", with(complete("referral"), "do", "send")).want(t, http.StatusOK, "Ready to sign")
	d.post(t, path+"/propose?lang=en", url.Values{"notice": {field(t, a.body, "notice")}}).want(t, http.StatusUnprocessableEntity, "The browser did not sign.")
	d.post(t, path+"/withdraw?lang=en", url.Values{"notice": {field(t, a.body, "notice")}, "why": {"Salah dasar."}}).want(t, http.StatusOK, "Back to the assessment.", "23 / 23")
}

func TestTwoPeopleOnOneCaseOverwriteNothing(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	first, second := at(t, x, "analyst"), at(t, x, "second-analyst")
	c := first.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	first.post(t, path+"/take", nil)
	second.post(t, path+"/take?lang=en", nil).want(t, http.StatusConflict, "A colleague holds case")
	first.post(t, path+"/assess", with(complete("referral"), "reasons", "Alasan dari meja pertama."))
	// The same person in another window, which still shows no version.
	a := first.post(t, path+"/assess?lang=en", with(complete("referral"), "reasons", "Alasan dari jendela kedua.", "g-incite", "unsure"))
	a.want(t, http.StatusConflict, "You have saved another version yourself", "Alasan dari meja pertama.", "Alasan dari jendela kedua.", "unsure")
	first.post(t, path+"/assess?lang=en", with(complete("referral"), "reasons", "Alasan dari jendela kedua.", "base", field(t, a.body, "base"))).
		want(t, http.StatusOK, "The assessment is saved.")
	v, err := x.App.Casework.Get(t.Context(), first.Actor, c.ID)
	if err != nil || len(v.Assessments) != 2 {
		t.Errorf("%d versions are kept, want 2: %v", len(v.Assessments), err)
	}
}

func TestClosingManyCanBeUndone(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	one, two := d.reported(t, aPost+"-1"), d.reported(t, aPost+"-2")
	ids := []string{string(one.ID), string(two.ID)}
	d.post(t, "/triage/close?lang=en", url.Values{"id": ids}).want(t, http.StatusUnprocessableEntity, one.Ref, "is not on the list").want(t, http.StatusUnprocessableEntity, `value="`+ids[0]+`" checked`)
	a := d.post(t, "/triage/close?lang=en", url.Values{"id": ids, "reason": {"not-enough"}}).want(t, http.StatusOK, "2 cases closed.", "The queue is empty.")
	d.get(t, "/cases/"+ids[0]+"?lang=en").want(t, http.StatusOK, "Too little to go on")
	d.post(t, "/triage/undo?lang=en", url.Values{"token": {field(t, a.body, "token")}}).want(t, http.StatusOK, "The closing was undone.", one.Ref, two.Ref)
	d.post(t, "/triage/undo?lang=en", url.Values{"token": {field(t, a.body, "token")}}).want(t, http.StatusNotFound, "cannot be undone any more")
}

func TestWhatCanBeDoneToACase(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d, other := at(t, x, "analyst"), at(t, x, "second-analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	d.post(t, "/triage/next?lang=en", nil).want(t, http.StatusOK, c.Ref, "In review by you")
	d.post(t, path+"/locations?lang=en", url.Values{"locations": {"https://ruangsuara.example/@rekaan\n\nhttps://ruangsuara.example/v/lain"}}).
		want(t, http.StatusOK, "Locations added.", "3 locations")
	d.post(t, path+"/locations?lang=en", url.Values{"locations": {"bukan tautan"}}).want(t, http.StatusUnprocessableEntity)
	d.post(t, path+"/hold?lang=en", url.Values{"reason": {"court"}, "term": {"4h0m0s"}}).want(t, http.StatusOK, "The case is held.", "Court proceedings")
	d.post(t, path+"/hold/end?lang=en", url.Values{"outcome": {"go-on"}}).want(t, http.StatusOK, "The hold has ended.")
	d.post(t, path+"/hold?lang=en", url.Values{"reason": {"court"}, "term": {"999h"}}).want(t, http.StatusUnprocessableEntity, "A hold lasts at most 72 hours.")

	v, err := x.App.Casework.Get(t.Context(), d.Actor, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.post(t, path+"/reports/"+string(v.Reports[0])+"/reply?lang=en", url.Values{"text": {"Kapan Anda melihatnya?"}}).want(t, http.StatusOK, "Kapan Anda melihatnya?", "sent to the reporter")
	d.post(t, path+"/reports/00000000-0000-0000-0000-000000000000/reply", url.Values{"text": {"x"}}).want(t, http.StatusNotFound)

	d.post(t, path+"/assess", with(complete("removal-order"), "p-art", "unsure"))
	d.post(t, path+"/opinion/ask?lang=en", url.Values{"person": {string(other.Person.Person)}}).want(t, http.StatusOK, "A second opinion was asked.")
	other.get(t, path+"?lang=en").want(t, http.StatusOK, "Second opinion", "asks for your own answers").not(t, "Mengajak ikut kelompok rekaan.")
	other.post(t, path+"/opinion?lang=en", url.Values{"reasons": {"Bukan seni."}}).want(t, http.StatusUnprocessableEntity, "Answer purpose test P1")
	other.post(t, path+"/opinion?lang=en", with(complete(""), "reasons", "Bukan seni.")).want(t, http.StatusOK, "Your opinion is kept.")

	d.post(t, path+"/assign?lang=en", url.Values{"person": {string(other.Person.Person)}}).want(t, http.StatusOK, "Assigned.")
	other.post(t, path+"/release?lang=en", nil).want(t, http.StatusOK, "Released.")
	other.post(t, path+"/skip?lang=en", nil).want(t, http.StatusOK, "Skipped. No reason is kept.")
	d.post(t, path+"/take?lang=en", nil).want(t, http.StatusOK)
	d.post(t, path+"/assess?lang=en", with(complete("none"), "base", "1", "do", "send", "close-reason", "gone")).want(t, http.StatusOK, "1 case closed.")
}

func TestTheFormSaysHowFarItHasCome(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	for _, step := range []struct {
		form url.Values
		want []string
	}{
		{url.Values{}, []string{"0 / 23", "Choose the proposed action."}},
		{with(complete("removal-order"), "deadline", ""), []string{"23 / 23", "Choose the answer clock.", "Add evidence"}},
		{with(complete("removal-order"), "p-art", "yes"), []string{"23 / 23", "Add evidence"}},
		{with(complete("removal-order"), "function", ""), []string{"23 / 23", "Choose at least one function."}},
		{with(complete("referral"), "p-art", ""), []string{"22 / 23", "Answer purpose test P4"}},
		{url.Values{"measure": {"none"}}, []string{"Close the case", "Choose the reason for closing."}},
	} {
		d.post(t, path+"/check?lang=en", step.form).want(t, http.StatusOK, step.want...)
	}
	v, err := d.App.Casework.Get(t.Context(), d.Actor, c.ID)
	if err != nil || len(v.Assessments) != 0 {
		t.Errorf("checking kept %d versions: %v", len(v.Assessments), err)
	}
}

func TestAHandOverIsAnsweredByItsReceiver(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d, to := at(t, x, "analyst"), at(t, x, "same-analyst")
	for _, story := range []string{"accept", "split", "return"} {
		c := d.reported(t, aPost+"-"+story)
		path := "/cases/" + string(c.ID)
		d.post(t, path+"/take", nil)
		d.post(t, path+"/locations", url.Values{"locations": {"https://ruangsuara.example/v/" + story + "-2"}})
		d.uploads(t, path+"/captures", picture(t))
		d.post(t, path+"/assess?lang=en", with(complete("hand-over"), "do", "send")).want(t, http.StatusOK, "The receiver makes its own assessment")
		d.post(t, path+"/hand-over?lang=en", url.Values{"to": {""}}).want(t, http.StatusUnprocessableEntity, "A case can only be handed")
		d.post(t, path+"/hand-over?lang=en", url.Values{"to": {string(to.Party)}, "note": {"Lihat https://lain.example/x"}}).want(t, http.StatusOK, "Handed over", "Awaiting an answer")

		offers, _, err := x.App.Casework.HandOvers(t.Context(), to.Actor, casework.Offered, "", 0)
		if err != nil || len(offers) != 1 {
			t.Fatalf("offers: %v, %v", offers, err)
		}
		at := "/hand-overs/" + string(offers[0].ID)
		to.get(t, "/triage?lang=en").want(t, http.StatusOK, "1 hand-overs await")
		to.get(t, "/hand-overs?lang=en").want(t, http.StatusOK, c.Ref, "from Dit. Tangkal Daring")
		to.get(t, at+"?lang=en").want(t, http.StatusOK, "It shows once your own assessment is complete.", "hxxps://lain[.]example/x").not(t, "Mengajak ikut kelompok rekaan.")
		h, err := x.App.Casework.GetHandOver(t.Context(), to.Actor, offers[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		all := []string{string(h.Locations[0].ID), string(h.Locations[1].ID)}
		switch story {
		case "accept":
			to.post(t, at+"/accept?lang=en", url.Values{"location": all}).want(t, http.StatusOK, "This is your own case.")
			d.get(t, path+"?lang=en").want(t, http.StatusOK, "accepted by another organisation")
		case "split":
			to.post(t, at+"/accept?lang=en", url.Values{"location": all[:1]}).want(t, http.StatusUnprocessableEntity)
			to.post(t, at+"/accept?lang=en", url.Values{"location": all[:1], "reason": {"not-competent"}, "text": {"Bukan wilayah kami."}}).want(t, http.StatusOK, "This is your own case.")
			d.get(t, at+"?lang=en").want(t, http.StatusOK, "Accepted in part", "Bukan wilayah kami.")
		case "return":
			to.post(t, at+"/accept?lang=en", url.Values{}).want(t, http.StatusUnprocessableEntity, "Choose the locations you accept")
			to.post(t, at+"/return?lang=en", url.Values{"reason": {"already-known"}}).want(t, http.StatusOK, "Sent back to the sender.")
			d.get(t, path+"?lang=en").want(t, http.StatusOK, "In review by you")
		}
	}
}

// TestASiteOfItsOwnAsksWhomToAddress proposes against a host that is nobody's
// platform: the form asks which registered service it depends on.
func TestASiteOfItsOwnAsksWhomToAddress(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, "https://situs-rekaan.example/beranda")
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take?lang=en", nil).want(t, http.StatusOK, "Service that the site depends on")
	d.uploads(t, path+"/captures", picture(t)).want(t, http.StatusOK)
	f := with(complete("removal-order"), "do", "send")
	a := d.post(t, path+"/assess?lang=en", f).want(t, http.StatusUnprocessableEntity, "Name the registered service that this site depends on")
	f = with(f, "base", field(t, a.body, "base"), "addressee", string(x.Cast(t, "platform").Actor.Party))
	d.post(t, path+"/assess?lang=en", f).want(t, http.StatusOK, "Ready to sign", "hxxps://situs-rekaan[.]example")
}
