package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// The acts of people on a sent notice, by the names that forms and toasts use.
const (
	actWrite    = "write"
	actRecord   = "record"
	actVerify   = "verify"
	actReopen   = "reopen"
	actResolve  = "resolve"
	actServe    = "serve"
	actDeem     = "deem"
	actConfirm  = "confirm"
	actWithdraw = "withdraw"
)

const (
	// maxActBody bounds a form with the files that prove service. They are held
	// in memory until they are sealed: nothing plain touches a disk.
	maxActBody = 25 << 20
	// localForm is how an input of type datetime-local writes its value (HTML
	// Standard, 2.3.5).
	localForm = "2006-01-02T15:04"
)

// An orderForm is the form that is open, with what was typed into it.
type orderForm struct {
	Act    string
	Item   int
	Values url.Values
	Errors []components.FieldError
}

// An OrderAct is the open form of an act.
type OrderAct struct {
	Name    string
	Icon    string
	Title   string
	Text    string
	Action  string
	Submit  string
	Danger  bool
	Files   bool
	Text1   components.TextArea
	At      *components.Input
	Zone    string
	Methods *components.Choices
	Via     *components.Choices
	How     []components.Choice // further buttons: refuse, consent
	Effects []string
	Close   string
}

// actFields are the fields of the acts' forms, by the pointers of the room's
// faults.
var actFields = map[string]string{"/text": "act-text", "/why": "act-text", "/methods": "act-methods", "/at": "act-at", "/how": "act-text", "/files": "act-files", "/items": ""}

// orderAct takes one act and goes back to the notice; what was not right is
// said on the page, beside what was typed.
func (s *Server) orderAct(name string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxActBody)
		if err := r.ParseMultipartForm(maxActBody); err != nil && !isNotMultipart(err) { //nolint:gosec // bounded in the line above
			return fault.New(fault.Invalid, "vault.too-large", "Limit", i18n.For(langOf(r)).Bytes(maxActBody)).Because(err)
		}
		id := notice.ID(r.PathValue("id"))
		err := s.doOrder(r.Context(), r, name, id)
		if err == nil {
			done := name
			if how := r.PostForm.Get("how"); name == actResolve && how != "" && how != string(notice.Resolve) {
				done += "-" + how
			}
			return seeOther(w, r, "/orders/"+string(id)+"?done="+urlQuery(done))
		}
		return s.orderAgain(w, r, name, err)
	}
}

func isNotMultipart(err error) bool { return err == http.ErrNotMultipart } //nolint:errorlint // net/http returns it bare

// orderAgain shows the page with the form as it was sent and what is wrong.
func (s *Server) orderAgain(w http.ResponseWriter, r *http.Request, name string, err error) error {
	f, ok := fault.As(err)
	if !ok || f.Kind == fault.NotFound || f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return err
	}
	p := i18n.For(langOf(r))
	form := orderForm{Act: name, Values: r.PostForm}
	form.Item, _ = strconv.Atoi(r.PathValue("n")) // "" for acts on the whole notice
	if f.Kind == fault.Invalid {
		fields := actFields
		if name == actWrite {
			fields = map[string]string{"/text": "message"}
		}
		if form.Errors, err = fieldErrors(p, err, fields); err != nil {
			return err
		}
	} else {
		form.Errors = []components.FieldError{{Text: p.Fault(f)}}
	}
	pg, err := s.orderPage(r, form)
	if err != nil {
		return err
	}
	return s.render(w, r, statusOf(f.Kind), orderView(pg))
}

// doOrder asks the room.
func (s *Server) doOrder(ctx context.Context, r *http.Request, name string, id notice.ID) error {
	by, form := actorOf(ctx), r.PostForm
	item, _ := strconv.Atoi(r.PathValue("n")) // "" for acts on the whole notice
	text := strings.TrimSpace(form.Get("text"))
	var err error
	switch name {
	case actWrite:
		return s.Notice.Write(ctx, by, id, text)
	case actRecord:
		return s.recordAnswer(ctx, r, by, id, text)
	case actVerify:
		var numbers []int
		for _, v := range form["item"] {
			if n, err := strconv.Atoi(v); err == nil {
				numbers = append(numbers, n)
			}
		}
		_, err = s.Notice.Verify(ctx, by, id, numbers)
	case actReopen:
		_, err = s.Notice.Reopen(ctx, by, id, item, text)
	case actResolve:
		how := notice.Resolution(form.Get("how"))
		if how == "" {
			how = notice.Resolve
		}
		_, err = s.Notice.ResolvePause(ctx, by, id, notice.ResolveInput{Item: item, How: how, Text: text})
	case actServe:
		return s.serve(ctx, r, by, id, text)
	case actDeem:
		uploads, closeAll, err := formFiles(r)
		if err != nil {
			return err
		}
		defer closeAll()
		return s.Notice.ProposeDeemed(ctx, by, id, notice.Evidence{Methods: form["method"], Text: text, Files: uploads})
	case actConfirm:
		_, err = s.Notice.ConfirmDeemed(ctx, by, id)
	case actWithdraw:
		_, err = s.Notice.Withdraw(ctx, by, id, text)
	}
	return err
}

// recordAnswer puts an answer that came by another way into the conversation,
// with how and when it came. It answers no item: only the platform does.
func (s *Server) recordAnswer(ctx context.Context, r *http.Request, by party.Actor, id notice.ID, text string) error {
	var c fault.Checker
	via := r.PostForm.Get("via")
	c.Require(slices.Contains(recordVias, via), "/methods")
	c.Require(text != "", "/text")
	at, err := localMoment(r.PostForm.Get("at"), by)
	if err != nil || at.IsZero() {
		c.Add("/at", "order.bad-time")
	} else if at.After(s.Clock.Now()) {
		c.Add("/at", "notice.answer-future", "At", at.Format(time.RFC3339))
	}
	if err := c.Err(); err != nil {
		return err
	}
	p := i18n.For(langOf(r))
	return s.Notice.Write(ctx, by, id, p.T("order.recorded", "Via", p.T("order.via."+via), "At", p.DateTime(at, localTime(by)))+"\n\n"+text)
}

// recordVias are the ways by which an answer comes that is not given here.
var recordVias = []string{"mail", "telephone", "letter", "meeting"}

func (s *Server) serve(ctx context.Context, r *http.Request, by party.Actor, id notice.ID, text string) error {
	at, err := localMoment(r.PostForm.Get("at"), by)
	if err != nil {
		return fault.New(fault.Invalid, "order.bad-time").At("/at")
	}
	uploads, closeAll, err := formFiles(r)
	if err != nil {
		return err
	}
	defer closeAll()
	return s.Notice.ServeOnPaper(ctx, by, id, notice.Service{At: at, Text: text, Files: uploads})
}

// localMoment reads a time of the actor's own zone; "" is the zero time.
func localMoment(value string, by party.Actor) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(localForm, value, localTime(by))
	return at.UTC(), err
}

// formFiles opens the files of a form that was read into memory.
func formFiles(r *http.Request) (uploads []notice.Upload, closeAll func(), err error) {
	var open []io.Closer
	closeAll = func() {
		for _, c := range open {
			_ = c.Close() // memory
		}
	}
	if r.MultipartForm == nil {
		return nil, closeAll, nil
	}
	for _, h := range r.MultipartForm.File["files"] {
		if h.Filename == "" || h.Size == 0 {
			continue
		}
		f, err := h.Open()
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		open = append(open, f)
		uploads = append(uploads, notice.Upload{Name: h.Filename, MediaType: h.Header.Get("Content-Type"), Content: f})
	}
	return uploads, closeAll, nil
}

// noticeFile: GET /orders/{id}/files/{file} hands over a file that proves
// service. It is never shown by the browser.
func (s *Server) noticeFile(w http.ResponseWriter, r *http.Request) error {
	f, content, err := s.Notice.OpenFile(r.Context(), actorOf(r.Context()), notice.ID(r.PathValue("id")), r.PathValue("file"))
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // opened for reading
	download(w, fileName(f.Name), "application/octet-stream")
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Length", strconv.FormatInt(f.Size, 10))
	_, _ = io.Copy(w, content) // the reader went away, or the vault's fault ends the body early
	return nil
}
