package casework_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// act does one event to a case as a page or another room would.
func (h *house) act(t testing.TB, by party.Actor, id casework.ID, event casework.Event, dossier casework.DossierID) error {
	ctx, now := t.Context(), h.clock.Now()
	switch event {
	case casework.Take:
		_, err := h.Take(ctx, by, id)
		return err
	case casework.ReleaseLock:
		return h.Release(ctx, by, id)
	case casework.Skip:
		return h.Skip(ctx, by, id)
	case casework.Assign:
		return h.Assign(ctx, by, id, h.dimas.Person)
	case casework.Assess:
		v, err := h.Get(ctx, h.auditor, id)
		must(t, err)
		_, err = h.Assess(ctx, by, id, v.Case.Assessed, complete())
		return err
	case casework.AskOpinion:
		return h.AskOpinion(ctx, by, id, "")
	case casework.GiveOpinion:
		return h.GiveOpinion(ctx, by, id, casework.Opinion{PurposeTests: tests(notes.No)})
	case casework.AddEvidence:
		_, err := h.AddCapture(ctx, by, id, "", []casework.Upload{{Name: "a", MediaType: "text/plain", Content: strings.NewReader("contoh")}})
		return err
	case casework.NoEvidence:
		return h.NoCaptureReason(ctx, by, id, "Tidak dapat direkam.")
	case casework.Hold:
		return h.Hold(ctx, by, id, "operation", time.Hour)
	case casework.EndHold:
		return h.EndHold(ctx, by, id, "go-on")
	case casework.Propose:
		_, err := h.freeze(t, by, id, h.bagus.Party)
		return err
	case casework.HandOver:
		_, err := h.HandOver(ctx, by, id, casework.HandOverInput{To: h.lain.Party})
		return err
	case casework.Close:
		_, err := h.Close(ctx, by, []casework.ID{id}, casework.CloseInput{Reason: "no-ground"})
		return err
	case casework.Return:
		return h.tx(t, func(ctx context.Context, tx *db.Tx) error { return h.ReturnTx(ctx, tx, h.sari, dossier, nil, "", now) })
	case casework.Decide:
		return h.tx(t, func(ctx context.Context, tx *db.Tx) error { return h.DecideTx(ctx, tx, dossier, "removal-order", now) })
	case casework.Finish:
		return h.tx(t, func(ctx context.Context, tx *db.Tx) error { return h.FinishTx(ctx, tx, dossier, "complied", nil, now) })
	default:
		t.Fatalf("no way to do %s", event)
		return nil
	}
}

// people are the events that a person does to a case.
var people = []casework.Event{
	casework.Take, casework.ReleaseLock, casework.Skip, casework.Assign, casework.Assess, casework.AskOpinion, casework.GiveOpinion,
	casework.AddEvidence, casework.NoEvidence, casework.Hold, casework.EndHold, casework.Propose, casework.HandOver, casework.Close,
}

// inState brings a fresh case to a state, with the dossier that it has there.
func (h *house) inState(t testing.TB, s casework.State, n int) (casework.ID, casework.DossierID) {
	t.Helper()
	id := h.newCase(t, h.ratna, link+strings.Repeat("x", n+1))
	if s == casework.Open {
		return id, ""
	}
	if s == casework.HandedOver {
		h.ready(t, h.ratna, id, casework.MeasureHandOver)
		must1(t)(h.HandOver(t.Context(), h.ratna, id, casework.HandOverInput{To: h.lain.Party}))
		return id, h.get(t, h.ratna, id).Dossiers[0].ID
	}
	h.ready(t, h.ratna, id, string(policy.RemovalOrder))
	if s == casework.Taken {
		return id, ""
	}
	d, err := h.freeze(t, h.ratna, id, h.bagus.Party)
	must(t, err)
	for _, e := range map[casework.State][]casework.Event{casework.Decided: {casework.Decide}, casework.Closed: {casework.Decide, casework.Finish}}[s] {
		must(t, h.act(t, h.ratna, id, e, d.ID))
	}
	return id, d.ID
}

// Whatever is not in the table is refused with a reason of its own, and leaves
// every row as it was.
func TestWrongTransitionsAreRefusedAndChangeNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for n, state := range casework.States() {
			id, dossier := h.inState(t, state, n)
			h.drain(t)
			if got := h.get(t, h.ratna, id).Case.State; got != state {
				t.Fatalf("the case is %s, want %s", got, state)
			}
			tried := slices.Clone(people)
			if dossier != "" {
				tried = append(tried, casework.Return, casework.Decide, casework.Finish)
			}
			before := h.dump(t)
			for _, event := range tried {
				if inTable(state, event) {
					continue
				}
				err := h.act(t, h.ratna, id, event, dossier)
				wantFault(t, err, "case.in-"+string(state))
				if h.dump(t) != before {
					t.Fatalf("%s of a case that is %s changed something", event, state)
				}
			}
			for _, stranger := range []party.Actor{h.lain, h.bagus, {}} {
				for _, event := range people {
					err := h.act(t, stranger, id, event, dossier)
					if k := fault.Of(err); k != fault.NotFound && (k != fault.Denied || stranger.Known()) {
						t.Fatalf("%s by a stranger: %v", event, err)
					}
				}
			}
			for _, event := range people { // they read, and do nothing
				if err := h.act(t, h.auditor, id, event, dossier); fault.Of(err) != fault.Denied {
					t.Fatalf("%s by oversight: %v", event, err)
				}
			}
			if h.dump(t) != before {
				t.Fatalf("a stranger changed a case that is %s", state)
			}
		}
	})
}

func inTable(s casework.State, e casework.Event) bool {
	return slices.ContainsFunc(casework.Transitions(), func(t casework.Transition) bool { return t.From == s && t.Event == e })
}

// Every list and every getter agrees with auth.May, for everybody.
func TestTheQueueHoldsExactlyWhatMayBeRead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		rnd := rand.New(rand.NewPCG(1, 2))
		var all []casework.ID
		owners := []party.Actor{h.ratna, h.lain, h.ketiga}
		for i := range 24 {
			by := owners[rnd.IntN(len(owners))]
			id := h.newCase(t, by, link+strings.Repeat("q", i+1))
			if rnd.IntN(2) == 0 {
				h.take(t, by, id)
			}
			all = append(all, id)
		}
		for _, by := range append(owners, h.dimas, h.sari, h.bagus, h.auditor) {
			var want []casework.ID
			for _, id := range all {
				c, err := h.CaseTx(t.Context(), d, id)
				must(t, err)
				if auth.May(by, auth.CaseRead, c.Object()) == nil {
					want = append(want, id)
				}
				_, err = h.Get(t.Context(), by, id)
				if (err == nil) != (auth.May(by, auth.CaseRead, c.Object()) == nil) {
					t.Errorf("Get of %s by %s: %v", id, by.Name, err)
				}
			}
			got := h.pages(t, by, casework.Filter{Limit: 5})
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s reads %d cases, want %d", by.Name, by.PartyKind, len(got), len(want))
			}
			counts, err := h.Counts(t.Context(), by)
			must(t, err)
			if counts.Waiting != len(want) {
				t.Errorf("%s counts %d waiting, want %d", by.Name, counts.Waiting, len(want))
			}
		}
		if _, _, err := h.Queue(t.Context(), party.Actor{}, casework.Filter{}); fault.Of(err) != fault.Denied {
			t.Errorf("the queue without an actor: %v", err)
		}
	})
}

// pages reads a queue to its end and checks its order on the way.
func (h *house) pages(t testing.TB, by party.Actor, f casework.Filter) []casework.ID {
	t.Helper()
	var ids []casework.ID
	last := 101
	for {
		cases, next, err := h.Queue(t.Context(), by, f)
		must(t, err)
		for _, c := range cases {
			if c.Priority > last || slices.Contains(ids, c.ID) {
				t.Fatalf("%s with %d points comes after %d, or again", c.Ref, c.Priority, last)
			}
			last = c.Priority
			ids = append(ids, c.ID)
		}
		if next == "" {
			return ids
		}
		f.Cursor = next
	}
}

func TestTheQueueCanBeNarrowed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		mine, free := h.newCase(t, h.ratna, link), h.newCase(t, h.ratna, "https://berkas.example/f/abc")
		h.take(t, h.dimas, mine)
		c := h.get(t, h.ratna, free).Case
		for name, q := range map[string]struct {
			f    casework.Filter
			want []casework.ID
		}{
			"free":     {casework.Filter{Free: true}, []casework.ID{free}},
			"holder":   {casework.Filter{Holder: h.dimas.Person}, []casework.ID{mine}},
			"platform": {casework.Filter{Platform: "ruangsuara"}, []casework.ID{mine}},
			"queue":    {casework.Filter{Queue: c.Queue, States: []casework.State{casework.Open}}, []casework.ID{free}},
			"ref":      {casework.Filter{Ref: c.Ref[len(c.Ref)-5:]}, []casework.ID{free}},
			"state":    {casework.Filter{States: []casework.State{casework.Closed}}, nil},
		} {
			if got := h.pages(t, h.ratna, q.f); !slices.Equal(got, q.want) {
				t.Errorf("%s: %v, want %v", name, got, q.want)
			}
		}
		_, _, err := h.Queue(t.Context(), h.ratna, casework.Filter{Cursor: "x"})
		wantFault(t, err, "db.cursor")
		_, _, err = h.Queue(t.Context(), h.ratna, casework.Filter{States: []casework.State{"lost"}})
		wantFault(t, err, "case.value")
	})
}

// A long walk of random acts by random people never reaches a state that the
// domain forbids.
func TestRandomWalksKeepTheInvariants(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	walk := 0
	rapid.Check(t, func(rt *rapid.T) {
		walk++
		id := h.newCase(t, h.ratna, link+"w"+strings.Repeat("y", walk))
		var dossier casework.DossierID
		version := h.get(t, h.ratna, id).Case.Version
		for range rapid.IntRange(3, 12).Draw(rt, "steps") {
			by := rapid.SampledFrom([]party.Actor{h.ratna, h.ratna, h.ratna, h.dimas, h.sari, h.lain, h.auditor}).Draw(rt, "by")
			events := people
			if dossier != "" {
				events = append(slices.Clone(people), casework.Return, casework.Decide, casework.Finish)
			}
			event := rapid.SampledFrom(events).Draw(rt, "event")
			before := h.get(t, h.auditor, id).Case
			err := h.act(t, by, id, event, dossier)
			if err != nil && fault.Of(err) == fault.Internal {
				rt.Fatalf("%s of %s: %v", event, before.State, err)
			}
			v := h.get(t, h.auditor, id)
			c := v.Case
			if len(v.Dossiers) > 0 {
				dossier = v.Dossiers[len(v.Dossiers)-1].ID
			}
			switch {
			case err != nil && c.Version != before.Version:
				rt.Fatalf("%s was refused and changed the case", event)
			case err == nil && c.Version <= version:
				rt.Fatalf("%s left version %d", event, c.Version)
			case before.State == casework.Closed && c.State != casework.Closed:
				rt.Fatalf("%s left closed", event)
			case c.State == casework.Proposed && (!c.Complete || c.Captures == 0 && !c.NoCapture || len(v.Dossiers) == 0):
				rt.Fatalf("proposed: %+v", c)
			case (c.State == casework.Closed) != (c.Outcome != ""):
				rt.Fatalf("%s with the outcome %q", c.State, c.Outcome)
			case len(v.Assessments) != c.Assessed || c.Dossiers < 0:
				rt.Fatalf("%d assessments kept of %d; %d dossiers", len(v.Assessments), c.Assessed, c.Dossiers)
			}
			if _, err := h.Get(t.Context(), h.lain, id); fault.Of(err) != fault.NotFound {
				rt.Fatalf("another agency sees the case: %v", err)
			}
			version = c.Version
			h.clock.Advance(time.Duration(rapid.IntRange(0, 40).Draw(rt, "minutes")) * time.Minute)
		}
	})
}

// A crowd moves one case a little; true cases keep their places (T04).
func TestACrowdOfReportsMakesOneCase(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	target := h.newCase(t, h.ratna, link)
	var others []casework.ID
	for i := range 5 {
		others = append(others, h.newCase(t, h.ratna, "https://berkas.example/f/c"+strings.Repeat("z", i)))
	}
	was := h.get(t, h.ratna, target).Case.Priority
	for range 150 {
		must1(t)(h.reports.Submit(t.Context(), report.Submission{Channel: report.Web, Locations: []string{link}, Category: report.Recruitment, Lang: "id"}))
	}
	h.drain(t)
	c := h.get(t, h.ratna, target).Case
	pack, _ := policy.Default().Current("id", h.clock.Now())
	if c.ReportCount != 151 || !c.Burst || c.Priority-was > pack.Priority.Reports.Int() {
		t.Errorf("151 reports: %d counted, %d points after %d", c.ReportCount, c.Priority, was)
	}
	if got := h.pages(t, h.ratna, casework.Filter{}); len(got) != 1+len(others) {
		t.Errorf("%d cases wait, want %d", len(got), 1+len(others))
	}
}
