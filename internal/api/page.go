package api

import (
	"fmt"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Paging asks for one page of a list.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"200" doc:"Where the page before ended: its next"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`

	url url.URL
}

// Resolve notes the address, for the link to the next page. It makes a Paging
// a huma.Resolver.
func (p *Paging) Resolve(ctx huma.Context) []error {
	p.url = ctx.URL()
	return nil
}

// link is the Link header (RFC 8288) that leads to the next page.
func (p *Paging) link(next string) string {
	if next == "" {
		return ""
	}
	q := p.url.Query()
	q.Set("cursor", next)
	return fmt.Sprintf(`<%s?%s>; rel="next"`, p.url.EscapedPath(), q.Encode())
}

// A list is one page of a list.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next" doc:"Cursor of the next page; empty at the end"`
}

// listOut answers with a page.
type listOut[T any] struct {
	Link string `header:"Link" doc:"The next page (RFC 8288)"`
	Body list[T]
}

// pageOf turns the rows of a page into what is answered.
func pageOf[R, T any](p *Paging, rows []R, next string, one func(R) T) *listOut[T] {
	out := &listOut[T]{Link: p.link(next), Body: list[T]{Items: make([]T, 0, len(rows)), Next: next}}
	for _, r := range rows {
		out.Body.Items = append(out.Body.Items, one(r))
	}
	return out
}

// allOf is a list that has no pages.
func allOf[R, T any](rows []R, one func(R) T) *listOut[T] { return pageOf(&Paging{}, rows, "", one) }

// one answers with a single value.
type one[T any] struct{ Body T }

func answer[T any](v T) *one[T] { return &one[T]{v} }

// at returns when something happened, or nil where it has not.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// texts spells a list of words as strings, never null.
func texts[S ~string](in []S) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

// words reads a list of words.
func words[S ~string](in []string) []S {
	out := make([]S, 0, len(in))
	for _, s := range in {
		out = append(out, S(s))
	}
	return out
}
