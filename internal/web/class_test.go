package web

import (
	"testing"

	"github.com/tangkal/tangkal/internal/admit"
)

// Every page has a class, and what must get through has its own.
func TestPagesTakeThePlacesOfTheirClass(t *testing.T) {
	want := map[string]admit.Class{
		"GET /{$}": admit.Reading, "GET /report": admit.Reading, "POST /report": admit.Reports, "POST /report/lane/{ticket}": admit.Reports, "POST /report/ticket": admit.Reading, "POST /receipt": admit.Reading,
		"POST /receipt/message": admit.Reports, "POST /receipt/material": admit.Reports, "POST /sign-in": admit.Reading,
		"GET /triage": admit.Staff, "POST /orders/{id}/approve": admit.Staff, "POST /orders/{id}/withdraw": admit.Answers,
		"POST /inbox/{id}/receive": admit.Answers, "POST /inbox/{id}/answers": admit.Answers, "POST /inbox/bulk": admit.Answers,
		"GET /events": admit.Streams,
	}
	for _, r := range (&Server{}).Routes() {
		got := classOf(r)
		if class, ok := want[r.Pattern]; ok && got != class {
			t.Errorf("%s is of class %s, want %s", r.Pattern, got, class)
		}
		if r.Act != "" && got == admit.Reports {
			t.Errorf("%s is for people who are known, and takes the public's places", r.Pattern)
		}
		delete(want, r.Pattern)
	}
	if len(want) > 0 {
		t.Errorf("there is no page %v", want)
	}
}
