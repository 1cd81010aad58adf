package clocks_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
)

var packs = policy.Default()

func pack(t interface{ Fatalf(string, ...any) }, code string, version int) policy.Pack {
	p, ok := packs.Version(code, version)
	if !ok {
		t.Fatalf("no pack %s-%d", code, version)
	}
	return p
}

// at returns a time of 19 November 2026, a Thursday, in Jakarta.
func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-11-19T"+clock+":00+07:00")
	if err != nil {
		panic(err)
	}
	return t
}

func TestReceiptClockGoesFromChannelToLegalRepresentative(t *testing.T) {
	t.Parallel()
	id := pack(t, "id", 3) // unreceived after 30 min; channel at once, contact 60 min, representative 1440 min later
	sent := at("08:26")
	for _, tt := range []struct {
		after       time.Duration
		state       clocks.ReceiptState
		stage, next clocks.Stage
		nextAfter   time.Duration
	}{
		{0, clocks.Waiting, clocks.FirstChannel, clocks.NextChannel, 30 * time.Minute},
		{30*time.Minute - 1, clocks.Waiting, clocks.FirstChannel, clocks.NextChannel, 30 * time.Minute},
		{30 * time.Minute, clocks.Unreceived, clocks.NextChannel, clocks.NextContact, 90 * time.Minute},
		{90 * time.Minute, clocks.Unreceived, clocks.NextContact, clocks.LegalRepresentative, 1470 * time.Minute},
		{1470 * time.Minute, clocks.Unreceived, clocks.LegalRepresentative, "", 0},
	} {
		c := clocks.Receipt(sent, sent.Add(tt.after), id)
		var nextAt time.Time
		if tt.next != "" {
			nextAt = sent.Add(tt.nextAfter)
		}
		if c.State != tt.state || c.Stage != tt.stage || c.Next != tt.next || !c.NextAt.Equal(nextAt) {
			t.Errorf("after %v: %+v, want %v %v then %v at %v", tt.after, c, tt.state, tt.stage, tt.next, nextAt)
		}
	}
}

func TestDeemedServiceNeedsThreeFullWorkingDays(t *testing.T) {
	t.Parallel()
	id := pack(t, "id", 3)
	// Sent on a Thursday: Friday, Monday and Tuesday are the three days.
	want := time.Date(2026, 11, 25, 0, 0, 0, 0, id.Calendar.Location())
	if c := clocks.Receipt(at("08:26"), at("09:00"), id); !c.DeemedFrom.Equal(want) || c.NoDeemed != nil {
		t.Errorf("deemed from %v (%v), want %v", c.DeemedFrom, c.NoDeemed, want)
	}
	// Christmas on a Friday and a weekend between: Thursday 24, Monday 28, Tuesday 29.
	sent := time.Date(2026, 12, 23, 23, 30, 0, 0, id.Calendar.Location())
	want = time.Date(2026, 12, 30, 0, 0, 0, 0, id.Calendar.Location())
	if c := clocks.Receipt(sent, sent, id); !c.DeemedFrom.Equal(want) {
		t.Errorf("deemed from %v, want %v", c.DeemedFrom, want)
	}
	// 17:30 UTC on Wednesday is Thursday in Jakarta: the pack's zone decides.
	if c := clocks.Receipt(time.Date(2026, 11, 18, 17, 30, 0, 0, time.UTC), at("09:00"), id); !c.DeemedFrom.Equal(time.Date(2026, 11, 25, 0, 0, 0, 0, id.Calendar.Location())) {
		t.Errorf("zone: deemed from %v", c.DeemedFrom)
	}
}

func TestMayDeem(t *testing.T) {
	t.Parallel()
	id, eu := pack(t, "id", 3), pack(t, "eu-tco", 2)
	ok := clocks.Service{SentAt: at("08:26"), Methods: []string{"api", "paper"}, Persons: []string{"a", "b"}}
	late := time.Date(2026, 11, 25, 0, 0, 0, 0, id.Calendar.Location())
	one, same := ok, ok
	one.Methods = []string{"api", "api", ""}
	same.Persons = []string{"a", "a"}
	for _, tt := range []struct {
		name string
		s    clocks.Service
		now  time.Time
		p    policy.Pack
		code string
	}{
		{"by two with evidence of two methods", ok, late, id, ""},
		{"a moment early", ok, late.Add(-1), id, "policy.deemed.early"},
		{"one method twice", one, late, id, "policy.deemed.methods"},
		{"one person twice", same, late, id, "policy.deemed.persons"},
		{"EU", ok, late.AddDate(1, 0, 0), eu, "policy.deemed.refused"},
	} {
		err := clocks.MayDeem(tt.s, tt.now, tt.p)
		if (err == nil) != (tt.code == "") || (err != nil && !fault.Is(err, tt.code)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
	}
}

// Regulation (EU) 2021/784 has no deemed receipt, however long a platform is
// silent.
func TestEUNeverBecomesDeemed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		eu := pack(t, "eu-tco", rapid.IntRange(1, 2).Draw(t, "version"))
		sent := drawTime(t, "sent")
		now := sent.Add(time.Duration(rapid.Int64Range(0, int64(20*365*24*time.Hour)).Draw(t, "silence")))
		c := clocks.Receipt(sent, now, eu)
		if !c.DeemedFrom.IsZero() || c.NoDeemed == nil || c.NoDeemed.EN == "" {
			t.Fatalf("deemed from %v, reason %v", c.DeemedFrom, c.NoDeemed)
		}
		if err := clocks.MayDeem(clocks.Service{SentAt: sent, Methods: []string{"a", "b"}, Persons: []string{"a", "b"}}, now, eu); !fault.Is(err, "policy.deemed.refused") {
			t.Fatalf("MayDeem: %v", err)
		}
	})
}

func TestAnswerClock(t *testing.T) {
	t.Parallel()
	hour := func(h, m int) time.Time {
		return at("08:40").Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
	}
	order := func(pauses ...clocks.Interval) clocks.Answer {
		return clocks.Answer{ReceivedAt: at("08:40"), AllowedMinutes: 240, Pauses: pauses, PauseLimit: time.Hour}
	}
	ask := func(from, to time.Time) clocks.Interval {
		return clocks.Interval{Kind: policy.Clarify, From: from, To: to}
	}
	none := time.Time{}
	for _, tt := range []struct {
		name string
		a    clocks.Answer
		now  time.Time
		want clocks.AnswerClock
	}{
		{"a referral has none", clocks.Answer{ReceivedAt: at("08:40")}, hour(99, 0), clocks.AnswerClock{State: clocks.NoClock}},
		{"it starts at receipt, not at issue", clocks.Answer{AllowedMinutes: 60}, hour(9, 0), clocks.AnswerClock{State: clocks.NoClock}},
		{"running", order(), hour(1, 0), clocks.AnswerClock{State: clocks.Running, Due: hour(4, 0), Remaining: 3 * time.Hour}},
		{"the due time is its last moment", order(), hour(4, 0), clocks.AnswerClock{State: clocks.Running, Due: hour(4, 0)}},
		{"overdue after it", order(), hour(4, 1), clocks.AnswerClock{State: clocks.Overdue, Due: hour(4, 0), Overdue: time.Minute}},
		{
			"08:40 + 4 h + 41 min of clarification is 13:21", order(ask(at("09:15"), at("09:56"))), at("13:24"),
			clocks.AnswerClock{State: clocks.Overdue, Due: at("13:21"), Overdue: 3 * time.Minute, Paused: 41 * time.Minute},
		},
		{
			"an open pause keeps what remained", order(ask(hour(1, 0), none)), hour(9, 0),
			clocks.AnswerClock{State: clocks.Paused, Due: hour(12, 0), Remaining: 3 * time.Hour, Paused: 8 * time.Hour},
		},
		{
			"pauses that overlap count once", order(ask(hour(1, 0), hour(2, 0)), ask(hour(1, 30), hour(2, 30))), hour(3, 0),
			clocks.AnswerClock{State: clocks.Running, Due: hour(5, 30), Remaining: 150 * time.Minute, Paused: 90 * time.Minute},
		},
		{
			"a pause asked for too late counts nothing", order(ask(hour(4, 1), none)), hour(5, 0),
			clocks.AnswerClock{State: clocks.Overdue, Due: hour(4, 0), Overdue: time.Hour},
		},
		{
			"refused consent: the limit bites", order(clocks.Interval{Kind: policy.Impossible, From: hour(1, 0), RefusedAt: hour(1, 10)}), hour(3, 0),
			clocks.AnswerClock{State: clocks.Running, Due: hour(5, 0), Remaining: 2 * time.Hour, Paused: time.Hour},
		},
		{
			"refused late: what passed in silence stays", order(clocks.Interval{Kind: policy.Impossible, From: hour(1, 0), RefusedAt: hour(3, 0)}), hour(4, 0),
			clocks.AnswerClock{State: clocks.Running, Due: hour(6, 0), Remaining: 2 * time.Hour, Paused: 2 * time.Hour},
		},
	} {
		got := tt.a.At(tt.now)
		if !got.Due.Equal(tt.want.Due) {
			t.Errorf("%s: due %v, want %v", tt.name, got.Due, tt.want.Due)
		}
		got.Due = tt.want.Due
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestPausesNeverShorten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, now := drawAnswer(t)
		before := a.At(now)
		more := a
		more.Pauses = append(a.Pauses[:len(a.Pauses):len(a.Pauses)], drawInterval(t, a.ReceivedAt))
		after := more.At(now)
		if after.Due.Before(before.Due) {
			t.Fatalf("due %v became %v with %+v", before.Due, after.Due, more.Pauses)
		}
		if before.State == clocks.Running && after.State == clocks.Overdue {
			t.Fatal("a pause made the item overdue")
		}
	})
}

// While the platform waits for the issuer nothing is lost to it: what remained
// when it asked still remains, however long the silence.
func TestIssuerSilenceNeverHurtsThePlatform(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, _ := drawAnswer(t)
		asked := a.ReceivedAt.Add(time.Duration(rapid.Int64Range(0, int64(a.AllowedMinutes)).Draw(t, "asked")) * time.Minute)
		for i := range a.Pauses {
			a.Pauses[i].To = a.Pauses[i].From // what came before is over
		}
		then := a.At(asked)
		a.Pauses = append(a.Pauses, clocks.Interval{Kind: policy.Clarify, From: asked})
		silence := time.Duration(rapid.Int64Range(0, int64(1000*24*time.Hour)).Draw(t, "silence"))
		c := a.At(asked.Add(silence))
		if c.State != clocks.Paused || c.Remaining != then.Remaining {
			t.Fatalf("after %v of silence: %+v, remaining was %v", silence, c, then.Remaining)
		}
	})
}

// Nothing that time alone does takes an item back from overdue, and the words
// of a clock never contradict its figures.
func TestOverdueStaysOverdue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, now := drawAnswer(t)
		c := a.At(now)
		if c.Remaining < 0 || c.Overdue < 0 || (c.State == clocks.Overdue) != (c.Overdue > 0) {
			t.Fatalf("%+v", c)
		}
		if c.State == clocks.Overdue {
			later := a.At(now.Add(time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "later"))))
			if later.State != clocks.Overdue || !later.Due.Equal(c.Due) {
				t.Fatalf("%+v became %+v", c, later)
			}
		}
	})
}

func TestMayPause(t *testing.T) {
	t.Parallel()
	id := pack(t, "id", 3)
	received := at("08:40")
	one := clocks.Interval{Kind: policy.Clarify, From: at("08:50"), To: at("09:00")}
	day := clocks.Interval{Kind: policy.Impossible, From: at("08:50"), To: at("08:50").Add(24 * time.Hour)}
	for _, tt := range []struct {
		name   string
		pauses []clocks.Interval
		kind   policy.PauseKind
		code   string
	}{
		{"the first", nil, policy.Clarify, ""},
		{"the second", []clocks.Interval{one}, policy.Clarify, ""},
		{"the third needs consent", []clocks.Interval{one, one}, policy.Clarify, "policy.pause.refused-count"},
		{"an error is no clarification", []clocks.Interval{one, one}, policy.ManifestError, ""},
		{"24 hours are used up", []clocks.Interval{day}, policy.Impossible, "policy.pause.refused-total"},
		{"an unknown kind", nil, "holiday", "policy.pause.refused-kind"},
	} {
		a := clocks.For(id, received, 240, tt.pauses)
		err := clocks.MayPause(a, tt.kind, received.Add(25*time.Hour), id)
		if (err == nil) != (tt.code == "") || (err != nil && !fault.Is(err, tt.code)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
	}
}

func TestRungsOpenAtTheirTime(t *testing.T) {
	t.Parallel()
	id := pack(t, "id", 3)
	climb := clocks.Climb{ReceivedAt: at("08:40"), Due: at("13:20"), PreviousAt: at("13:24")}
	for code, want := range map[policy.RungCode]time.Time{
		policy.Reminder: at("11:00"), policy.Warning1: at("13:20"), policy.Warning2: at("17:24"),
	} {
		var got time.Time
		for _, r := range id.Ladder.Rungs {
			if r.Code == code {
				got, _ = clocks.Earliest(r, climb)
			}
		}
		if !got.Equal(want) {
			t.Errorf("%s opens %v, want %v", code, got, want)
		}
	}
	for _, r := range id.Ladder.Rungs {
		if _, ok := clocks.Earliest(r, clocks.Climb{}); ok {
			t.Errorf("%s opens before receipt", r.Code)
		}
	}
}

func drawTime(t *rapid.T, name string) time.Time {
	return time.UnixMicro(rapid.Int64Range(1_700_000_000_000_000, 1_900_000_000_000_000).Draw(t, name)).UTC()
}

func drawAnswer(t *rapid.T) (clocks.Answer, time.Time) {
	a := clocks.Answer{
		ReceivedAt:     drawTime(t, "received"),
		AllowedMinutes: rapid.SampledFrom([]int{60, 240, 1440}).Draw(t, "allowed"),
		PauseLimit:     24 * time.Hour,
	}
	for range rapid.IntRange(0, 5).Draw(t, "pauses") {
		a.Pauses = append(a.Pauses, drawInterval(t, a.ReceivedAt))
	}
	return a, a.ReceivedAt.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "now")) * time.Minute)
}

func drawInterval(t *rapid.T, received time.Time) clocks.Interval {
	minutes := func(name string, low, high int) time.Duration {
		return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Minute
	}
	i := clocks.Interval{Kind: rapid.SampledFrom(policy.PauseKinds()).Draw(t, "kind"), From: received.Add(minutes("from", -60, 3000))}
	if rapid.Bool().Draw(t, "closed") {
		i.To = i.From.Add(minutes("length", 0, 3000))
	}
	if rapid.Bool().Draw(t, "refused") {
		i.RefusedAt = i.From.Add(minutes("refused after", 0, 2000))
	}
	return i
}
