package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
)

// silence is a server whose clock stands on a Thursday morning in Jakarta.
func silence(t *testing.T, dbURL string) (*exchangetest.Exchange, *clock.Manual) {
	t.Helper()
	now := clock.NewManual(time.Date(2026, 11, 19, 2, 0, 0, 0, time.UTC))
	return exchangetest.StartOn(t, dbURL, now), now
}

// eachSilence runs f on SQLite and on PostgreSQL.
func eachSilence(t *testing.T, f func(t *testing.T, x *exchangetest.Exchange, now *clock.Manual)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		x, now := silence(t, "sqlite:"+t.TempDir()+"/tangkal.db")
		f(t, x, now)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		x, now := silence(t, dbtest.PostgresURL(t))
		f(t, x, now)
	})
}

// later moves the clock and lets the sweep see it, as it does every second.
func (s *story) later(t *testing.T, now *clock.Manual, d time.Duration) noticeView {
	t.Helper()
	now.Advance(d)
	if err := s.x.App.Notice.Sweep(t.Context(), now.Now()); err != nil {
		t.Fatal(err)
	}
	return s.view(t, s.officer)
}

// steps lists the proof of delivery, as "channel/step".
func (v noticeView) steps() string {
	var all []string
	for _, d := range v.Deliveries {
		all = append(all, d.Channel+"/"+d.Step)
	}
	return strings.Join(all, " ")
}

// why returns whether an act is open to whoever read v, and if not, why.
func (v noticeView) why(t *testing.T, event string) (bool, string) {
	t.Helper()
	for _, a := range v.Acts {
		if a.Event == event {
			return a.Open, a.Why
		}
	}
	t.Fatalf("the reader is not told about %q: %+v", event, v.Acts)
	return false, ""
}

// A platform that stays silent under the pack of Indonesia: every step goes on
// record, and two people may deem service once two methods have failed for
// enough working days. Then the answer clock runs, and runs out.
func TestSilentPlatformIsDeemedServedInIndonesia(t *testing.T) {
	eachSilence(t, func(t *testing.T, x *exchangetest.Exchange, now *clock.Manual) {
		s := inIndonesia(t, x).told(t, 1)
		s.sent(t)
		if v := s.later(t, now, 29*time.Minute); v.Deadline != "awaits" {
			t.Fatalf("%s after 29 minutes, want awaits", v.Deadline)
		}
		v := s.later(t, now, 2*time.Minute)
		if v.Deadline != "unreceived" || !strings.Contains(v.steps(), "route-mail/next-channel") || strings.Contains(v.steps(), "next-contact") {
			t.Fatalf("%s after 31 minutes, with %q", v.Deadline, v.steps())
		}
		if v = s.later(t, now, 25*time.Hour); !strings.Contains(v.steps(), "route-mail/next-contact route-paper/legal-representative") {
			t.Fatalf("after a day on record is %q", v.steps())
		}
		s.deem(t, now)
		if v = s.later(t, now, 2*time.Hour); v.Rung != "reminded" {
			t.Fatalf("rung %s at half time, want reminded", v.Rung)
		}
		v = s.later(t, now, 2*time.Hour+time.Minute)
		if v.Deadline != "overdue" || v.ReceivedAt != nil {
			t.Fatalf("%s, received %v, want overdue and never received", v.Deadline, v.ReceivedAt)
		}
		var r receiptView
		s.reporter.must(t, "GET", "/receipts", nil, &r, "Receipt: "+s.receipt)
		if r.steps() != "received joined in-review ordered overdue" {
			t.Errorf("the reporter sees %q", r.steps())
		}
	})
}

// deem goes from a silent platform to deemed service by two officers.
func (s *story) deem(t *testing.T, now *clock.Manual) {
	t.Helper()
	path := "/notices/" + s.id
	evidence := upload{"evidence", map[string]any{"methods": []string{"portal", "paper"}, "text": "By courier; the guard refused it."}, []string{"an invented docket"}}
	s.officer.want(t, 422, "POST", path+"/deemed", evidence, nil) // paper was never tried
	s.officer.must(t, "POST", path+"/service", upload{"service", map[string]any{"text": "Courier, 20 November."}, []string{"an invented docket"}}, nil)
	s.officer.want(t, 403, "POST", path+"/deemed", evidence, nil) // a Friday is too early
	now.Set(time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC))        // three whole working days later
	one := map[string]any{"methods": []string{"paper"}, "text": "By courier."}
	s.officer.want(t, 403, "POST", path+"/deemed", one, nil)         // one method
	s.analyst.want(t, 403, "POST", path+"/deemed", evidence, nil)    // not the issuer
	s.officer.must(t, "POST", path+"/deemed", evidence, nil)         // the first person
	s.officer.want(t, 403, "POST", path+"/deemed/confirm", nil, nil) // no program confirms
	s.confirms(t, s.officer, fault.Denied)                           // who is not also the second
	if v := s.view(t, s.second); v.Delivery == "deemed" || v.DueAt != nil {
		t.Fatalf("%s, due %v on one person's word", v.Delivery, v.DueAt)
	}
	s.confirms(t, s.second)
	v := s.view(t, s.officer)
	want := now.Now().Add(4 * time.Hour)
	if v.Delivery != "deemed" || v.Deadline != "running" || v.DueAt == nil || !v.DueAt.Equal(want) {
		t.Fatalf("%s, %s, due %v, want deemed and running until %v", v.Delivery, v.Deadline, v.DueAt, want)
	}
}

// Under Regulation (EU) 2021/784 there is no deemed service: the notice stops
// at unreceived for good, and everybody who could want more is told why.
func TestSilentPlatformIsNeverDeemedServedInEurope(t *testing.T) {
	eachSilence(t, func(t *testing.T, x *exchangetest.Exchange, now *clock.Manual) {
		s := inEurope(t, x).told(t, 2)
		s.sent(t)
		v := s.later(t, now, 90*24*time.Hour)
		if v.Deadline != "unreceived" || v.DueAt != nil || v.Life != "open" {
			t.Fatalf("%s, %s, due %v, want open and unreceived without a clock", v.Life, v.Deadline, v.DueAt)
		}
		open, why := v.why(t, "deem")
		if open || !strings.Contains(why, "2021/784") {
			t.Errorf("deemed service is offered (%v) or refused without the pack's sentence: %q", open, why)
		}
		r, err := s.officer.ask(t.Context(), "POST", "/notices/"+s.id+"/deemed", map[string]any{"methods": []string{"portal"}, "text": "Silence."})
		if err != nil || r.status != 403 || !strings.Contains(string(r.body), "2021/784") {
			t.Errorf("%d %v, want a refusal with the pack's sentence\n%s", r.status, err, r.body)
		}
		s.confirms(t, s.officer, fault.Conflict)
		again := s.later(t, now, 365*24*time.Hour)
		if again.steps() != v.steps() || again.Deadline != "unreceived" {
			t.Errorf("a year later %s with %q, want no more than %q", again.Deadline, again.steps(), v.steps())
		}
	})
}

// confirms lets somebody who is there themselves, as no program can be, confirm
// deemed service; refused is the kind of fault to expect, if any.
func (s *story) confirms(t *testing.T, by *client, refused ...fault.Kind) {
	t.Helper()
	_, err := s.x.App.Notice.ConfirmDeemed(t.Context(), by.Actor, notice.ID(s.id))
	if (err == nil) != (len(refused) == 0) || err != nil && fault.Of(err) != refused[0] {
		t.Fatalf("confirm: %v, want %v", err, refused)
	}
}
