package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/components"
)

// nextCase: POST /triage/next takes what the person should look at now.
func (s *Server) nextCase(w http.ResponseWriter, r *http.Request) error {
	ctx, by := r.Context(), actorOf(r.Context())
	c, ok, err := s.Casework.Next(ctx, by)
	if err != nil {
		return err
	}
	if !ok {
		return s.noneGiven(w, r)
	}
	if _, err := s.Casework.Take(ctx, by, c.ID); err != nil {
		return err
	}
	return seeOther(w, r, "/cases/"+string(c.ID)+"?said=taken&ref-of="+c.Ref)
}

// noneGiven says that nothing may be given to the person now, and of a queue
// that is not empty why, and how they get there.
func (s *Server) noneGiven(w http.ResponseWriter, r *http.Request) error {
	free, _, err := s.Casework.Queue(r.Context(), actorOf(r.Context()), casework.Filter{Free: true, Limit: 1})
	if err != nil {
		return err
	}
	if len(free) == 0 {
		return seeOther(w, r, "/triage?said=none")
	}
	return seeOther(w, r, "/triage?said=none-given")
}

// closeMany: POST /triage/close {id…, reason, text} closes cases, all or none.
func (s *Server) closeMany(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	ctx, by := r.Context(), actorOf(r.Context())
	var ids []casework.ID
	for _, id := range r.PostForm["id"] {
		ids = append(ids, casework.ID(id))
	}
	done, err := s.Casework.Close(ctx, by, ids, casework.CloseInput{Reason: r.PostForm.Get("reason"), Text: r.PostForm.Get("text")})
	if err != nil {
		return s.closeAgain(w, r, ids, err)
	}
	return seeOther(w, r, closedHref("/triage", len(done.Cases), done.Token))
}

func closedHref(to string, n int, token string) string {
	return to + "?" + url.Values{"closed": {strconv.Itoa(n)}, "undo": {token}}.Encode()
}

// closeAgain shows the list as it was sent, with what stood in the way.
func (s *Server) closeAgain(w http.ResponseWriter, r *http.Request, ids []casework.ID, cause error) error {
	e, ok := fault.As(cause)
	if !ok || e.Kind == fault.Denied {
		return cause
	}
	r.URL.RawQuery = "bulk=1&" + r.URL.RawQuery
	pg, err := s.triagePage(r, "")
	if err != nil {
		return err
	}
	parts := e.Parts
	if len(parts) == 0 {
		parts = []*fault.Error{e}
	}
	for _, part := range parts {
		pg.Queue.Errors = append(pg.Queue.Errors, components.FieldError{Field: "close-" + closeField(part.Field), Text: pg.P.Fault(part)})
	}
	pg.Failed = true
	for i := range pg.Queue.Rows {
		pg.Queue.Rows[i].Checked = slices.Contains(ids, casework.ID(pg.Queue.Rows[i].ID))
	}
	return s.render(w, r, statusOf(e.Kind), triageView(pg))
}

// closeField is the part of the closing form that a fault is about.
func closeField(pointer string) string {
	switch {
	case strings.HasPrefix(pointer, "/reason"):
		return "reason"
	case strings.HasPrefix(pointer, "/text"):
		return "text"
	default:
		return "list"
	}
}

// undoClose: POST /triage/undo {token}.
func (s *Server) undoClose(w http.ResponseWriter, r *http.Request) error {
	out, err := s.Casework.Undo(r.Context(), actorOf(r.Context()), r.PostFormValue("token"))
	if err != nil {
		return err
	}
	said := "undone"
	if len(out.Kept) > 0 {
		said = "partly-undone"
	}
	if len(out.Restored) == 1 {
		return seeOther(w, r, "/cases/"+string(out.Restored[0])+"?said="+said)
	}
	return seeOther(w, r, "/triage?said="+said)
}

// exposed: POST /exposure {seconds} counts how long media were visible, 0 while
// somebody only reviews. It answers with the box of the rail: the figure is the
// person's own.
func (s *Server) exposed(w http.ResponseWriter, r *http.Request) error {
	seconds, err := strconv.Atoi(r.PostFormValue("seconds"))
	if err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	e, err := s.Casework.AddExposure(r.Context(), actorOf(r.Context()), seconds)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, components.ExposureView(i18n.For(langOf(r)), dose(e)))
}

// takeBreak: POST /break.
func (s *Server) takeBreak(w http.ResponseWriter, r *http.Request) error {
	if err := s.Casework.StartBreak(r.Context(), actorOf(r.Context())); err != nil {
		return err
	}
	return seeOther(w, r, "/break")
}

// BreakPage is a page with nothing to do on it.
type BreakPage struct {
	components.ConsolePage
	Back string
}

// onBreak: GET /break.
func (s *Server) onBreak(w http.ResponseWriter, r *http.Request) error {
	p := i18n.For(langOf(r))
	c, err := s.console(r, "", p.T("triage.break.title"), components.Crumb{Label: p.T("triage.break.title")})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, breakView(BreakPage{ConsolePage: c, Back: "/triage"}))
}
