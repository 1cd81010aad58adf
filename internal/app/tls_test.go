package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
)

func TestBrowsersAreHeldToTLSWhereItIsThePublicAddress(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	for _, tt := range []struct{ public, host, path, want string }{
		{"https://tangkal.example", "tangkal.example", "/", "max-age=31536000"},
		{"https://tangkal.example", "tangkal.example", "/api/v1/reports/agencies", "max-age=31536000"},
		{"https://tangkal.example", strings.TrimPrefix(x.Evidence, "http://"), "/e/none", "max-age=31536000"},
		{"http://localhost:8080", "localhost:8080", "/", ""},
	} {
		x.App.Config.PublicURL = tt.public
		h, err := x.App.Handler()
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.path, nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security"); got != tt.want {
			t.Errorf("%s%s under %s: %q, want %q", tt.host, tt.path, tt.public, got, tt.want)
		}
	}
}
