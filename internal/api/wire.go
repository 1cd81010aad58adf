package api

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
)

type callKey struct{}

// call is what answers need to know of a request.
type call struct {
	lang  i18n.Lang
	agent string // User-Agent, "" if none
	in    string // where a pointer points that does not say: body or query
}

func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

// printer speaks the language of ctx's caller.
func printer(ctx context.Context) *i18n.Printer { return i18n.For(callOf(ctx).lang) }

// greet chooses the language and sets what every answer carries. Nothing of
// the API belongs into a cache.
func (s *server) greet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lang := i18n.Negotiate(r.Header.Get("Accept-Language"))
		h := w.Header()
		h.Set("Content-Language", string(lang))
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Language, Authorization, Cookie")
		c := call{lang: lang, agent: r.UserAgent(), in: "query"}
		if writes(r.Method) {
			c.in = "body"
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	})
}

// recover turns a panic, which is a bug of ours, into a problem with a
// reference.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
				panic(v)
			}
			s.refuse(w, r, fmt.Errorf("panic in %s %s: %v\n%s", r.Method, r.Pattern, v, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

// authenticate finds out who calls. An Authorization header that does not hold
// is refused even where nobody need be known, so that a mistake is seen. A
// session counts only for requests of our own pages.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, err := s.actor(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		ctx := auth.With(r.Context(), actor)
		if actor.Known() && r.Header.Get("Accept-Language") == "" && actor.Lang != "" {
			c := callOf(ctx)
			c.lang = i18n.For(i18n.Lang(actor.Lang)).Lang()
			w.Header().Set("Content-Language", string(c.lang))
			ctx = context.WithValue(ctx, callKey{}, c)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *server) actor(r *http.Request) (party.Actor, error) {
	if header := r.Header.Values("Authorization"); len(header) > 0 {
		scheme, secret, _ := strings.Cut(header[0], " ")
		if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") {
			return party.Actor{}, fault.New(fault.Denied, "api.authorization")
		}
		return s.Auth.FromAPIKey(r.Context(), strings.TrimSpace(secret), writes(r.Method))
	}
	if err := s.cross.Check(r); err != nil {
		return party.Actor{}, fault.New(fault.Denied, "api.cross-origin").Because(err)
	}
	if s.Sessions == nil {
		return party.Actor{}, nil
	}
	return s.Sessions.Actor(r.Context())
}

// writes reports whether a method may change something.
func writes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// nothingHere answers what no operation matches: 405 with Allow where another
// method would do, else 404.
func (s *server) nothingHere(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != "" && pattern != "/api/" {
			allow = append(allow, method)
		}
	}
	if len(allow) > 0 && method(r) {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.refuse(w, r, fault.New(fault.Invalid, "api.method", "Method", r.Method, "Allow", strings.Join(allow, ", ")))
		return
	}
	s.refuse(w, r, fault.New(fault.NotFound, "api.no-operation"))
}

// method reports whether the request's method is one that could be repeated in
// an answer: a token of RFC 9110.
func method(r *http.Request) bool {
	return r.Method != "" && len(r.Method) <= 20 && strings.Trim(r.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}
