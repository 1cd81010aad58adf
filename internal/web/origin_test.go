package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
)

// A page of another site cannot make a visitor's browser do anything here: each
// route that changes something refuses it before anything is looked at. (The
// server stands on nothing: whatever got through would fail on that.)
func TestNoRouteIsChangedFromAnotherSite(t *testing.T) {
	t.Parallel()
	s := New(Deps{
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), EvidenceOrigin: "https://evidence.tangkal.example",
		Sessions: auth.New(nil, nil, clock.System{}, nil).NewSessions(true),
	})
	h, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`\{[^}]*\}`)
	tried := 0
	for _, r := range slices.Concat(s.publicRoutes(), s.sessionRoutes()) {
		method, pattern, _ := strings.Cut(r.Pattern, " ")
		if method == http.MethodGet {
			continue
		}
		for name, value := range map[string]string{
			"Sec-Fetch-Site": "cross-site", "sec-fetch-site": "same-site", "Origin": "https://evil.example", "origin": s.EvidenceOrigin, "ORIGIN": "null",
		} {
			tried++
			req := httptest.NewRequestWithContext(t.Context(), method, "https://tangkal.example"+place.ReplaceAllString(pattern, "1"), strings.NewReader("a=b"))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(name, value)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s with %s: %s answers %d", r.Pattern, name, value, w.Code)
			}
		}
	}
	if tried < 5*30 {
		t.Errorf("only %d requests were tried", tried)
	}
}
