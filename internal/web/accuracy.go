package web

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) accuracyRoutes() []Route {
	return []Route{
		{"GET /accuracy", auth.AccuracyRead, s.getAccuracy},
		{"GET /accuracy.csv", auth.AccuracyRead, s.getAccuracyCSV},
		{"GET /lists/accuracy.csv", auth.ListRead, s.getOwnAccuracyCSV},
	}
}

// AccuracyPage says how often those were right who report under their own name.
type AccuracyPage struct {
	components.ConsolePage
	Lead   string
	Shown  AccuracyTable
	Spans  []components.Tab
	Orders []components.Tab
}

// An AccuracyTable is figures, one line for each organisation or span.
type AccuracyTable struct {
	P       *i18n.Printer
	First   string // head of the first column
	Caption string
	Lines   []AccuracyLine
	CSV     string // address of all figures
	At      string // when they were counted
}

// An AccuracyLine is the figures of one organisation over one span.
type AccuracyLine struct {
	Name, Sub                                string
	Reports, Assessed, Upheld, Refused, Open string
	AssessedNote                             string // how many ended without a verdict, "" if none
	Share                                    string // "75 %", or that there is none yet
	Interval                                 string // "41–93 %"
	Picture                                  ShareBar
}

// A ShareBar is a share with the interval in which it lies, in per cent of the
// width.
type ShareBar struct {
	Some             bool
	From, Width, Tip string
	Label            string
}

// getAccuracy: GET /accuracy?days=&by=.
func (s *Server) getAccuracy(w http.ResponseWriter, r *http.Request) error {
	actor, p := actorOf(r.Context()), i18n.For(langOf(r))
	count, err := s.Flagger.Accuracies(r.Context(), actor)
	if err != nil {
		return err
	}
	title := p.T("accuracy.title")
	c, err := s.console(r, "accuracy", title, components.Crumb{Label: title})
	if err != nil {
		return err
	}
	days, order := flagger.Spans()[0], flagger.Order(r.URL.Query().Get("by"))
	if n, err := strconv.Atoi(r.URL.Query().Get("days")); err == nil && slices.Contains(flagger.Spans(), n) {
		days = n
	}
	if !slices.Contains(flagger.Orders(), order) {
		order = flagger.ByReports
	}
	pg := AccuracyPage{ConsolePage: c, Lead: p.T("accuracy.lead")}
	if actor.PartyKind == party.Oversight {
		pg.Lead = p.T("accuracy.lead.oversight")
	}
	link := func(days int, o flagger.Order) string {
		return "/accuracy?" + url.Values{"days": {strconv.Itoa(days)}, "by": {string(o)}}.Encode()
	}
	for _, n := range flagger.Spans() {
		pg.Spans = append(pg.Spans, components.Tab{Label: p.N("accuracy.days", n), Href: link(n, order), Active: n == days})
	}
	for _, o := range flagger.Orders() {
		pg.Orders = append(pg.Orders, components.Tab{Label: p.T("accuracy.by." + string(o)), Href: link(days, o), Active: o == order})
	}
	pg.Shown = accuracyTable(p, count.At, actor)
	pg.Shown.First, pg.Shown.CSV, pg.Shown.Caption = p.T("accuracy.col.name"), "/accuracy.csv", title
	for _, source := range count.By(order, days) {
		line := accuracyLine(p, source.In(days))
		line.Name, line.Sub = source.Name, p.T("web.party."+string(source.Kind))
		pg.Shown.Lines = append(pg.Shown.Lines, line)
	}
	return s.render(w, r, http.StatusOK, accuracyView(pg))
}

func accuracyTable(p *i18n.Printer, at time.Time, actor party.Actor) AccuracyTable {
	return AccuracyTable{P: p, At: p.T("accuracy.at", "When", p.DateTime(at, localTime(actor)))}
}

// ownAccuracy is what the actor's organisation is told of itself: a line for
// each span; none where it has reported nothing in all of them.
func (s *Server) ownAccuracy(r *http.Request, p *i18n.Printer) (AccuracyTable, error) {
	actor := actorOf(r.Context())
	count, err := s.Flagger.Own(r.Context(), actor)
	t := accuracyTable(p, count.At, actor)
	t.First, t.CSV, t.Caption = p.T("accuracy.col.span"), "/lists/accuracy.csv", p.T("accuracy.own")
	for _, source := range count.All {
		for _, a := range source.Accuracy {
			if longest := source.Accuracy[len(source.Accuracy)-1]; longest.Reports == 0 {
				break
			}
			line := accuracyLine(p, a)
			line.Name = p.N("accuracy.days", a.Days)
			t.Lines = append(t.Lines, line)
		}
	}
	return t, err
}

func accuracyLine(p *i18n.Printer, a flagger.Accuracy) AccuracyLine {
	n := func(n int) string { return p.Number(int64(n)) }
	line := AccuracyLine{
		Reports: n(a.Reports), Assessed: n(a.Assessed()), Upheld: n(a.Upheld), Refused: n(a.Refused), Open: n(a.Unassessed), Share: p.T("accuracy.none"),
	}
	if a.Other > 0 {
		line.AssessedNote = p.N("accuracy.other", a.Other)
	}
	low, share, high, ok := a.Ratio()
	if !ok {
		line.Picture.Label = p.T("accuracy.none")
		return line
	}
	line.Share = percentOf(p, share)
	line.Interval = p.T("accuracy.interval", "Low", p.Number(int64(low*100+0.5)), "High", percentOf(p, high))
	line.Picture = ShareBar{
		Some: true, From: widthOf(low), Width: widthOf(high - low), Tip: widthOf(share),
		Label: p.T("accuracy.bar", "Share", line.Share, "Low", percentOf(p, low), "High", percentOf(p, high)),
	}
	return line
}

// percentOf spells a share in whole per cent.
func percentOf(p *i18n.Printer, share float64) string { return p.Percent(int64(share*1000+0.5), 1000) }

// widthOf spells a share as a coordinate of a picture a hundred wide.
func widthOf(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) }

// getAccuracyCSV: GET /accuracy.csv.
func (s *Server) getAccuracyCSV(w http.ResponseWriter, r *http.Request) error {
	count, err := s.Flagger.Accuracies(r.Context(), actorOf(r.Context()))
	if err != nil {
		return err
	}
	return s.attachAccuracy(w, r, count)
}

// getOwnAccuracyCSV: GET /lists/accuracy.csv.
func (s *Server) getOwnAccuracyCSV(w http.ResponseWriter, r *http.Request) error {
	count, err := s.Flagger.Own(r.Context(), actorOf(r.Context()))
	if err != nil {
		return err
	}
	return s.attachAccuracy(w, r, count)
}

func (s *Server) attachAccuracy(w http.ResponseWriter, r *http.Request, count flagger.Count) error {
	var b bytes.Buffer
	if err := count.WriteCSV(i18n.For(langOf(r)), &b); err != nil {
		return err
	}
	return attach(w, "tangkal-accuracy-"+count.At.UTC().Format("20060102-1504")+".csv", b.Bytes())
}
