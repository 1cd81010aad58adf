package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Secure wraps next with the headers that confine its pages: a content
// security policy without inline code (CSP Level 3), Trusted Types, and the
// rest that keeps a page from being framed, sniffed or followed. Evidence is
// the other origin that images and video come from, "" for none; it must be a
// bare http or https origin.
func Secure(evidence string, next http.Handler) (http.Handler, error) {
	if err := checkOrigin(evidence); err != nil {
		return nil, err
	}
	policy := contentPolicy(evidence)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", permissions)
		next.ServeHTTP(w, r)
	}), nil
}

// permissions denies what no page uses (Permissions Policy).
const permissions = "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), " +
	"microphone=(), midi=(), payment=(), usb=(), browsing-topics=()"

// contentPolicy names what a page may load. The kit and htmx take no policy of
// their own: htmx is handed ours, the kit writes no markup.
func contentPolicy(evidence string) string {
	media := "'none'"
	images := "'self'"
	if evidence != "" {
		media = evidence
		images += " " + evidence
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src " + images,
		"media-src " + media,
		"font-src 'self'",
		"connect-src 'self'",
		"worker-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types tangkal",
	}, "; ")
}

func checkOrigin(origin string) error {
	if origin == "" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != origin ||
		strings.ContainsAny(origin, " ;,'\"*") {
		return fmt.Errorf("evidence origin %q is not scheme and host alone", origin)
	}
	return nil
}
