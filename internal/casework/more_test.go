package casework_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/fetch"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

func TestAHandOverIsAssessedBlindlyByItsReceiver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.ready(t, h.ratna, id, casework.MeasureHandOver)
		hid, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party, Note: "Wilayah Anda."})
		must(t, err)
		if _, err := h.Get(t.Context(), h.lain, id); fault.Of(err) != fault.NotFound {
			t.Errorf("the receiver sees the sender's case: %v", err)
		}
		_, err = h.GetHandOver(t.Context(), h.ketiga, hid)
		wantFault(t, err, "fault.hidden")
		_, err = h.AcceptHandOver(t.Context(), h.ketiga, hid, casework.HandOverAnswer{})
		wantFault(t, err, "fault.hidden")
		seen, err := h.GetHandOver(t.Context(), h.lain, hid)
		must(t, err)
		if seen.Assessment != nil || len(seen.Locations) != 1 || len(seen.Files) != 1 || seen.Note != "Wilayah Anda." {
			t.Errorf("before answering the receiver sees %+v", seen)
		}
		_, err = h.GetDossier(t.Context(), h.lain, seen.Dossier)
		wantFault(t, err, "case.answer-first")
		_, err = h.GetDossier(t.Context(), h.ketiga, seen.Dossier)
		wantFault(t, err, "fault.hidden")
		made, err := h.AcceptHandOver(t.Context(), h.lain, hid, casework.HandOverAnswer{})
		must(t, err)
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed || c.Outcome != "handed-over" {
			t.Errorf("the sender's case is %s, %q", c.State, c.Outcome)
		}
		h.take(t, h.lain, made)
		must1(t)(h.Assess(t.Context(), h.lain, made, 0, casework.Assessment{Public: notes.Yes}))
		if v := h.get(t, h.lain, made); v.From == nil || v.From.Assessment != nil {
			t.Error("an unfinished assessment opens the first one")
		}
		must1(t)(h.Assess(t.Context(), h.lain, made, 1, complete()))
		if v := h.get(t, h.lain, made); v.From.Assessment == nil || v.From.Assessment.Measure != casework.MeasureHandOver {
			t.Error("after its own answer the receiver does not see the first assessment")
		}
		must1(t)(h.GetDossier(t.Context(), h.lain, seen.Dossier))
		file, err := h.OpenCapture(t.Context(), h.lain, seen.Files[0])
		must(t, err)
		must(t, file.Content.Close())
		_, err = h.AcceptHandOver(t.Context(), h.lain, hid, casework.HandOverAnswer{})
		wantFault(t, err, "case.hand-over-answered")
	})
}

func TestAHandOverIsSplitOrSentBackWithReasons(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link, "https://berkas.example/f/abc")
		h.ready(t, h.ratna, id, casework.MeasureHandOver)
		first, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party})
		must(t, err)
		err = h.ReturnHandOver(t.Context(), h.lain, first, casework.HandOverAnswer{})
		wantFault(t, err, "fault.required")
		must(t, h.ReturnHandOver(t.Context(), h.lain, first, casework.HandOverAnswer{Reasons: []string{"incomplete"}, Text: "Kurang bukti."}))
		v := h.get(t, h.ratna, id)
		if v.Case.State != casework.Taken || v.Case.Holder != h.ratna.Person || v.HandOvers[0].Answer != "Kurang bukti." {
			t.Errorf("sent back: %s, %+v", v.Case.State, v.HandOvers[0])
		}
		second, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party})
		must(t, err)
		locations := v.Case.LocationIDs
		_, err = h.AcceptHandOver(t.Context(), h.lain, second, casework.HandOverAnswer{Accept: locations[:1]})
		wantFault(t, err, "fault.required")
		made, err := h.AcceptHandOver(t.Context(), h.lain, second, casework.HandOverAnswer{Accept: locations[:1], Reasons: []string{"not-competent"}})
		must(t, err)
		if got := h.get(t, h.lain, made).Case.LocationIDs; !slices.Equal(got, locations[:1]) {
			t.Errorf("the receiver's case has %v", got)
		}
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Taken {
			t.Errorf("after the split the sender's case is %s", c.State)
		}
		list, _, err := h.HandOvers(t.Context(), h.lain, casework.SplitIt, "", 0)
		must(t, err)
		if len(list) != 1 || list[0].ID != second {
			t.Errorf("the receiver's list: %+v", list)
		}
	})
}

func TestAHandOverGoesToAnotherPartyThatDecides(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		platform, closed := h.found(t, "ruangsuara", party.Platform), h.found(t, "tutup", party.Agency)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			closed.Active = false
			return party.Update(ctx, tx, closed)
		})
		id := h.newCase(t, h.ratna, link)
		h.ready(t, h.ratna, id, casework.MeasureHandOver)
		for name, to := range map[string]party.ID{
			"itself": h.ratna.Party, "a platform": platform.ID, "oversight": h.auditor.Party, "a closed agency": closed.ID, "nobody": "x", "": "",
		} {
			_, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: to})
			if f, ok := fault.As(err); !ok || len(f.Parts) != 1 || f.Parts[0].Code != "case.receiver" || f.Parts[0].Field != "/to" {
				t.Errorf("to %s: %v", name, err)
			}
		}
		other := h.newCase(t, h.ratna, link+"-lain")
		foreign := h.get(t, h.ratna, other).Case.LocationIDs
		if _, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party, LocationIDs: foreign}); err == nil {
			t.Error("a location of another case was handed over")
		}
		hid, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party})
		must(t, err)
		_, err = h.AcceptHandOver(t.Context(), h.lain, hid, casework.HandOverAnswer{Accept: foreign, Reasons: []string{"incomplete"}})
		if f, ok := fault.As(err); !ok || f.Parts[0].Code != "case.location" || f.Parts[0].Field != "/accept/0" {
			t.Errorf("a location that was not offered: %v", err)
		}
		// Sender and receiver list it, nobody else does.
		for name, c := range map[string]struct {
			by party.Actor
			n  int
		}{"sender": {h.ratna, 1}, "receiver": {h.lain, 1}, "another": {h.ketiga, 0}} {
			all, next, err := h.HandOvers(t.Context(), c.by, "", "", 0)
			if err != nil || len(all) != c.n || next != "" {
				t.Errorf("%s lists %d hand-overs, want %d (%v)", name, len(all), c.n, err)
			}
		}
	})
}

func TestReportersLearnThatTheirCaseWasClosedAndOpenedAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		receipt := h.submit(t, "", link)
		h.drain(t)
		id := h.caseOf(t, h.ratna, receipt)
		closing, err := h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: "no-ground"})
		must(t, err)
		must1(t)(h.Undo(t.Context(), h.ratna, closing.Token))
		s, err := h.reports.Status(t.Context(), receipt.Code)
		must(t, err)
		var steps []string
		for _, step := range s.Steps {
			steps = append(steps, step.Kind+step.Args["Outcome"])
		}
		if got := strings.Join(steps, " "); got != "received joined closedlawful reopened" {
			t.Errorf("the reporter reads %q", got)
		}
	})
}

// Ten minutes without media are a break, and the time until the next one
// begins anew; nine are none.
func TestAPauseOfTenMinutesIsABreak(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	look := func(after time.Duration, seconds int) casework.Exposure {
		h.clock.Advance(after)
		e, err := h.AddExposure(t.Context(), h.ratna, seconds)
		must(t, err)
		return e
	}
	look(0, 0)
	if e := look(9*time.Minute, 540); e.BreakIn != 11*time.Minute {
		t.Errorf("after nine minutes a break is due in %v, want 11 min", e.BreakIn)
	}
	if e := look(9*time.Minute, 0); e.BreakIn != 11*time.Minute {
		t.Errorf("after a pause of nine minutes a break is due in %v, want 11 min", e.BreakIn)
	}
	if e := look(10*time.Minute, 0); e.BreakIn != 20*time.Minute || e.Visible != 9*time.Minute {
		t.Errorf("after a break the next is due in %v with %v seen, want 20 min and 9 min", e.BreakIn, e.Visible)
	}
}

func TestABulkClosingIsUndoneUnlessSomebodyActed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		var ids []casework.ID
		for i := range 3 {
			ids = append(ids, h.newCase(t, h.ratna, link+strings.Repeat("b", i+1)))
		}
		h.take(t, h.ratna, ids[0])
		h.drain(t)
		closing, err := h.Close(t.Context(), h.ratna, ids, casework.CloseInput{Reason: "gone", Text: "Sudah dihapus pemiliknya."})
		must(t, err)
		h.drain(t)
		for _, id := range ids {
			v := h.get(t, h.ratna, id)
			if v.Case.State != casework.Closed || v.Timeline[len(v.Timeline)-1].Kind != "case.closed" || v.Notes[0].Text == "" {
				t.Errorf("closed: %+v", v.Case)
			}
		}
		must(t, h.tx(t, func(ctx context.Context, tx *db.Tx) error {
			return h.ReopenTx(ctx, tx, ids[2], "appeal", h.clock.Now())
		}))
		// Closed again by a colleague, it looks as it did, and is theirs to undo.
		h.clock.Advance(time.Minute)
		must1(t)(h.Close(t.Context(), h.dimas, ids[2:], casework.CloseInput{Reason: "no-ground"}))
		_, err = h.Undo(t.Context(), h.dimas, closing.Token)
		wantFault(t, err, "case.undo-gone")
		undone, err := h.Undo(t.Context(), h.ratna, closing.Token)
		must(t, err)
		if !slices.Equal(undone.Restored, ids[:2]) || !slices.Equal(undone.Kept, ids[2:]) {
			t.Errorf("undone: %+v", undone)
		}
		if c := h.get(t, h.ratna, ids[2]).Case; c.State != casework.Closed || c.Outcome != "no-ground" {
			t.Errorf("a colleague's closing was undone: %+v", c)
		}
		if c := h.get(t, h.ratna, ids[0]).Case; c.State != casework.Taken || c.Holder != h.ratna.Person || c.Outcome != "" {
			t.Errorf("the taken case came back as %+v", c)
		}
		_, err = h.Undo(t.Context(), h.ratna, closing.Token)
		wantFault(t, err, "case.undo-gone")

		again, err := h.Close(t.Context(), h.ratna, ids[:1], casework.CloseInput{Reason: "gone"})
		must(t, err)
		h.clock.Advance(11 * time.Minute)
		_, err = h.Undo(t.Context(), h.ratna, again.Token)
		wantFault(t, err, "case.undo-gone")
	})
}

func TestABulkClosingIsAllOrNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		mine, theirs := h.newCase(t, h.ratna, link), h.newCase(t, h.lain, link)
		before := h.dump(t)
		_, err := h.Close(t.Context(), h.ratna, []casework.ID{mine, theirs}, casework.CloseInput{Reason: "gone"})
		f, _ := fault.As(err)
		if f == nil || len(f.Parts) != 1 || f.Parts[0].Field != "/ids/1" || f.Parts[0].Kind != fault.NotFound {
			t.Errorf("got %v, want one fault at /ids/1", err)
		}
		_, err = h.Close(t.Context(), h.ratna, []casework.ID{mine}, casework.CloseInput{Reason: "disturbing"})
		wantFault(t, err, "case.value")
		if h.dump(t) != before {
			t.Error("a refused closing changed something")
		}
	})
}

func TestAHoldIsBoundedRenewedOnceAndNeverAgainstAThreatToLife(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		wantFault(t, h.Hold(t.Context(), h.ratna, id, "operation", 73*time.Hour), "case.hold-term")
		wantFault(t, h.Hold(t.Context(), h.ratna, id, "because", time.Hour), "case.value")
		must(t, h.Hold(t.Context(), h.ratna, id, "operation", 72*time.Hour))
		_, err := h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: "gone"})
		wantFault(t, err, "case.held")
		must(t, h.EndHold(t.Context(), h.ratna, id, "go-on"))
		must(t, h.Hold(t.Context(), h.ratna, id, "operation", time.Hour))
		wantFault(t, h.Hold(t.Context(), h.ratna, id, "operation", time.Hour), "case.hold-again")
		a := complete()
		a.Tier = notes.TierThreatToLife
		must1(t)(h.Assess(t.Context(), h.ratna, id, 0, a))
		if c := h.get(t, h.ratna, id).Case; c.Held(h.clock.Now()) {
			t.Error("a hold stands against a threat to life")
		}
		threat := h.file(t, report.Submission{Channel: report.Web, Locations: []string{link + "t"}, Category: report.Threat, Lang: "id"})
		wantFault(t, h.Hold(t.Context(), h.ratna, h.caseOf(t, h.ratna, threat), "court", time.Hour), "case.hold-life")
	})
}

func TestASecondOpinionComesFromSomebodyElseAndOpensTheWay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		h.upload(t, h.ratna, id)
		a := complete()
		a.Listed = notes.Listed{Class: notes.ListNational, List: "Daftar contoh"}
		must1(t)(h.Assess(t.Context(), h.ratna, id, 0, a))
		_, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		wantFault(t, err, "case.national-only")
		must(t, h.AskOpinion(t.Context(), h.ratna, id, ""))
		wantFault(t, h.AskOpinion(t.Context(), h.ratna, id, ""), "case.opinion-asked")
		wantFault(t, h.GiveOpinion(t.Context(), h.ratna, id, casework.Opinion{PurposeTests: tests(notes.No)}), "case.same-person")
		wantFault(t, h.GiveOpinion(t.Context(), h.dimas, id, casework.Opinion{}), "case.unanswered.journalism")
		if n, err := h.Counts(t.Context(), h.dimas); err != nil || n.Opinions != 1 {
			t.Errorf("a colleague counts %d opinions (%v), want 1", n.Opinions, err)
		}
		must(t, h.GiveOpinion(t.Context(), h.dimas, id, casework.Opinion{PurposeTests: tests(notes.No)}))
		must1(t)(h.freeze(t, h.ratna, id, h.bagus.Party))
	})
}

func TestACaptureIsFetchedOnceSealedAndHashed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		hits := 0
		server, at := site(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/a.png" {
				w.Header().Set("Content-Type", "image/png")
				_ = png.Encode(w, image.NewGray(image.Rect(0, 0, 8, 8)))
				return
			}
			hits++
			fmt.Fprint(w, `<title>Contoh</title><img src="/a.png"><p>halaman rekaan`)
		})
		client, err := fetch.New(fetch.Config{
			RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Clock: h.clock, Browser: "/nonexistent/browser",
			AllowPrefixes: []netip.Prefix{netip.PrefixFrom(at.Addr(), 32)}, Ports: []uint16{at.Port()}, Timeout: 5 * time.Second,
		})
		must(t, err)
		h.deps.Fetch = client
		var queued []casework.CaptureID
		h.deps.Enqueue = func(_ context.Context, _ *db.Tx, id casework.CaptureID) error {
			queued = append(queued, id)
			return nil
		}
		h.Room = casework.New(h.deps)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		loc := h.point(t, id, server.URL+"/halaman")
		cid, err := h.RequestCapture(t.Context(), h.ratna, id, loc)
		must(t, err)
		_, err = h.RequestCapture(t.Context(), h.ratna, id, loc)
		wantFault(t, err, "case.capture-waiting")
		if pending, err := h.PendingCaptures(t.Context(), 10); err != nil || !slices.Equal(pending, []casework.CaptureID{cid}) || !slices.Equal(queued, pending) {
			t.Errorf("pending %v (%v), queued %v", pending, err, queued)
		}
		must(t, h.DoCapture(t.Context(), cid))
		must(t, h.DoCapture(t.Context(), cid))
		v := h.get(t, h.ratna, id)
		var kinds []string
		for _, f := range v.Captures[0].Files {
			kinds = append(kinds, f.Kind)
		}
		if hits != 1 || v.Case.Captures != 1 || !v.Case.Heavy || !slices.Equal(kinds, []string{"warc", "page", "media"}) {
			t.Errorf("%d fetches, files %v, case %+v", hits, kinds, v.Case)
		}
		if c := v.Captures[0]; c.Status != casework.Done || c.HTTPStatus != 200 || c.Files[0].Ref.SHA256.String() == "" {
			t.Errorf("capture %+v", c)
		}
	})
}

// point adds a location of a test server to a case: canonical refuses such
// addresses from reporters, so the row is written as they would be.
func (h *house) point(t testing.TB, id casework.ID, url string) report.LocationID {
	t.Helper()
	key, wrapped, err := h.vault.NewKey()
	must(t, err)
	loc := report.LocationID(db.NewID())
	h.write(t, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO locations (id, mac, key, sealed, platform, kind, broad, created_at) VALUES ($1, $2, $3, $4, '', 'post', '[]', $5)`,
			loc, h.vault.MAC("location", []byte(url)), []byte(wrapped), sealLocation(key, loc, url), db.Micros(h.clock.Now()))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO case_locations (case_id, location_id, n, platform, kind, at) VALUES ($1, $2, 100, '', 'post', 0)`, id, loc)
		return err
	})
	return loc
}

func TestACaptureThatCannotBeMadeSaysWhy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		client, err := fetch.New(fetch.Config{Clock: h.clock, Browser: "/nonexistent/browser"})
		must(t, err)
		h.deps.Fetch = client
		h.Room = casework.New(h.deps)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		cid, err := h.RequestCapture(t.Context(), h.ratna, id, h.point(t, id, "https://127.0.0.1/rahasia"))
		must(t, err)
		must(t, h.DoCapture(t.Context(), cid))
		c := h.get(t, h.ratna, id)
		if got := c.Captures[0]; got.Status != casework.Failed || got.Reason != "fetch.refused" || c.Case.Captures != 0 {
			t.Errorf("capture %+v", got)
		}
	})
}

func TestUploadsAreWhatTheyClaimToBe(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		before := h.dump(t)
		for code, u := range map[string]casework.Upload{
			"case.media-type": {Name: "a.png", MediaType: "image/png", Content: strings.NewReader("<html>")},
			"case.empty-file": {Name: "a", MediaType: "text/plain", Content: strings.NewReader("")},
		} {
			_, err := h.AddCapture(t.Context(), h.ratna, id, "", []casework.Upload{u})
			wantFault(t, err, code)
		}
		_, err := h.AddCapture(t.Context(), h.ratna, id, "elsewhere", []casework.Upload{{Name: "a", Content: strings.NewReader("x")}})
		wantFault(t, err, "case.location")
		_, err = h.AddCapture(t.Context(), h.ratna, id, "", nil)
		wantFault(t, err, "case.files")
		if h.dump(t) != before {
			t.Error("a refused upload changed something")
		}
		var picture bytes.Buffer
		must(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))))
		must1(t)(h.AddCapture(t.Context(), h.ratna, id, "", []casework.Upload{{Name: `C:\x\b.png`, MediaType: "image/png", Content: &picture}}))
		if v := h.get(t, h.ratna, id); v.Captures[0].Files[0].Name != "b.png" || !v.Case.Heavy {
			t.Errorf("stored as %q", v.Captures[0].Files[0].Name)
		}
	})
}

// Nothing that people wrote stands in any column, nor in the feed.
func TestReasonsAndTextsAreSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const canary = "KENARI7731"
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		must(t, h.NoCaptureReason(t.Context(), h.ratna, id, canary))
		must1(t)(h.AddCapture(t.Context(), h.ratna, id, "", []casework.Upload{{Name: canary, MediaType: "text/plain", Content: strings.NewReader(canary)}}))
		a := complete()
		a.Reasons.Texts["id"], a.PurposeTests[0].Reasons, a.Grounds[2].Reasons, a.Measure = canary, canary, canary, casework.MeasureHandOver
		must1(t)(h.Assess(t.Context(), h.ratna, id, 0, a))
		must(t, h.AskOpinion(t.Context(), h.ratna, id, h.dimas.Person))
		must(t, h.GiveOpinion(t.Context(), h.dimas, id, casework.Opinion{PurposeTests: a.PurposeTests, Reasons: canary}))
		hid, err := h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party, Note: canary})
		must(t, err)
		must(t, h.ReturnHandOver(t.Context(), h.lain, hid, casework.HandOverAnswer{Reasons: []string{"incomplete"}, Text: canary}))
		must1(t)(h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: "gone", Text: canary}))
		h.drain(t)
		dump := h.dump(t)
		for _, secret := range []string{canary, "ruangsuara.example", fmt.Sprint([]byte(canary))} {
			if strings.Contains(dump, secret) {
				t.Errorf("%q stands in the rows", secret)
			}
		}
		if v := h.get(t, h.ratna, id); v.Notes[0].Text != canary || v.Assessments[0].Reasons.Texts["id"] != canary || v.Opinions[0].Reasons != canary {
			t.Error("what was sealed does not open")
		}
	})
}

func TestExposureIsCountedBoundedAndOnesOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		add := func(by party.Actor, seconds int) casework.Exposure {
			h.clock.Advance(time.Duration(seconds) * time.Second)
			e, err := h.AddExposure(t.Context(), by, seconds)
			must(t, err)
			return e
		}
		if e := add(h.ratna, 600); e.Visible != 10*time.Minute || e.Break || e.Full {
			t.Errorf("after 10 min: %+v", e)
		}
		if e := add(h.ratna, 590); e.Break {
			t.Errorf("before 20 min in a row: %+v", e)
		}
		if e := add(h.ratna, 60); !e.Break {
			t.Errorf("after 20 min in a row: %+v", e)
		}
		must(t, h.StartBreak(t.Context(), h.ratna))
		if e, err := h.Exposure(t.Context(), h.ratna); err != nil || e.Break {
			t.Errorf("after a break: %+v, %v", e, err)
		}
		if e, err := h.AddExposure(t.Context(), h.ratna, 600); err != nil || e.Visible > 22*time.Minute {
			t.Errorf("ten minutes in no time count as %v (%v)", e.Visible, err)
		}
		_, err := h.AddExposure(t.Context(), h.ratna, -1)
		wantFault(t, err, "case.seconds")
		for range 8 {
			add(h.ratna, 800)
		}
		e, err := h.Exposure(t.Context(), h.ratna)
		must(t, err)
		if !e.Full {
			t.Errorf("after two hours: %+v", e)
		}
		if e, err := h.Exposure(t.Context(), h.dimas); err != nil || e.Visible != 0 {
			t.Errorf("a colleague has %+v (%v)", e, err)
		}
		h.clock.Advance(24 * time.Hour)
		if e, err := h.Exposure(t.Context(), h.ratna); err != nil || e.Full || e.Visible != 0 {
			t.Errorf("the next day: %+v (%v)", e, err)
		}
	})
}

func TestNextOffersLightWorkAfterHeavyAndNothingSkipped(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		heavy := func(i int) casework.ID {
			return h.caseOf(t, h.ratna, h.file(t, report.Submission{
				Channel: report.Web, Locations: []string{fmt.Sprint("https://ruangsuara.example/channel/", i)}, Category: report.Threat, Lang: "id",
				Files: []report.Upload{{Name: "a.txt", MediaType: "text/plain", Content: strings.NewReader(fmt.Sprint("contoh ", i))}},
			}))
		}
		first, second := heavy(1), heavy(2)
		light := h.newCase(t, h.ratna, link)
		next := func(want casework.ID) {
			t.Helper()
			c, ok, err := h.Next(t.Context(), h.ratna)
			must(t, err)
			if (want != "") != ok || c.ID != want {
				t.Fatalf("next is %s (%v), want %s", c.ID, ok, want)
			}
		}
		got, _, err := h.Next(t.Context(), h.ratna)
		must(t, err)
		if got.ID != first && got.ID != second {
			t.Fatalf("first comes %s", got.Ref)
		}
		other := map[casework.ID]casework.ID{first: second, second: first}[got.ID]
		h.take(t, h.ratna, got.ID)
		next(light)
		must(t, h.Skip(t.Context(), h.ratna, light))
		next(other) // no light one is left
		must(t, h.Skip(t.Context(), h.ratna, other))
		next("")
		if c, ok, err := h.Next(t.Context(), h.dimas); err != nil || !ok || c.ID == got.ID {
			t.Errorf("a colleague is offered %s (%v)", c.ID, err)
		}
	})
}

func TestTheSweepRanksWhatHasWaited(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		before := h.get(t, h.ratna, id).Case
		h.clock.Advance(12 * time.Hour)
		n, err := h.Sweep(t.Context(), h.clock.Now(), 100)
		must(t, err)
		after := h.get(t, h.ratna, id).Case
		if n != 1 || after.Priority <= before.Priority || after.Version != before.Version {
			t.Errorf("%d swept, %d points after %d", n, after.Priority, before.Priority)
		}
		if n, err := h.Sweep(t.Context(), h.clock.Now(), 100); n != 0 || err != nil {
			t.Errorf("again %d (%v)", n, err)
		}
	})
}

func TestACaseIsProposedInPartsAndClosedWithTheLast(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link, "https://berkas.example/f/abc")
		h.ready(t, h.ratna, id, string(policy.RemovalOrder))
		locations := h.get(t, h.ratna, id).Case.LocationIDs
		part := func(ls ...report.LocationID) (d casework.Dossier, err error) {
			err = h.tx(t, func(ctx context.Context, tx *db.Tx) (err error) {
				d, err = h.FreezeTx(ctx, tx, h.ratna, casework.Freeze{CaseID: id, LocationIDs: ls, To: h.bagus.Party, Measure: "removal-order"}, h.clock.Now())
				return err
			})
			return d, err
		}
		one, err := part(locations[0])
		must(t, err)
		_, err = part(locations...)
		wantFault(t, err, "case.location-proposed")
		_, err = part("elsewhere")
		wantFault(t, err, "case.location")
		_, err = part()
		wantFault(t, err, "fault.required")
		two, err := part(locations[1])
		must(t, err)
		for _, dossier := range []casework.Dossier{one, two} {
			must(t, h.act(t, h.ratna, id, casework.Decide, dossier.ID))
		}
		wantFault(t, h.act(t, h.ratna, id, casework.Decide, one.ID), "case.dossier-state")
		must(t, h.act(t, h.ratna, id, casework.Finish, one.ID))
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Decided {
			t.Errorf("with one of two ended the case is %s", c.State)
		}
		must(t, h.act(t, h.ratna, id, casework.Finish, two.ID))
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Closed {
			t.Errorf("with both ended the case is %s", c.State)
		}
	})
}

// A dossier changed in the database is noticed, not shown.
func TestAForgedDossierIsNotReturned(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		id := h.newCase(t, h.ratna, link)
		h.ready(t, h.ratna, id, string(policy.RemovalOrder))
		dossier, err := h.freeze(t, h.ratna, id, h.bagus.Party)
		must(t, err)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE dossiers SET digest = $2 WHERE id = $1`, dossier.ID, bytes.Repeat([]byte{7}, 32))
			return err
		})
		if _, err := h.Dossier(t.Context(), d, dossier.ID); err == nil || errors.Is(err, db.ErrAbsent) {
			t.Errorf("a forged dossier: %v", err)
		}
	})
}
