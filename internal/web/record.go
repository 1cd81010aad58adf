package web

import (
	"net/http"
	"strconv"

	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// RecordPage is the chained record of what concerned an organisation.
type RecordPage struct {
	components.ConsolePage
	Title, Sub string
	Tabs       []components.Tab
	Rows       []RecordRow
	Older      string // address of the next page, "" at the end
}

// A RecordRow is one entry.
type RecordRow struct{ At, Who, Kind, Ref, Seq, Chain string }

// recordPage is how many entries one page shows.
const recordPage = 100

// record: GET /organisation/record?before=SEQ
func (s *Server) record(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r.Context())
	p := i18n.For(langOf(r))
	c, err := s.console(r, "organisation", p.T("admin.record"),
		components.Crumb{Label: p.T("web.nav.organisation"), Href: "/organisation"}, components.Crumb{Label: p.T("admin.record")})
	if err != nil {
		return err
	}
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	entries, err := feed.Recent(ctx, s.DB, string(actor.Party), before, recordPage)
	if err != nil {
		return err
	}
	names, err := s.namesOf(r, actor)
	if err != nil {
		return err
	}
	pg := RecordPage{ConsolePage: c, Title: c.Party.Name, Sub: p.T("admin.record.sub"), Tabs: s.adminTabs(p, actor, "record")}
	for _, e := range entries {
		who := names[e.Person]
		switch {
		case e.Person == "" && e.Party == "":
			who = p.T("admin.record.system")
		case who == "":
			who = p.T("admin.record.other")
		}
		pg.Rows = append(pg.Rows, RecordRow{p.DateTime(e.At, c.Zone), who, e.Kind, e.Ref, p.Number(e.Seq), e.Chain[:12]})
	}
	if len(entries) == recordPage {
		pg.Older = "/organisation/record?before=" + strconv.FormatInt(entries[len(entries)-1].Seq, 10)
	}
	return s.render(w, r, http.StatusOK, auditView(pg))
}

// namesOf are the names of the actor's colleagues; people of other parties
// stay unnamed.
func (s *Server) namesOf(r *http.Request, actor party.Actor) (map[string]string, error) {
	people, err := party.People(r.Context(), s.DB, actor.Party)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(people))
	for _, m := range people {
		names[string(m.ID)] = m.Name
	}
	return names, nil
}
