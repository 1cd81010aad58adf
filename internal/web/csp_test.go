package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tangkal/tangkal/internal/web"
)

func TestPagesAreConfined(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h, err := web.Secure("https://evidence.example", page)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if w.Code != http.StatusTeapot {
		t.Errorf("status %d, want the page's own", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https://evidence.example; " +
			"media-src https://evidence.example; font-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; " +
			"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types tangkal",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestAnEvidenceOriginCannotWidenThePolicy(t *testing.T) {
	for _, origin := range []string{
		"https://a.example; script-src *", "*", "https://*", "a.example", "https://a.example/", "javascript:x", "https://a.example b", "'unsafe-inline'", "https://",
	} {
		if _, err := web.Secure(origin, http.NotFoundHandler()); err == nil {
			t.Errorf("%q was taken as an origin", origin)
		}
	}
	for _, origin := range []string{"", "http://evidence.localhost:8080", "https://evidence.example"} {
		if _, err := web.Secure(origin, http.NotFoundHandler()); err != nil {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
