package web

import (
	"net/http"
	"strconv"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/web/components"
)

func (s *Server) waitingRoutes() []Route {
	return []Route{
		{"GET /waiting", auth.PolicyRead, s.getWaiting},
		{"POST /waiting/letters/{id}/reached", auth.NoticeVerify, s.postReached},
		{"POST /recoveries/{id}/confirm", auth.PartyRecover, s.confirmRecovery},
		{"POST /recoveries/{id}/cancel", auth.PartyRead, s.cancelRecovery},
		{"POST /profile/mail", auth.PolicyRead, s.postProfileMail},
	}
}

// WaitingPage is what waits for one person, from every room.
type WaitingPage struct {
	components.ConsolePage
	Waits      []WaitRow
	Approvals  []ApprovalWait
	Recoveries []RecoveryRow
	Letters    []LetterRow
	Saved      string
}

// A WaitRow is one kind of thing that waits.
type WaitRow struct {
	Icon, Words, Href string
	Urgent            bool
}

// An ApprovalWait is a notice that waits for the person's signature.
type ApprovalWait struct{ Ref, Step, Platform, Since, Limit, Href string }

// A LetterRow is a letter that came back.
type LetterRow struct{ ID, Ref, Address, Why, At, Href string }

// waitPlaces are where each kind of wait is worked off, and its icon.
var waitPlaces = map[string]struct{ icon, href string }{
	"urgent": {"siren", "/urgent"}, "due": {"alarm-clock", "/inbox"}, "overdue": {"alarm-clock", "/orders"}, "approve": {"user-check", "/approvals"}, "issue": {"stamp", "/approvals"},
	"receive": {"mail-open", "/inbox"}, "returned": {"mail-x", "#letters"}, "questions": {"pause", "/orders"}, "answer": {"inbox", "/inbox"},
	"confirm": {"scale", "/orders"}, "verify": {"check-check", "/orders"}, "opinions": {"message-square", "/triage"}, "hand-overs": {"forward", "/hand-overs"},
	"propose": {"file-pen-line", "/approvals"}, "recovery": {"key-round", "#recoveries"},
}

// getWaiting: GET /waiting.
func (s *Server) getWaiting(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r.Context())
	p := i18n.For(langOf(r))
	c, err := s.console(r, "waiting", p.T("web.waiting.title"), components.Crumb{Label: p.T("web.waiting.title")})
	if err != nil {
		return err
	}
	pg := WaitingPage{ConsolePage: c}
	counts, err := s.Tell.Count(ctx, actor)
	if err != nil {
		return err
	}
	for _, one := range counts.Waits() {
		at := waitPlaces[one.Kind]
		pg.Waits = append(pg.Waits, WaitRow{Icon: at.icon, Words: p.N("mail.waits."+one.Kind, one.N), Href: at.href, Urgent: one.Urgent})
	}
	if err := s.fillApprovals(r, &pg, actor); err != nil {
		return err
	}
	if err := s.fillRecoveries(r, &pg, actor); err != nil {
		return err
	}
	letters, err := s.Mail.Open(ctx, actor)
	if err != nil {
		return err
	}
	for _, l := range letters {
		pg.Letters = append(pg.Letters, letterRow(c, l))
	}
	if saved := s.Sessions.Pop(ctx, "saved"); saved != "" {
		pg.Saved = p.T("web.waiting.saved." + saved)
	}
	return s.render(w, r, http.StatusOK, waitingView(pg))
}

func (s *Server) fillApprovals(r *http.Request, pg *WaitingPage, actor party.Actor) error {
	if !auth.Seat(actor, auth.NoticeApprove) && !auth.Seat(actor, auth.NoticeIssue) {
		return nil
	}
	all, err := s.Notice.Approvals(r.Context(), actor)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Why != nil {
			continue // another person's
		}
		row := ApprovalWait{
			Ref: one.Ref, Step: pg.P.T("web.waiting.step." + string(one.Step)), Platform: one.AddresseeName,
			Since: pg.P.Ago(one.Since, pg.Now), Href: "/approvals/" + string(one.ID),
		}
		if one.Limit > 0 {
			row.Limit = pg.P.Window(one.Limit)
		}
		pg.Approvals = append(pg.Approvals, row)
	}
	return nil
}

func letterRow(c components.ConsolePage, l mail.Letter) LetterRow {
	row := LetterRow{ID: l.ID, Ref: l.Ref, Address: l.Address, Why: l.LastError, At: c.P.When(l.ReturnedAt, c.Now, c.Zone)}
	if l.Object == "notice" {
		row.Href = "/orders/" + l.ObjectID
	}
	return row
}

// postReached: POST /waiting/letters/{id}/reached ends the task that a returned
// letter is.
func (s *Server) postReached(w http.ResponseWriter, r *http.Request) error {
	if err := s.Mail.Settle(r.Context(), actorOf(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	s.Sessions.Put(r.Context(), "saved", "reached")
	return seeOther(w, r, "/waiting")
}

// postProfileMail: POST /profile/mail with urgent (on or absent) and daily (an
// hour, or "").
func (s *Server) postProfileMail(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	wish := tell.Wish{Urgent: r.PostForm.Get("urgent") == "on", Daily: tell.NoDaily}
	if hour := r.PostForm.Get("daily"); hour != "" || !r.PostForm.Has("daily") {
		n, err := strconv.Atoi(hour)
		if err != nil { // or no form of ours
			return fault.New(fault.Invalid, "mail.hour").At("/daily")
		}
		wish.Daily = n
	}
	if err := s.Tell.SetWish(r.Context(), actorOf(r.Context()), wish); err != nil {
		return err
	}
	return s.profileSaved(w, r, "mail")
}

// hours are the hours of a day to choose a digest's from, as the reader writes
// them, after "never".
func hours(p *i18n.Printer, chosen int) []components.Choice {
	out := []components.Choice{{Label: p.T("public.profile.mail.never"), Checked: chosen == tell.NoDaily}}
	for h := range 24 {
		out = append(out, components.Choice{Value: strconv.Itoa(h), Label: p.T("public.profile.mail.at", "Hour", h), Checked: h == chosen})
	}
	return out
}
