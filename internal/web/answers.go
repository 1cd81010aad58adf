package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

const (
	// previewOver is the number of links above which many are shown before
	// they are answered (ui principles, 6).
	previewOver = 20
	// previewLinks bounds the links that a preview lists.
	previewLinks = 200
	// bulkNotices bounds the notices that one form may choose.
	bulkNotices = 200
)

// BulkPage shows what one answer for many items would do, and asks for what it
// still lacks.
type BulkPage struct {
	components.ConsolePage
	Notices []BulkNotice
	Links   int
	Hidden  int // links that are not listed
	Items   string
	Unread  int // notices that this answer acknowledges too
	Set     AnswerSet
	Shared  SharedAnswer
	Errors  []components.FieldError
	Submit  string
	Back    string
}

// A BulkNotice is one notice of a bulk answer with its open items.
type BulkNotice struct {
	ID, Ref, From string
	Count         string
	Deadline      components.Deadline
	Links         []string // defanged
	Unread        bool
}

// A chosen notice with the items that are still open.
type chosenNotice struct {
	row  notice.View
	open []notice.ItemView
}

// answerMany: POST /inbox/bulk {n…, answer, …} gives the same answer for every
// open item of the chosen notices. More than 20 links are shown first, and so
// is an answer that lacks something.
func (s *Server) answerMany(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, answerBody)
	if err := r.ParseForm(); err != nil {
		return formFault(err)
	}
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	form := answerForm{values: r.PostForm}
	if a := r.PostFormValue("answer"); a != "" && form.answer(allItems) == "" {
		form.values.Set(allItems+".answer", a)
	}
	chosen, err := s.chosenNotices(ctx, by, r.PostForm["n"])
	if err != nil {
		return err
	}
	links := 0
	for _, c := range chosen {
		links += len(c.open)
	}
	confirmed := r.PostFormValue("confirm") != ""
	switch {
	case links == 0:
		return fault.New(fault.Invalid, "inbox.bulk.none")
	case links > maxAnswers:
		return fault.New(fault.Invalid, "notice.too-many-rows", "Max", maxAnswers)
	}
	rows := s.bulkRows(&form, p, by, chosen)
	if confirmed && form.answer(allItems) == "" {
		form.problems = []placed{{allItems + ".answer", p.T("inbox.problem.none")}}
	}
	if len(form.problems) > 0 || !confirmed && (links > previewOver || !complete(form)) {
		status := http.StatusOK
		if len(form.problems) > 0 {
			status = http.StatusUnprocessableEntity
		}
		return s.bulkPreview(w, r, form, chosen, status)
	}
	rep, err := s.answerAll(ctx, by, rows, s.answerInput(r, by, nil))
	if err != nil {
		return err
	}
	if rep.tally.Problems == 0 {
		return seeOther(w, r, readInboxFilter(r.URL.Query()).to("/inbox", "done", "answered", "n", strconv.Itoa(rep.tally.OK)))
	}
	if rep.tally.OK == 0 { // nothing was taken: say it beside the fields
		form.place(p, allItems, form.answer(allItems), rep.rows[0].Problem)
		return s.bulkPreview(w, r, form, chosen, http.StatusUnprocessableEntity)
	}
	return s.renderReport(w, r, rep, "")
}

// complete reports whether the form may be sent without another look: its
// answer says all by itself.
func complete(form answerForm) bool {
	k := form.answer(allItems)
	if k == "" {
		return false
	}
	for _, field := range answerFields[k] {
		if needs(k, field) && form.get(fieldName(allItems, k, field)) == "" {
			return false
		}
	}
	return !acts(k) || form.get("basis") != ""
}

// chosenNotices reads the notices by id, each with its open items.
func (s *Server) chosenNotices(ctx context.Context, by party.Actor, ids []string) ([]chosenNotice, error) {
	if len(ids) > bulkNotices {
		return nil, fault.New(fault.Invalid, "inbox.bulk.many", "Max", bulkNotices)
	}
	var out []chosenNotice
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		v, err := s.Notice.Get(ctx, by, notice.ID(id))
		if err != nil {
			return nil, err
		}
		c := chosenNotice{row: v}
		for items := v.Items; len(items) > 0; {
			for _, it := range items {
				if it.State == notice.Pending || it.State == notice.Paused {
					c.open = append(c.open, it)
				}
			}
			if items, err = s.Notice.Items(ctx, by, v.ID, items[len(items)-1].N, 0); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// bulkRows is the form's answer for every open item.
func (s *Server) bulkRows(form *answerForm, p *i18n.Printer, by party.Actor, chosen []chosenNotice) []notice.BulkRow {
	row, err := form.row(allItems, 0, s.Clock.Now(), localTime(by))
	if err != nil {
		form.place(p, allItems, row.Answer, err)
		return nil
	}
	var rows []notice.BulkRow
	for _, c := range chosen {
		for _, it := range c.open {
			one := row
			one.N = it.N
			rows = append(rows, notice.BulkRow{Ref: c.row.Ref, Row: one})
		}
	}
	return rows
}

// bulkPreview shows what would be answered.
func (s *Server) bulkPreview(w http.ResponseWriter, r *http.Request, form answerForm, chosen []chosenNotice, status int) error {
	p := i18n.For(langOf(r))
	pg := BulkPage{Back: readInboxFilter(r.URL.Query()).to("/inbox"), Errors: form.summary(p), Shared: form.shared(p)}
	title := p.T("inbox.bulk.title")
	var err error
	if pg.ConsolePage, err = s.console(r, "inbox", title, components.Crumb{Label: p.T("inbox.title"), Href: "/inbox"}, components.Crumb{Label: title}); err != nil {
		return err
	}
	pg.Failed = len(pg.Errors) > 0
	left := previewLinks
	for _, c := range chosen {
		n := BulkNotice{ID: string(c.row.ID), Ref: c.row.Ref, From: c.row.IssuerName, Count: p.N("inbox.links", len(c.open)), Unread: clockStarted(c.row.Notice).IsZero()}
		n.Deadline, _ = noticeDeadline(p, c.row.Row, pg.Now)
		if n.Unread {
			pg.Unread++
		}
		for _, it := range c.open {
			if left == 0 {
				break
			}
			n.Links = append(n.Links, defang(it.URL))
			left--
		}
		pg.Links += len(c.open)
		pg.Hidden += len(c.open) - len(n.Links)
		pg.Notices = append(pg.Notices, n)
	}
	pg.Items = p.T("inbox.bulk.what", "Links", p.N("inbox.links", pg.Links), "Notices", p.N("inbox.notices", len(pg.Notices)))
	pg.Set = form.answerSet(p, allItems, p.T("inbox.bulk.all"))
	pg.Submit = p.N("inbox.send", pg.Links)
	return s.render(w, r, status, bulkView(pg))
}

// A bulkReport is what became of the rows of one call.
type bulkReport struct {
	tally notice.Tally
	rows  []notice.RowReport
	ended error // why the call ended early, nil if it did not
}

// answerAll answers many rows and gathers what became of each.
func (s *Server) answerAll(ctx context.Context, by party.Actor, rows []notice.BulkRow, in notice.AnswerInput) (bulkReport, error) {
	if err := auth.May(by, auth.NoticeAnswer, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return bulkReport{}, err
	}
	return s.answerStream(ctx, by, func(yield func(notice.BulkRow, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}, in)
}

// answerStream is answerAll over a stream. What was taken before an error of
// ours stays taken, so the report says both.
func (s *Server) answerStream(ctx context.Context, by party.Actor, rows func(func(notice.BulkRow, error) bool), in notice.AnswerInput) (bulkReport, error) {
	var rep bulkReport
	var err error
	rep.tally, err = s.Notice.AnswerBulk(ctx, by, rows, in, func(row notice.RowReport) error {
		rep.rows = append(rep.rows, row)
		return nil
	})
	if err != nil && rep.tally.OK == 0 {
		return rep, err
	}
	if rep.ended = err; err != nil {
		s.Log.ErrorContext(ctx, "bulk answers ended early", "rows", rep.tally.Rows, "error", err)
	}
	return rep, nil
}

// bulkKinds are the answers of the bar over the list.
func bulkKinds() []notes.AnswerKind { return mainAnswers }
