package flagger

import (
	"cmp"
	"context"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
)

// An Accuracy says what became of what an organisation reported in a time. Of
// one thing that it reported often only one case is counted.
//
// It is told and moves nothing: it is counted when somebody looks, stands in no
// row, and no package that orders, decides or grants rights imports this one.
type Accuracy struct {
	Days       int // how far back it looks
	Reports    int
	Cases      int // that they are part of; what follows are cases
	Upheld     int // a platform was asked or ordered
	Refused    int // no ground, a true purpose, or not public
	Other      int // closed for another reason: gone, a duplicate, not enough, another's
	Unassessed int // not decided yet
}

// Assessed is how many cases an assessment has ended.
func (a Accuracy) Assessed() int { return a.Upheld + a.Refused + a.Other }

// Ratio returns the share of the upheld among what was upheld or refused, with
// the interval in which it lies at 95 % (Wilson, "Probable inference, the law of
// succession, and statistical inference", 1927); false if there is none yet.
func (a Accuracy) Ratio() (low, share, high float64, ok bool) {
	n := float64(a.Upheld + a.Refused)
	if n == 0 {
		return 0, 0, 1, false
	}
	const z = 1.959964
	share = float64(a.Upheld) / n
	middle := share + z*z/(2*n)
	half := z * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	whole := 1 + z*z/n
	return max(0, (middle-half)/whole), share, min(1, (middle+half)/whole), true
}

// Spans are how far back accuracies look, in days.
func Spans() []int { return []int{90, 365} }

// lawful are the reasons for closing a case that say that its reporters were
// wrong about it.
var lawful = []string{"no-ground", "true-purpose", "not-public"}

// verdict adds cases in a state, closed with an outcome, to an accuracy.
func (a *Accuracy) verdict(state casework.State, outcome string, n int) {
	a.Cases += n
	switch {
	case state == casework.Decided:
		a.Upheld += n
	case state != casework.Closed, outcome == "withdrawn", outcome == "handed-over":
		a.Unassessed += n
	case slices.Contains(lawful, outcome):
		a.Refused += n
	case slices.Contains(casework.CloseReasons(), outcome):
		a.Other += n
	default: // its notice has been answered, or nobody answers any more
		a.Upheld += n
	}
}

// A Source is an organisation that reports under its own name.
type Source struct {
	Party    party.ID
	Name     string
	Kind     party.Kind
	Accuracy []Accuracy // for each of Spans
}

// In returns the accuracy over so many days, or over the shortest span.
func (s Source) In(days int) Accuracy {
	if i := slices.IndexFunc(s.Accuracy, func(a Accuracy) bool { return a.Days == days }); i >= 0 {
		return s.Accuracy[i]
	}
	return s.Accuracy[0]
}

// A Count is how often organisations were right, counted at a time.
type Count struct {
	At  time.Time
	All []Source // who reports most first; see By
}

// An Order is how a Count is sorted.
type Order string

// The orders.
const (
	ByReports Order = "reports" // who reports most first
	ByShare   Order = "share"   // who was right most often first; whoever has no share yet last
	ByName    Order = "name"
)

// Orders lists the orders.
func Orders() []Order { return []Order{ByReports, ByShare, ByName} }

// By returns the organisations in an order, by what is counted over so many
// days. An unknown order is ByReports.
func (c Count) By(o Order, days int) []Source {
	share := func(s Source) float64 {
		if _, share, _, ok := s.In(days).Ratio(); ok {
			return share
		}
		return -1
	}
	out := slices.Clone(c.All)
	slices.SortFunc(out, func(a, b Source) int {
		first := cmp.Compare(b.In(days).Reports, a.In(days).Reports)
		switch o {
		case ByShare:
			first = cmp.Or(cmp.Compare(share(b), share(a)), first)
		case ByName:
			first = 0
		case ByReports:
		}
		return cmp.Or(first, strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(string(a.Party), string(b.Party)))
	})
	return out
}

// Accuracies returns how often those were right who reported under their own
// name in the last year: before the actor's organisation, or, for oversight,
// before every agency of this instance.
func (r *Room) Accuracies(ctx context.Context, by party.Actor) (Count, error) {
	const what = "accuracy"
	before := party.ID("")
	if auth.May(by, auth.AccuracyRead, auth.Object{What: what}) != nil {
		if err := auth.May(by, auth.AccuracyRead, auth.Object{What: what, Owner: by.Party}); err != nil {
			return Count{}, err
		}
		before = by.Party
	}
	all, err := r.accuracies(ctx, "")
	if err != nil {
		return Count{}, err
	}
	return r.told(ctx, all, "", before)
}

// Own returns how often the actor's organisation was right before every agency
// of this instance: one Source, also where it has reported nothing.
func (r *Room) Own(ctx context.Context, by party.Actor) (Count, error) {
	if err := auth.May(by, auth.ListRead, own(by, Reports)); err != nil {
		return Count{}, err
	}
	all, err := r.accuracies(ctx, by.Party)
	if err != nil {
		return Count{}, err
	}
	return r.told(ctx, all, by.Party, "")
}

const (
	// freshFor is how long figures hold: they read a year of reports, and stand on
	// pages that are opened all the time.
	freshFor = 5 * time.Minute
	// countFor bounds one count, whoever waits for it.
	countFor = 2 * time.Minute
)

// A pair is who reported, and before which agency.
type pair struct{ from, before party.ID }

// A counted is what was counted at a time, for each of Spans.
type counted struct {
	at  time.Time
	all map[pair][]Accuracy
}

// accuracies returns the figures of one organisation or, for "", of all, that
// were counted lately. One count serves all who wait for it.
func (r *Room) accuracies(ctx context.Context, from party.ID) (counted, error) {
	r.mu.Lock()
	known, ok := r.known[from]
	r.mu.Unlock()
	if now := r.Clock.Now(); ok && now.Sub(known.at) < freshFor && !now.Before(known.at) {
		return known, nil
	}
	got, err, _ := r.counting.Do(string(from), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countFor)
		defer cancel()
		c, err := r.count(ctx, from)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.known[from] = c
		}
		return c, err
	})
	c, _ := got.(counted)
	return c, err
}

// count reads the figures of one organisation, or of all.
func (r *Room) count(ctx context.Context, from party.ID) (counted, error) {
	c := counted{at: r.Clock.Now(), all: map[pair][]Accuracy{}}
	for i, days := range Spans() {
		if err := r.countSince(ctx, from, c.at.AddDate(0, 0, -days), func(of pair) *Accuracy {
			if c.all[of] == nil {
				c.all[of] = blank()
			}
			return &c.all[of][i]
		}); err != nil {
			return c, err
		}
	}
	return c, nil
}

// blank is figures without anything in them.
func blank() []Accuracy {
	var out []Accuracy
	for _, days := range Spans() {
		out = append(out, Accuracy{Days: days})
	}
	return out
}

// countSince adds what was reported since a time to the figures that at returns.
// Before whom is no condition: it would draw SQLite to an index of everything
// that was ever reported to an agency.
func (r *Room) countSince(ctx context.Context, from party.ID, since time.Time, at func(pair) *Accuracy) error {
	where, args := `r.from_party IS NOT NULL AND r.received_at >= $1`, []any{db.Micros(since)}
	if from != "" {
		where, args = `r.from_party = $2 AND r.received_at >= $1`, append(args, from)
	}
	_, err := db.All(ctx, r.DB, func(row db.Row) (none struct{}, err error) {
		var of pair
		var n int
		if err = row.Scan(&of.from, &of.before, &n); err == nil {
			at(of).Reports = n
		}
		return none, err
	}, `SELECT r.from_party, r.party_id, count(*) FROM reports r
		WHERE `+where+` AND NOT EXISTS (SELECT 1 FROM case_reports b WHERE b.report_id = r.id AND b.back_at IS NOT NULL) GROUP BY r.from_party, r.party_id`, args...)
	if err != nil {
		return err
	}
	_, err = db.All(ctx, r.DB, func(row db.Row) (none struct{}, err error) {
		var of pair
		var state casework.State
		var outcome string
		var n int
		if err = row.Scan(&of.from, &of.before, &state, &outcome, &n); err == nil {
			at(of).verdict(state, outcome, n)
		}
		return none, err
	}, `
		SELECT r.from_party, r.party_id, c.state, c.outcome, count(DISTINCT c.id) FROM reports r
		CROSS JOIN case_reports j CROSS JOIN cases c
		WHERE `+where+` AND j.report_id = r.id AND j.back_at IS NULL AND c.id = j.case_id
		GROUP BY r.from_party, r.party_id, c.state, c.outcome`, args...)
	return err
}

// told makes of what was counted what is told: of one organisation, even if it
// has reported nothing, or of all that have, before one agency or all.
func (r *Room) told(ctx context.Context, c counted, from, before party.ID) (Count, error) {
	found := map[party.ID][]Accuracy{}
	if from != "" {
		found[from] = blank()
	}
	for of, figures := range c.all {
		if before != "" && of.before != before {
			continue
		}
		if found[of.from] == nil {
			found[of.from] = blank()
		}
		for i := range figures {
			found[of.from][i].add(figures[i])
		}
	}
	out := Count{At: c.at}
	orgs, err := party.List(ctx, r.DB)
	for _, o := range orgs {
		if found[o.ID] != nil {
			out.All = append(out.All, Source{Party: o.ID, Name: o.Name, Kind: o.Kind, Accuracy: found[o.ID]})
		}
	}
	out.All = out.By(ByReports, Spans()[len(Spans())-1])
	return out, err
}

// add adds what was found before another agency.
func (a *Accuracy) add(b Accuracy) {
	a.Reports, a.Cases, a.Upheld = a.Reports+b.Reports, a.Cases+b.Cases, a.Upheld+b.Upheld
	a.Refused, a.Other, a.Unassessed = a.Refused+b.Refused, a.Other+b.Other, a.Unassessed+b.Unassessed
}

// WriteCSV writes the figures, one line for each organisation and span, with
// heads in the printer's language. Shares are between 0 and 1 with a point, and
// empty where there is none.
func (c Count) WriteCSV(p *i18n.Printer, w io.Writer) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	var head []string
	for _, name := range []string{"name", "kind", "days", "reports", "cases", "assessed", "upheld", "refused", "other", "unassessed", "share", "low", "high", "at"} {
		head = append(head, p.T("accuracy.csv."+name))
	}
	err := out.Write(head)
	for _, s := range c.All {
		for _, a := range s.Accuracy {
			line := []string{Harmless(s.Name), string(s.Kind)}
			for _, n := range []int{a.Days, a.Reports, a.Cases, a.Assessed(), a.Upheld, a.Refused, a.Other, a.Unassessed} {
				line = append(line, strconv.Itoa(n))
			}
			parts := []string{"", "", ""}
			if low, share, high, ok := a.Ratio(); ok {
				for i, f := range []float64{share, low, high} {
					parts[i] = strconv.FormatFloat(f, 'f', 4, 64)
				}
			}
			if err == nil {
				err = out.Write(append(append(line, parts...), c.At.UTC().Format(time.RFC3339)))
			}
		}
	}
	out.Flush()
	return cmp.Or(err, out.Error())
}
