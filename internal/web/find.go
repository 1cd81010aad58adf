package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// foundAtOnce is how many lines of a group the page shows.
const foundAtOnce = 20

// maxQuestion bounds what is asked; the rest is cut.
const maxQuestion = 200

// FindPage shows what was found, by kind of thing.
type FindPage struct {
	components.ConsolePage
	Text   string
	Groups []FoundGroup
	Empty  components.Empty
}

// A FoundGroup is what was found of one kind.
type FoundGroup struct {
	Title string
	Rows  []FoundRow
	More  string // address of the next ones, "" at the end
}

// A FoundRow is one line. It shows no content.
type FoundRow struct {
	Href, Icon, Title, Ref string
	Chip                   components.Chip
	At                     time.Time
}

// find: GET /find?q= leads to what carries a number, and shows everything else
// that holds the words: cases by their numbers, reports, platform and notes,
// notices by theirs, old registers by all they say. It looks where the visitor may read.
func (s *Server) find(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	text := strings.TrimSpace(q.Get("q"))
	if runes := []rune(text); len(runes) > maxQuestion {
		text = string(runes[:maxQuestion])
	}
	to, err := s.numbered(r, strings.ToUpper(text))
	if err != nil {
		return err
	}
	if to != "" {
		return seeOther(w, r, to)
	}
	p := i18n.For(langOf(r))
	pg := FindPage{Text: text}
	if pg.ConsolePage, err = s.console(r, "", p.T("find.title"), components.Crumb{Label: p.T("find.title")}); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // anything else is the first page
	for _, group := range []struct {
		name string
		read func(*http.Request, *FindPage, int64) (FoundGroup, int64, error)
		act  auth.Act
	}{{"case", s.foundCases, auth.CaseRead}, {"notice", s.foundNotices, auth.NoticeRead}, {"register", s.foundEntries, auth.RegisterRead}} {
		if in := q.Get("in"); text == "" || in != "" && in != group.name || !auth.Seat(actorOf(r.Context()), group.act) {
			continue
		}
		g, next, err := group.read(r, &pg, before)
		if err != nil {
			return err
		}
		if next != 0 {
			g.More = "/find?" + url.Values{"q": {text}, "in": {group.name}, "before": {strconv.FormatInt(next, 10)}}.Encode()
		}
		if len(g.Rows) > 0 {
			pg.Groups = append(pg.Groups, g)
		}
	}
	pg.Empty = components.Empty{Icon: "search", Title: p.T("find.none.title"), Text: p.T("find.none.text")}
	if text == "" {
		pg.Empty = components.Empty{Icon: "search", Title: p.T("find.ask.title"), Text: p.T("find.ask.text")}
	}
	return s.render(w, r, http.StatusOK, findView(pg))
}

// numbered returns the page of what carries a number that the visitor may see,
// "" if there is none.
func (s *Server) numbered(r *http.Request, ref string) (string, error) {
	ctx, by := r.Context(), actorOf(r.Context())
	if !referencePattern.MatchString(ref) {
		return "", nil
	}
	v, err := s.Notice.ByRef(ctx, by, ref)
	if err == nil {
		return "/orders/" + string(v.ID), nil
	}
	if fault.Of(err) != fault.NotFound || !auth.Seat(by, auth.CaseRead) {
		return "", ignoreAbsent(err)
	}
	id, err := s.Casework.ByRef(ctx, by, ref)
	if err != nil {
		return "", ignoreAbsent(err)
	}
	return "/cases/" + string(id), nil
}

// ignoreAbsent passes over what is absent or hidden.
func ignoreAbsent(err error) error {
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	return err
}

func (s *Server) foundCases(r *http.Request, pg *FindPage, before int64) (FoundGroup, int64, error) {
	by := actorOf(r.Context())
	g := FoundGroup{Title: pg.P.T("find.cases")}
	all, next, err := s.Casework.Find(r.Context(), by, pg.Text, before, foundAtOnce)
	for _, c := range all {
		g.Rows = append(g.Rows, FoundRow{
			Href: "/cases/" + string(c.ID), Icon: kindIcon(c.Kind), Title: c.Title(pg.P, s.platformTitle(c.Platform)), Ref: c.Ref,
			Chip: stateChip(pg.P, c, by, pg.Now), At: c.OpenedAt,
		})
	}
	return g, next, err
}

func (s *Server) foundNotices(r *http.Request, pg *FindPage, before int64) (FoundGroup, int64, error) {
	by := actorOf(r.Context())
	g := FoundGroup{Title: pg.P.T("find.notices")}
	all, next, err := s.Notice.Find(r.Context(), by, pg.Text, before, foundAtOnce)
	for _, row := range all {
		line := s.orderRow(pg.Page, row, by.PartyKind == party.Platform)
		g.Rows = append(g.Rows, FoundRow{Href: line.Href, Icon: line.Icon, Title: line.Title, Ref: line.Ref, Chip: line.Chips[0], At: row.CreatedAt})
	}
	return g, next, err
}
