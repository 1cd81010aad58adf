package fetch

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

const (
	// maxHTML bounds how much of a page is searched for media.
	maxHTML = 10 << 20
	// maxToken bounds one tag or text of a page.
	maxToken = 1 << 20
	maxTitle = 300 // characters
)

// document is what a capture needs from an HTML page.
type document struct {
	title string
	media []string // absolute, in order, each once
}

// readPage searches the page that x answered with. It reads tag by tag and
// builds no tree, so its cost is linear and its memory bounded; what cannot be
// read is left out.
func readPage(x Exchange, maxMedia int) document {
	switch x.mediaType() {
	case "text/html", "application/xhtml+xml":
	default:
		return document{}
	}
	var body io.Reader = bytes.NewReader(x.Body)
	switch strings.ToLower(x.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip": // although we asked for none
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return document{}
		}
		body = unzipped
	default:
		return document{}
	}
	text, err := charset.NewReader(io.LimitReader(body, maxHTML), x.Header.Get("Content-Type"))
	if err != nil {
		return document{}
	}
	base, err := url.Parse(x.URL)
	if err != nil {
		return document{}
	}
	s := &pageScanner{base: base, seen: map[string]bool{x.URL: true}, left: maxMedia}
	s.scan(text)
	return s.document
}

type pageScanner struct {
	document
	base    *url.URL
	based   bool // the first <base href> counts
	titled  bool // the first <title> counts
	inTitle bool
	seen    map[string]bool
	left    int
}

func (s *pageScanner) scan(r io.Reader) {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxToken)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return // the end, a broken coding or an endless token
		case html.TextToken:
			if s.inTitle {
				s.addTitle(string(z.Text()))
			}
		case html.EndTagToken:
			s.inTitle = false
		case html.StartTagToken, html.SelfClosingTagToken:
			s.tag(z.Token())
		}
	}
}

func (s *pageScanner) addTitle(text string) {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	s.title, s.titled, s.inTitle = string(runes[:min(len(runes), maxTitle)]), true, false
}

// mediaProperties are the meta names that point at media: Open Graph (ogp.me,
// "Structured Properties") and its imitators.
var mediaProperties = map[string]bool{
	"og:image": true, "og:image:url": true, "og:image:secure_url": true,
	"og:video": true, "og:video:url": true, "og:video:secure_url": true,
	"og:audio": true, "og:audio:url": true, "og:audio:secure_url": true,
	"twitter:image": true, "twitter:image:src": true, "twitter:player:stream": true,
}

func (s *pageScanner) tag(t html.Token) {
	attr := map[string]string{}
	for _, a := range t.Attr {
		if _, twice := attr[a.Key]; !twice {
			attr[a.Key] = strings.TrimSpace(a.Val)
		}
	}
	switch t.Data {
	case "title":
		s.inTitle = !s.titled && t.Type == html.StartTagToken
	case "base":
		if to, err := s.base.Parse(attr["href"]); err == nil && !s.based && attr["href"] != "" {
			s.base, s.based = to, true
		}
	case "meta":
		if mediaProperties[strings.ToLower(attr["property"])] || mediaProperties[strings.ToLower(attr["name"])] {
			s.add(attr["content"])
		}
	case "img", "source", "audio", "embed":
		s.add(attr["src"])
	case "video":
		s.add(attr["poster"])
		s.add(attr["src"])
	}
}

func (s *pageScanner) add(ref string) {
	if ref == "" || s.left == 0 {
		return
	}
	to, err := s.base.Parse(ref)
	if err != nil || to.Scheme != "https" && to.Scheme != "http" {
		return
	}
	to.Fragment, to.RawFragment = "", ""
	if s.seen[to.String()] {
		return
	}
	s.seen[to.String()] = true
	s.media = append(s.media, to.String())
	s.left--
}
