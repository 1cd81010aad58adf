package web

import (
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/components"
)

// ReportPage is the public form. It is one page, so that it works without
// script; what is rarely needed is folded away.
type ReportPage struct {
	components.PublicPage
	Token       string   // makes a repeated sending have one effect
	URLs        []string // the rows as filled in; none shows one empty row
	Many        string   // the box for many links, one a line
	Category    string
	Description string
	Contact     string
	Reply       i18n.Lang // language that the reporter wants to be answered in
	Agencies    []Option  // more than one offers the choice
	Agency      string
	MaxFiles    int
	FileLimit   string // "50 MB"
	Errors      []components.FieldError
}

// An Option is a value with its words.
type Option struct{ Value, Label string }

// wrong returns what is wrong with a field, "" if nothing.
func (pg ReportPage) wrong(field string) string { return fieldError(pg.Errors, field) }

func fieldError(errors []components.FieldError, field string) string {
	for _, e := range errors {
		if e.Field == field {
			return e.Text
		}
	}
	return ""
}

// rows are the link rows to draw, at least one.
func (pg ReportPage) rows() []string {
	if len(pg.URLs) == 0 {
		return []string{""}
	}
	return pg.URLs
}

// categories are the answers to what it is about, as report.Category.
func (pg ReportPage) categories() []components.Choice {
	names := []struct {
		value string
		hint  bool
	}{{"incitement", true}, {"recruitment", true}, {"instructions", false}, {"financing", false}, {"threat", true}, {"unsure", true}}
	out := make([]components.Choice, len(names))
	for i, n := range names {
		out[i] = components.Choice{Value: n.value, Label: pg.P.T("public.category." + n.value), Checked: n.value == pg.Category}
		if n.hint {
			out[i].Hint = pg.P.T("public.category." + n.value + ".hint")
		}
	}
	return out
}

// languages are the answers to the language of the reply.
func (pg ReportPage) languages() []Option {
	var out []Option
	for _, l := range i18n.Langs() {
		out = append(out, Option{string(l), i18n.For(l).T("ui.language.self")})
	}
	return out
}
