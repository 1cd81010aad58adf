package web

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/dustin/go-humanize"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/report"
)

const (
	// maxTexts bounds all text fields of one form together: a thousand links
	// of the greatest length, and the rest.
	maxTexts = report.MaxLocations*2100 + 256<<10
	// maxFields bounds how many text fields a form may have.
	maxFields = report.MaxLocations + 100
	// maxHead bounds what stands before a file's content: a part's header.
	maxHead = 64 << 10
	// maxName bounds the name of a text field in bytes.
	maxName = 64
	// maxIntake bounds a request with files.
	maxIntake = report.MaxTotalBytes + maxTexts + 1<<20
)

// An intake is a public form as it arrives. Its texts come first and are held;
// its files come after them and are read one by one, never held whole and never
// written anywhere in plain.
type intake struct {
	texts   url.Values
	parts   *multipart.Reader // nil for a form without files
	next    *multipart.Part   // the first file
	sawFile bool              // the reporter sent at least one file
	body    *metered
}

// metered is a body of which only so much may come before somebody looks: what
// is not yet a file's content is held in memory.
type metered struct {
	io.Reader
	left int64
}

// errTexts is what a form hears whose texts are longer than any form's.
var errTexts = fault.New(fault.Invalid, "public.form.texts")

// Read reads on, as far as it may.
func (m *metered) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTexts
	}
	n, err := m.Reader.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// Close does nothing: net/http closes its own bodies.
func (m *metered) Close() error { return nil }

// readIntake reads a form up to its first file.
func readIntake(w http.ResponseWriter, r *http.Request) (*intake, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what it is not, the switch refuses
	switch kind {
	case "multipart/form-data":
		r.Body = http.MaxBytesReader(w, r.Body, maxIntake)
	case "application/x-www-form-urlencoded":
		r.Body = http.MaxBytesReader(w, r.Body, 3*maxTexts) // percent-encoded
		if err := r.ParseForm(); err != nil {
			return nil, bodyFault(err)
		}
		return &intake{texts: r.PostForm, body: &metered{r.Body, 3 * maxTexts}}, nil
	default:
		return nil, fault.New(fault.Invalid, "public.form.kind")
	}
	held := &metered{r.Body, maxTexts + 1<<20}
	r.Body = held
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, fault.New(fault.Invalid, "public.form.kind").Because(err)
	}
	in := &intake{texts: url.Values{}, parts: parts, body: held}
	return in, in.readTexts()
}

// readTexts reads fields until the first file.
func (in *intake) readTexts() error {
	left := int64(maxTexts)
	for range maxFields {
		p, err := in.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bodyFault(err)
		}
		if isFile(p) {
			if p.FileName() == "" {
				continue // the file field was left empty
			}
			in.next, in.sawFile = p, true
			return nil
		}
		if len(p.FormName()) > maxName {
			return errTexts
		}
		b, err := io.ReadAll(io.LimitReader(p, left+1))
		if err != nil {
			return bodyFault(err)
		}
		if left -= int64(len(b)); left < 0 {
			return fault.New(fault.Invalid, "public.form.texts")
		}
		in.texts.Add(p.FormName(), string(b))
	}
	return fault.New(fault.Invalid, "public.form.texts")
}

// isFile reports whether the part came from a file field (RFC 7578, section
// 4.2): such a part has a file name, be it empty.
func isFile(p *multipart.Part) bool {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	_, named := params["filename"]
	return err == nil && named
}

// uploads yields the files. A text field after them is refused: what it says
// would have had to be known before.
func (in *intake) uploads() report.Uploads {
	return func(yield func(report.Upload, error) bool) {
		for p := in.next; p != nil; {
			if p.FileName() != "" && !yield(report.Upload{Name: p.FileName(), MediaType: p.Header.Get("Content-Type"), Content: in.content(p)}, nil) {
				return
			}
			next, err := in.parts.NextPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && !isFile(next) {
				err = fault.New(fault.Invalid, "public.form.order").At("/files")
			} else if err != nil {
				err = bodyFault(err)
			}
			if err != nil {
				yield(report.Upload{}, err)
				return
			}
			p = next
		}
	}
}

// drain reads what is left of a refused request: a browser shows the answer
// only after it has sent everything.
func (in *intake) drain() {
	in.body.left = maxIntake
	_, _ = io.Copy(io.Discard, in.body) // what cannot be read needs no answer
}

// content is what a file holds: it is not held here, and may be as long as the
// request.
func (in *intake) content(p *multipart.Part) io.Reader {
	in.body.left = maxIntake
	return content{p, in.body}
}

// content is a part whose failures say what they mean. After it comes a header.
type content struct {
	io.Reader
	from *metered
}

// Read reads on.
func (b content) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		b.from.left = maxHead
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = bodyFault(err)
	}
	return n, err
}

// bodyFault says why a request could not be read: it was larger than any form
// may be, its place was wanted while it came slowly, or it ended before its end.
func bodyFault(err error) error {
	if _, ours := fault.As(err); ours {
		return err
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fault.New(fault.Invalid, "report.files-too-large", "Max", humanize.IBytes(report.MaxTotalBytes)).At("/files").Because(err)
	}
	return fault.New(fault.Invalid, "public.form.broken").Because(err)
}
