package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
)

// A Problem is what went wrong, as RFC 9457 has it, with our code beside.
type Problem struct {
	Type     string `json:"type" doc:"Kind of problem; explained on the page that it names" example:"/api/docs#problem-conflict"`
	Title    string `json:"title" doc:"The kind in words, in the caller's language"`
	Status   int    `json:"status" doc:"HTTP status" example:"409"`
	Detail   string `json:"detail" doc:"What happened this time, in the caller's language"`
	Instance string `json:"instance" doc:"This occurrence, to ask about" example:"urn:tangkal:problem:7QK2M9XD"`
	Code     string `json:"code" doc:"What happened, for programs; does not change with the language" example:"case.locked"`
	Errors   []Part `json:"errors,omitempty" doc:"Every fault of the input, so that all can be mended at once"`

	retryAfter time.Duration
	challenge  bool
}

// A Part is one fault of the input.
type Part struct {
	Pointer string `json:"pointer" doc:"Where in the input: a JSON pointer (RFC 6901)" example:"/locations/0"`
	In      string `json:"in" enum:"body,query,path,header" doc:"Which part of the request the pointer is about"`
	Detail  string `json:"detail" doc:"What is wrong and what would be right, in the caller's language"`
	Code    string `json:"code" doc:"The same for programs" example:"fault.required"`
}

// Error returns the problem's sentence.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status. It makes a Problem a huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns RFC 9457's media type. It makes a Problem a
// huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// GetHeaders returns what goes beside the body. It makes a Problem a
// huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	if p.challenge {
		h.Set("WWW-Authenticate", `Bearer realm="tangkal"`)
	}
	return h
}

// byCode are the statuses of faults that the wire itself has a word for.
var byCode = map[string]int{
	"auth.sign-in":            http.StatusUnauthorized,
	"auth.bad-key":            http.StatusUnauthorized,
	"auth.inactive":           http.StatusUnauthorized,
	"auth.sign-in-failed":     http.StatusUnauthorized,
	"api.authorization":       http.StatusUnauthorized,
	"api.json":                http.StatusBadRequest,
	"api.json-depth":          http.StatusBadRequest,
	"api.json-twice":          http.StatusBadRequest,
	"api.no-body":             http.StatusBadRequest,
	"api.multipart":           http.StatusBadRequest,
	"api.idempotency-key":     http.StatusBadRequest,
	"api.if-match":            http.StatusBadRequest,
	"admit.work":              http.StatusTooManyRequests, // RFC 6585, section 4
	"api.timeout":             http.StatusRequestTimeout,
	"api.method":              http.StatusMethodNotAllowed,
	"api.accept":              http.StatusNotAcceptable,
	"case.assessed-meanwhile": http.StatusPreconditionFailed,
	"api.too-large":           http.StatusRequestEntityTooLarge,
	"api.media-type":          http.StatusUnsupportedMediaType,
	"api.idempotency-other":   http.StatusUnprocessableEntity,
}

func statusOf(e *fault.Error) int {
	if status, ok := byCode[e.Code]; ok {
		return status
	}
	switch e.Kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// problem says err to the caller of ctx. Anything that is not a fault is
// logged under a reference, and the caller gets the reference.
func (s *server) problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e, ok := fault.As(err)
	ref := logbook.Ref(ctx)
	if !ok || e.Kind == fault.Internal || e.Kind == fault.Unavailable {
		ref = logbook.Failed(ctx, s.Log, err)
	}
	if !ok || e.Kind == fault.Internal {
		e = fault.New(fault.Internal, "fault.internal", "Ref", ref)
	}
	return say(printer(ctx), e, ref, callOf(ctx).in)
}

// say puts a fault in words.
func say(p *i18n.Printer, e *fault.Error, ref, in string) *Problem {
	status := statusOf(e)
	kind := e.Kind.String()
	out := &Problem{
		Type: "/api/docs#problem-" + kind, Title: p.T("api.problem." + kind), Status: status, Detail: p.Fault(e),
		Instance: "urn:tangkal:problem:" + ref, Code: e.Code, retryAfter: e.RetryAfter, challenge: status == http.StatusUnauthorized,
	}
	if e.Kind == fault.Unavailable && out.retryAfter == 0 {
		out.retryAfter = 5 * time.Second
	}
	for _, part := range e.Parts {
		out.Errors = append(out.Errors, partOf(p, part, in))
	}
	if len(e.Parts) == 0 && e.Field != "" {
		out.Errors = []Part{partOf(p, e, in)}
	}
	return out
}

// partOf says one fault of the input, which is about the part of the request
// named by in, unless its pointer carries another before a colon: see place.
func partOf(p *i18n.Printer, e *fault.Error, in string) Part {
	out := Part{Pointer: e.Field, In: in, Detail: p.Fault(e), Code: e.Code}
	if named, pointer, ok := strings.Cut(e.Field, ":"); ok && slices.Contains(places, named) {
		out.In, out.Pointer = named, pointer
	}
	return out
}

// refuse answers a request outside of huma.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(r.Context(), err)
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p) // a caller that left needs no answer
	}
}
