package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

const (
	// answerBody bounds a form of answers: fifty items with long explanations.
	answerBody = 2 << 20
	// receiptAge is how old the signed receipt of an open page may be: its own
	// time of receipt is evidence and must not be that of an earlier look.
	receiptAge = 10 * time.Minute
)

// receiptProblem is why a receipt has to be pressed once more.
type receiptProblem struct {
	stale bool
	text  string
}

// receiptForm: GET /inbox/{id}/receipt is the form that acknowledges receipt,
// with a receipt of this moment.
func (s *Server) receiptForm(w http.ResponseWriter, r *http.Request) error {
	ctx, by := r.Context(), actorOf(r.Context())
	v, err := s.Notice.Get(ctx, by, notice.ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	if !v.ReceivedAt.IsZero() {
		return fault.New(fault.Conflict, "notice.received", "Ref", v.Ref, "At", v.ReceivedAt.Format(time.RFC3339))
	}
	page := s.page(r, localTime(by), v.Ref)
	form, err := s.receipt(ctx, by, v, page, receiptProblem{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, receiptFormView(page.P, form))
}

// receiveNotice: POST /inbox/{id}/receive {document, signature, key} signs for
// a notice; without a signature it is a plain acknowledgement. The answer clock
// starts.
func (s *Server) receiveNotice(w http.ResponseWriter, r *http.Request) error {
	in, problem, err := s.readReceipt(r, s.Clock.Now())
	if err != nil {
		return err
	}
	id := notice.ID(r.PathValue("id"))
	if !problem.stale {
		by := actorOf(r.Context())
		in.UTCOffset = s.Clock.Now().In(localTime(by)).Format("-07:00")
		_, err = s.Notice.Receive(r.Context(), by, id, in)
		if err == nil {
			return seeOther(w, r, readInboxFilter(r.URL.Query()).to("/inbox/"+string(id), "done", "received"))
		}
		if e, ok := fault.As(err); !ok || e.Kind != fault.Invalid && e.Kind != fault.Denied {
			return err
		}
		e, _ := fault.As(err)
		problem.text = i18n.For(langOf(r)).Fault(e)
	}
	pg, err := s.inboxPage(r, id, answerForm{}, problem)
	if err != nil {
		return err
	}
	pg.Failed = true
	return s.render(w, r, http.StatusUnprocessableEntity, inboxView(pg))
}

// readReceipt reads what was signed.
func (s *Server) readReceipt(r *http.Request, now time.Time) (in notice.ReceiptInput, p receiptProblem, err error) {
	in.Channel = notes.ChannelPortal
	sig, signed, err := s.formSignature(r)
	if err != nil || !signed {
		return in, p, err
	}
	in.Sig = &sig
	if in.Document, err = base64.StdEncoding.DecodeString(r.PostFormValue("document")); err != nil || len(in.Document) == 0 {
		return in, p, fault.New(fault.Invalid, "fault.required").At("/document")
	}
	var doc notes.Receipt
	if err := json.Unmarshal(in.Document, &doc); err != nil {
		return in, p, fault.New(fault.Invalid, "notice.not-canonical", "Kind", string(notes.KindReceipt)).At("/document").Because(err)
	}
	p.stale = now.Sub(doc.ReceivedAt.Time) > receiptAge
	return in, p, nil
}

// answerNotice: POST /inbox/{id}/answers answers the chosen items of a notice.
// What is right counts; the rest comes back beside its item.
func (s *Server) answerNotice(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, answerBody)
	if err := r.ParseForm(); err != nil {
		return formFault(err)
	}
	by, p, id := actorOf(r.Context()), i18n.For(langOf(r)), notice.ID(r.PathValue("id"))
	form := answerForm{values: r.PostForm}
	rows := s.answerRows(&form, p, by)
	if len(rows) == 0 && len(form.problems) == 0 {
		form.problems = []placed{{"", p.T("inbox.problem.none")}}
	}
	done := 0
	if len(rows) > 0 {
		res, err := s.Notice.Answer(r.Context(), by, id, s.answerInput(r, by, rows))
		if err != nil {
			return err
		}
		var ok []int
		for i, rep := range res.Rows {
			if rep.Problem != nil {
				form.place(p, strconv.Itoa(rows[i].N), rows[i].Answer, rep.Problem)
				continue
			}
			ok = append(ok, rows[i].N)
		}
		done, form = len(ok), form.without(ok)
	}
	if len(form.problems) == 0 {
		return seeOther(w, r, readInboxFilter(r.URL.Query()).to("/inbox/"+string(id), "done", "answered", "n", strconv.Itoa(done)))
	}
	pg, err := s.inboxPage(r, id, form, receiptProblem{})
	if err != nil {
		return err
	}
	if done > 0 && pg.Notice != nil {
		pg.Notice.Accepted = p.N("inbox.done.answered", done)
	}
	return s.render(w, r, http.StatusUnprocessableEntity, inboxView(pg))
}

// answerRows reads the rows of a form; what cannot be read stays in it.
func (s *Server) answerRows(form *answerForm, p *i18n.Printer, by party.Actor) []notes.Row {
	var rows []notes.Row
	now, zone := s.Clock.Now(), localTime(by)
	for _, n := range form.places() {
		place := strconv.Itoa(n)
		row, err := form.row(place, n, now, zone)
		if err != nil {
			form.place(p, place, row.Answer, err)
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Server) answerInput(r *http.Request, by party.Actor, rows []notes.Row) notice.AnswerInput {
	return notice.AnswerInput{
		Rows: rows, Channel: notes.ChannelPortal, PlatformReference: r.PostFormValue("platform_reference"),
		UTCOffset: s.Clock.Now().In(localTime(by)).Format("-07:00"),
	}
}

// formFault is what is wrong with a body that cannot be read as a form.
func formFault(err error) error {
	return fault.New(fault.Invalid, "inbox.bad-form").Because(err)
}

// writeToIssuer: POST /inbox/{id}/messages {text} writes to those who decided.
func (s *Server) writeToIssuer(w http.ResponseWriter, r *http.Request) error {
	id := notice.ID(r.PathValue("id"))
	err := s.Notice.Write(r.Context(), actorOf(r.Context()), id, r.PostFormValue("text"))
	if err == nil {
		return seeOther(w, r, readInboxFilter(r.URL.Query()).to("/inbox/"+string(id), "done", "written")+"#talk")
	}
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid {
		return err
	}
	p := i18n.For(langOf(r))
	text := p.Fault(e)
	if i := slices.IndexFunc(e.Parts, func(part *fault.Error) bool { return part.Field == "/text" }); i >= 0 {
		text = p.Fault(e.Parts[i])
	}
	pg, err := s.inboxPage(r, id, answerForm{values: r.PostForm, problems: []placed{{"text", text}}}, receiptProblem{})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusUnprocessableEntity, inboxView(pg))
}
