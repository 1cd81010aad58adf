package fetch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/fault"
)

// warcRecord is a record as a reader finds it.
type warcRecord struct {
	head  textproto.MIMEHeader
	block []byte
}

// readWARC reads records member by member and verifies lengths and digests as
// ISO 28500 has them.
func readWARC(t *testing.T, raw []byte) []warcRecord {
	t.Helper()
	var out []warcRecord
	src := bufio.NewReader(bytes.NewReader(raw))
	for {
		zip, err := gzip.NewReader(src)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		zip.Multistream(false)
		member, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := bytes.CutPrefix(member, []byte("WARC/1.1\r\n"))
		if !ok {
			t.Fatalf("record begins with %.20q", member)
		}
		r := bufio.NewReader(bytes.NewReader(rest))
		head, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			t.Fatal(err)
		}
		tail, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(head.Get("Content-Length"))
		if err != nil || len(tail) != n+4 || string(tail[n:]) != "\r\n\r\n" {
			t.Fatalf("%s record: length %d, %d bytes after the header", head.Get("WARC-Type"), n, len(tail))
		}
		out = append(out, warcRecord{head, tail[:n]})
		if got, want := head.Get("WARC-Block-Digest"), sha(tail[:n]); got != want {
			t.Errorf("%s record: block digest %s, want %s", head.Get("WARC-Type"), got, want)
		}
	}
}

func sha(p []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(p)) }

func kinds(records []warcRecord) (out []string) {
	for _, r := range records {
		out = append(out, strings.TrimSpace(r.head.Get("WARC-Type")+" "+r.head.Get("WARC-Target-URI")))
	}
	return out
}

const somePage = `<!doctype html><html><head><title>
  Contoh &amp; uji
</title><title>second</title>
<meta property="og:image" content="/a.png"><meta name="twitter:image" content="/a.png#again">
</head><body><img src="b.png"><video poster='/p.jpg' src=/v.mp4><source src="/chunked"></video>
<img src="data:image/png;base64,AAAA"><img src="javascript:x"><img src="http://10.0.0.1/in.png">
<img src="/missing.png"><img><img src="/moved"></body></html>`

func somePages(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		http.Redirect(w, r, "/dir/page", http.StatusFound)
	case "/dir/page":
		w.Header().Set("Content-Type", "Text/HTML; charset=utf-8")
		fmt.Fprint(w, somePage)
	case "/moved":
		http.Redirect(w, r, "/a.png", http.StatusSeeOther)
	case "/chunked":
		w.Header().Set("Content-Type", "video/mp4")
		for range 3 {
			_, _ = w.Write(bytes.Repeat([]byte("v"), 1000))
			w.(http.Flusher).Flush()
		}
	case "/missing.png":
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "image/png")
		fmt.Fprint(w, "bytes of ", r.URL.Path)
	}
}

func TestACaptureHoldsThePageItsMediaAndAVerifiableWARC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 8, 0, 0, 123000, time.UTC)
	server, c := serve(t, true, Config{Clock: clock.NewManual(at), UserAgent: "Tangkal-Test/1"}, somePages)
	got, err := c.Capture(t.Context(), server.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	u := server.URL
	if got.URL != u+"/" || got.FinalURL != u+"/dir/page" || got.Status != 200 || got.Title != "Contoh & uji" || !got.At.Equal(at) {
		t.Errorf("captured %q -> %q, %d, %q, %v", got.URL, got.FinalURL, got.Status, got.Title, got.At)
	}
	if diff := cmp.Diff([]string{u + "/"}, got.Redirects); diff != "" {
		t.Errorf("redirects (-want +got):\n%s", diff)
	}
	want := []string{
		"/ 200 text/html", "/a.png 200 image/png", "/dir/b.png 200 image/png", "/p.jpg 200 image/png",
		"/v.mp4 200 image/png", "/chunked 200 video/mp4", "http://10.0.0.1/in.png 0 ", "/missing.png 404 text/plain",
		"/moved 200 image/png",
	}
	var parts []string
	for _, p := range got.Parts {
		parts = append(parts, fmt.Sprintf("%s %d %s", strings.TrimPrefix(p.URL, u), p.Status, p.MediaType))
		if p.SHA256 != sha256.Sum256(p.Body) && p.Err == nil {
			t.Errorf("%s: digest is not of the body", p.URL)
		}
		if (p.Err != nil) != (p.Status == 0) {
			t.Errorf("%s: status %d with error %v", p.URL, p.Status, p.Err)
		}
	}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if string(got.Parts[0].Body) != somePage || string(got.Parts[8].Body) != "bytes of /a.png" {
		t.Errorf("bodies %q, %q", got.Parts[0].Body, got.Parts[8].Body)
	}
	if got.SHA256 != sha256.Sum256(got.WARC) {
		t.Error("the digest is not of the WARC")
	}
	checkWARC(t, got, u)
}

// checkWARC compares the archive with the capture, record by record.
func checkWARC(t *testing.T, got Capture, u string) {
	t.Helper()
	records := readWARC(t, got.WARC)
	want := []string{"warcinfo"}
	for _, path := range []string{
		"/", "/dir/page", "/a.png", "/dir/b.png", "/p.jpg", "/v.mp4", "/chunked", "", "/missing.png", "/moved", "/a.png",
	} {
		if path == "" { // refused
			want = append(want, "metadata http://10.0.0.1/in.png")
			continue
		}
		want = append(want, "response "+u+path, "request "+u+path, "metadata "+u+path)
	}
	if diff := cmp.Diff(want, kinds(records)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	bodies := map[string][]byte{}
	for _, p := range got.Parts {
		bodies[p.FinalURL] = p.Body
	}
	ids := map[string]bool{}
	for i, r := range records {
		id := r.head.Get("WARC-Record-ID")
		if !strings.HasPrefix(id, "<urn:uuid:") || ids[id] {
			t.Errorf("record %d: id %q is none or twice", i, id)
		}
		ids[id] = true
		if date := r.head.Get("WARC-Date"); date != "2026-07-01T08:00:00.000123Z" {
			t.Errorf("record %d: date %q", i, date)
		}
		for _, name := range []string{"WARC-Concurrent-To", "WARC-Refers-To", "WARC-Warcinfo-ID"} {
			if ref := r.head.Get(name); ref != "" && !ids[ref] {
				t.Errorf("record %d: %s names an unknown record", i, name)
			}
		}
		if r.head.Get("WARC-Type") == "response" {
			checkResponse(t, r, bodies)
		}
	}
	if text := string(records[0].block); !strings.Contains(text, "software: Tangkal-Test/1\r\n") {
		t.Errorf("warcinfo %q", text)
	}
}

// checkResponse reads the block as HTTP and compares its payload's digest.
func checkResponse(t *testing.T, r warcRecord, bodies map[string][]byte) {
	t.Helper()
	target := r.head.Get("WARC-Target-URI")
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.block)), nil)
	if err != nil {
		t.Errorf("%s: %v", target, err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || sha(body) != r.head.Get("WARC-Payload-Digest") {
		t.Errorf("%s: payload digest %s of %d bytes, error %v", target, r.head.Get("WARC-Payload-Digest"), len(body), err)
	}
	if want, ok := bodies[target]; ok && !bytes.Equal(body, want) {
		t.Errorf("%s: the archive holds %q, the capture %q", target, body, want)
	}
	if r.head.Get("WARC-IP-Address") != "127.0.0.1" || r.head.Get("Content-Type") != "application/http;msgtype=response" {
		t.Errorf("%s: %v", target, r.head)
	}
}

func TestACaptureNeverNamesTheInsideInItsArchive(t *testing.T) {
	t.Parallel()
	server, c := serve(t, false, Config{Resolver: nameServer(t, map[string][]string{"in.example": {"10.9.8.7"}})},
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<img src="http://in.example:%d/">`, r.Context().Value(http.LocalAddrContextKey).(interface{ AddrPort() netip.AddrPort }).AddrPort().Port())
		})
	got, err := c.Capture(t.Context(), server.URL)
	if err != nil || len(got.Parts) != 2 || !fault.Is(got.Parts[1].Err, "fetch.refused") {
		t.Fatalf("parts %+v, error %v", got.Parts, err)
	}
	records := readWARC(t, got.WARC)
	last := records[len(records)-1]
	if text := string(last.block); !strings.Contains(text, "notFetched: fetch.refused\r\n") || strings.Contains(text, "10.9.8.7") {
		t.Errorf("metadata %q", text)
	}
}

func TestMediaAreBoundedInNumberAndBytes(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	server, c := serve(t, false, Config{MaxMedia: 4, MaxBytes: 10_000}, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			for i := range 50 {
				fmt.Fprintf(w, `<img src="/%d">`, i)
			}
		case r.URL.Path == "/1":
			endless(w)
		default:
			_, _ = w.Write(make([]byte, 100))
		}
	})
	got, err := c.Capture(t.Context(), server.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, p := range got.Parts {
		code := ""
		if f, ok := fault.As(p.Err); ok {
			code = f.Code
		}
		codes = append(codes, code)
	}
	// The endless one uses up what all may bring, in vain.
	want := []string{"", "", "fetch.too-large", "fetch.too-large", "fetch.too-large"}
	if diff := cmp.Diff(want, codes); diff != "" || len(asked) != 5 {
		t.Errorf("asked %d times, faults (-want +got):\n%s", len(asked), diff)
	}
	readWARC(t, got.WARC)
}

func TestACaptureWithoutAPageFails(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{})
	if _, err := c.Capture(t.Context(), "https://127.0.0.1/"); !fault.Is(err, "fetch.refused") {
		t.Errorf("inside: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server, c := serve(t, false, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<img src=/stop>`)
			return
		}
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Capture(ctx, server.URL+"/"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPagesAreReadInTheirCodingAndCharset(t *testing.T) {
	t.Parallel()
	zipped := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		return b.Bytes()
	}
	bomb := zipped(strings.Repeat(" ", 3*maxHTML) + `<img src=/late>`)
	for name, test := range map[string]struct {
		kind, coding string
		body         []byte
		want         document
	}{
		"gzip":         {"text/html", "gzip", zipped(`<title>t</title><img src=/i>`), document{"t", []string{"https://a.example/i"}}},
		"latin 1":      {"text/html; charset=iso-8859-1", "", []byte("<title>caf\xe9</title>"), document{"café", nil}},
		"base":         {"text/html", "", []byte(`<base href="https://b.example/x/"><base href="/no"><img src=i>`), document{"", []string{"https://b.example/x/i"}}},
		"bomb":         {"text/html", "gzip", bomb, document{}},
		"no gzip":      {"text/html", "gzip", []byte("<title>t</title>"), document{}},
		"unknown":      {"text/html", "br", []byte("<title>t</title>"), document{}},
		"no page":      {"image/svg+xml", "", []byte("<title>t</title>"), document{}},
		"long title":   {"text/html", "", []byte("<title>" + strings.Repeat("é", 1000)), document{strings.Repeat("é", maxTitle), nil}},
		"endless tag":  {"text/html", "", append([]byte("<title>t</title><img src="), make([]byte, 2*maxToken)...), document{"t", nil}},
		"nothing":      {"text/html", "", nil, document{}},
		"itself again": {"text/html", "", []byte(`<img src=""><img src="#x"><img src="https://a.example/">`), document{}},
	} {
		x := Exchange{URL: "https://a.example/", Body: test.body, Header: http.Header{
			"Content-Type": {test.kind}, "Content-Encoding": {test.coding},
		}}
		if diff := cmp.Diff(test.want, readPage(x, 20), cmp.AllowUnexported(document{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWARCFieldsCannotBeSmuggledIn(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &warcWriter{w: &out}
	if err := w.begin(time.Unix(0, 0), field{"software", "x\r\nWARC-Type: response\n\x00"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.record("metadata", time.Unix(0, 0), nil, field{"WARC-Target-URI", "a\r\n\r\nb"}); err != nil {
		t.Fatal(err)
	}
	records := readWARC(t, out.Bytes())
	if len(records) != 2 || records[1].head.Get("WARC-Target-URI") != "a    b" || bytes.Contains(records[0].block, []byte("\nWARC")) {
		t.Errorf("records %v", records)
	}
	if err := (&warcWriter{w: brokenWriter{}}).begin(time.Unix(0, 0)); err == nil {
		t.Error("a writer's error is lost")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

// FuzzReadPage: no page makes the reader panic or name more than it may, or
// anything but an absolute web address.
func FuzzReadPage(f *testing.F) {
	f.Add([]byte(somePage), "https://a.example/x")
	f.Fuzz(func(t *testing.T, body []byte, at string) {
		got := readPage(Exchange{URL: at, Body: body, Header: http.Header{"Content-Type": {"text/html"}}}, 3)
		if len(got.media) > 3 || len([]rune(got.title)) > maxTitle {
			t.Errorf("%d media, title of %d bytes", len(got.media), len(got.title))
		}
		for _, m := range got.media {
			if !strings.HasPrefix(m, "http") {
				t.Errorf("media %q", m)
			}
		}
	})
}
