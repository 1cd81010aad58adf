package auth

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

// providerChallenge is what a round trip to the provider answers.
const providerChallenge = "provider"

// providerFor is how long a person may take at the provider.
const providerFor = 10 * time.Minute

// providerTimeout bounds everything that is asked of the provider at once.
const providerTimeout = 15 * time.Second

// providerAtOnce is how many may be at the provider at the same time; the next
// are told that it is away, for anybody may ask and none of them may wait.
const providerAtOnce = 4

// providerAway is how long a provider that did not say what it is is not asked
// again.
const providerAway = 30 * time.Second

// A ProviderConfig says which OpenID provider vouches for one organisation's
// people (OpenID Connect Core 1.0, authorization code flow).
type ProviderConfig struct {
	Name     string // on its button
	Issuer   string // as https://login.example
	ClientID string
	Secret   string
	Party    string // code of the organisation whose people it knows
	Claim    string // NAME=VALUE that an ID token must carry, "" for none
	Redirect string // address of our page that it leads back to
	HTTP     *http.Client
}

// A Provider signs people in by the word of their organisation's OpenID
// provider. It says who somebody is and nothing more: it makes nobody, gives no
// role, and what it begins is no touch. It is safe for concurrent use.
type Provider struct {
	auth *Auth
	ProviderConfig

	places chan struct{} // one is taken by whoever is at the provider

	mu     sync.Mutex // never held over the network
	found  *described // after the first success; guarded by mu
	failed error      // of the last try; guarded by mu
	again  time.Time  // not before then; guarded by mu

	tried map[string]tries // codes that trips have brought, by ticket; guarded by mu
}

// tries are codes that one trip has brought: those that are being asked about
// and those that were wrong.
type tries struct {
	n   int
	end time.Time // of the trip
}

const (
	// codesATrip is how many codes one trip may have asked about: anybody can make
	// codes up, and each takes a place at the provider.
	codesATrip = 3
	// tripsTried bounds how many trips are remembered for it.
	tripsTried = 4096
)

// try counts a code of a trip; false if it has brought too many.
func (p *Provider) try(c Challenge) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tried[c.ID]
	if t.n >= codesATrip {
		return false
	}
	if p.tried == nil {
		p.tried = map[string]tries{}
	}
	if now := p.auth.clock.Now(); t.n == 0 && len(p.tried) >= tripsTried {
		maps.DeleteFunc(p.tried, func(_ string, t tries) bool { return t.end.Before(now) })
		for id := range p.tried { // any one makes room
			if len(p.tried) < tripsTried {
				break
			}
			delete(p.tried, id)
		}
	}
	p.tried[c.ID] = tries{t.n + 1, c.end}
	return true
}

// wasNotWrong takes a try back: the provider did not say that the code is wrong.
func (p *Provider) wasNotWrong(c Challenge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.tried[c.ID]; t.n > 1 {
		p.tried[c.ID] = tries{t.n - 1, t.end}
	} else {
		delete(p.tried, c.ID)
	}
}

// described is what a provider says of itself.
type described struct {
	*oidc.Provider
	endpoint oauth2.Endpoint
}

// NewProvider returns a provider. It is asked for nothing before somebody needs
// it, so that the instance starts without it.
func (a *Auth) NewProvider(c ProviderConfig) *Provider {
	return &Provider{auth: a, ProviderConfig: c, places: make(chan struct{}, providerAtOnce)}
}

// On reports whether there is one.
func (p *Provider) On() bool { return p != nil && p.Issuer != "" }

// A Trip is a visit to the provider, begun in one browser.
type Trip struct {
	Ticket string // for that browser alone, in a cookie
	URL    string // where to send it
}

// A Subject is whom a provider vouched for.
type Subject struct{ Issuer, ID string }

// away is the one answer when the provider cannot be asked.
func away(err error) *fault.Error {
	e := fault.New(fault.Unavailable, "auth.provider-away").Because(err)
	e.RetryAfter = providerAway
	return e
}

// refusedByProvider is the one answer to whatever a provider, or somebody in
// its place, says wrongly.
func refusedByProvider(err error) error {
	return fault.New(fault.Denied, "auth.provider-refused").Because(err)
}

// enter takes one of the places at the provider, and returns what gives it back.
func (p *Provider) enter() (leave func(), err error) {
	select {
	case p.places <- struct{}{}:
		return func() { <-p.places }, nil
	default:
		return nil, away(errors.New("too many are at the provider"))
	}
}

// discover reads what the provider says of itself, once (OpenID Connect
// Discovery 1.0, section 4): its issuer must be the one we were told.
func (p *Provider) discover(ctx context.Context) (*described, error) {
	if found, err := p.known(); found != nil || err != nil {
		return found, err
	}
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	// Whoever came first may leave; that says nothing of the provider.
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), p.HTTP), providerTimeout)
	defer cancel()
	found, err := p.describe(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.found != nil: // somebody else was first
		return p.found, nil
	case err != nil:
		p.failed, p.again = err, p.auth.clock.Now().Add(providerAway)
		return nil, away(err)
	}
	p.found = found
	return found, nil
}

// known returns what was found, or why it is not asked for now; neither if it
// may be.
func (p *Provider) known() (*described, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil && p.auth.clock.Now().Before(p.again) {
		return nil, away(p.failed)
	}
	return p.found, nil
}

// describe asks. The key set keeps its context's client for good; only the
// client. How the client proves itself is not tried out, for that would ask
// twice with every wrong code: without a word of it, it is by the header
// (Discovery, section 3).
func (p *Provider) describe(ctx context.Context) (*described, error) {
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	var says struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, err
	}
	d := &described{found, found.Endpoint()}
	d.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(says.Methods) > 0 && !slices.Contains(says.Methods, "client_secret_basic") {
		d.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return d, nil
}

func (p *Provider) config(found *described) oauth2.Config {
	return oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.Secret, RedirectURL: p.Redirect, Endpoint: found.endpoint, Scopes: []string{oidc.ScopeOpenID},
	}
}

// part is what one ticket gives one step: state, nonce or verifier.
func (p *Provider) part(what string, c Challenge) string {
	return base64.RawURLEncoding.EncodeToString(p.auth.mac("provider-"+what, []byte(c.ID)))
}

// Begin starts a trip. bound is what it is for besides signing in, as the
// secret of an invitation: Finish must be given the same.
func (p *Provider) Begin(ctx context.Context, bound string) (Trip, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return Trip{}, err
	}
	c := p.auth.challenge(providerChallenge, bound, providerFor)
	conf := p.config(found)
	return Trip{c.ID, conf.AuthCodeURL(p.part("state", c), oidc.Nonce(p.part("nonce", c)), oauth2.S256ChallengeOption(p.part("verifier", c)))}, nil
}

// A Return is what a browser brings back.
type Return struct {
	Ticket, Bound      string // from its cookie
	State, Code        string // from the address
	Issuer, ProblemKey string // from the address: iss (RFC 9207) and error, "" if absent
}

// Finish ends a trip and returns for whom the provider vouched. It works once
// for each trip, in the browser that began it.
func (p *Provider) Finish(ctx context.Context, back Return) (Subject, error) {
	now := p.auth.clock.Now()
	c, ok := p.auth.readChallenge(providerChallenge, back.Bound, back.Ticket)
	switch {
	case !ok || c.end.Before(now) || !hmac.Equal([]byte(back.State), []byte(p.part("state", c))):
		return Subject{}, refusedByProvider(errors.New("the trip was not begun in this browser, or took too long"))
	case back.Issuer != "" && back.Issuer != p.Issuer:
		return Subject{}, refusedByProvider(fmt.Errorf("the answer is of another issuer, %q", back.Issuer))
	case back.ProblemKey != "" || back.Code == "":
		return Subject{}, refusedByProvider(fmt.Errorf("the provider answers %q", back.ProblemKey))
	}
	if !p.try(c) {
		return Subject{}, refusedByProvider(errors.New("the trip has brought too many wrong codes"))
	}
	// Proved first: anybody begins trips, and what they make up writes nothing.
	who, err := p.redeem(ctx, c, back.Code)
	if fault.Of(err) != fault.Denied {
		p.wasNotWrong(c)
	}
	if err != nil {
		return Subject{}, err
	}
	if err := p.auth.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return p.auth.spend(ctx, tx, c, now) }); err != nil {
		if fault.Of(err) == fault.Denied {
			err = refusedByProvider(err)
		}
		return Subject{}, err
	}
	return who, nil
}

// redeem takes the code to the provider and checks what comes for it (OpenID
// Connect Core 1.0, section 3.1.3.7).
func (p *Provider) redeem(ctx context.Context, c Challenge, code string) (Subject, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return Subject{}, err
	}
	leave, err := p.enter()
	if err != nil {
		return Subject{}, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.HTTP), providerTimeout)
	defer cancel()
	conf := p.config(found)
	token, err := conf.Exchange(ctx, code, oauth2.VerifierOption(p.part("verifier", c)))
	var answered *oauth2.RetrieveError
	if err != nil && (!errors.As(err, &answered) || answered.Response != nil && answered.Response.StatusCode >= http.StatusInternalServerError) {
		return Subject{}, away(err)
	}
	if err != nil {
		return Subject{}, refusedByProvider(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verifier := found.Verifier(&oidc.Config{
		ClientID: p.ClientID, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256, oidc.PS256, oidc.EdDSA}, Now: p.auth.clock.Now,
	})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return Subject{}, refusedByProvider(err)
	}
	if err := p.agrees(id, c); err != nil {
		return Subject{}, refusedByProvider(err)
	}
	return Subject{id.Issuer, id.Subject}, nil
}

// agrees checks what the library leaves to us: the nonce, for whom the token
// was made, and what the operator asks for.
func (p *Provider) agrees(id *oidc.IDToken, c Challenge) error {
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return err
	}
	azp, has := claims["azp"].(string)
	name, want, _ := strings.Cut(p.Claim, "=")
	switch {
	case !hmac.Equal([]byte(id.Nonce), []byte(p.part("nonce", c))):
		return errors.New("the nonce is another trip's")
	case len(id.Audience) > 1 && !has, has && azp != p.ClientID:
		return errors.New("the token was made for another client")
	case id.Subject == "" || len(id.Subject) > 255:
		return errors.New("the token names nobody")
	case p.Claim != "" && !holds(claims[name], want):
		return fmt.Errorf("the token lacks the claim %s", p.Claim)
	}
	return nil
}

// holds reports whether a claim is want, or a list with it.
func holds(claim any, want string) bool {
	switch v := claim.(type) {
	case string:
		return v == want
	case bool:
		return fmt.Sprint(v) == want
	case json.Number:
		return v.String() == want
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return one == want })
	default:
		return false
	}
}
