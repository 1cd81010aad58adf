package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

const (
	// evidenceFor is how long a link to a file works: long enough to look at a
	// page, too short to hand on.
	evidenceFor = 5 * time.Minute
	// evidencePurpose is that of the key which signs these links.
	evidencePurpose = "evidence-link"
	// sniffed is how much of a file tells what it is (WHATWG MIME Sniffing).
	sniffed = 512
	// maxToken bounds what is decoded before its MAC is known to be right.
	maxToken = 1000
)

// An evidenceLink says which file one person may open until when. It travels
// signed in the address of the evidence origin, which has no session.
type evidenceLink struct {
	Report report.ID       `json:"r,omitempty"` // of a reporter's file
	Sent   report.FileID   `json:"s,omitempty"` // a reporter's file
	File   casework.FileID `json:"f,omitempty"` // a file of a capture
	Person party.PersonID  `json:"p"`
	Until  int64           `json:"u"` // Unix seconds
}

// captureURL is a short-lived link to a file of a capture, for one person.
func (s *Server) captureURL(by party.Actor, id casework.FileID) string {
	return s.evidenceURL(evidenceLink{File: id, Person: by.Person})
}

// sentURL is a short-lived link to a file that a reporter sent.
func (s *Server) sentURL(by party.Actor, of report.ID, id report.FileID) string {
	return s.evidenceURL(evidenceLink{Report: of, Sent: id, Person: by.Person})
}

func (s *Server) evidenceURL(l evidenceLink) string {
	l.Until = s.Clock.Now().Add(evidenceFor).Unix()
	body, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and a number always encode
	}
	enc := base64.RawURLEncoding
	return s.EvidenceOrigin + "/e/" + enc.EncodeToString(body) + "." + enc.EncodeToString(s.Vault.MAC(evidencePurpose, body))
}

// readLink returns what a token says, if we wrote it and it still holds.
func (s *Server) readLink(token string) (evidenceLink, bool) {
	var l evidenceLink
	body64, mac64, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken {
		return l, false
	}
	body, err1 := base64.RawURLEncoding.DecodeString(body64)
	mac, err2 := base64.RawURLEncoding.DecodeString(mac64)
	if err1 != nil || err2 != nil || !hmac.Equal(mac, s.Vault.MAC(evidencePurpose, body)) {
		return l, false
	}
	if json.Unmarshal(body, &l) != nil {
		return l, false
	}
	return l, s.Clock.Now().Before(time.Unix(l.Until, 0))
}

// EvidenceHandler serves sealed files on an origin of their own, where no
// cookie, script or page of ours lives: GET /e/{token}. The rooms record each
// opening before the first byte. A picture is shown as the cage gives it back,
// without what is not seen in it (threats T01, T05).
func (s *Server) EvidenceHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /e/{token}", s.evidence)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { evidenceGone(w) })
	routed := logbook.Routed(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages of the console's origin show pictures
		h.Set("Cache-Control", "no-store")
		h.Set("X-Robots-Tag", "noindex")
		routed.ServeHTTP(w, r)
	})
}

// evidenceGone is the one answer for what is expired, forged, hidden or absent.
func evidenceGone(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "404\n") // whoever went away needs no answer
}

// evidence: GET /e/{token}.
func (s *Server) evidence(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	l, ok := s.readLink(r.PathValue("token"))
	if !ok {
		evidenceGone(w)
		return
	}
	o, err := s.openEvidence(ctx, l)
	if err == nil {
		defer o.content.Close() //nolint:errcheck // opened for reading
		err = s.serveEvidence(w, r, o)
	}
	f, known := fault.As(err)
	switch {
	case err == nil, ctx.Err() != nil: // done, or the reader went away
	case known && f.Kind == fault.Unavailable:
		logbook.Failed(ctx, s.Log, err)
		w.Header().Set("Retry-After", "5")
		evidenceSays(w, r, o.by, http.StatusServiceUnavailable, f)
	case known && f.Kind == fault.Invalid:
		evidenceSays(w, r, o.by, http.StatusUnsupportedMediaType, f)
	case !known:
		s.Log.ErrorContext(ctx, "open evidence", "error", err)
		fallthrough
	default:
		evidenceGone(w)
	}
}

// evidenceSays tells whoever holds a good link why nothing is shown.
func evidenceSays(w http.ResponseWriter, r *http.Request, by party.Actor, status int, f *fault.Error) {
	lang := i18n.Negotiate(r.Header.Get("Accept-Language"))
	if slices.Contains(i18n.Langs(), i18n.Lang(by.Lang)) {
		lang = i18n.Lang(by.Lang)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, i18n.For(lang).Fault(f)+"\n") //nolint:gosec // plain text; whoever went away needs no answer
}

// An openFile is a sealed file on its way to a reader.
type openFile struct {
	by      party.Actor
	name    string
	size    int64
	content io.ReadCloser
	sent    bool // by a reporter, who must stay unknown
}

// openEvidence opens the file of a link as its person, who may have lost the
// right since.
func (s *Server) openEvidence(ctx context.Context, l evidenceLink) (openFile, error) {
	by, err := auth.ActorFor(ctx, s.DB, l.Person)
	if err != nil {
		return openFile{}, err
	}
	if l.File != "" {
		o, err := s.Casework.OpenCapture(ctx, by, l.File)
		return openFile{by: by, name: o.Name, size: o.Ref.Size, content: o.Content}, err
	}
	f, content, err := s.Report.OpenFile(ctx, by, l.Report, l.Sent)
	return openFile{by: by, name: f.Name, size: f.Size, content: content, sent: true}, err
}

// shownTypes are the pictures that a page may embed (domain.md, Limits); what a
// file is, its first bytes say, never who sent it.
var shownTypes = picture.Types()

// serveEvidence writes a file. A picture is one only as part of a page: opened
// by itself it would stand there unblurred, so then it is a download.
//
// Every picture that is shown, and every one that a reporter sent, comes as the
// cage gives it back. What is downloaded of a capture is the exhibit itself,
// byte for byte what its hash says.
func (s *Server) serveEvidence(w http.ResponseWriter, r *http.Request, o openFile) error {
	b := bufio.NewReaderSize(o.content, sniffed)
	first, err := b.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var content io.Reader = b
	size, kind := o.size, picture.TypeOf(first)
	dest := r.Header.Get("Sec-Fetch-Dest")
	shown := kind != "" && (dest == "" || dest == "image")
	if shown || kind != "" && o.sent {
		p, err := s.Cage.Strip(r.Context(), o.size, b)
		if err != nil {
			return err
		}
		content, size, kind = bytes.NewReader(p.Data), int64(len(p.Data)), p.Type
	}
	h := w.Header()
	if shown {
		h.Set("Content-Type", kind)
	} else {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(o.name)}))
	}
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, content) // the reader went away, or the log of the vault knows
	}
	return nil
}

// fileName is a name that is safe to save under; an address becomes its last
// part.
func fileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name, _, _ = strings.Cut(name, "?")
	name = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || strings.ContainsRune(`<>:"|*`, r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		return "evidence.bin"
	}
	return name
}
