package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
)

//go:embed docs.html
var docsHTML string

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// docsView is everything that the human page shows, decided already.
type docsView struct {
	Lang, Other, OtherName string
	T                      func(string, ...any) string
	Nouns                  []docsNoun
	Problems               []docsProblem
	About                  []string
}

type docsNoun struct {
	Name, About string
	Operations  []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary string
	Paragraphs                []string
}

type docsProblem struct{ Kind, Title, Detail string }

// render writes the human page in one language.
func (s *server) render(p *i18n.Printer) []byte {
	other := i18n.EN
	if p.Lang() == i18n.EN {
		other = i18n.ID
	}
	v := docsView{Lang: string(p.Lang()), Other: string(other), OtherName: i18n.For(other).T("ui.language.self"), T: p.T}
	v.About = []string{p.T("api.about"), p.T("api.about.language"), p.T("api.about.idempotency", "Hours", int(keptFor.Hours())), p.T("api.about.paging"), p.T("api.about.problems")}
	for _, tag := range s.huma.OpenAPI().Tags {
		noun := docsNoun{Name: tag.Name, About: tag.Description}
		for _, r := range s.routes {
			op := operationAt(s.huma.OpenAPI(), r)
			if op.Tags[0] == tag.Name {
				paragraphs := strings.Split(op.Description, "\n\n")[1:]
				noun.Operations = append(noun.Operations, docsOperation{r.id, r.method, prefix + r.path, op.Summary, paragraphs})
			}
		}
		v.Nouns = append(v.Nouns, noun)
	}
	for _, k := range []fault.Kind{fault.Invalid, fault.Denied, fault.NotFound, fault.Conflict, fault.Unavailable, fault.Internal} {
		v.Problems = append(v.Problems, docsProblem{k.String(), p.T("api.problem." + k.String()), p.T("api.problem." + k.String() + ".about")})
	}
	var b bytes.Buffer
	if err := docsPage.Execute(&b, v); err != nil {
		panic(fmt.Errorf("api: write the human page: %w", err))
	}
	return b.Bytes()
}

// servePage: GET /api/docs, public. The language may be chosen by ?lang= too,
// for the page's own link.
func (s *server) servePage(w http.ResponseWriter, r *http.Request) {
	lang := printer(r.Context()).Lang()
	if chosen := i18n.Lang(r.URL.Query().Get("lang")); chosen == i18n.ID || chosen == i18n.EN {
		lang = chosen
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(lang))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(s.written()[lang].page) // a caller that left needs no answer
}
