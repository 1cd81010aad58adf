package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// site is a small server with sessions and a browser that keeps its cookies.
type site struct {
	*httptest.Server
	browser *http.Client
	agent   string           // what the browser says it is
	last    *party.Actor     // whom /who saw last
	hold    chan chan string // /hold waits in it, with its session read already
}

// newSite serves /in?person=, /out, /who (the name, or "nobody"), /put and
// /pop, over TLS when secure.
func newSite(t *testing.T, w *world, secure bool) *site {
	s, made := w.NewSessions(secure), &site{last: &party.Actor{}, hold: make(chan chan string)}
	mux := http.NewServeMux()
	handle := func(path string, f func(r *http.Request) (string, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			text, err := f(r)
			if err != nil {
				text = "error: " + err.Error()
			}
			fmt.Fprint(w, text)
		})
	}
	handle("/in", func(r *http.Request) (string, error) {
		since, _ := time.Parse(time.RFC3339Nano, r.FormValue("since"))
		return "", s.Begin(r.Context(), auth.Arrival{Person: party.PersonID(r.FormValue("person")), Way: auth.Way(r.FormValue("way")), Agent: r.UserAgent(), Since: since})
	})
	handle("/out", func(r *http.Request) (string, error) { return "", s.End(r.Context()) })
	handle("/put", func(r *http.Request) (string, error) { s.Put(r.Context(), "flash", "saved"); return "", nil })
	handle("/pop", func(r *http.Request) (string, error) { return s.Pop(r.Context(), "flash"), nil })
	handle("/who", func(r *http.Request) (string, error) {
		a, err := s.Actor(r.Context())
		*made.last = a
		if err == nil && !a.Known() {
			return "nobody", nil
		}
		return a.Name, err
	})
	handle("/hold", func(*http.Request) (string, error) {
		goOn := make(chan string)
		made.hold <- goOn
		return <-goOn, nil
	})
	server := httptest.NewUnstartedServer(s.Wrap(mux))
	if server.Start(); secure {
		server.Close()
		server = httptest.NewTLSServer(s.Wrap(mux))
	}
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := server.Client()
	browser.Jar = jar
	made.Server, made.browser = server, browser
	return made
}

// holds begins a request that has read its session, and returns what lets it
// end, with its session committed.
func (s *site) holds(t *testing.T) func() {
	t.Helper()
	done := make(chan string)
	go func() {
		text, _ := s.get(t, "/hold")
		done <- text
	}()
	goOn := <-s.hold
	return func() {
		t.Helper()
		goOn <- "went on"
		if text := <-done; text != "went on" {
			t.Errorf("the held request answers %q", text)
		}
	}
}

// get returns the page's text and the cookie that it set, if any. cookie, when
// given, stands in for the browser's own.
func (s *site) get(t *testing.T, path string, cookie ...*http.Cookie) (string, *http.Cookie) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.agent != "" {
		r.Header.Set("User-Agent", s.agent)
	}
	client := s.browser
	if len(cookie) > 0 {
		client = &http.Client{Transport: s.browser.Transport}
		r.AddCookie(cookie[0])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range answer.Cookies() {
		return string(text), c
	}
	return string(text), nil
}

func (s *site) want(t *testing.T, path, want string, cookie ...*http.Cookie) {
	t.Helper()
	if got, _ := s.get(t, path, cookie...); got != want {
		t.Errorf("%s answers %q, want %q", path, got, want)
	}
}

func TestTheCookieIsBoundToTheSite(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
	for secure, name := range map[bool]string{true: "__Host-tangkal", false: "tangkal"} {
		_, c := newSite(t, w, secure).get(t, "/in?person="+string(ana.Person))
		if c == nil {
			t.Fatal("signing in sets no cookie")
		}
		if c.Name != name || !c.HttpOnly || c.Secure != secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("over TLS %v: cookie %v", secure, c)
		}
	}
}

func TestASessionFollowsItsPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		ana := w.person(t, org, "ana", party.Analyst)
		s := newSite(t, w, true)

		s.want(t, "/who", "nobody")
		_, planted := s.get(t, "/put")
		_, signedIn := s.get(t, "/in?person="+string(ana.Person))
		s.want(t, "/who", "ana")
		if planted == nil || signedIn == nil || planted.Value == signedIn.Value {
			t.Fatalf("the token before signing in (%v) is the one after (%v)", planted, signedIn)
		}
		s.want(t, "/who", "nobody", planted)
		s.want(t, "/pop", "saved")
		s.want(t, "/pop", "")

		sum := sha256.Sum256([]byte(signedIn.Value))
		if n := w.count(t, `SELECT count(*) FROM sessions WHERE id = $1`, signedIn.Value); n != 0 {
			t.Error("the token itself is stored")
		}
		if n := w.count(t, `SELECT count(*) FROM sessions WHERE id = $1 AND person_id = $2`, base64.RawURLEncoding.EncodeToString(sum[:]), ana.Person); n != 1 {
			t.Errorf("%d rows under the token's hash, want 1", n)
		}

		s.get(t, "/out")
		s.want(t, "/who", "nobody")
		s.want(t, "/who", "nobody", signedIn)
	})
}

func TestWhoIsDeactivatedIsOutAtTheNextRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		ana, head := w.person(t, org, "ana", party.Analyst), w.person(t, org, "head", party.Admin)
		s := newSite(t, w, false)
		s.get(t, "/in?person="+string(ana.Person))
		s.want(t, "/who", "ana")
		if err := w.Deactivate(t.Context(), head, ana.Person); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `SELECT count(*) FROM sessions WHERE person_id = $1`, ana.Person); n != 0 {
			t.Errorf("%d of the sessions are left", n)
		}
		s.want(t, "/who", "nobody")
	})
}

// Even if something of theirs were left, it would open nothing.
func TestAnInactivePersonIsNobodyWhateverIsLeftOfThem(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
		_, secret := w.apiKey(t, ana, both, time.Time{})
		s := newSite(t, w, false)
		s.get(t, "/in?person="+string(ana.Person))
		s.want(t, "/who", "ana")
		w.exec(t, `UPDATE people SET active = FALSE, mac = NULL WHERE id = $1`, string(ana.Person))
		if err := party.SealOld(t.Context(), d); err != nil { // as a row of our own writing
			t.Fatal(err)
		}
		s.want(t, "/who", "nobody")
		if a, err := w.FromAPIKey(t.Context(), secret, false); !fault.Is(err, "auth.bad-key") || a.Known() {
			t.Errorf("the key opens for %+v: %v", a, err)
		}
		_, err := auth.ActorFor(t.Context(), d, ana.Person)
		wantCode(t, err, fault.Denied, "auth.inactive")
	})
}

func TestWhenAnOrganisationIsClosedItsSessionsAreWorthNothing(t *testing.T) {
	w := start(dbtest.SQLite(t))
	org := w.party(t, "agency", party.Agency)
	s := newSite(t, w, false)
	s.get(t, "/in?person="+string(w.person(t, org, "ana", party.Analyst).Person))
	w.closeParty(t, org)
	s.want(t, "/who", "nobody")
}

func TestASessionEndsByItself(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
		s := newSite(t, w, false)
		s.get(t, "/in?person="+string(ana.Person))
		w.clock.Advance(2*time.Hour - time.Minute)
		s.want(t, "/who", "ana")
		w.clock.Advance(2*time.Hour + time.Minute)
		s.want(t, "/who", "nobody")
		if err := w.SweepSessions(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `SELECT count(*) FROM sessions WHERE person_id IS NOT NULL`); n != 0 {
			t.Errorf("the sweep left %d of the sessions", n)
		}
	})
}

func TestUseDoesNotProlongASessionPastADay(t *testing.T) {
	w := start(dbtest.SQLite(t))
	ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
	s := newSite(t, w, false)
	s.get(t, "/in?person="+string(ana.Person))
	for range 11 {
		w.clock.Advance(time.Hour)
		s.want(t, "/who", "ana")
	}
	w.clock.Advance(59 * time.Minute)
	s.want(t, "/who", "ana")
	w.clock.Advance(2 * time.Minute)
	s.want(t, "/who", "nobody")
}

// The program's clock alone says when a session ends, wherever the machine's
// stands.
func TestASessionKeepsTheProgramsTime(t *testing.T) {
	for _, day := range []time.Time{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)} {
		w := start(dbtest.SQLite(t))
		w.clock.Set(day)
		ana := w.person(t, w.party(t, "agency", party.Agency), "ana", party.Analyst)
		s := newSite(t, w, false)
		s.get(t, "/in?person="+string(ana.Person))
		w.clock.Advance(2*time.Hour - time.Minute)
		s.want(t, "/who", "ana")
		w.clock.Advance(2*time.Hour + time.Minute)
		s.want(t, "/who", "nobody")
	}
}

// A session that was put into the database, or moved to another person, by SQL
// signs nobody in (threat-model T12).
func TestAForgedSessionIsNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := start(d)
		org := w.party(t, "agency", party.Agency)
		ana, bo := w.person(t, org, "ana", party.Analyst), w.person(t, org, "bo", party.Approver)
		s := newSite(t, w, false)
		s.get(t, "/in?person="+string(ana.Person))
		s.want(t, "/who", "ana")
		other := newSite(t, w, false)
		other.get(t, "/in?person="+string(bo.Person))
		forged, err := scs.GobCodec{}.Encode(w.clock.Now().Add(time.Hour), map[string]any{"person": string(bo.Person)})
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{forged, append(make([]byte, sha256.Size), forged...), {}, nil} {
			w.exec(t, `UPDATE sessions SET data = $1 WHERE person_id = $2`, append([]byte{}, data...), string(ana.Person))
			s.want(t, "/who", "nobody")
		}
		s.get(t, "/in?person="+string(ana.Person))
		w.exec(t, `UPDATE sessions SET data = (SELECT data FROM sessions WHERE person_id = $1) WHERE person_id = $2`, string(bo.Person), string(ana.Person))
		s.want(t, "/who", "nobody")
	})
}

func TestASessionOfNobodyIsNobody(t *testing.T) {
	w := start(dbtest.SQLite(t))
	s := newSite(t, w, false)
	for _, person := range []string{"", "no-such-person", db.NewID()} {
		s.get(t, "/in?person="+person)
		s.want(t, "/who", "nobody")
	}
	s.want(t, "/who", "nobody", &http.Cookie{Name: "tangkal", Value: "invented"})
}

func TestTheActorTravelsInTheContext(t *testing.T) {
	if a := auth.Actor(t.Context()); a.Known() {
		t.Errorf("a bare context carries %v", a)
	}
	if a := auth.Actor(auth.With(t.Context(), party.Actor{Person: "x"})); a.Person != "x" {
		t.Errorf("got %v back", a)
	}
}
