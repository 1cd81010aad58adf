package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/auth/oidctest"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

const led = "https://tangkal.example/sign-in/provider/back"

// provided is a world whose organisation "agency" has a provider.
type provided struct {
	*world
	op    *oidctest.Server
	p     *auth.Provider
	org   party.Party
	admin party.Actor
	ana   party.Actor
}

func newProvided(t *testing.T, d *db.DB, change ...func(*auth.ProviderConfig)) *provided {
	t.Helper()
	w := start(d)
	op := oidctest.Start(t)
	op.Now = w.clock.Now
	c := auth.ProviderConfig{Name: "Contoh", Issuer: op.URL, ClientID: op.ClientID, Secret: op.Secret, Party: "agency", Redirect: led, HTTP: http.DefaultClient} //nolint:forbidigo // a server of the test's own
	for _, f := range change {
		f(&c)
	}
	b := &provided{world: w, op: op, p: w.NewProvider(c), org: w.party(t, "agency", party.Agency)}
	b.admin, b.ana = w.person(t, b.org, "admin", party.Admin), w.person(t, b.org, "ana", party.Analyst)
	return b
}

// link says that who is the subject; an administrator ends it.
func (b *provided) link(t *testing.T, who party.Actor, subject string) {
	t.Helper()
	by := who
	if subject == "" {
		by = b.admin
	}
	if err := b.p.Link(t.Context(), by, who.Person, subject); err != nil {
		t.Fatal(err)
	}
}

// trip goes to the provider and comes back to our page.
func (b *provided) trip(t *testing.T) auth.Return {
	t.Helper()
	trip, err := b.p.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return b.visit(t, trip)
}

func (b *provided) visit(t *testing.T, trip auth.Trip) auth.Return {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, trip.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // has none
	at, err := resp.Location()
	if err != nil || !strings.HasPrefix(at.String(), led+"?") {
		t.Fatalf("led to %v, %v", at, err)
	}
	q := at.Query()
	return auth.Return{Ticket: trip.Ticket, State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss")}
}

// in signs in by the provider.
func (b *provided) in(t *testing.T, back auth.Return) (party.PersonID, error) {
	t.Helper()
	s, err := b.p.Finish(t.Context(), back)
	if err != nil {
		return "", err
	}
	return b.p.PersonOf(t.Context(), s)
}

func TestAProviderSignsInWhoLinkedThemselves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newProvided(t, d)
		_, err := b.in(t, b.trip(t))
		wantCode(t, err, fault.Denied, "auth.provider-unknown")
		// An address in the token makes nobody somebody, verified or not.
		for _, verified := range []any{false, true, nil} {
			b.op.Set(func(s *oidctest.Server) {
				s.Claims = map[string]any{"email": "ana@agency.example", "email_verified": verified, "name": "ana"}
			})
			_, err := b.in(t, b.trip(t))
			wantCode(t, err, fault.Denied, "auth.provider-unknown")
		}
		people := b.count(t, `SELECT count(*) FROM people`)
		b.link(t, b.ana, "subject-1")
		who, err := b.in(t, b.trip(t))
		if err != nil || who != b.ana.Person {
			t.Fatalf("signed in %q, %v", who, err)
		}
		if n := b.count(t, `SELECT count(*) FROM people`); n != people {
			t.Error("signing in made somebody")
		}
		b.op.Rotate(t)
		if who, err := b.in(t, b.trip(t)); err != nil || who != b.ana.Person {
			t.Errorf("after the provider has a new key: %q, %v", who, err)
		}
		site, seen := b.here(t, b.ana, auth.ByProvider)
		if a := seen(); a.Touched || a.Person != b.ana.Person {
			t.Errorf("the session: %+v", a)
		}
		wantCode(t, auth.MayNow(seen(), auth.PartyKey, auth.Object{Owner: b.org.ID}), fault.Denied, "auth.touch")
		b.link(t, b.ana, "") // ended
		if name, _ := site.get(t, "/who"); name != "nobody" {
			t.Errorf("after the link ended the session is %s's", name)
		}
		_, err = b.in(t, b.trip(t))
		wantCode(t, err, fault.Denied, "auth.provider-unknown")
	})
}

// Whatever is wrong with an answer, it signs nobody in.
func TestAWrongAnswerOfAProviderSignsNobodyIn(t *testing.T) {
	claims := func(over map[string]any) func(*oidctest.Server) { return func(s *oidctest.Server) { s.Claims = over } }
	for name, lie := range map[string]func(*oidctest.Server){
		"another nonce":          claims(map[string]any{"nonce": "another"}),
		"no nonce":               claims(map[string]any{"nonce": nil}),
		"another audience":       claims(map[string]any{"aud": "another"}),
		"two audiences":          claims(map[string]any{"aud": []string{"tangkal", "another"}}),
		"made for another":       claims(map[string]any{"aud": []string{"tangkal", "another"}, "azp": "another"}),
		"another issuer":         claims(map[string]any{"iss": "https://login.elsewhere.example"}),
		"nobody":                 claims(map[string]any{"sub": ""}),
		"expired":                claims(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"no end":                 claims(map[string]any{"exp": nil}),
		"not yet":                claims(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"alg none":               func(s *oidctest.Server) { s.None = true },
		"a key nobody published": func(s *oidctest.Server) { s.Stranger = true },
		"another's redirect":     func(s *oidctest.Server) { s.Mixed = "https://login.elsewhere.example" },
		"without the claim":      claims(map[string]any{"groups": []string{"others"}}),
		"another client":         func(s *oidctest.Server) { s.Secret = "changed" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newProvided(t, dbtest.SQLite(t), func(c *auth.ProviderConfig) {
				if name == "without the claim" {
					c.Claim = "groups=tangkal"
				}
			})
			b.link(t, b.ana, "subject-1")
			b.op.Set(lie)
			who, err := b.in(t, b.trip(t))
			wantCode(t, err, fault.Denied, "auth.provider-refused")
			if who != "" {
				t.Errorf("signed in %s", who)
			}
			b.op.Set(func(s *oidctest.Server) {
				s.Claims, s.None, s.Stranger, s.Mixed, s.Secret = map[string]any{"groups": []string{"others", "tangkal"}}, false, false, s.URL, "client secret"
			})
			if who, err := b.in(t, b.trip(t)); err != nil || who != b.ana.Person {
				t.Errorf("the right answer after that: %q, %v", who, err)
			}
		})
	}
}

// A trip ends in the browser that began it, once, in time, with its own parts.
func TestATripIsOneBrowsersOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newProvided(t, d)
		b.link(t, b.ana, "subject-1")
		other := b.trip(t)
		for name, change := range map[string]func(*auth.Return){
			"no ticket":            func(r *auth.Return) { r.Ticket = "" },
			"another's ticket":     func(r *auth.Return) { r.Ticket = other.Ticket },
			"another's state":      func(r *auth.Return) { r.State = other.State },
			"no state":             func(r *auth.Return) { r.State = "" },
			"another's code":       func(r *auth.Return) { r.Code = other.Code },
			"no code":              func(r *auth.Return) { r.Code = "" },
			"an error":             func(r *auth.Return) { r.ProblemKey = "access_denied" },
			"bound to something":   func(r *auth.Return) { r.Bound = "tgi_x" },
			"a sign-in's own":      func(r *auth.Return) { r.Ticket = b.NewChallenge().ID },
			"eleven minutes later": func(*auth.Return) { b.clock.Advance(11 * time.Minute) },
		} {
			back := b.trip(t)
			if name == "another's code" { // a fresh one, that the provider would take
				other = b.trip(t)
			}
			change(&back)
			who, err := b.in(t, back)
			if !fault.Is(err, "auth.provider-refused") || who != "" {
				t.Errorf("%s: %q, %v", name, who, err)
			}
		}
		back := b.trip(t)
		if _, err := b.in(t, back); err != nil {
			t.Fatal(err)
		}
		_, err := b.in(t, back)
		wantCode(t, err, fault.Denied, "auth.provider-refused")
		back = b.trip(t)
		if n := atOnce(6, func() error { _, err := b.in(t, back); return err }); n != 1 {
			t.Errorf("%d of six at once are in", n)
		}
	})
}

func TestAProviderThatIsAwayIsSaidSo(t *testing.T) {
	b := newProvided(t, dbtest.SQLite(t))
	b.link(t, b.ana, "subject-1")
	b.op.Set(func(s *oidctest.Server) { s.Issuer = "https://login.elsewhere.example" })
	_, err := b.p.Begin(t.Context(), "")
	wantCode(t, err, fault.Unavailable, "auth.provider-away") // it names another issuer
	b.op.Set(func(s *oidctest.Server) { s.Issuer, s.Away = "", http.StatusBadGateway })
	b.clock.Advance(31 * time.Second)
	_, err = b.p.Begin(t.Context(), "")
	wantCode(t, err, fault.Unavailable, "auth.provider-away")
	b.op.Set(func(s *oidctest.Server) { s.Away, s.Asked = 0, nil })
	b.clock.Advance(29 * time.Second)
	_, err = b.p.Begin(t.Context(), "")
	wantCode(t, err, fault.Unavailable, "auth.provider-away")
	if n := b.asked("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("asked %d times within 30 s", n)
	}
	b.clock.Advance(2 * time.Second)
	back := b.trip(t)
	b.op.Set(func(s *oidctest.Server) { s.Away = http.StatusServiceUnavailable })
	_, err = b.in(t, back)
	wantCode(t, err, fault.Unavailable, "auth.provider-away")
	b.op.Set(func(s *oidctest.Server) { s.Away = 0 })
	if _, err := b.in(t, b.trip(t)); err != nil {
		t.Error(err)
	}
}

func (b *provided) asked(path string) int {
	n := 0
	b.op.Set(func(s *oidctest.Server) {
		for _, one := range s.Asked {
			if one == path {
				n++
			}
		}
	})
	return n
}

// A code that somebody made up costs one question, writes nothing, and takes
// nobody's trip.
func TestATripIsSpentOnceItIsProved(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newProvided(t, d)
		b.link(t, b.ana, "subject-1")
		back := b.trip(t)
		wrong := back
		wrong.Code = "made up"
		_, err := b.in(t, wrong)
		wantCode(t, err, fault.Denied, "auth.provider-refused")
		if n := b.asked("/token"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if n := b.count(t, `SELECT count(*) FROM challenges WHERE purpose = 'provider'`); n != 0 {
			t.Errorf("%d trips are spent", n)
		}
		if who, err := b.in(t, back); err != nil || who != b.ana.Person {
			t.Errorf("the right code after that: %q, %v", who, err)
		}
	})
}

// One trip asks about three made-up codes and no more, in a row or at once; the
// provider's failures are not held against it.
func TestATripBringsAFewCodes(t *testing.T) {
	b := newProvided(t, dbtest.SQLite(t))
	b.link(t, b.ana, "subject-1")
	back, next := b.trip(t), b.trip(t)
	wrong := back
	for i := range 6 {
		wrong.Code = fmt.Sprint("made up ", i)
		_, err := b.in(t, wrong)
		wantCode(t, err, fault.Denied, "auth.provider-refused")
	}
	if n := b.asked("/token"); n != 3 {
		t.Errorf("the provider was asked about %d codes of one trip, want 3", n)
	}
	_, err := b.in(t, back)
	wantCode(t, err, fault.Denied, "auth.provider-refused")
	if who, err := b.in(t, next); err != nil || who != b.ana.Person {
		t.Errorf("another trip: %q, %v", who, err)
	}
}

// A held is a network that answers on one path when it is let.
type held struct {
	path string
	came chan bool // whether the question has an end
	let  chan struct{}
}

func (h held) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != h.path {
		return http.DefaultTransport.RoundTrip(r) //nolint:forbidigo // a server of the test's own
	}
	_, ends := r.Context().Deadline()
	h.came <- ends
	select {
	case <-h.let:
		return http.DefaultTransport.RoundTrip(r) //nolint:forbidigo // a server of the test's own
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// Four are at a slow provider; the fifth is told at once.
func TestAProviderThatHangsHoldsFour(t *testing.T) {
	for path, ask := range map[string]func(*testing.T, *provided) func() error{
		"/.well-known/openid-configuration": func(t *testing.T, b *provided) func() error {
			return func() error { _, err := b.p.Begin(t.Context(), ""); return err }
		},
		"/token": func(t *testing.T, b *provided) func() error {
			back := b.trip(t)
			return func() error { _, err := b.in(t, back); return err }
		},
	} {
		t.Run(path, func(t *testing.T) {
			h := held{path, make(chan bool, 100), make(chan struct{})}
			b := newProvided(t, dbtest.SQLite(t), func(c *auth.ProviderConfig) { c.HTTP = &http.Client{Transport: h} })
			b.link(t, b.ana, "subject-1")
			var wg sync.WaitGroup
			defer wg.Wait()
			letGo := sync.OnceFunc(func() { close(h.let) })
			defer letGo()
			for range 4 {
				one := ask(t, b)
				wg.Go(func() {
					if err := one(); err != nil {
						t.Error(err)
					}
				})
			}
			for range 4 {
				select {
				case ends := <-h.came:
					if !ends {
						t.Error("a question without an end")
					}
				case <-time.After(time.Minute):
					t.Fatal("fewer than four are at the provider")
				}
			}
			fifth := ask(t, b)
			wantCode(t, fifth(), fault.Unavailable, "auth.provider-away")
			letGo()
			wg.Wait()
			if err := fifth(); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}

// A link is made by whom it lets in, who is there; an administrator only ends
// it, and a row written by somebody else is none.
func TestWhoLinksWhom(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newProvided(t, d)
		other := b.person(t, b.party(t, "other", party.Platform), "other", party.Admin)
		stale := b.ana
		stale.Touched, stale.Session = false, "some session"
		link := func(by party.Actor, who party.Actor) error { return b.p.Link(t.Context(), by, who.Person, "subject-1") }
		wantCode(t, link(stale, b.ana), fault.Denied, "auth.touch")
		wantCode(t, link(b.admin, b.ana), fault.Denied, "auth.provider-own")
		_, err := b.in(t, b.trip(t))
		wantCode(t, err, fault.Denied, "auth.provider-unknown")
		ana, err := party.GetPerson(t.Context(), d, b.ana.Person)
		check(t, err)
		check(t, d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return b.p.LinkAs(ctx, tx, b.admin, ana, "subject-1") }))
		_, err = b.in(t, b.trip(t))
		wantCode(t, err, fault.Denied, "auth.provider-unknown") // made by another
		b.link(t, b.ana, "")
		if k := fault.Of(link(other, b.ana)); k != fault.NotFound {
			t.Errorf("another organisation links: %v", k)
		}
		wantCode(t, link(other, other), fault.Conflict, "auth.provider-none")
		b.link(t, b.ana, "subject-1")
		wantCode(t, b.p.Link(t.Context(), b.ana, b.admin.Person, ""), fault.Denied, "auth.not-allowed")
		wantCode(t, link(b.admin, b.admin), fault.Conflict, "auth.provider-taken")
		for _, change := range []string{
			`person_id = '` + string(b.admin.Person) + `'`, `party_id = '` + string(other.Party) + `'`, `linked_by = 'x'`, `linked_at = linked_at + 1`, `mac = NULL`,
		} {
			b.exec(t, `UPDATE provider_subjects SET `+change)
			_, err := b.in(t, b.trip(t))
			wantCode(t, err, fault.Denied, "auth.provider-unknown")
			b.exec(t, `DELETE FROM provider_subjects`)
			b.link(t, b.ana, "subject-1")
		}
		b.closeParty(t, b.org)
		_, err = b.in(t, b.trip(t))
		wantCode(t, err, fault.Denied, "auth.provider-unknown")
	})
}

// Who is removed comes in by no account, and theirs is free for somebody else.
func TestAProvidersLinkEndsWithItsPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newProvided(t, d)
		b.link(t, b.ana, "subject-1")
		check(t, b.Deactivate(t.Context(), b.admin, b.ana.Person))
		b.link(t, b.person(t, b.org, "bo", party.Analyst), "subject-1")
		if n := b.count(t, `SELECT count(*) FROM provider_subjects WHERE person_id = $1 AND (ended_at IS NULL OR mac IS NOT NULL)`, b.ana.Person); n != 0 {
			t.Errorf("%d links of theirs stand", n)
		}
	})
}

// Somebody invited comes by the provider, with the roles of their invitation
// and no key.
func TestAnInvitationIsTakenUpByAProvider(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newProvided(t, d)
		i, secret, err := b.Invite(t.Context(), b.admin, b.org.ID, "Bo", "bo@agency.example", []party.Role{party.Reviewer})
		if err != nil {
			t.Fatal(err)
		}
		trip, err := b.p.Begin(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		back := b.visit(t, trip)
		back.Bound = secret
		s, err := b.p.Finish(t.Context(), back)
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.p.Join(t.Context(), secret, auth.Joining{Name: "Bo", Lang: "id", Zone: "UTC"}, s)
		if err != nil || p.Email != i.Email || len(p.Roles) != 1 || p.Roles[0] != party.Reviewer {
			t.Fatalf("joined %+v, %v", p, err)
		}
		if who, err := b.in(t, b.trip(t)); err != nil || who != p.ID {
			t.Errorf("signed in %q, %v", who, err)
		}
		if n, err := party.WaysIn(t.Context(), d, p.ID); err != nil || n != 0 {
			t.Errorf("%d keys, %v", n, err)
		}
		other := b.party(t, "other", party.Platform)
		_, foreign, err := b.Invite(t.Context(), b.admin, other.ID, "Cy", "cy@other.example", []party.Role{party.Admin})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.p.Join(t.Context(), foreign, auth.Joining{Name: "Cy", Lang: "id", Zone: "UTC"}, auth.Subject{Issuer: b.op.URL, ID: "subject-2"})
		wantCode(t, err, fault.Conflict, "auth.provider-none")
		if n, err := db.Value[int64](context.WithoutCancel(t.Context()), d, `SELECT count(*) FROM people WHERE party_id = $1`, string(other.ID)); err != nil || n != 0 {
			t.Errorf("%d people joined another organisation, %v", n, err)
		}
		if u, err := url.Parse(trip.URL); err != nil || u.Query().Get("code_challenge_method") != "S256" || strings.Contains(trip.URL, secret) {
			t.Errorf("sent to %s, %v", trip.URL, err)
		}
	})
}
