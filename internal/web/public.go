package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tangkal/tangkal/internal/web/static"
)

// publicRoutes are the pages that anyone may open. They know no sign-in, and
// of what is asked of them nothing is written down.
func (s *Server) publicRoutes() []Route {
	return []Route{
		{Pattern: "GET /{$}", Do: s.getHome},
		{Pattern: "GET /figures.csv", Do: s.getFiguresCSV},
		{Pattern: "GET /figures.json", Do: s.getFiguresJSON},
		{Pattern: "GET /report", Do: s.getReport},
		{Pattern: "POST /report", Do: s.postReport},
		{Pattern: "POST /report/ticket", Do: s.postReportTicket},
		{Pattern: "GET /report/lane/{ticket}", Do: s.toReport},
		{Pattern: "POST /report/lane/{ticket}", Do: s.postReport},
		{Pattern: "GET /receipt", Do: s.getReceipt},
		{Pattern: "POST /receipt", Do: s.postReceipt},
		{Pattern: "GET /receipt/message", Do: s.toReceipt},
		{Pattern: "POST /receipt/message", Do: s.postReceiptMessage},
		{Pattern: "GET /receipt/material", Do: s.toReceipt},
		{Pattern: "POST /receipt/material", Do: s.postReceiptMaterial},
		{Pattern: "GET /receipt/message/{ticket}", Do: s.toReceipt},
		{Pattern: "POST /receipt/message/{ticket}", Do: s.postReceiptMessage},
		{Pattern: "GET /receipt/material/{ticket}", Do: s.toReceipt},
		{Pattern: "POST /receipt/material/{ticket}", Do: s.postReceiptMaterial},
		{Pattern: "GET /robots.txt", Do: s.robots},
		{Pattern: "GET /favicon.ico", Do: s.favicon},
		{Pattern: "GET /.well-known/security.txt", Do: s.securityText},
	}
}

// robots: GET /robots.txt lets search engines find the public pages and keeps
// them from the rest (RFC 9309).
func (s *Server) robots(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, "User-agent: *\nAllow: /$\nAllow: /report$\nAllow: /receipt$\nAllow: /static/\nDisallow: /\n")
}

// favicon: GET /favicon.ico, which browsers ask for whatever the page names.
func (s *Server) favicon(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, static.URL("mark.svg"), http.StatusMovedPermanently)
	return nil
}

// securityText: GET /.well-known/security.txt says where to report a weakness
// of this program (RFC 9116). It expires within a year, as the RFC asks.
func (s *Server) securityText(w http.ResponseWriter, _ *http.Request) error {
	expires := s.Clock.Now().UTC().AddDate(0, 6, 0).Truncate(24 * time.Hour)
	return plain(w, fmt.Sprintf("Contact: %s\nExpires: %s\nPreferred-Languages: id, en\nPolicy: %s\n",
		"https://github.com/tangkal/tangkal/security/advisories/new", expires.Format(time.RFC3339),
		"https://github.com/tangkal/tangkal/blob/main/SECURITY.md"))
}

func plain(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write([]byte(text)) // the reader went away
	return nil
}
