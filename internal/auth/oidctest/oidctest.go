// Package oidctest is a small OpenID provider for tests: discovery, keys, the
// authorization code flow with PKCE, over real HTTP. It can be told to lie.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Server is one provider with one client. Its fields may be changed between
// requests, under Lock.
type Server struct {
	sync.Mutex
	URL      string // issuer
	ClientID string
	Secret   string
	Subject  string // who is signed in there
	Now      func() time.Time
	Claims   map[string]any // laid over an ID token's own; nil values leave out
	None     bool           // tokens are signed by nobody (alg none)
	Stranger bool           // tokens are signed by a key that is not published
	Mixed    string         // iss of the redirect, "" leaves it out
	Away     int            // status that every request gets, 0 for none
	Issuer   string         // that discovery names, "" for the right one

	key   *ecdsa.PrivateKey
	kid   int
	codes map[string]url.Values // requests by their code
	Asked []string              // paths, in order
}

// Start starts a provider.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{ClientID: "tangkal", Secret: "client secret", Subject: "subject-1", Now: time.Now, codes: map[string]url.Values{}}
	s.Rotate(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /keys", s.keys)
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Lock()
		defer s.Unlock()
		s.Asked = append(s.Asked, r.URL.Path)
		if s.Away != 0 {
			http.Error(w, "away", s.Away)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Rotate signs with a new key from now on, and publishes that one alone.
func (s *Server) Rotate(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Lock()
	defer s.Unlock()
	s.key = key
	s.kid++
}

// Set changes the provider.
func (s *Server) Set(change func(s *Server)) {
	s.Lock()
	defer s.Unlock()
	change(s)
}

func (s *Server) discovery(w http.ResponseWriter, _ *http.Request) {
	issuer := s.URL
	if s.Issuer != "" {
		issuer = s.Issuer
	}
	answer(w, map[string]any{
		"issuer": issuer, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256", "none"}, "code_challenge_methods_supported": []string{"S256"},
	})
}

func (s *Server) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: crypto.PublicKey(&s.key.PublicKey), KeyID: fmt.Sprint(s.kid), Algorithm: "ES256", Use: "sig"}}})
}

// authorize asks nobody and sends back a code (RFC 6749, section 4.1.2).
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != s.ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.codes[code] = q
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	if s.Mixed != "" {
		back.Set("iss", s.Mixed)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound) //nolint:gosec // a test's own page
}

// token takes a code once, from the client that asked, with its verifier (RFC
// 7636, section 4.6).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	asked, known := s.codes[r.FormValue("code")]
	delete(s.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	secret, _ = url.QueryUnescape(secret)
	if !known || id != s.ClientID || secret != s.Secret || r.FormValue("redirect_uri") != asked.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{
		"iss": s.URL, "sub": s.Subject, "aud": s.ClientID, "nonce": asked.Get("nonce"), "iat": s.Now().Unix(), "exp": s.Now().Add(5 * time.Minute).Unix(),
	}
	maps.Copy(claims, s.Claims)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	raw, err := s.sign(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300, "id_token": raw})
}

func (s *Server) sign(claims map[string]any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	if s.None {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + ".", nil
	}
	key := s.key
	if s.Stranger {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return "", err
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: fmt.Sprint(s.kid)}}, nil)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who left needs no answer
}
