package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// A Capture is a page as it was at one moment, with the media that it names.
type Capture struct {
	URL       string    // as asked for
	FinalURL  string    // where the page was in the end
	Redirects []string  // every address that sent us on, in order
	At        time.Time // when it began, UTC
	Status    int       // of the page, as 200; a 404 is a capture too
	Title     string    // of the page, at most 300 characters
	Parts     []Part    // the page first, then its media in order

	// WARC holds every request and answer with headers, redirects included, as
	// WARC 1.1 in gzip members (ISO 28500:2017). It is the exhibit; Parts are
	// views of it.
	WARC   []byte
	SHA256 [sha256.Size]byte // of WARC
}

// A Part is one file of a capture: the page, or a medium it names directly.
type Part struct {
	URL       string            // as named
	FinalURL  string            // after redirects
	At        time.Time         // when it was asked for, UTC
	Status    int               // as 200; 0 if there was no answer
	MediaType string            // as its server calls it: a claim, not a finding
	Body      []byte            // content coding as sent
	SHA256    [sha256.Size]byte // of Body
	Err       error             // a fault, if it could not be had
}

// Capture fetches the page at raw and then the images, videos and sounds that
// it names in its markup (no script is run), as far as Config.MaxMedia and
// MaxBytes go. What is missing of the media is told in its Part and in the
// WARC; only when the page itself cannot be had, Capture fails, with the faults
// of Get. It keeps everything in memory, at most about three times MaxBytes.
func (c *Client) Capture(ctx context.Context, raw string) (Capture, error) {
	got := Capture{URL: raw, At: c.cfg.Clock.Now()}
	b := newBudget(c.cfg.MaxBytes)
	chain, err := c.follow(ctx, raw, "text/html, application/xhtml+xml, */*;q=0.8", b)
	if err != nil {
		return Capture{}, fmt.Errorf("capture page: %w", err)
	}
	var out bytes.Buffer
	w := &warcWriter{w: &out}
	agent := c.cfg.UserAgent
	if err := w.begin(got.At, field{"software", agent}, field{"http-header-user-agent", agent}); err != nil {
		return Capture{}, err
	}
	if err := w.chain(chain, field{"role", "page"}); err != nil {
		return Capture{}, err
	}
	last := chain[len(chain)-1]
	for _, hop := range chain[:len(chain)-1] {
		got.Redirects = append(got.Redirects, hop.URL)
	}
	found := readPage(last, c.cfg.MaxMedia)
	got.FinalURL, got.Status, got.Title = last.URL, last.Status, found.title
	media, err := c.media(ctx, w, found.media, last.URL, b)
	if err != nil {
		return Capture{}, fmt.Errorf("capture media: %w", err)
	}
	got.Parts = append([]Part{partOf(raw, chain)}, media...)
	got.WARC = out.Bytes()
	got.SHA256 = sha256.Sum256(got.WARC)
	return got, nil
}

// media fetches the media of the page at via into w, all of them within twice
// the time of one request. It fails only when the caller's ctx has ended or w
// does not take more; what could not be had is told in its Part.
func (c *Client) media(ctx context.Context, w *warcWriter, urls []string, via string, b *budget) ([]Part, error) {
	limited, cancel := context.WithTimeout(ctx, 2*c.cfg.Timeout)
	defer cancel()
	var parts []Part
	for _, raw := range urls {
		at := c.cfg.Clock.Now()
		chain, err := c.follow(limited, raw, "image/*, video/*, audio/*, */*;q=0.5", b)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		notes := []field{{"role", "media"}, {"via", via}}
		if err := w.chain(chain, notes...); err != nil {
			return nil, err
		}
		if err == nil {
			parts = append(parts, partOf(raw, chain))
			continue
		}
		parts = append(parts, Part{URL: raw, FinalURL: raw, At: at, Err: err})
		reason := "internal"
		if f, ok := fault.As(err); ok {
			reason = f.Code // never the cause, which tells of our network
		}
		notes = append(notes, field{"notFetched", reason})
		if err := w.metadata(at, notes, field{"WARC-Target-URI", raw}); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// chain writes every exchange of a chain of redirects.
func (w *warcWriter) chain(chain []Exchange, notes ...field) error {
	for _, x := range chain {
		if err := w.exchange(x, notes[:len(notes):len(notes)]...); err != nil {
			return err
		}
	}
	return nil
}

func partOf(raw string, chain []Exchange) Part {
	last := chain[len(chain)-1]
	return Part{
		URL: raw, FinalURL: last.URL, At: last.At, Status: last.Status,
		MediaType: last.mediaType(), Body: last.Body, SHA256: sha256.Sum256(last.Body),
	}
}
