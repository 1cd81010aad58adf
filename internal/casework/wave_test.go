package casework_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/scaletest"
)

// call is what a campaign asks its followers to send.
const call = "tolong hapus akun ini karena sudah lama meresahkan warga kampung kami dan semua orang tahu bahwa isinya bohong belaka"

// named spells a number in letters, as a name that nobody else has.
func named(n int) string {
	var b strings.Builder
	for ; n > 0 || b.Len() == 0; n /= 20 {
		b.WriteString([]string{"ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "wa", "ye", "zi", "bo", "cu"}[n%20])
	}
	return b.String()
}

// A thousand copies are one voice; as many people in their own words are many.
func TestAWaveIsOneVoice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		tell := func(link, words string, channel report.Channel) {
			t.Helper()
			must1(t)(h.reports.Submit(t.Context(), report.Submission{Channel: channel, Locations: []string{link}, Category: report.Recruitment, Lang: "id", Agency: "tangkal-daring", Description: words}))
			h.drain(t)
		}
		for _, c := range []struct {
			what   string
			words  func(i int) string
			atMost int
			least  int
			wave   bool
		}{
			{"copies", func(int) string { return call }, 1, 1, true},
			{"copies with another greeting", func(i int) string { return "salam dari " + named(i+100) + " " + call }, 1, 1, true},
			{"links alone", func(int) string { return "" }, 1, 1, true},
			{"own words", func(i int) string {
				return fmt.Sprintf("saya %s melihat %s di %s", named(i), named(i*7+3), named(i*11+5))
			}, 30, 25, false},
		} {
			link := "https://ruangsuara.example/v/" + strings.ReplaceAll(c.what, " ", "-")
			id := h.newCase(t, h.ratna, link)
			h.clock.Set(h.clock.Now().Truncate(casework.SlotOf).Add(casework.SlotOf))
			for i := range 30 {
				tell(link, c.words(i), report.Web)
			}
			v := h.get(t, h.ratna, id)
			got := v.Case.Voices - 1
			if got < c.least || got > c.atMost || v.Case.ReportCount != 31 || (len(v.Wave) > 0) != c.wave {
				t.Errorf("%s: %d reports are %d voices, wave %v", c.what, v.Case.ReportCount, got, v.Wave)
			}
			tell(link, call, report.Partner)
			if now := h.get(t, h.ratna, id).Case.Voices; now != got+2 {
				t.Errorf("%s, and a partner: %d voices after %d", c.what, now, got+1)
			}
		}
	})
}

// brigade is one day at an agency: true reports, and among them a campaign
// against some targets.
type brigade struct {
	*house
	cases []casework.Case // as the queue has them at the end
	true  []casework.Case // those of true reports, once median has looked
}

const (
	trueReports = 200
	targets     = 16
)

// A campaign is so many false reports: against sixteen targets, a wave each
// quarter of an hour, five reports a second; or each against a target of its own.
type campaign struct {
	reports  int
	apart    bool
	soon     func(i int) bool // what the i-th claims; nil for nothing
	category func(i int) report.Category

	link    func(i int) string // of the i-th where apart; one on the usual platform if nil
	words   func(i int) string // of the i-th; the call of a campaign if nil
	others  func(i int) string // link of the i-th true report; on the usual platform if nil
	watched bool               // the agency has seen a usual hour, a day before
}

// day lets four hours pass: a true report each 72 seconds, and a campaign.
func day(t *testing.T, c campaign) *brigade {
	t.Helper()
	b := &brigade{house: start(t, dbtest.SQLite(t))}
	begun := b.clock.Now().Truncate(time.Hour)
	type sending struct {
		after time.Duration
		of    report.Submission
	}
	var all []sending
	add := func(after time.Duration, link, words string) *report.Submission {
		all = append(all, sending{after, report.Submission{
			Channel: report.Web, Locations: []string{link}, Category: report.Recruitment, Lang: "id", Agency: "tangkal-daring", Description: words,
		}})
		return &all[len(all)-1].of
	}
	truly := func(after time.Duration, i int) {
		link := fmt.Sprintf("https://ruangsuara.example/v/%d", 5000+i)
		if c.others != nil {
			link = c.others(i)
		}
		add(after, link, "saya melihat ini di beranda "+named(i*13))
	}
	if c.watched {
		for i := range 50 {
			truly(time.Duration(i)*72*time.Second-25*time.Hour, trueReports+i)
		}
	}
	for i := range trueReports {
		truly(time.Duration(i)*72*time.Second+time.Second, i)
	}
	for i := range c.reports {
		target, after := i%targets, time.Duration(i%targets)*15*time.Minute+time.Duration(i/targets)*200*time.Millisecond
		if c.apart {
			target, after = 1000+i, time.Duration(i)*4*time.Hour/time.Duration(c.reports)
		}
		link, words := fmt.Sprintf("https://ruangsuara.example/v/%d", 90_000+target), "salam dari "+named(i%5000)+" "+call
		if c.link != nil {
			link = c.link(i)
		}
		if c.words != nil {
			words = c.words(i)
		}
		s := add(after, link, words)
		if c.soon != nil {
			s.Soon = c.soon(i)
		}
		if c.category != nil {
			s.Category = c.category(i)
		}
	}
	slices.SortStableFunc(all, func(a, b sending) int { return cmp.Compare(a.after, b.after) })
	for i, s := range all {
		if i > 0 && all[i-1].after < 0 && s.after >= 0 { // what came the day before is done
			b.drain(t)
			b.write(t, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE cases SET state = 'closed'`)
				return err
			})
		}
		b.clock.Set(begun.Add(s.after))
		must1(t)(b.reports.Submit(t.Context(), s.of))
		if i%100 == 99 {
			b.drain(t)
		}
	}
	b.drain(t)
	b.clock.Set(begun.Add(4 * time.Hour))
	for {
		n, err := b.Sweep(t.Context(), b.clock.Now(), 500)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	for cursor := ""; ; {
		page, next, err := b.Queue(t.Context(), b.ratna, casework.Filter{Limit: 200, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		b.cases = append(b.cases, page...)
		if cursor = next; cursor == "" {
			return b
		}
	}
}

// median returns the place of the median true case in cases, counted from 1.
func (b *brigade) median(t *testing.T, cases []casework.Case) float64 {
	t.Helper()
	var places []int
	b.true = nil
	for i, c := range cases {
		ids, err := b.Locations(t.Context(), b.db, c.ID)
		must(t, err)
		ls, err := b.reports.Locations(t.Context(), b.db, ids[:1])
		must(t, err)
		if strings.Contains(ls[0].URL, "/v/5") {
			b.true = append(b.true, c)
			places = append(places, i+1)
		}
	}
	if len(places) != trueReports {
		t.Fatalf("%d true cases wait, want %d", len(places), trueReports)
	}
	return float64(places[trueReports/2-1]+places[trueReports/2]) / 2
}

// decides reports whether anything was decided that day, which nobody did.
func (b *brigade) decides(t *testing.T, reports int) {
	t.Helper()
	got := 0
	for _, c := range b.cases {
		got += c.ReportCount
		if c.State != casework.Open || c.Assessed != 0 || c.Dossiers != 0 {
			t.Errorf("case %s is %s by itself", c.Ref, c.State)
		}
	}
	decided, err := db.Value[int64](t.Context(), b.db, `SELECT (SELECT count(*) FROM notices) + (SELECT count(*) FROM dossier_fates) + (SELECT count(*) FROM case_assessments)`)
	must(t, err)
	if decided != 0 || got != reports {
		t.Errorf("%d decisions arose by themselves; %d reports are in cases, want %d", decided, got, reports)
	}
}

// without returns the day's cases as they would stand if the rule were another.
func (b *brigade) without(rule func(casework.Case) casework.Facts) []casework.Case {
	pack, _ := policy.Default().Current("id", b.clock.Now())
	out := slices.Clone(b.cases)
	for i, c := range out {
		f := rule(c)
		f.OpenedAt, f.Deadline, f.Kinds = c.OpenedAt, c.Deadline, []string{c.Kind}
		out[i].Priority, _ = casework.Priority(f, pack.Priority, b.clock.Now())
	}
	slices.SortFunc(out, func(a, b casework.Case) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func all(int) bool                 { return true }
func odd(i int) bool               { return i%2 == 1 }
func threat(i int) report.Category { return []report.Category{report.Threat, report.Recruitment}[i%2] }

// The drill of threat-model T04: 50,000 false reports by 5,000 people among 200
// true ones decide nothing, and worsen the median place of the true ones by at
// most a tenth, whatever they claim: nothing, that somebody will be hurt soon,
// or an attack. If each report counted, or each claim, they would worsen it by
// more.
func TestDrillBrigade(t *testing.T) {
	quiet := day(t, campaign{})
	before := quiet.median(t, quiet.cases)
	n := max(scaletest.Of(50_000), 30*targets)
	for _, k := range []struct {
		what string
		campaign
		rule func(casework.Case) casework.Facts // a worse one
	}{
		{"nothing", campaign{reports: n}, func(c casework.Case) casework.Facts { return casework.Facts{Voices: c.ReportCount} }},
		{"that somebody will be hurt soon", campaign{reports: n, soon: all}, func(c casework.Case) casework.Facts { return casework.Facts{Soon: c.Soon, Voices: 1} }},
		{"an attack", campaign{reports: n, category: func(int) report.Category { return report.Threat }}, nil},
		{"one or the other", campaign{reports: n, soon: odd, category: threat}, func(c casework.Case) casework.Facts { return casework.Facts{Soon: c.Soon, Voices: 1} }},
	} {
		b := day(t, k.campaign)
		b.decides(t, n+trueReports)
		after := b.median(t, b.cases)
		if len(b.cases) != trueReports+targets {
			t.Errorf("%d reports made %d cases, want %d", n+trueReports, len(b.cases), trueReports+targets)
		}
		if after > before*1.1 {
			t.Errorf("claiming %s: the median true case waits at place %.1f, without the campaign at %.1f", k.what, after, before)
		}
		t.Logf("%d false reports that claim %s and %d true ones: 0 decisions; median place of a true case %.1f without the campaign, %.1f with it (%+.1f %%)",
			n, k.what, trueReports, before, after, 100*(after/before-1))
		if k.rule != nil {
			off := b.median(t, b.without(k.rule))
			if off <= after {
				t.Errorf("claiming %s, where each counts the median is at %.1f, and nothing would be seen of the bound", k.what, off)
			}
			t.Logf("if each counted: %.1f (%+.1f %%)", off, 100*(off/before-1))
		}
	}
}

// Claims about a link of its own each fold into nothing. They add the few places
// of those that stand ahead, not as many as there are.
func TestDrillClaimsApart(t *testing.T) {
	n := max(scaletest.Of(5000), 100)
	plain := day(t, campaign{reports: n, apart: true})
	before := plain.median(t, plain.cases)
	for _, k := range []struct {
		what string
		campaign
		most float64
	}{
		{"that somebody will be hurt soon", campaign{reports: n, apart: true, soon: all}, 6},
		{"an attack", campaign{reports: n, apart: true, category: func(int) report.Category { return report.Threat }}, 3},
		{"one or the other", campaign{reports: n, apart: true, soon: odd, category: threat}, 6},
	} {
		b := day(t, k.campaign)
		b.decides(t, n+trueReports)
		after := b.median(t, b.cases)
		if after > before+k.most {
			t.Errorf("claiming %s about links of their own: the median true case waits at place %.1f, the same flood without claims lets it at %.1f", k.what, after, before)
		}
		off := b.median(t, b.without(func(c casework.Case) casework.Facts {
			return casework.Facts{Soon: c.Soon, Life: c.Queue == "life", Voices: 1}
		}))
		if off <= before+k.most {
			t.Errorf("claiming %s, where each claim counts the median is at %.1f, and nothing would be seen of the bound", k.what, off)
		}
		t.Logf("%d false reports of a link each that claim %s, and %d true ones: median place %.1f without the claims, %.1f with them, %.1f if each claim counted",
			n, k.what, trueReports, before, after, off)
	}
}
