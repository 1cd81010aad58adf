package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/mail/mailtest"
	"github.com/tangkal/tangkal/internal/party"
	telling "github.com/tangkal/tangkal/internal/tell"
)

// atEight is eight in the morning in Jakarta.
func atEight() clock.Clock { return clock.NewManual(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)) }

// What a clock runs on is told at once, to those who can do something about it
// and nobody else, and to nobody who said no.
func TestStaffAreToldAtOnceOfWhatIsUrgent(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		officer := x.Cast(t, "officer")
		if err := x.App.Tell.SetWish(t.Context(), officer.Actor, telling.Wish{Daily: telling.NoDaily}); err != nil {
			t.Fatal(err)
		}
		st := inIndonesia(t, x)
		st.report(t, 1)
		st.draft(t)
		st.analyst.sign(t, "propose", st.id)
		approver := x.Cast(t, "approver").Email
		eventually(t, "a letter to the approver", func() bool { return len(lettersTo(s, approver)) == 1 })
		subject, text := plain(t, lettersTo(s, approver)[0])
		for _, never := range []string{st.link, st.id, st.caseID, "recruitment", "Ruangsuara", "/approvals"} {
			if strings.Contains(subject+text, never) {
				t.Errorf("it says %q:\n%s", never, text)
			}
		}
		if !strings.Contains(subject, st.ref) || !strings.Contains(text, x.URL) || !strings.Contains(text, "Profil saya") {
			t.Errorf("letter: %s\n%s", subject, text)
		}
		st.approver.sign(t, "approve", st.id)
		eventually(t, "a letter to the officer who wants to be told", func() bool { return len(lettersTo(s, x.Cast(t, "second-officer").Email)) == 1 })
		st.officer.sign(t, "issue", st.id)
		eventually(t, "a letter to the platform's staff", func() bool { return len(lettersTo(s, x.Cast(t, "platform").Email)) == 1 })
		for _, name := range []string{"analyst", "second-analyst", "agency-admin", "officer", "same-approver", "same-officer", "other-platform", "reviewer"} {
			if got := lettersTo(s, x.Cast(t, name).Email); len(got) > 0 {
				_, text := plain(t, got[0])
				t.Errorf("%s was told:\n%s", name, text)
			}
		}
	})
}

// A digest comes once a day, at the person's own hour, if something waits.
func TestADigestComesOnceADay(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		now := x.Clock.(*clock.Manual)
		approver, analyst := x.Cast(t, "approver"), x.Cast(t, "second-analyst")
		for _, p := range []*exchangetest.Person{approver, analyst} {
			if err := x.App.Tell.SetWish(t.Context(), p.Actor, telling.Wish{Daily: 9}); err != nil {
				t.Fatal(err)
			}
		}
		st := inIndonesia(t, x)
		st.report(t, 1)
		st.draft(t)
		st.analyst.sign(t, "propose", st.id)
		digests := func(want int) {
			t.Helper()
			for range 3 {
				if err := x.App.Tell.Digests(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			written, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM mails WHERE person_id = $1`, string(approver.Person))
			if err != nil || int(written) != want {
				t.Fatalf("%d letters, want %d (%v)", written, want, err)
			}
			eventually(t, "the digests", func() bool { return len(lettersTo(s, approver.Email)) == want })
		}
		digests(0) // not yet nine
		now.Advance(61 * time.Minute)
		digests(1)
		now.Advance(20 * time.Hour)
		digests(1) // five in the morning
		now.Advance(4 * time.Hour)
		digests(2)
		subject, text := plain(t, lettersTo(s, approver.Email)[0])
		if !strings.Contains(subject+text, "1") || !strings.Contains(text, "usulan untuk disetujui") || strings.Contains(text, st.ref) {
			t.Errorf("digest: %s\n%s", subject, text)
		}
		if n := len(lettersTo(s, analyst.Email)); n != 0 {
			t.Errorf("%d letters to somebody for whom nothing waits", n)
		}
		if err := x.App.Tell.SetWish(t.Context(), approver.Actor, telling.Wish{Daily: telling.NoDaily}); err != nil {
			t.Fatal(err)
		}
		now.Advance(24 * time.Hour)
		digests(2) // no more
	})
}

// No clock lapses because an approver sleeps: whoever is on duty is called at
// once, the deputy when half of the step's time is over, then everybody with
// the right; each once, whatever they wished, and nobody after the signature.
func TestDutyIsCalledInStages(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		now := x.Clock.(*clock.Manual)
		org := party.Party{Code: "tangkal-daring", Zone: "Asia/Jakarta"}
		on, deputy, third := x.Cast(t, "approver"), x.Join(t, "deputy", org, party.Approver), x.Join(t, "third", org, party.Approver)
		for _, p := range []*exchangetest.Person{on, deputy, third} {
			if err := x.App.Tell.SetWish(t.Context(), p.Actor, telling.Wish{Daily: telling.NoDaily}); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.App.Duty.Add(t.Context(), x.Cast(t, "agency-admin").Actor, duty.Plan{
			Role: party.Approver, Weekdays: []time.Weekday{time.Monday}, From: 6 * 60, To: 14 * 60, Person: on.Person, Deputy: deputy.Person,
		}); err != nil {
			t.Fatal(err)
		}
		st := inIndonesia(t, x)
		st.report(t, 1)
		st.draft(t)
		st.analyst.sign(t, "propose", st.id)
		called := func(what string, want ...int) {
			t.Helper()
			for range 3 {
				if err := x.App.Tell.Calls(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for i, p := range []*exchangetest.Person{on, deputy, third, x.Cast(t, "analyst")} {
				n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM mails WHERE person_id = $1`, string(p.Person))
				if err != nil || int(n) != want[i] {
					t.Errorf("%s: %d letters to person %d, want %d (%v)", what, n, i, want[i], err)
				}
			}
		}
		// The pack gives an approval 30 minutes.
		called("at once", 1, 0, 0, 0)
		now.Advance(14 * time.Minute)
		called("before half", 1, 0, 0, 0)
		now.Advance(2 * time.Minute)
		called("after half", 1, 1, 0, 0)
		now.Advance(8 * time.Minute)
		called("after three quarters", 2, 2, 1, 0)
		// Before the clock leaps: a letter under way for a day is sent once more.
		eventually(t, "the letters", func() bool { return len(lettersTo(s, third.Email)) == 1 })
		now.Advance(24 * time.Hour)
		called("a day later", 2, 2, 1, 0)
		if subject, text := plain(t, lettersTo(s, third.Email)[0]); !strings.Contains(subject, st.ref) || strings.Contains(text, st.link) {
			t.Errorf("letter: %s\n%s", subject, text)
		}
		st.approver.sign(t, "approve", st.id)
		called("after the signature", 2, 2, 1, 0)
	})
}

// Who proposed cannot approve: a proposer on duty is passed over, and their
// deputy called at once.
func TestDutyPassesOverWhoMayNotSign(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, _ *mailtest.Server) {
		org := party.Party{Code: "tangkal-daring", Zone: "Asia/Jakarta"}
		both, deputy := x.Join(t, "both", org, party.Analyst, party.Approver), x.Cast(t, "approver")
		for _, p := range []*exchangetest.Person{both, deputy} {
			if err := x.App.Tell.SetWish(t.Context(), p.Actor, telling.Wish{Daily: telling.NoDaily}); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.App.Duty.Add(t.Context(), x.Cast(t, "agency-admin").Actor, duty.Plan{
			Role: party.Approver, Weekdays: []time.Weekday{time.Monday}, From: 6 * 60, To: 14 * 60, Person: both.Person, Deputy: deputy.Person,
		}); err != nil {
			t.Fatal(err)
		}
		st := inIndonesia(t, x)
		st.analyst = clientOf(t, x, "both")
		st.report(t, 1)
		st.draft(t)
		st.analyst.sign(t, "propose", st.id)
		if err := x.App.Tell.Calls(t.Context()); err != nil {
			t.Fatal(err)
		}
		for p, want := range map[*exchangetest.Person]int64{both: 0, deputy: 1} {
			n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM mails WHERE person_id = $1`, string(p.Person))
			if err != nil || n != want {
				t.Errorf("%s: %d letters, want %d (%v)", p.Name, n, want, err)
			}
		}
	})
}

// When a webhook begins to fail, and when it is paused, the administrators of
// its organisation are told by mail, once each, and nobody else is.
func TestAdministratorsAreToldThatTheirWebhookFails(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		now := x.Clock.(*clock.Manual)
		admin := x.Cast(t, "platform")
		down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
		t.Cleanup(down.Close)
		e, _, err := x.App.Outbox.AddEndpoint(t.Context(), admin.Actor, down.URL+"/secret-path", "desk", []string{"drill.*"})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := x.App.Feed.Record(ctx, tx, feed.Event{Kind: "drill.held", Object: "drill", ObjectID: "d1", Audience: []string{string(admin.Party)}, At: now.Now()})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		tried := func(n int64) {
			t.Helper()
			eventually(t, "an attempt", func() bool {
				got, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM delivery_attempts WHERE endpoint_id = $1`, e.ID)
				return err == nil && got >= n
			})
		}
		letters := func() []mailtest.Letter { return lettersTo(s, admin.Email) }
		n := int64(1)
		for tried(n); n < 5; tried(n) {
			if len(letters()) > 0 {
				t.Fatalf("told after %d failures", n)
			}
			now.Advance(time.Hour + 10*time.Minute)
			n++
		}
		eventually(t, "the letter that it fails", func() bool { return len(letters()) == 1 })
		for now.Now().Before(time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)) {
			now.Advance(27 * time.Hour)
			n++
			tried(n)
		}
		eventually(t, "the letter that it is paused", func() bool { return len(letters()) == 2 })
		for i, want := range []string{"fails: 127.0.0.1", "paused: 127.0.0.1"} {
			subject, text := plain(t, letters()[i])
			if admin.Lang == "id" {
				want = strings.NewReplacer("fails", "gagal", "paused", "dijeda").Replace(want)
			}
			if !strings.Contains(subject, want) || strings.Contains(text, "secret-path") || !strings.Contains(text, "127.0.0.1") {
				t.Errorf("letter %d: %s\n%s", i, subject, text)
			}
		}
		for _, name := range []string{"other-platform", "analyst", "agency-admin", "second-officer"} {
			if got := lettersTo(s, x.Cast(t, name).Email); len(got) > 0 {
				t.Errorf("%s was told", name)
			}
		}
	})
}
