package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/fault"
)

// endless is a multipart body whose parts have long names, or long headers, and
// that never ends by itself.
type endless struct {
	part string
	at   int
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.part[e.at:])
	e.at = (e.at + n) % len(e.part)
	e.read += int64(n)
	return n, nil
}

// What stands before a file is held in memory, its names and headers too: no
// form makes us hold more than a form may have (threat-model T03).
func TestAFormHoldsNoMoreThanItsTexts(t *testing.T) {
	for name, part := range map[string]string{
		"long names":     "--x\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("a", 9<<20) + "\"\r\n\r\n\r\n",
		"longer names":   "--x\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("a", maxName+1) + "\"\r\n\r\n\r\n",
		"many fields":    "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n",
		"a header":       "--x\r\nX: " + strings.Repeat("b", 9<<20) + "\r\n\r\n\r\n",
		"an endless one": "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("c", 1<<20),
		"after a file":   "--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\nab\r\n--x\r\nX: " + strings.Repeat("b", 9<<20),
	} {
		t.Run(name, func(t *testing.T) {
			body := &endless{part: part}
			r := httptest.NewRequest(http.MethodPost, "/report", body)
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			in, err := readIntake(httptest.NewRecorder(), r)
			if name == "after a file" {
				if err != nil {
					t.Fatal(err)
				}
				for f, wrong := range in.uploads() {
					if err = wrong; err == nil {
						_, err = io.Copy(io.Discard, f.Content)
					}
					if err != nil {
						break
					}
				}
			}
			if !fault.Is(err, "public.form.texts") {
				t.Errorf("got %v, want public.form.texts", err)
			}
			if most := int64(maxTexts + 2<<20); body.read > most {
				t.Errorf("%d bytes were read before it was refused, at most %d", body.read, most)
			}
		})
	}
	r := httptest.NewRequest(http.MethodPost, "/report", strings.NewReader(fmt.Sprintf(
		"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\n%s\r\n--x--\r\n",
		strings.Repeat("d", maxTexts*3))))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	in, err := readIntake(httptest.NewRecorder(), r)
	if err != nil || in.texts.Get("a") != "b" {
		t.Fatalf("%v %v", in, err)
	}
	for f, wrong := range in.uploads() {
		if n, err := io.Copy(io.Discard, f.Content); n != maxTexts*3 || err != nil || wrong != nil {
			t.Errorf("a file longer than all texts: %d bytes, %v, %v", n, err, wrong)
		}
	}
}
