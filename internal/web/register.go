package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

func deskOf(k flagger.Kind) listDesk {
	if k == flagger.Register {
		return registerDesk
	}
	return reportDesk
}

func entryPath(id flagger.EntryID) string { return "/register-entries/" + url.PathEscape(string(id)) }

// A PastLine is what a register says of a decision of before, in its words.
type PastLine struct {
	Decided, Decision, Ground, Service, Standing string
	Withdrawn                                    bool
}

func pastLine(p *i18n.Printer, past flagger.Past) PastLine {
	out := PastLine{Decision: past.Decision, Ground: past.Ground, Service: past.Service, Standing: past.Standing, Withdrawn: past.Withdrawn}
	if !past.Decided.IsZero() {
		out.Decided = p.Date(past.Decided, time.UTC)
	}
	return out
}

// BeforePanel is what old registers say of the things of a case.
type BeforePanel struct {
	P     *i18n.Printer
	Lines []BeforeLine
}

// A BeforeLine is one decision of before: under which reference it was taken,
// and when.
type BeforeLine struct {
	Title, Sub, Href string
	Withdrawn        string // says that it no longer stands, "" if nothing does
}

func beforeLine(p *i18n.Printer, e flagger.Entry) BeforeLine {
	past := pastLine(p, e.Past)
	out := BeforeLine{Href: entryPath(e.ID)}
	switch {
	case e.Reference == "":
		out.Title = p.T("registers.before.day", "Day", past.Decided)
	case past.Decided == "":
		out.Title = p.T("registers.before.reference", "Reference", e.Reference)
	default:
		out.Title = p.T("registers.before.both", "Reference", e.Reference, "Day", past.Decided)
	}
	var sub []string
	for _, s := range []string{past.Decision, past.Ground, past.Standing} {
		if s != "" {
			sub = append(sub, s)
		}
	}
	if out.Sub = strings.Join(sub, " · "); past.Withdrawn {
		out.Withdrawn = p.T("registers.withdrawn")
	}
	return out
}

// decidedBefore is what the reader's registers say of a case.
func (s *Server) decidedBefore(ctx context.Context, by party.Actor, p *i18n.Printer, v casework.View) (BeforePanel, error) {
	out := BeforePanel{P: p}
	all, err := s.Flagger.Before(ctx, by, v.Case.Party, v.Locations)
	for _, e := range all {
		out.Lines = append(out.Lines, beforeLine(p, e))
	}
	return out, err
}

// EntryPage is one entry of an old register.
type EntryPage struct {
	components.ConsolePage
	Title, Sub string
	Withdrawn  bool
	Facts      []components.Fact
	Locations  []string
	Note       string
	List       string // address of the register it came with
	Cases      []FoundRow
}

// getEntry: GET /register-entries/{entry}.
func (s *Server) getEntry(w http.ResponseWriter, r *http.Request) error {
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	e, err := s.Flagger.Entry(ctx, by, flagger.EntryID(r.PathValue("entry")))
	if err != nil {
		return err
	}
	l, err := s.Flagger.Get(ctx, by, e.List)
	if err != nil {
		return err
	}
	line := beforeLine(p, e)
	title := registerDesk.say(p, "title")
	c, err := s.console(r, registerDesk.key(), line.Title,
		components.Crumb{Label: title, Href: registerDesk.base}, components.Crumb{Label: l.Name, Href: registerDesk.path(l.ID)}, components.Crumb{Label: p.T("registers.row", "N", e.N)})
	if err != nil {
		return err
	}
	pg := EntryPage{
		ConsolePage: c, Title: line.Title, Withdrawn: e.Withdrawn, Note: e.Note, List: registerDesk.path(l.ID),
		Sub: p.T("registers.from", "File", l.Name, "N", e.N, "When", p.DateTime(e.At, localTime(by))),
	}
	past := pastLine(p, e.Past)
	for _, f := range []struct{ field, value string }{
		{"decided", past.Decided}, {"reference", e.Reference}, {"decision", past.Decision}, {"ground", past.Ground}, {"platform", past.Service}, {"standing", past.Standing},
	} {
		if f.value != "" {
			pg.Facts = append(pg.Facts, components.Fact{Name: registerDesk.say(p, "field."+f.field), Value: f.value})
		}
	}
	for _, url := range e.Locations {
		pg.Locations = append(pg.Locations, canonical.Defang(url))
	}
	if pg.Cases, err = s.casesAt(r, pg, e); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, entryView(pg))
}

// casesAt are the cases of the reader's organisation about the things of an
// entry.
func (s *Server) casesAt(r *http.Request, pg EntryPage, e flagger.Entry) ([]FoundRow, error) {
	by := actorOf(r.Context())
	if !auth.Seat(by, auth.CaseRead) {
		return nil, nil
	}
	var out []FoundRow
	for _, url := range e.Locations {
		l, err := s.Report.FindLocation(r.Context(), s.DB, url)
		if fault.Of(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		all, err := s.Casework.At(r.Context(), by, l.ID)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			out = append(out, FoundRow{
				Href: "/cases/" + string(c.ID), Icon: kindIcon(c.Kind), Title: c.Title(pg.P, s.platformTitle(c.Platform)), Ref: c.Ref,
				Chip: stateChip(pg.P, c, by, pg.Now), At: c.OpenedAt,
			})
		}
	}
	return out, nil
}

// undoneBy says who took a list or a register back, and when.
func (s *Server) undoneBy(r *http.Request, d listDesk, l flagger.List) (string, error) {
	by, p := actorOf(r.Context()), i18n.For(langOf(r))
	people, err := s.peopleOf(r.Context(), l.Party)
	who := people[l.UndoneBy].Name
	if who == "" {
		who = p.T("triage.somebody")
	}
	return d.undone(p, l, who, p.DateTime(l.UndoneAt, localTime(by))), err
}

// undone says what went with a list or a register that was taken back, and of a
// list's reports what stayed.
func (d listDesk) undone(p *i18n.Printer, l flagger.List, who, when string) string {
	if d.kind == flagger.Reports && l.Made == 0 {
		return d.say(p, "undone.none", "Who", who, "When", when)
	}
	said := d.say(p, "undone", "Who", who, "When", when, "Count", d.count(p, "made", l.Made), "Back", p.Number(int64(l.Back)))
	if d.kind == flagger.Reports && l.Back < l.Made {
		said += " " + d.say(p, "undone.rest")
	}
	return said
}

// foundEntries are what registers say that holds the words.
func (s *Server) foundEntries(r *http.Request, pg *FindPage, before int64) (FoundGroup, int64, error) {
	g := FoundGroup{Title: pg.P.T("registers.found")}
	all, next, err := s.Flagger.FindEntries(r.Context(), actorOf(r.Context()), pg.Text, before, foundAtOnce)
	for _, e := range all {
		line := beforeLine(pg.P, e)
		row := FoundRow{Href: line.Href, Icon: "archive", Title: line.Title, Ref: line.Sub, At: e.At}
		row.Chip = components.Chip{State: components.StateClosed, Label: pg.P.T("registers.chip")}
		if line.Withdrawn != "" {
			row.Chip = components.Chip{State: components.StateLifted, Label: line.Withdrawn}
		}
		g.Rows = append(g.Rows, row)
	}
	return g, next, err
}
