package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
)

// octets marks an operation that answers with bytes of its own, not with JSON
// of a schema.
func octets(r *route) {
	before := r.document
	r.document = func(registry huma.Registry, op *huma.Operation) {
		if before != nil {
			before(registry, op)
		}
		status := strconv.Itoa(http.StatusOK)
		op.Responses[status] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
			"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}
	}
}

// operation is a row as huma wants it.
func (s *server) operation(r route) huma.Operation {
	noun, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: prefix + r.path, Tags: []string{noun}, DefaultStatus: r.status,
		Responses: map[string]*huma.Response{}, MaxBodyBytes: maxJSON + 1, Middlewares: huma.Middlewares{s.knock(r.seat)},
		// How slowly a body may come is the server's rule (app's pace). Huma's own
		// deadline of five seconds goes on after the body: what takes longer to do
		// would lose its connection, and the next request on it too.
		BodyReadTimeout: -1,
	}
	if r.seat != public {
		op.Security = []map[string][]string{{"key": {}}, {"session": {}}}
	}
	for _, status := range problemsOf(r) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: fmt.Sprintf("#/components/responses/%d", status)}
	}
	if writes(r.method) {
		op.Parameters = append(op.Parameters, &huma.Param{Ref: "#/components/parameters/IdempotencyKey"})
	}
	op.Parameters = append(op.Parameters, &huma.Param{Ref: "#/components/parameters/AcceptLanguage"})
	return op
}

// problemsOf are the statuses with which an operation may refuse.
func problemsOf(r route) []int {
	out := []int{http.StatusInternalServerError, http.StatusServiceUnavailable}
	if r.seat != public {
		out = append(out, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(r.path, "{") || strings.HasPrefix(r.path, "/receipts") {
		out = append(out, http.StatusNotFound)
	}
	if writes(r.method) {
		out = append(out, http.StatusBadRequest, http.StatusConflict)
	}
	return append(out, http.StatusUnprocessableEntity)
}

// examples is one fault of each status, as it would be answered.
var examples = map[int]*fault.Error{
	http.StatusBadRequest:          fault.New(fault.Invalid, "api.json"),
	http.StatusUnauthorized:        fault.New(fault.Denied, "auth.bad-key"),
	http.StatusForbidden:           fault.New(fault.Denied, "auth.not-allowed", "Act", string(auth.NoticeApprove)),
	http.StatusNotFound:            fault.Hidden("notice"),
	http.StatusConflict:            fault.New(fault.Conflict, "api.idempotency-busy"),
	http.StatusUnprocessableEntity: {Kind: fault.Invalid, Code: "fault.input", Args: map[string]any{"Count": 1}, Parts: []*fault.Error{fault.New(fault.Invalid, "fault.required").At("/category")}},
	http.StatusInternalServerError: fault.New(fault.Internal, "fault.internal", "Ref", exampleRef),
	http.StatusServiceUnavailable:  fault.New(fault.Unavailable, "db.unavailable"),
}

const exampleRef = "7QK2M9XD"

// finish completes the document once every operation is in it, and makes its
// text in each language.
func (s *server) finish() {
	doc := s.huma.OpenAPI()
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
	problem := doc.Components.Schemas.Schema(typeOf[Problem](), true, "")
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":     {Type: "http", Scheme: "bearer"},
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-tangkal"},
	}
	if s.BaseURL != "" {
		doc.Servers = []*huma.Server{{URL: s.BaseURL}}
	}
	doc.Components.Parameters = map[string]*huma.Param{
		"IdempotencyKey": {Name: headerKey, In: "header", Schema: &huma.Schema{Type: huma.TypeString}},
		"AcceptLanguage": {Name: "Accept-Language", In: "header", Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"id", "en"}}},
	}
	for _, r := range s.routes {
		if r.document != nil { // only now: huma would read a body that it knows of
			r.document(doc.Components.Schemas, operationAt(doc, r))
		}
	}
	s.written = sync.OnceValue(func() map[i18n.Lang]contract { return s.write(doc, problem) })
}

// A contract is the OpenAPI document in one language, as JSON and as a page.
type contract struct{ spec, page []byte }

// write writes the document in every language. That takes longer than all the
// rest of a start, so it is done when somebody first asks for it; what requests
// are checked against does not change any more.
func (s *server) write(doc *huma.OpenAPI, problem *huma.Schema) map[i18n.Lang]contract {
	out := map[i18n.Lang]contract{}
	for _, lang := range i18n.Langs() {
		p := i18n.For(lang)
		s.words(doc, p, problem)
		raw, err := json.Marshal(doc)
		if err != nil {
			panic(fmt.Errorf("api: write the OpenAPI document: %w", err))
		}
		out[lang] = contract{raw, s.render(p)}
	}
	return out
}

// words puts every sentence of the document in one language.
func (s *server) words(doc *huma.OpenAPI, p *i18n.Printer, problem *huma.Schema) {
	doc.Info.Description = p.T("api.about")
	doc.Components.SecuritySchemes["key"].Description = p.T("api.security.key")
	doc.Components.SecuritySchemes["session"].Description = p.T("api.security.session")
	doc.Components.Parameters["IdempotencyKey"].Description = p.T("api.about.idempotency", "Hours", int(keptFor.Hours()))
	doc.Components.Parameters["AcceptLanguage"].Description = p.T("api.about.language")
	doc.Components.Responses = map[string]*huma.Response{}
	for status, e := range examples {
		doc.Components.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: p.T("api.problem." + e.Kind.String()),
			Content:     map[string]*huma.MediaType{problemType: {Schema: problem, Example: say(p, e, exampleRef, "body")}},
		}
	}
	doc.Tags = nil
	for _, r := range s.routes {
		op := operationAt(doc, r)
		op.Summary, op.Description = p.T("api.op."+r.id), s.about(p, r)
		if tag := op.Tags[0]; !slices.ContainsFunc(doc.Tags, func(t *huma.Tag) bool { return t.Name == tag }) {
			doc.Tags = append(doc.Tags, &huma.Tag{Name: tag, Description: p.T("api.noun." + tag)})
		}
	}
}

// about says who may call an operation, and what its kind of call has in
// common with others.
func (s *server) about(p *i18n.Printer, r route) string {
	parts := []string{p.T("api.op." + r.id)}
	if key := "api.op." + r.id + ".about"; p.Has(key) {
		parts = append(parts, p.T(key))
	}
	switch r.seat {
	case public:
		parts = append(parts, p.T("api.seat.public"))
	case signedIn:
		parts = append(parts, p.T("api.seat.signed-in"))
	default:
		parts = append(parts, p.T("api.seat.act", "Act", string(r.seat), "Who", who(r.seat)))
	}
	if strings.Contains(r.path, "{") && r.seat != public {
		parts = append(parts, p.T("api.seat.hidden"))
	}
	return strings.Join(parts, "\n\n")
}

// who lists kinds of organisation and roles that hold an act, as the table of
// rights has them.
func who(act auth.Act) string {
	var out []string
	for _, r := range auth.Rules() {
		if r.Act != act {
			continue
		}
		kinds, roles := "*", "*"
		if len(r.Kinds) > 0 {
			kinds = strings.Join(texts(r.Kinds), "|")
		}
		if len(r.Roles) > 0 {
			roles = strings.Join(texts(r.Roles), "|")
		}
		if line := kinds + ": " + roles; !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "; ")
}

// operationAt finds a row's operation in the document.
func operationAt(doc *huma.OpenAPI, r route) *huma.Operation {
	item := doc.Paths[prefix+r.path]
	switch r.method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodDelete:
		return item.Delete
	default:
		panic("api: no place in the document for " + r.method)
	}
}

// serveSpec: GET /api/openapi.json, public.
func (s *server) serveSpec(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json;version=3.1")
	_, _ = w.Write(s.written()[printer(r.Context()).Lang()].spec) // a caller that left needs no answer
}
