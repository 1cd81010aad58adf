package report_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/report"
)

func TestEveryRequiredFieldIsAskedForAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		drop := map[string]func(*report.Submission){
			"/channel":   func(s *report.Submission) { s.Channel = "" },
			"/category":  func(s *report.Submission) { s.Category = "" },
			"/lang":      func(s *report.Submission) { s.Lang = "" },
			"/locations": func(s *report.Submission) { s.Locations = nil },
		}
		fields := []string{"/channel", "/category", "/lang", "/locations"}
		for mask := 1; mask < 1<<len(fields); mask++ {
			s := good()
			missing := 0
			for i, field := range fields {
				if mask&(1<<i) != 0 {
					drop[field](&s)
					missing++
				}
			}
			_, err := h.Submit(t.Context(), s)
			e, _ := fault.As(err)
			if e == nil || len(e.Parts) != missing {
				t.Errorf("%04b: %v, want %d faults", mask, err, missing)
			}
			for i, field := range fields {
				if mask&(1<<i) != 0 && !hasPart(err, field, "fault.required") {
					t.Errorf("%04b: nothing said of %s: %v", mask, field, err)
				}
			}
		}
		h.wantNothing(t)

		// A screenshot is enough, and so is a link without a word.
		s := good()
		s.Locations, s.Files = nil, []report.Upload{picture("only this")}
		h.submit(t, s)
		s = good()
		s.Description = ""
		h.submit(t, s)
	})
}

// wrong is a submission changed in one place, and what must be said of it.
type wrong struct {
	name    string
	change  func(*report.Submission)
	pointer string
	code    string
}

func wrongInputs() []wrong {
	var all []wrong
	add := func(name, pointer, code string, change func(*report.Submission)) {
		all = append(all, wrong{name, change, pointer, code})
	}
	for _, v := range []string{"WEB", "phone", " web", "web\x00", strings.Repeat("w", 5000), "\xff", "<script>", "report.received"} {
		add("channel "+clip(v), "/channel", "report.unknown-choice", func(s *report.Submission) { s.Channel = report.Channel(v) })
		add("category "+clip(v), "/category", "report.unknown-choice", func(s *report.Submission) { s.Category = report.Category(v) })
		add("lang "+clip(v), "/lang", "report.unknown-choice", func(s *report.Submission) { s.Lang = i18n.Lang(v) })
		add("agency "+clip(v), "/agency", "report.unknown-agency", func(s *report.Submission) { s.Agency = v })
		add("token "+clip(v), "/token", "report.token", func(s *report.Submission) { s.Token = v })
	}
	for _, agency := range []string{"pengawas", "Organisation lain", "tangkal-daring; --", "%", "_", "tangkal daring", "*", "../lain"} {
		add("agency "+agency, "/agency", "report.unknown-agency", func(s *report.Submission) { s.Agency = agency })
	}
	for _, n := range []int{5001, 6000, 100_000} {
		add(fmt.Sprint("description of ", n), "/description", "report.too-long", func(s *report.Submission) { s.Description = strings.Repeat("é", n) })
		add(fmt.Sprint("contact of ", n), "/contact", "report.too-long", func(s *report.Submission) { s.Contact = strings.Repeat("é", n) })
	}
	for _, v := range []string{"\xff", "a\xc3(", "\xed\xa0\x80", "ok\xfe"} {
		add("description "+clip(v), "/description", "report.bad-text", func(s *report.Submission) { s.Description = v })
		add("contact "+clip(v), "/contact", "report.bad-text", func(s *report.Submission) { s.Contact = v })
	}
	for _, n := range []int{1001, 5000} {
		add(fmt.Sprint(n, " links"), "/locations", "report.too-many-locations", func(s *report.Submission) {
			s.Locations = nil
			for i := range n {
				s.Locations = append(s.Locations, fmt.Sprintf("https://forum.example/%d", i))
			}
		})
	}
	add("11 files", "/files", "report.too-many-files", func(s *report.Submission) {
		for range 11 {
			s.Files = append(s.Files, picture("x"))
		}
	})
	for _, f := range wrongFiles() {
		add(fmt.Sprintf("file %s (%s)", f.name, f.claimed), "/files/1/content", f.code, func(s *report.Submission) {
			s.Files = []report.Upload{picture("good"), {Name: f.name, MediaType: f.claimed, Content: strings.NewReader(f.content)}}
		})
	}
	return all
}

func clip(s string) string { return strconv.Quote(s[:min(len(s), 12)]) }

type wrongFile struct{ name, claimed, content, code string }

const (
	png  = "\x89PNG\r\n\x1a\nIHDR"
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF"
	gif  = "GIF89a\x01\x00\x01\x00"
	webp = "RIFF\x10\x00\x00\x00WEBPVP8 "
	pdf  = "%PDF-1.7\n"
	mp4  = "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
	elf  = "\x7fELF\x02\x01\x01\x00"
	exe  = "MZ\x90\x00\x03\x00\x00\x00"
)

func wrongFiles() []wrongFile {
	const kind, typ = "report.file-kind", "report.file-type"
	return []wrongFile{
		{"a.png", "image/png", "", "report.file-empty"},
		{"", "", "", "report.file-empty"},
		{"a.jpg", "image/jpeg", png, typ},
		{"a.png", "image/png", jpeg, typ},
		{"a.gif", "image/gif", webp, typ},
		{"a.webp", "", gif, typ},
		{"a.bmp", "", jpeg, typ},
		{"a.png", "image/jpeg", png, typ},
		{"a.png", "text/plain", png, typ},
		{"a", "application/pdf", png, typ},
		{"a.txt", "", png, typ},
		{"a.pdf", "application/pdf", gif, typ},
		{"a.html", "text/html", gif + "/*<script>alert(1)</script>*/", typ},
		{"a.svg", "image/svg+xml", jpeg, typ},
		{"a.png", "image/png", "<html><script>alert(1)</script>", typ},
		{"a.jpg", "image/jpeg", pdf, typ},
		{"a.jpg", "", "just text", typ},
		{"a.png", "image/png", mp4, typ},
		{"a.mp4", "video/mp4", pdf, typ},
		{"a.pdf", "application/pdf", mp4, typ},
		{"a.docx", "", pdf, typ},
		{"a.pdf", "image/png", pdf, typ},
		{"a.exe", "", "text", typ},
		{"a.js", "text/javascript", "alert(1)", typ},
		{"a.sh", "", "echo", typ},
		{"a.txt.lnk", "", "text", typ},
		{"a.png", "image/png", elf, kind},
		{"a.png", "image/png", exe, kind},
		{"a.txt", "", exe, kind},
		{"a.pdf", "application/pdf", "#!/bin/sh\n", kind},
		{"a", "", elf, kind},
		{"a.exe", "application/octet-stream", exe, kind},
		{"a.jpg", "image/jpeg", "\x00\x01\x02\x03\x04", kind},
		{"a.mp4", "video/mp4", "\x00\x00\x00\x00nothing", kind},
		{"a.class", "", "\xca\xfe\xba\xbe\x00", kind},
		{"a.bin", "", "\x01", kind},
	}
}

func TestWrongInputIsNamedAndNothingIsKept(t *testing.T) {
	inputs := wrongInputs()
	if len(inputs) < 100 {
		t.Fatalf("%d inputs, want 100", len(inputs))
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for _, in := range inputs {
			s := good()
			in.change(&s)
			_, err := h.Submit(t.Context(), s)
			e, _ := fault.As(err)
			if !hasPart(err, in.pointer, in.code) || len(e.Parts) != 1 {
				t.Errorf("%s: %v, want only %s at %s", in.name, err, in.code, in.pointer)
				continue
			}
			wantSaid(t, e)
		}
		h.wantNothing(t)
	})
}

// wantSaid fails the test unless the fault and its parts have whole sentences
// in every language.
func wantSaid(t *testing.T, e *fault.Error) {
	t.Helper()
	for _, lang := range i18n.Langs() {
		for _, p := range append(e.Parts, e) {
			if text := i18n.For(lang).Fault(p); text == p.Code || strings.Contains(text, "<no value>") {
				t.Errorf("%s says %q of %v", lang, text, p)
			}
		}
	}
}

// hostile reads the inputs that no location may have.
func hostile(t *testing.T) (inputs, reasons []string) {
	t.Helper()
	f, err := os.Open("../../canonical/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	for lines := bufio.NewScanner(f); lines.Scan(); {
		reason, quoted, ok := strings.Cut(lines.Text(), "\t")
		if !ok || strings.HasPrefix(reason, "#") {
			continue
		}
		in, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		inputs, reasons = append(inputs, in), append(reasons, "location."+reason)
	}
	if len(inputs) < 60 {
		t.Fatalf("%d hostile inputs, want 60", len(inputs))
	}
	return inputs, reasons
}

func TestEveryHostileLinkOfAReportIsNamedByItsPlace(t *testing.T) {
	inputs, reasons := hostile(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		s.Locations = append([]string{"https://forum.example/good"}, inputs...)
		s.Category = ""
		s.Files = []report.Upload{{Name: "a.exe", Content: strings.NewReader(exe)}}
		_, err := h.Submit(t.Context(), s)
		e, _ := fault.As(err)
		if e == nil || len(e.Parts) != len(inputs)+2 {
			t.Fatalf("got %v, want %d links, the category and the file", err, len(inputs))
		}
		for i, reason := range reasons {
			if pointer := fmt.Sprint("/locations/", i+1); !hasPart(err, pointer, reason) {
				t.Errorf("nothing said of %s, %q: want %s", pointer, inputs[i], reason)
			}
		}
		wantSaid(t, e)
		h.wantNothing(t)
		for _, r := range canonical.Reasons() {
			wantSaid(t, fault.New(fault.Invalid, string(r), "Part", "x", "Max", 1))
		}
	})
}

// endless yields the head and then n zero bytes, and counts what is taken.
type endless struct {
	head string
	n    int64
	read *int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		*e.read += int64(n)
		return n, nil
	}
	if e.n == 0 {
		return 0, io.EOF
	}
	n := int(min(e.n, int64(len(p))))
	clear(p[:n])
	e.n -= int64(n)
	*e.read += int64(n)
	return n, nil
}

func TestAHugeFileIsRefusedWhileItStreams(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		var read int64
		big := func(name, head string, size int64) report.Upload {
			return report.Upload{Name: name, Content: &endless{head, size, &read}}
		}
		s := good()
		s.Files = []report.Upload{big("a.png", png, 4<<30)}
		allocated := allocates(func() {
			if _, err := h.Submit(t.Context(), s); !hasPart(err, "/files/0/content", "report.file-too-large") {
				t.Errorf("an image of 4 GiB: %v", err)
			}
		})
		if read > report.MaxImageBytes+1<<20 || allocated > 45<<20 { // other tests allocate meanwhile; the image kept whole would be past it
			t.Errorf("read %d bytes and allocated %d before refusing", read, allocated)
		}
		h.wantNothing(t)

		// Once refused anyway, nothing more goes to the disk, but all is said.
		s = good()
		s.Category = ""
		s.Files = []report.Upload{
			big("a.pdf", pdf, 199<<20), big("b.mp4", mp4, 201<<20), big("c.mp4", mp4, 199<<20), big("d.pdf", pdf, 99<<20), big("e.pdf", pdf, 99<<20),
		}
		_, err := h.Submit(t.Context(), s)
		if !hasPart(err, "/category", "fault.required") || !hasPart(err, "/files/1/content", "report.file-too-large") || !hasPart(err, "/files", "report.files-too-large") {
			t.Errorf("too much in all: %v", err)
		}
		h.wantNothing(t)
	})
}

// allocates returns how many bytes f allocates in all, live or not.
func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		gone := errors.New("the sender went away")
		s := good()
		s.Files = []report.Upload{picture("whole"), {Name: "b.png", Content: io.MultiReader(strings.NewReader(png+strings.Repeat("x", 5000)), iotest.ErrReader(gone))}}
		if _, err := h.Submit(t.Context(), s); !errors.Is(err, gone) {
			t.Errorf("broken inside a file: %v", err)
		}
		s = good()
		s.Files = []report.Upload{{Name: "b.png", Content: iotest.ErrReader(gone)}}
		if _, err := h.Submit(t.Context(), s); !errors.Is(err, gone) {
			t.Errorf("broken at its start: %v", err)
		}
		s = good()
		s.More = func(yield func(report.Upload, error) bool) {
			_ = yield(picture("whole"), nil) && yield(report.Upload{}, gone)
		}
		if _, err := h.Submit(t.Context(), s); !errors.Is(err, gone) {
			t.Errorf("broken between files: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s = good()
		s.More = func(yield func(report.Upload, error) bool) {
			_ = yield(picture("whole"), nil)
			cancel()
		}
		if _, err := h.Submit(ctx, s); err == nil {
			t.Error("a cancelled request was acknowledged")
		}
		h.wantNothing(t)
	})
}

func TestFilesAreTakenAsTheyArrive(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		s.Files = []report.Upload{picture("one")}
		var more iter.Seq2[report.Upload, error] = func(yield func(report.Upload, error) bool) {
			for i := range 9 {
				if !yield(report.Upload{Name: fmt.Sprintf(`C:\Users\Somebody\%d.TXT`, i), Content: iotest.OneByteReader(strings.NewReader("catatan"))}, nil) {
					return
				}
			}
		}
		s.More = more
		got, err := h.Get(t.Context(), h.analyst, h.submit(t, s).ReportID)
		if err != nil || len(got.Files) != 10 || got.Files[9].Name != "8.TXT" || got.Files[9].MediaType != "text/plain" || got.Files[9].Size != 7 {
			t.Errorf("got %+v, %v", got.Files, err)
		}
	})
}

func TestManyReportsOfTheSameLinksShareTheirLocations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		var wg sync.WaitGroup
		token := h.NewToken()
		codes := make([]string, 8)
		for i := range codes {
			wg.Go(func() { // the same form, clicked eight times
				s := good()
				s.Token, s.Files = token, []report.Upload{picture("same")}
				r, err := h.Submit(t.Context(), s)
				if err != nil {
					t.Error(err)
				}
				codes[i] = r.Code
			})
		}
		for i := range 24 {
			wg.Go(func() { // others, with the same links in any order and spelling
				s := good()
				for j := range 20 {
					s.Locations = append(s.Locations, fmt.Sprintf("HTTPS://Forum.example:443/t/%d?utm_source=x", (i*7+j)%20))
				}
				if _, err := h.Submit(t.Context(), s); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, c := range codes {
			if c != codes[0] {
				t.Errorf("receipts %q and %q for one form", c, codes[0])
			}
		}
		if r, l, b := h.count(t, "reports"), h.count(t, "locations"), h.blobs(t); r != 25 || l != 22 || b != 1 {
			t.Errorf("%d reports, %d locations, %d blobs; want 25, 22, 1", r, l, b)
		}
	})
}
