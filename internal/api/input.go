package api

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/tangkal/tangkal/internal/fault"
)

// places are the parts of a request that a fault can be about.
var places = []string{"body", "query", "path", "header"}

// A reading turns one of huma's English sentences into a catalogue code with
// its arguments, so that the same is said in every language.
type reading struct {
	pattern *regexp.Regexp
	code    string
	names   []string // of the pattern's groups
}

// readings are made of huma's own constants, so that an upgrade which words
// something anew is caught by TestHumaIsRead.
var readings = func() []reading {
	var all []reading
	add := func(format, code string, names ...string) {
		p := regexp.QuoteMeta(format)
		for _, verb := range []string{"%s", "%d", "%v"} {
			p = strings.ReplaceAll(p, verb, "(.+)")
		}
		all = append(all, reading{regexp.MustCompile("(?s)^" + p + "$"), code, names})
	}
	add(validation.MsgUnexpectedProperty, "api.unknown")
	add("unknown query parameter", "api.unknown-parameter")
	add("required query parameter is missing", "fault.required")
	add("required header parameter is missing", "fault.required")
	add("required path parameter is missing", "fault.required")
	add("expected at most one value, but received multiple values", "api.once")
	add(validation.MsgExpectedRequiredProperty, "fault.required", "Name")
	add(validation.MsgExpectedString, "api.want-string")
	add(validation.MsgExpectedBoolean, "api.want-boolean")
	add(validation.MsgExpectedInteger, "api.want-integer")
	add(validation.MsgExpectedNumber, "api.want-number")
	add(validation.MsgExpectedArray, "api.want-array")
	add(validation.MsgExpectedObject, "api.want-object")
	add(validation.MsgExpectedOneOf, "api.want-one-of", "Values")
	add(validation.MsgExpectedRFC3339DateTime, "api.want-time")
	add(validation.MsgExpectedBase64String, "api.want-base64")
	add(validation.MsgExpectedRFC4122UUID, "api.want-uuid", "Why")
	add(validation.MsgExpectedMinimumNumber, "api.too-low", "Min")
	add(validation.MsgExpectedMaximumNumber, "api.too-high", "Max")
	add(validation.MsgExpectedMinLength, "api.too-short", "Min")
	add(validation.MsgExpectedMaxLength, "api.too-long", "Max")
	add(validation.MsgExpectedMinItems, "api.too-few", "Min")
	add(validation.MsgExpectedMaxItems, "api.too-many", "Max")
	add(validation.MsgExpectedMaxProperties, "api.too-many", "Max")
	add(validation.MsgExpectedMatchPattern, "api.pattern", "Pattern")
	add(validation.MsgExpectedBePattern, "api.pattern", "Pattern")
	add(validation.MsgExpectedArrayItemsUnique, "api.unique")
	add("invalid integer", "api.want-integer")
	add("invalid boolean", "api.want-boolean")
	add("invalid float", "api.want-number")
	return all
}()

// ourCode is a fault of ours whose text huma repeats.
var ourCode = regexp.MustCompile(`^(api\.[a-z-]+)`)

// read returns the fault behind one of huma's details.
func read(d *huma.ErrorDetail) *fault.Error {
	at := pointer(d.Location)
	if m := ourCode.FindString(d.Message); m != "" {
		return fault.New(fault.Invalid, m, "Max", maxDepth).At(at)
	}
	for _, r := range readings {
		m := r.pattern.FindStringSubmatch(d.Message)
		if m == nil {
			continue
		}
		var kv []any
		for i, name := range r.names {
			kv = append(kv, name, m[i+1])
		}
		e := fault.New(fault.Invalid, r.code, kv...)
		if r.code == "fault.required" && len(m) > 1 {
			return e.At(at + "/" + escape(m[1]))
		}
		return e.At(at)
	}
	return fault.New(fault.Invalid, "api.malformed").At(at)
}

// pointer turns huma's "body.files[0].name" into "body:/files/0/name".
func pointer(location string) string {
	in, path, _ := strings.Cut(location, ".")
	var b strings.Builder
	b.WriteString(in + ":")
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		b.WriteString("/" + escape(name))
	}
	return b.String()
}

// escape writes a name as a reference token (RFC 6901, section 3).
func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// whole are huma's refusals of a request as such, by status.
var whole = map[int]string{
	http.StatusRequestEntityTooLarge: "api.too-large",
	http.StatusUnsupportedMediaType:  "api.media-type",
	http.StatusRequestTimeout:        "api.timeout",
	http.StatusNotAcceptable:         "api.accept",
}

// translate puts huma's own refusals into our form. It is a huma.Transformer:
// everything that is answered passes through it.
func (s *server) translate(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := s.problem(ctx.Context(), s.humaFault(m))
	p.Status = m.Status // sent already
	for k, values := range p.GetHeaders() {
		ctx.SetHeader(k, values[0])
	}
	return p, nil
}

// cutOff is what huma says of a body that ended before its end.
const cutOff = "cannot read request body"

func (s *server) humaFault(m *huma.ErrorModel) error {
	if code, ok := whole[m.Status]; ok {
		return fault.New(fault.Invalid, code, "Max", "1 MB")
	}
	if m.Status == http.StatusBadRequest && len(m.Errors) == 0 {
		return fault.New(fault.Invalid, "api.no-body")
	}
	if m.Status >= http.StatusInternalServerError {
		if m.Detail == cutOff {
			return fault.New(fault.Invalid, "api.cut-off")
		}
		return errors.New(m.Detail) // and not m.Errors: those of a connection name the caller's address
	}
	var all fault.Checker
	for _, d := range m.Errors {
		if err := all.Join("", read(d)); err != nil {
			return err
		}
	}
	err := all.Err()
	if e, ok := fault.As(err); ok && len(e.Parts) == 1 && statusOf(e.Parts[0]) == http.StatusBadRequest {
		return e.Parts[0]
	}
	return err
}
