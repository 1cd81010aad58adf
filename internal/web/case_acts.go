package web

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// maxEvidence bounds one upload of evidence, all files together (domain.md,
// Limits: as much as a report).
const maxEvidence = 500<<20 + 1<<20

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

func defang(url string) string { return canonical.Defang(url) }

// backToCase leads to the case after an act, which the page then tells.
func (s *Server) backToCase(w http.ResponseWriter, r *http.Request, said string) error {
	return seeOther(w, r, withFilter("/cases/"+r.PathValue("id")+"?said="+said, r.URL.RawQuery))
}

// actAgain shows the case as it stands, with what stood in the way of an act.
func (s *Server) actAgain(w http.ResponseWriter, r *http.Request, cause error) error {
	e, ok := fault.As(cause)
	if !ok || e.Kind == fault.NotFound || e.Kind == fault.Denied && !fault.Is(cause, "case.same-person") && e.Code != "case.opinion-of-another" {
		return cause
	}
	pg, err := s.triagePage(r, caseID(r))
	if err != nil {
		return err
	}
	pg.Case.Errors, pg.Failed = faultParts(pg.P, cause), true
	return s.render(w, r, statusOf(e.Kind), triageView(pg))
}

// act runs one act on a case and says so, or why it could not.
func (s *Server) caseAct(w http.ResponseWriter, r *http.Request, said string, do func(by party.Actor, id casework.ID) error) error {
	if err := do(actorOf(r.Context()), caseID(r)); err != nil {
		return s.actAgain(w, r, err)
	}
	return s.backToCase(w, r, said)
}

// takeCase: POST /cases/{id}/take.
func (s *Server) takeCase(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "taken", func(by party.Actor, id casework.ID) error {
		_, err := s.Casework.Take(r.Context(), by, id)
		return err
	})
}

// releaseCase: POST /cases/{id}/release.
func (s *Server) releaseCase(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "released", func(by party.Actor, id casework.ID) error { return s.Casework.Release(r.Context(), by, id) })
}

// skipCase: POST /cases/{id}/skip leaves a case to others, without a word why,
// and goes back to the list.
func (s *Server) skipCase(w http.ResponseWriter, r *http.Request) error {
	if err := s.Casework.Skip(r.Context(), actorOf(r.Context()), caseID(r)); err != nil {
		return s.actAgain(w, r, err)
	}
	return seeOther(w, r, withFilter("/triage?said=skipped", r.URL.RawQuery))
}

// assignCase: POST /cases/{id}/assign {person}.
func (s *Server) assignCase(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "assigned", func(by party.Actor, id casework.ID) error {
		return s.Casework.Assign(r.Context(), by, id, party.PersonID(r.PostFormValue("person")))
	})
}

// holdCase: POST /cases/{id}/hold {reason, term}.
func (s *Server) holdCase(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "held", func(by party.Actor, id casework.ID) error {
		term, err := time.ParseDuration(r.PostFormValue("term"))
		if err != nil {
			term = 0 // which the room refuses with the longest term there is
		}
		return s.Casework.Hold(r.Context(), by, id, r.PostFormValue("reason"), term)
	})
}

// endHold: POST /cases/{id}/hold/end {outcome}.
func (s *Server) endHold(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "hold-ended", func(by party.Actor, id casework.ID) error {
		return s.Casework.EndHold(r.Context(), by, id, r.PostFormValue("outcome"))
	})
}

// addLocations: POST /cases/{id}/locations {locations}: one a line.
func (s *Server) addLocations(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "located", func(by party.Actor, id casework.ID) error {
		raw := strings.FieldsFunc(r.PostFormValue("locations"), func(c rune) bool { return c == '\n' || c == '\r' })
		raw = slices.DeleteFunc(raw, func(l string) bool { return strings.TrimSpace(l) == "" })
		if len(raw) == 0 {
			return fault.New(fault.Invalid, "location.empty").At("/locations")
		}
		return s.Casework.AddLocations(r.Context(), by, id, raw)
	})
}

// requestCapture: POST /cases/{id}/captures/fetch {location}.
func (s *Server) requestCapture(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "requested", func(by party.Actor, id casework.ID) error {
		_, err := s.Casework.RequestCapture(r.Context(), by, id, report.LocationID(r.PostFormValue("location")))
		return err
	})
}

// noCapture: POST /cases/{id}/captures/none {why}.
func (s *Server) noCapture(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "no-capture", func(by party.Actor, id casework.ID) error {
		return s.Casework.NoCaptureReason(r.Context(), by, id, r.PostFormValue("why"))
	})
}

// upload: POST /cases/{id}/captures {location, files}. Each file is sealed as
// it arrives and never touches the disk in the clear; those before one that is
// refused are kept, and the page shows them.
func (s *Server) uploadEvidence(w http.ResponseWriter, r *http.Request) error {
	ctx, by := r.Context(), actorOf(r.Context())
	r.Body = http.MaxBytesReader(w, r.Body, maxEvidence)
	parts, err := r.MultipartReader()
	if err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	var loc report.LocationID
	n := 0
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.actAgain(w, r, fault.New(fault.Invalid, "triage.upload").Because(err))
		}
		if part.FileName() == "" {
			if part.FormName() == "location" {
				raw, err := io.ReadAll(io.LimitReader(part, 100))
				if err != nil {
					return s.actAgain(w, r, fault.New(fault.Invalid, "triage.upload").Because(err))
				}
				loc = report.LocationID(raw)
			}
			continue
		}
		up := casework.Upload{Name: part.FileName(), MediaType: part.Header.Get("Content-Type"), Content: part}
		if _, err := s.Casework.AddCapture(ctx, by, caseID(r), loc, []casework.Upload{up}); err != nil {
			return s.actAgain(w, r, err)
		}
		n++
	}
	if n == 0 {
		return s.actAgain(w, r, fault.New(fault.Invalid, "triage.no-files").At("/files"))
	}
	return s.backToCase(w, r, "captured")
}

// replyReporter: POST /cases/{id}/reports/{report}/reply {text}. The report must
// be one of the case.
func (s *Server) replyReporter(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "replied", func(by party.Actor, id casework.ID) error {
		v, err := s.Casework.Get(r.Context(), by, id)
		if err != nil {
			return err
		}
		to := report.ID(r.PathValue("report"))
		if !slices.Contains(v.Reports, to) {
			return fault.Hidden("report")
		}
		return s.Report.Reply(r.Context(), by, to, r.PostFormValue("text"))
	})
}

// An OpinionPane asks a second person for their own answers. It shows nothing
// of the first assessment.
type OpinionPane struct {
	P        *i18n.Printer
	Path     string
	AskedBy  string
	Purposes []PurposeQuestion
	WhyAll   string
	Reasons  string
	Errors   []components.FieldError
}

func opinionPane(p *i18n.Printer, v casework.View, names map[party.PersonID]party.Person) *OpinionPane {
	pane := &OpinionPane{P: p, Path: "/cases/" + string(v.Case.ID)}
	for _, o := range v.Opinions {
		if o.GivenBy == "" {
			pane.AskedBy = names[o.AskedBy].Name
		}
	}
	pane.fill(assessForm{Purposes: map[string]purposeAnswer{}})
	return pane
}

func (pane *OpinionPane) fill(f assessForm) {
	pane.WhyAll, pane.Reasons, pane.Purposes = f.WhyAll, f.Reasons, nil
	list := AssessPane{Form: f}
	list.purposes(pane.P)
	pane.Purposes = list.Purposes
}

// askOpinion: POST /cases/{id}/opinion/ask {person}; nobody named asks whoever
// is there.
func (s *Server) askOpinion(w http.ResponseWriter, r *http.Request) error {
	return s.caseAct(w, r, "asked", func(by party.Actor, id casework.ID) error {
		return s.Casework.AskOpinion(r.Context(), by, id, party.PersonID(r.PostFormValue("person")))
	})
}

// giveOpinion: POST /cases/{id}/opinion.
func (s *Server) giveOpinion(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "triage.form").Because(err)
	}
	f := readAssess(r.PostForm)
	o := casework.Opinion{Reasons: strings.TrimSpace(f.Reasons)}
	for _, t := range f.assessment("", "").PurposeTests {
		if t != (notes.PurposeTest{Purpose: t.Purpose}) {
			o.PurposeTests = append(o.PurposeTests, t)
		}
	}
	err := s.Casework.GiveOpinion(r.Context(), actorOf(r.Context()), caseID(r), o)
	if err == nil {
		return s.backToCase(w, r, "given")
	}
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid {
		return s.actAgain(w, r, err)
	}
	pg, perr := s.triagePage(r, caseID(r))
	if perr != nil {
		return perr
	}
	if pg.Case.Opinion == nil {
		return s.actAgain(w, r, err)
	}
	pg.Case.Opinion.fill(f)
	if pg.Case.Opinion.Errors, perr = fieldErrors(pg.P, err, map[string]string{"/purpose_tests": "purposes", "/reasons": "reasons"}); perr != nil {
		return perr
	}
	pg.Case.Opinion.Errors = distinctErrors(pg.Case.Opinion.Errors)
	pg.Failed = true
	return s.render(w, r, statusOf(e.Kind), triageView(pg))
}

// distinct leaves out what says the same again.
func distinctErrors(errs []components.FieldError) []components.FieldError {
	var out []components.FieldError
	for _, e := range errs {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}
