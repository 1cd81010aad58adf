package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
)

// ReportPage is the public form. It is one page, so that it works without
// script; what is rarely needed is folded away.
type ReportPage struct {
	components.PublicPage
	Emergency   []policy.EmergencyNumber // to call first
	Soon        bool                     // somebody will be hurt soon
	Token       string                   // makes a repeated sending have one effect
	URLs        []string                 // the rows as filled in; none shows one empty row
	Many        string                   // the box for many links, one a line
	Category    string
	Description string
	Contact     string
	Reply       i18n.Lang // language that the reporter wants to be answered in
	Agencies    []Option  // more than one offers the choice
	Agency      string
	MaxFiles    int
	FileLimit   string // "50 MB"
	Errors      []components.FieldError
	Lane        string // ticket of whoever has waited, kept while they mend; "" for others

	badRows []int // the rows of URLs to mend
}

// action is where the form goes.
func (pg ReportPage) action() string {
	if pg.Lane != "" {
		return "/report/lane/" + pg.Lane
	}
	return "/report"
}

// An Option is a value with its words.
type Option struct{ Value, Label string }

// wrong returns what is wrong with a field, "" if nothing.
func (pg ReportPage) wrong(field string) string { return fieldError(pg.Errors, field) }

func fieldError(errors []components.FieldError, field string) string {
	for _, e := range errors {
		if e.Field == field {
			return e.Text
		}
	}
	return ""
}

// rows are the link rows to draw, at least one.
func (pg ReportPage) rows() []string {
	if len(pg.URLs) == 0 {
		return []string{""}
	}
	return pg.URLs
}

// categories are the answers to what it is about, as report.Category.
func (pg ReportPage) categories() []components.Choice {
	names := []struct {
		value string
		hint  bool
	}{{"incitement", true}, {"recruitment", true}, {"instructions", false}, {"financing", false}, {"threat", true}, {"unsure", true}}
	out := make([]components.Choice, len(names))
	for i, n := range names {
		out[i] = components.Choice{Value: n.value, Label: pg.P.T("public.category." + n.value), Checked: n.value == pg.Category}
		if n.hint {
			out[i].Hint = pg.P.T("public.category." + n.value + ".hint")
		}
	}
	return out
}

// languages are the answers to the language of the reply.
func (pg ReportPage) languages() []Option {
	var out []Option
	for _, l := range i18n.Langs() {
		out = append(out, Option{string(l), i18n.For(l).T("ui.language.self")})
	}
	return out
}

// whoAnswers says who answers at a number, "" if nobody has said.
func (pg ReportPage) whoAnswers(n policy.EmergencyNumber) string { return n.For.In(pg.P.Lang()) }

// dial is the address that rings a number (RFC 3966).
func dial(number string) string { return "tel:" + strings.ReplaceAll(number, " ", "") }

// usually is how soon a person judges a report, in the usual case; it is what
// the receipt promises and no law's figure.
const usually = 24 * time.Hour

// getReport: GET /report is the form.
func (s *Server) getReport(w http.ResponseWriter, r *http.Request) error {
	pg := s.reportPage(r)
	return s.showReport(w, r, http.StatusOK, pg)
}

// reportPage is the form, empty and without its choice of agencies.
func (s *Server) reportPage(r *http.Request) ReportPage {
	pg := ReportPage{
		PublicPage: s.narrowPage(r, "public.report.title", "report"), Token: s.Report.NewToken(),
		Emergency: s.Emergency, MaxFiles: report.MaxFiles, FileLimit: "50 MB",
	}
	pg.Reply = pg.P.Lang()
	pg.Path, pg.LangForm = "/report", "report"
	return pg
}

// showReport draws the form.
func (s *Server) showReport(w http.ResponseWriter, r *http.Request, status int, pg ReportPage) error {
	agencies, err := s.Report.Agencies(r.Context())
	if err != nil {
		return err
	}
	for _, a := range agencies {
		pg.Agencies = append(pg.Agencies, Option{a.Code, a.Name})
	}
	return s.render(w, r, status, reportView(pg))
}

// narrowPage is a public page of one column with the quick exit.
func (s *Server) narrowPage(r *http.Request, titleKey, active string) components.PublicPage {
	pg := s.publicPage(r, titleKey, active)
	pg.Narrow, pg.NoFoot = true, true
	return pg
}

// postReport: POST /report files a report and shows its receipt, once and in
// the answer itself, so that the code never stands in an address.
func (s *Server) postReport(w http.ResponseWriter, r *http.Request) error {
	pg := s.reportPage(r)
	in, err := readIntake(w, r)
	if in == nil {
		return err
	}
	defer in.drain()
	pg.fill(in)
	if err != nil {
		return s.reportAgain(w, r, pg, in, err)
	}
	if in.texts.Has("switch") { // the language switch, which keeps what was typed
		return s.showReport(w, r, http.StatusOK, pg)
	}
	what := pg.submission(in)
	if what.Spend, err = s.pay(r, in); unpaid(err) {
		return s.reportWaits(w, r, pg, in, err)
	}
	receipt, err := s.Report.Submit(r.Context(), what)
	if unpaid(err) { // somebody has used the ticket
		return s.reportWaits(w, r, pg, in, err)
	}
	if err != nil {
		return s.reportAgain(w, r, pg, in, err)
	}
	return s.showReceipt(w, r, receipt.Code, s.Clock.Now(), pg.Contact != "", pg.Soon)
}

// fill takes over what the reporter gave.
func (pg *ReportPage) fill(in *intake) {
	t := in.texts
	pg.Token, pg.URLs, pg.Many = t.Get("token"), t["url"], t.Get("urls")
	pg.Category, pg.Description, pg.Contact, pg.Agency = t.Get("category"), t.Get("description"), t.Get("contact"), t.Get("agency")
	pg.Soon = t.Get("soon") == "yes"
	for _, l := range i18n.Langs() {
		if t.Get("reply") == string(l) {
			pg.Reply = l
		}
	}
}

// locations are the links of the rows and of the box, without empty ones.
func (pg ReportPage) locations() []string {
	return append(filled(pg.URLs), filled(strings.Split(pg.Many, "\n"))...)
}

func filled(lines []string) []string {
	var out []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func (pg ReportPage) submission(in *intake) report.Submission {
	return report.Submission{
		Channel: report.Web, Locations: pg.locations(), Category: report.Category(pg.Category), Description: pg.Description, Soon: pg.Soon,
		Lang: pg.Reply, Agency: pg.Agency, Contact: pg.Contact, More: in.uploads(), Token: pg.Token,
	}
}

// reportAgain shows the form with everything that was typed and what is to be
// mended. Files cannot be kept: a browser never fills in a file field.
func (s *Server) reportAgain(w http.ResponseWriter, r *http.Request, pg ReportPage, in *intake, err error) error {
	errs, err := pg.mend(err)
	if err != nil {
		return err
	}
	if in.sawFile && fieldError(errs, "files") == "" {
		errs = append(errs, components.FieldError{Field: "files", Text: pg.P.T("public.report.files.again")})
	}
	pg.Errors, pg.Failed, pg.Lane = errs, true, r.PathValue("ticket")
	if fieldError(errs, "token") != "" {
		pg.Token = s.Report.NewToken()
	}
	return s.showReport(w, r, http.StatusUnprocessableEntity, pg)
}

// mend says what is wrong, each beside its field; a link is named by its
// number. Any fault but an Invalid one comes back.
func (pg *ReportPage) mend(err error) ([]components.FieldError, error) {
	rows := len(filled(pg.URLs))
	var out []components.FieldError
	parts, err := invalidParts(err)
	for _, part := range parts {
		field, text := reportFields[top(part.Field)], pg.P.Fault(part)
		if part.Field == "/locations" && part.Code == "fault.required" {
			text = pg.P.T("public.report.nothing")
		} else if part.Field == "/category" && part.Code == "fault.required" {
			text = pg.P.T("public.report.category.required")
		}
		if n, ok := index(part.Field, "/locations/"); ok {
			if n < rows {
				pg.badRow(n)
			} else {
				field = "urls"
			}
			if len(pg.locations()) > 1 {
				text = pg.P.T("public.report.nth", "N", n+1, "Text", text)
			}
		}
		out = append(out, components.FieldError{Field: field, Text: text})
	}
	slices.SortStableFunc(out, func(a, b components.FieldError) int {
		return cmp.Compare(slices.Index(reportOrder, a.Field), slices.Index(reportOrder, b.Field))
	})
	return joinFields(out), err
}

// reportOrder is the order of the fields on the page, and so of what is wrong
// with them.
var reportOrder = []string{"token", "url", "urls", "category", "description", "contact", "reply", "agency", "files"}

// badRow marks the n-th filled row.
func (pg *ReportPage) badRow(n int) {
	for i, u := range pg.URLs {
		if strings.TrimSpace(u) == "" {
			continue
		}
		if n == 0 {
			pg.badRows = append(pg.badRows, i)
			return
		}
		n--
	}
}

// isBad reports whether row i needs mending.
func (pg ReportPage) isBad(i int) bool { return slices.Contains(pg.badRows, i) }

// reportFields are the form's fields by the first part of a submission's JSON
// pointers.
var reportFields = map[string]string{
	"locations": "url", "category": "category", "description": "description", "lang": "reply", "agency": "agency",
	"contact": "contact", "files": "files", "token": "token",
}

// manyErrors is how many lines one field shows beside it; the rest is counted.
const manyErrors = 20

// joinFields keeps one line for each field and text, and no endless list.
func joinFields(all []components.FieldError) []components.FieldError {
	var out []components.FieldError
	for _, e := range all {
		if !slices.Contains(out, e) && len(out) < manyErrors {
			out = append(out, e)
		}
	}
	return out
}

// invalidParts returns the parts of an Invalid fault; any other error comes
// back as it is.
func invalidParts(err error) ([]*fault.Error, error) {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid {
		return nil, err
	}
	if len(e.Parts) == 0 {
		return []*fault.Error{e}, nil
	}
	return e.Parts, nil
}

// top is the first part of a JSON pointer.
func top(pointer string) string {
	head, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	return head
}

// index is the number that follows prefix in a JSON pointer.
func index(pointer, prefix string) (int, bool) {
	rest, ok := strings.CutPrefix(pointer, prefix)
	if !ok {
		return 0, false
	}
	head, _, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(head)
	return n, err == nil
}

// showReceipt confirms a report.
func (s *Server) showReceipt(w http.ResponseWriter, r *http.Request, code string, at time.Time, named, soon bool) error {
	pg := ReceiptPage{
		PublicPage: s.narrowPage(r, "public.receipt.title", "report"), Code: code, At: at, Named: named, Soon: soon, Emergency: s.Emergency, Usual: usually,
		Counsel: s.Counsel, CounselTo: s.CounselURL,
	}
	pg.Path, pg.LangForm, pg.LangPost = "/receipt", "again", true
	return s.render(w, r, http.StatusOK, receiptView(pg))
}
