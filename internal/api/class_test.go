package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/auth"
)

func TestCallsTakeThePlacesOfTheirClass(t *testing.T) {
	for _, c := range []struct {
		route  route
		header string
		want   admit.Class
	}{
		{route{method: "POST", path: "/notices/{id}/answers", seat: auth.NoticeAnswer}, "Authorization", admit.Answers},
		{route{method: "POST", path: "/notices/{id}/receive", seat: auth.NoticeReceive}, "Cookie", admit.Answers},
		{route{method: "POST", path: "/notices/{id}/withdraw", seat: auth.NoticeWithdraw}, "Authorization", admit.Answers},
		{route{method: "POST", path: "/notices/{id}/answers", seat: auth.NoticeAnswer}, "", admit.Reading}, // refused in a moment
		{route{method: "POST", path: "/reports", seat: public}, "", admit.Reports},
		{route{method: "POST", path: "/reports", seat: public}, "Cookie", admit.Reports},
		{route{method: "POST", path: "/reports", seat: public}, "Authorization", admit.Machines},
		{route{method: "POST", path: "/receipts/material", seat: public}, "", admit.Reports},
		{route{method: "POST", path: "/receipts", seat: public}, "", admit.Reading},
		{route{method: "POST", path: "/sessions", seat: public}, "", admit.Reading},
		{route{method: "GET", path: "/cases", seat: auth.CaseRead}, "Cookie", admit.Staff},
		{route{method: "GET", path: "/cases", seat: auth.CaseRead}, "Authorization", admit.Machines},
		{route{}, "", admit.Reading}, // no such route
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if c.header != "" {
			r.Header.Set(c.header, "x")
		}
		if got := classOf(r, c.route); got != c.want {
			t.Errorf("%s %s with %q: %s, want %s", c.route.method, c.route.path, c.header, got, c.want)
		}
	}
}
