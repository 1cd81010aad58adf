package admit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/fault"
)

// tight is a gate with one place and no queue for each class.
func tight() map[admit.Class]admit.Limits {
	out := map[admit.Class]admit.Limits{}
	for _, class := range admit.Classes() {
		out[class] = admit.Limits{Workers: 1, Wait: 2 * time.Second, Body: 1 << 20}
	}
	return out
}

func TestAFullClassHoldsNoOtherUp(t *testing.T) {
	g := admit.New(tight(), nil)
	for i, class := range admit.Classes() {
		leave, err := g.Enter(t.Context(), class)
		if err != nil {
			t.Fatalf("%s finds no place though only others are full: %v", class, err)
		}
		defer leave()
		if _, err := g.Enter(t.Context(), class); !fault.Is(err, "admit.full") {
			t.Errorf("a second request of %s: %v, want admit.full", class, err)
		}
		if got := g.Stats()[i]; got != (admit.Stat{Class: class, Places: 1, Busy: 1, Refused: 1}) {
			t.Errorf("%+v", got)
		}
	}
}

func TestWhoWaitsGetsThePlaceThatIsGivenBack(t *testing.T) {
	limits := tight()
	limits[admit.Reports] = admit.Limits{Workers: 1, Queue: 1, Wait: time.Minute}
	g := admit.New(limits, nil)
	leave, err := g.Enter(t.Context(), admit.Reports)
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan error, 1)
	go func() {
		leave, err := g.Enter(t.Context(), admit.Reports)
		if err == nil {
			leave()
		}
		entered <- err
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); g.Stats()[4].Waiting == 0; {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nobody waits")
		}
	}
	if _, err := g.Enter(t.Context(), admit.Reports); fault.Of(err) != fault.Unavailable {
		t.Errorf("the queue takes more than it holds: %v", err)
	}
	leave()
	if err := <-entered; err != nil {
		t.Error(err)
	}
	leave, err = g.Enter(t.Context(), admit.Reports)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Enter(gone, admit.Reports); err == nil {
		t.Error("a caller who left got a place")
	}
}

// served is a server whose reports pass g.
func served(t *testing.T, g *admit.Gate, next http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(g.Around(admit.Reports, func(w http.ResponseWriter, _ *http.Request, err error) {
		e, ok := fault.As(err)
		if !ok {
			t.Errorf("refused with %v", err)
			return
		}
		http.Error(w, e.Code, http.StatusServiceUnavailable)
	}, next))
	t.Cleanup(s.Close)
	return s
}

func post(t *testing.T, s *httptest.Server, body io.Reader) string {
	t.Helper()
	res, err := s.Client().Post(s.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(got))
}

// Whoever sends slowly waits alone: a body that does not come takes no place.
func TestASlowSenderTakesNoPlace(t *testing.T) {
	s := served(t, admit.New(tight(), nil), func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", b, err)
	})
	rest, slow := io.Pipe()
	answered := make(chan string, 1)
	go func() { answered <- post(t, s, rest) }()
	if _, err := slow.Write([]byte("slow")); err != nil { // it is on its way
		t.Fatal(err)
	}
	if got := post(t, s, strings.NewReader("honest")); got != "honest <nil>" {
		t.Errorf("beside a slow sender: %q", got)
	}
	if _, err := slow.Write([]byte("ly")); err != nil {
		t.Fatal(err)
	}
	slow.Close()
	if got := <-answered; got != "slowly <nil>" {
		t.Errorf("the slow sender got %q", got)
	}
}

// A body that is larger than a text takes a place of another class, and arrives
// whole.
func TestUploadsTakeNoPlaceOfTexts(t *testing.T) {
	const size = 1 << 20
	g := admit.New(tight(), nil)
	at := make(chan struct{})
	goOn := make(chan struct{})
	s := served(t, g, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 10 {
			close(at)
			<-goOn
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v", n, err)
	})
	answered := make(chan string, 1)
	go func() { answered <- post(t, s, strings.NewReader(strings.Repeat("a", size))) }()
	<-at
	if got := post(t, s, strings.NewReader("text")); got != "4 <nil>" {
		t.Errorf("a text beside an upload: %q", got)
	}
	if got := post(t, s, strings.NewReader(strings.Repeat("b", size))); got != "admit.full" {
		t.Errorf("a second upload: %q", got)
	}
	close(goOn)
	if got, want := <-answered, fmt.Sprintf("%d <nil>", size); got != want {
		t.Errorf("the upload: %q, want %q", got, want)
	}
}

func TestAFullDiskLetsAnswersIn(t *testing.T) {
	free := int64(0)
	var broken error
	look := func() (*admit.Disk, *admit.Gate) {
		d := &admit.Disk{Free: func() (int64, error) { return free, broken }, Soft: 100, Hard: 10}
		return d, admit.New(nil, d)
	}
	for _, c := range []struct {
		free         int64
		broken       error
		files        bool
		text, answer string
	}{
		{free: 100, files: true, text: "taken", answer: "taken"},
		{free: 99, text: "taken", answer: "taken"},
		{free: 9, text: "admit.disk", answer: "taken"},
		{broken: errors.New("gone"), files: true, text: "taken", answer: "taken"},
	} {
		free, broken = c.free, c.broken
		d, g := look()
		if got := d.Files(); (got == nil) != c.files {
			t.Errorf("%d free: files %v", c.free, got)
		}
		for class, want := range map[admit.Class]string{admit.Reports: c.text, admit.Staff: c.text, admit.Answers: c.answer, admit.Reading: "taken"} {
			s := httptest.NewServer(g.Around(class, func(w http.ResponseWriter, _ *http.Request, err error) { fmt.Fprint(w, err) },
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "taken") })))
			if got := post(t, s, strings.NewReader("x")); got != want {
				t.Errorf("%d free: %s gets %q, want %q", c.free, class, got, want)
			}
			s.Close()
		}
	}
	if (*admit.Disk)(nil).Files() != nil {
		t.Error("no disk refuses")
	}
}
