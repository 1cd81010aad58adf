package casework_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
)

// soon files a report which says that somebody will be hurt soon.
func (h *house) soon(t testing.TB, link string) report.Receipt {
	t.Helper()
	return h.file(t, report.Submission{Channel: report.Web, Locations: []string{link}, Category: report.Unsure, Lang: "id", Agency: "tangkal-daring", Soon: true})
}

// A case of which a reporter says that somebody will be hurt soon comes first,
// with its reason, until somebody has assessed it.
func TestSomebodyWillBeHurtSoonComesFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for i := range 3 {
			h.file(t, report.Submission{Channel: report.Web, Locations: []string{fmt.Sprintf("https://ruangsuara.example/v/threat-%d", i)}, Category: report.Threat, Lang: "id", Agency: "tangkal-daring"})
		}
		id := h.caseOf(t, h.ratna, h.soon(t, "https://ruangsuara.example/v/soon"))
		queue, _, err := h.Queue(t.Context(), h.ratna, casework.Filter{})
		if err != nil || len(queue) != 4 || queue[0].ID != id || queue[0].Priority != 100 || queue[0].Queue != "life" {
			t.Fatalf("the queue is %+v (%v)", queue, err)
		}
		if len(queue[0].Why) == 0 || queue[0].Why[0].Code != casework.WhySoon {
			t.Errorf("it stands there because of %+v", queue[0].Why)
		}
		// A person's finding stands above a reporter's claim.
		f := casework.Facts{Soon: true, Tier: policy.Promotional, OpenedAt: h.clock.Now(), Deadline: h.clock.Now().Add(time.Hour)}
		pack, _ := policy.Default().Current("id", h.clock.Now())
		if points, why := casework.Priority(f, pack.Priority, h.clock.Now()); points >= 50 || why[0].Code != casework.WhyTier {
			t.Errorf("assessed as promotional it has %d points: %+v", points, why)
		}
		// It is not held back from whoever has seen heavy cases.
		heavy := []casework.Case{{ID: "a", Heavy: true, Priority: 100}, {ID: "b", Heavy: true, Priority: 100, Soon: true, AheadAt: h.clock.Now()}}
		if mixed := casework.Mix(heavy); mixed[0].ID != "b" {
			t.Errorf("mixed, %v comes first", mixed[0].ID)
		}
	})
}

// A flood of such reports makes one call: further cases join the one that
// stands, and a case that called does not call again in the same ten minutes.
// Nobody but a person of the agency ends it.
func TestAFloodIsOneCall(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		first := h.caseOf(t, h.ratna, h.soon(t, "https://ruangsuara.example/v/soon-0"))
		for i := range 30 {
			h.soon(t, fmt.Sprintf("https://ruangsuara.example/v/soon-%d", i%25))
		}
		calls := h.calls(t)
		if len(calls) != 1 || calls[0].Count != 25 || calls[0].Cases[0].ID != first || calls[0].Cases[0].Reports != 3 || len(calls[0].Cases) != 20 {
			t.Fatalf("the calls are %+v", calls)
		}
		if n := h.entries(t, casework.EventUrgent); n != 25 {
			t.Errorf("%d entries say that a case joined a call, want 25", n)
		}
		for who, by := range map[string]struct {
			do   func() error
			want fault.Kind
		}{
			"another agency": {func() error { _, err := h.Heed(t.Context(), h.lain, calls[0].ID); return err }, fault.NotFound},
			"oversight":      {func() error { _, err := h.Heed(t.Context(), h.auditor, calls[0].ID); return err }, fault.Denied},
			"an officer":     {func() error { _, err := h.Heed(t.Context(), h.bagus, calls[0].ID); return err }, fault.NotFound},
			"no such call":   {func() error { _, err := h.Heed(t.Context(), h.ratna, "none"); return err }, fault.NotFound},
		} {
			if err := by.do(); fault.Of(err) != by.want {
				t.Errorf("%s: %v, want %s", who, err, by.want)
			}
		}
		got, err := h.Heed(t.Context(), h.sari, calls[0].ID)
		if err != nil || got.HeededBy != h.sari.Person || got.Stands() {
			t.Fatalf("heeded: %+v (%v)", got, err)
		}
		if _, err := h.Heed(t.Context(), h.ratna, calls[0].ID); !fault.Is(err, "case.heeded") {
			t.Errorf("whoever comes second is told %v", err)
		}
		h.drain(t)
		if n := h.entries(t, casework.EventHeeded); n != 1 {
			t.Errorf("%d entries say that somebody looks, want 1", n)
		}

		h.soon(t, "https://ruangsuara.example/v/soon-3") // in the same ten minutes
		if calls := h.calls(t); len(calls) != 1 || calls[0].Stands() {
			t.Errorf("the same case called again at once: %+v", calls)
		}
		h.clock.Advance(casework.SlotOf)
		h.soon(t, "https://ruangsuara.example/v/soon-3")
		if calls := h.calls(t); len(calls) != 2 || !calls[0].Stands() || calls[0].Count != 1 {
			t.Errorf("ten minutes later the calls are %+v", calls)
		}
		others, err := h.LatestCalls(t.Context(), h.lain, 10)
		if err != nil || len(others) != 0 {
			t.Errorf("another agency sees %+v (%v)", others, err)
		}
		all, err := h.LatestCalls(t.Context(), h.auditor, 10)
		if err != nil || len(all) != 2 {
			t.Errorf("oversight sees %d calls (%v)", len(all), err)
		}
	})
}

// After six calls in an hour, the next ones begin to call with the next slot.
func TestManyCallsWaitForTheNextSlot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		h.clock.Set(h.clock.Now().Truncate(casework.SlotOf).Add(casework.SlotOf))
		var waits []time.Duration
		for i := range 9 {
			h.soon(t, fmt.Sprintf("https://ruangsuara.example/v/call-%d", i))
			c := h.calls(t)[0]
			waits = append(waits, c.Since.Sub(c.RaisedAt).Round(time.Minute))
			must1(t)(h.Heed(t.Context(), h.ratna, c.ID))
		}
		want := []time.Duration{0, 0, 0, 0, 0, 0, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Errorf("calls wait: %s", diff)
		}
		h.clock.Advance(2 * time.Hour)
		h.soon(t, "https://ruangsuara.example/v/call-later")
		if c := h.calls(t)[0]; !c.Since.Equal(c.RaisedAt) {
			t.Errorf("two hours later a call waits %s", c.Since.Sub(c.RaisedAt))
		}
	})
}

// A closed case is opened again, since a person must look.
func TestSoonOpensAClosedCase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		const link = "https://ruangsuara.example/v/closed"
		id := h.newCase(t, h.ratna, link)
		h.take(t, h.ratna, id)
		must1(t)(h.Close(t.Context(), h.ratna, []casework.ID{id}, casework.CloseInput{Reason: casework.CloseReasons()[0]}))
		h.soon(t, link)
		if c := h.get(t, h.ratna, id).Case; c.State != casework.Open || c.Priority != 100 {
			t.Errorf("it is %s with %d points", c.State, c.Priority)
		}
	})
}

func (h *house) calls(t testing.TB) []casework.Call {
	t.Helper()
	calls, err := h.LatestCalls(t.Context(), h.ratna, 50)
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

func (h *house) entries(t testing.TB, kind string) int {
	t.Helper()
	n, err := db.Value[int64](context.WithoutCancel(t.Context()), h.db, `SELECT count(*) FROM feed_entries WHERE kind = $1`, kind)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
