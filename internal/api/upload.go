package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tangkal/tangkal/internal/fault"
)

// maxJSON is the largest JSON body or part (domain.md, Limits).
const maxJSON = 1 << 20

// Stream gives an operation its request, to read a body itself, front to back.
type Stream struct{ r *http.Request }

// Resolve takes the request. It makes a Stream a huma.Resolver.
func (s *Stream) Resolve(ctx huma.Context) []error {
	s.r, _ = humago.Unwrap(ctx)
	return nil
}

// A part is one file of a multipart body.
type part struct {
	Name      string // as its sender calls it
	MediaType string // as its sender claims
	Content   io.Reader
}

// mediaType is that of a request's body, without parameters.
func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// form reads a body that is JSON, or multipart with the JSON as its first part
// of the given name and files after it. The JSON goes into body, checked by
// its schema; the files come out one by one while they are read.
func (s *server) form(ctx context.Context, r *http.Request, name string, body any) (iter.Seq2[part, error], error) {
	none := func(func(part, error) bool) {}
	sum := digestOf(ctx)
	switch mediaType(r) {
	case "application/json", "":
		raw, err := readAll(r.Body, maxJSON)
		if err != nil {
			return nil, err
		}
		return none, s.decode(raw, body)
	case "multipart/form-data":
	default:
		return nil, fault.New(fault.Invalid, "api.media-type")
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, fault.New(fault.Invalid, "api.multipart").Because(err)
	}
	first, err := parts.NextPart()
	if err != nil || first.FormName() != name {
		return nil, fault.New(fault.Invalid, "api.first-part", "Name", name).At("/" + name).Because(err)
	}
	raw, err := readAll(first, maxJSON)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(sum, "%d:", len(raw))
	sum.Write(raw) //nolint:errcheck // a hash never fails
	return files(parts, sum), s.decode(raw, body)
}

// files yields the remaining parts, each of which must be a file.
func files(parts *multipart.Reader, sum hash.Hash) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		for {
			p, err := parts.NextPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && p.FormName() != "file" {
				err = fault.New(fault.Invalid, "api.unknown-part").At("/" + escape(clip(p.FormName())))
			} else if err != nil {
				err = bodyFault(err)
			}
			if err != nil {
				yield(part{}, err)
				return
			}
			fmt.Fprintf(sum, "\n%q %q ", p.FileName(), p.Header.Get("Content-Type"))
			if !yield(part{p.FileName(), p.Header.Get("Content-Type"), arriving{io.TeeReader(p, sum)}}, nil) {
				return
			}
		}
	}
}

// arriving is a part on its way in: what fails is the request, not us.
type arriving struct{ r io.Reader }

// Read reads on.
func (a arriving) Read(b []byte) (int, error) {
	n, err := a.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = bodyFault(err)
	}
	return n, err
}

// drain digests a repeated upload as form does, and stores nothing.
func drain(r *http.Request, sum hash.Hash) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return fault.New(fault.Invalid, "api.multipart").Because(err)
	}
	first, err := parts.NextPart()
	if err != nil {
		return bodyFault(err)
	}
	raw, err := readAll(first, maxJSON)
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%d:", len(raw))
	sum.Write(raw) //nolint:errcheck // a hash never fails
	for p, err := range files(parts, sum) {
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, p.Content); err != nil {
			return bodyFault(err)
		}
	}
	return nil
}

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, bodyFault(err)
	case int64(len(raw)) > limit:
		return nil, fault.New(fault.Invalid, "api.too-large", "Max", fmt.Sprintf("%d MB", limit>>20))
	case len(raw) == 0:
		return nil, fault.New(fault.Invalid, "api.no-body")
	}
	return raw, nil
}

// decode reads JSON into body after checking it by the schema of body's type,
// as huma does for operations whose body it reads itself.
func (s *server) decode(raw []byte, body any) error {
	var any any
	if err := unmarshal(raw, &any); err != nil {
		return err
	}
	registry := s.huma.OpenAPI().Components.Schemas
	res := &huma.ValidateResult{}
	at := huma.NewPathBuffer([]byte{}, 0)
	at.Push("body")
	huma.Validate(registry, registry.Schema(reflect.TypeOf(body).Elem(), true, ""), at, huma.ModeWriteToServer, any, res)
	var all fault.Checker
	for _, err := range res.Errors {
		d, ok := err.(*huma.ErrorDetail) //nolint:errorlint // huma's own list of its own type
		if !ok {
			return err
		}
		if err := all.Join("", read(d)); err != nil {
			return err
		}
	}
	if err := all.Err(); err != nil {
		return err
	}
	return json.Unmarshal(raw, body)
}

// streamed documents a body that an operation reads itself: JSON alone, and if
// files may come with it, multipart with the JSON as first part.
func streamed(registry huma.Registry, op *huma.Operation, body any, first string) {
	schema := registry.Schema(reflect.TypeOf(body), true, "")
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	if first == "" {
		return
	}
	op.RequestBody.Content["multipart/form-data"] = &huma.MediaType{
		Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{first}, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				first:  schema,
				"file": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			},
		},
		Encoding: map[string]*huma.Encoding{first: {ContentType: "application/json"}},
	}
}

// held reads a small file into memory, at most limit bytes.
func held(r io.Reader, limit int64) (io.Reader, int64, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, 0, bodyFault(err)
	}
	if int64(len(raw)) > limit {
		return nil, 0, fault.New(fault.Invalid, "api.too-large", "Max", fmt.Sprintf("%d MB", maxBuffered>>20))
	}
	return bytes.NewReader(raw), int64(len(raw)), nil
}
