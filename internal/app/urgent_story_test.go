package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/mail/mailtest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	telling "github.com/tangkal/tangkal/internal/tell"
)

// alarm is an agency with somebody on duty, a deputy and a third.
type alarm struct {
	*exchangetest.Exchange
	now    *clock.Manual
	people []*exchangetest.Person // on duty, deputy, third, and the admin, who may not look
}

func onAlert(t *testing.T, x *exchangetest.Exchange) alarm {
	t.Helper()
	org := party.Party{Code: "tangkal-daring", Zone: "Asia/Jakarta"}
	a := alarm{x, x.Clock.(*clock.Manual), []*exchangetest.Person{x.Cast(t, "analyst"), x.Join(t, "deputy", org, party.Analyst), x.Cast(t, "approver"), x.Cast(t, "agency-admin")}}
	for _, p := range append(a.people, x.Cast(t, "second-analyst")) { // whatever they wished
		if err := x.App.Tell.SetWish(t.Context(), p.Actor, telling.Wish{Daily: telling.NoDaily}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.App.Duty.Add(t.Context(), a.people[3].Actor, duty.Plan{
		Role: party.Analyst, Weekdays: []time.Weekday{time.Monday}, From: 6 * 60, To: 14 * 60, Person: a.people[0].Person, Deputy: a.people[1].Person,
	}); err != nil {
		t.Fatal(err)
	}
	return a
}

// soon files a report which says that somebody will be hurt soon, and waits
// until it has its case.
func (a alarm) soon(t *testing.T, link string) {
	t.Helper()
	got, err := a.App.Report.Submit(t.Context(), report.Submission{
		Channel: report.Web, Locations: []string{link}, Category: report.Unsure, Lang: "id", Agency: "tangkal-daring", Soon: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the case and its call", func() bool {
		n, err := db.Value[int64](t.Context(), a.App.DB, `
			SELECT count(*) FROM case_reports r JOIN urgent_call_cases u ON u.case_id = r.case_id WHERE r.report_id = $1`, got.ReportID)
		pending, perr := db.Value[int64](t.Context(), a.App.DB, `SELECT count(*) FROM feed_pending`)
		return err == nil && perr == nil && n > 0 && pending == 0
	})
}

// called sweeps and counts the letters to each.
func (a alarm) called(t *testing.T, what string, want ...int) {
	t.Helper()
	for range 3 {
		if err := a.App.Tell.Urgent(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range a.people {
		n, err := db.Value[int64](t.Context(), a.App.DB, `SELECT count(*) FROM mails WHERE person_id = $1`, string(p.Person))
		if err != nil || int(n) != want[i] {
			t.Errorf("%s: %d letters to %s, want %d (%v)", what, n, p.Name, want[i], err)
		}
	}
}

func (a alarm) standing(t *testing.T) (casework.Call, bool) {
	t.Helper()
	c, ok, err := a.App.Casework.StandingCall(t.Context(), a.App.DB, a.people[0].Party)
	if err != nil {
		t.Fatal(err)
	}
	return c, ok
}

// Whoever is on duty is called the moment a report says that somebody will be
// hurt soon, their deputy five minutes later, everybody who may look after
// five more, and again, until one person says that they look. A flood calls
// nobody a second time.
func TestDutyIsCalledWhenSomebodyWillBeHurt(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		a := onAlert(t, x)
		a.soon(t, "https://ruangsuara.example/v/soon-1")
		on := a.people[0]
		eventually(t, "the letter, without any sweep of ours", func() bool { return len(lettersTo(s, on.Email)) == 1 })
		c, _ := a.standing(t)
		subject, text := plain(t, lettersTo(s, on.Email)[0])
		if !strings.Contains(subject, c.Cases[0].Ref) || !strings.Contains(text, x.URL) {
			t.Errorf("letter: %s\n%s", subject, text)
		}
		for _, never := range []string{"ruangsuara", string(c.ID), string(c.Cases[0].ID), "/urgent", "unsure"} {
			if strings.Contains(subject+text, never) {
				t.Errorf("it says %q:\n%s", never, text)
			}
		}
		a.called(t, "at once", 1, 0, 0, 0)
		for range 12 {
			a.soon(t, "https://ruangsuara.example/v/soon-1")
		}
		a.soon(t, "https://ruangsuara.example/v/soon-2")
		a.called(t, "after a flood", 1, 0, 0, 0)
		a.now.Advance(5*time.Minute - time.Second)
		a.called(t, "before five minutes", 1, 0, 0, 0)
		a.now.Advance(time.Second)
		a.called(t, "after five minutes", 1, 1, 0, 0)
		a.now.Advance(5 * time.Minute)
		a.called(t, "after ten minutes", 2, 2, 1, 0)
		a.now.Advance(15 * time.Minute)
		a.called(t, "when still nobody looks", 3, 3, 2, 0)

		if _, err := x.App.Casework.Heed(t.Context(), a.people[1].Actor, c.ID); err != nil {
			t.Fatal(err)
		}
		a.now.Advance(24 * time.Hour)
		a.called(t, "after somebody looked", 3, 3, 2, 0)
		stages, err := telling.CalledFor(t.Context(), x.App.DB, c.ID)
		if err != nil || len(stages) != 4 || stages[1].Stage != telling.Deputies || stages[2].People != 4 {
			t.Errorf("the record of who was called: %+v (%v)", stages, err)
		}
		eventually(t, "the record of it", func() bool {
			n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM feed_entries WHERE kind IN ('case.called', 'case.heeded')`)
			return err == nil && n == 5
		})
	})
}

// A call that nobody ever heeds ends calling by itself, and stands on.
func TestCallingEndsTheCallStands(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, _ *mailtest.Server) {
		a := onAlert(t, x)
		a.soon(t, "https://ruangsuara.example/v/soon-1")
		for range 40 {
			a.now.Advance(5 * time.Minute)
			if err := a.App.Tell.Urgent(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		a.called(t, "after hours", 8, 8, 7, 0)
		if _, ok := a.standing(t); !ok {
			t.Error("the call ended by itself")
		}
	})
}

// Without a rota everybody who may look is called at once; a person who is
// switched off or may not look is not.
func TestWithoutARotaEverybodyIsCalled(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, _ *mailtest.Server) {
		a := onAlert(t, x)
		err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM duty_shifts`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		a.soon(t, "https://ruangsuara.example/v/soon-1")
		a.called(t, "at once", 1, 1, 1, 0)
	})
}

// A shift that nobody of ours wrote calls nobody in its place.
func TestAForgedShiftCallsNobodyElse(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, _ *mailtest.Server) {
		a := onAlert(t, x)
		err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE duty_shifts SET person_id = $1`, a.people[2].Person)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		a.soon(t, "https://ruangsuara.example/v/soon-1")
		a.called(t, "as without a rota", 1, 1, 1, 0)
	})
}
