// Package i18n says things in the reader's language.
//
// Catalogues are flat JSON files, catalogue/<area>.<lang>.json, from key to
// text with {{.Name}} arguments, or to plural forms {"one": …, "other": …}
// (Unicode CLDR plural rules, by go-i18n). Indonesian is the default, English
// stands beside it, and a test holds the two to the same keys and arguments.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/tangkal/tangkal/internal/fault"
)

// A Lang is a language that every page speaks.
type Lang string

// The languages, the default first.
const (
	ID Lang = "id"
	EN Lang = "en"
)

// Langs lists every language, the default first.
func Langs() []Lang { return []Lang{ID, EN} }

//go:embed catalogue/*.json
var catalogueFS embed.FS

// A Printer says things in one language. It is immutable and may be shared.
type Printer struct {
	lang Lang
	loc  *i18n.Localizer
}

// printers are made when somebody first asks for one: of the commands most say
// nothing in words, and a worker of the cage never does.
var printers = sync.OnceValue(func() map[Lang]*Printer {
	bundle := mustLoad(catalogueFS)
	return map[Lang]*Printer{ID: {ID, i18n.NewLocalizer(bundle, "id")}, EN: {EN, i18n.NewLocalizer(bundle, "en")}}
})

// Load reads the catalogues now rather than when the first reader waits for
// them. A broken one is a bug of ours and panics: a server calls Load before it
// serves anybody.
func Load() { printers() }

// For returns the printer of lang; an unknown language gets the default.
func For(lang Lang) *Printer {
	all := printers()
	if p, ok := all[lang]; ok {
		return p
	}
	return all[ID]
}

// matcher's order must be that of Langs.
var matcher = language.NewMatcher([]language.Tag{language.Indonesian, language.English})

// Negotiate returns the best language for an Accept-Language header (RFC 9110,
// section 12.5.4); an empty or unknown one gets the default.
func Negotiate(header string) Lang {
	if len(header) > 256 {
		header = header[:256]
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(tags) == 0 {
		return ID
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return ID
	}
	return Langs()[i]
}

// Lang returns the printer's language.
func (p *Printer) Lang() Lang { return p.lang }

// T returns the text for key with arguments as alternating names and values.
// A missing key is shown as itself, which the catalogue test refuses.
func (p *Printer) T(key string, kv ...any) string {
	return p.text(key, nil, args(kv))
}

// N is T for a key with plural forms, chosen by n, which is the argument N too.
func (p *Printer) N(key string, n int, kv ...any) string {
	m := args(kv)
	if m == nil {
		m = map[string]any{}
	}
	m["N"] = p.Number(int64(n))
	return p.text(key, n, m)
}

// Has reports whether key has a text.
func (p *Printer) Has(key string) bool {
	_, err := p.loc.Localize(&i18n.LocalizeConfig{MessageID: key})
	var missing *i18n.MessageNotFoundErr
	return err == nil || !asMissing(err, &missing)
}

// Fault says a fault's own sentence, without its parts. A sentence that would
// not say which input it is about names it where the fault points at one that
// readers know: its key with .named.
func (p *Printer) Fault(e *fault.Error) string {
	said, key := maps.Clone(e.Args), e.Code
	if said == nil {
		said = map[string]any{}
	}
	if what, ok := said["What"].(string); ok && p.Has("fault.what."+what) {
		said["What"] = p.T("fault.what." + what) // rooms name things by their code
	}
	if name := p.Field(e.Field); name != "" && p.Has(key+".named") {
		said["Field"], key = name, key+".named"
	}
	return p.text(key, nil, said)
}

// Field names the input at a JSON pointer as readers know it, "" if they know
// none of its parts: "/grounds/1/reasons" is "Grounds 2, reasons".
func (p *Printer) Field(pointer string) string {
	var names []string
	for part := range strings.SplitSeq(pointer, "/") {
		n, err := strconv.Atoi(part)
		switch {
		case err == nil && n >= 0 && len(names) > 0:
			names[len(names)-1] += " " + p.Number(int64(n)+1)
		case p.Has("field." + part):
			name := p.T("field." + part)
			if len(names) > 0 {
				name = strings.ToLower(name[:1]) + name[1:]
			}
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func (p *Printer) text(key string, count any, data map[string]any) string {
	s, err := p.loc.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: count, TemplateData: data})
	if err != nil && s == "" {
		return key
	}
	return s
}

func asMissing(err error, target **i18n.MessageNotFoundErr) bool {
	e, ok := err.(*i18n.MessageNotFoundErr) //nolint:errorlint // Localize returns it bare
	if ok {
		*target = e
	}
	return ok
}

func args(kv []any) map[string]any {
	if len(kv) == 0 {
		return nil
	}
	if len(kv)%2 != 0 {
		panic("i18n: odd number of arguments")
	}
	m := make(map[string]any, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

func mustLoad(fsys fs.FS) *i18n.Bundle {
	b := i18n.NewBundle(language.Indonesian)
	b.RegisterUnmarshalFunc("json", json.Unmarshal)
	names, err := fs.Glob(fsys, "catalogue/*.json")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if err := load(b, fsys, name); err != nil {
			panic(fmt.Errorf("i18n: %s: %w", name, err))
		}
	}
	return b
}

// load adds one catalogue. Texts are added message by message because a flat
// key like "case.locked" must not be read as nesting.
func load(b *i18n.Bundle, fsys fs.FS, name string) error {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	var texts map[string]any
	if err := json.Unmarshal(raw, &texts); err != nil {
		return err
	}
	parts := strings.Split(strings.TrimSuffix(name, ".json"), ".")
	tag, err := language.Parse(parts[len(parts)-1])
	if err != nil {
		return err
	}
	messages := make([]*i18n.Message, 0, len(texts))
	for key, text := range texts {
		m, ok := textOf(key, text)
		if !ok {
			return fmt.Errorf("%s: want a text, or its forms one and other", key)
		}
		messages = append(messages, m)
	}
	return b.AddMessages(tag, messages...)
}

// textOf is one text of a catalogue, or its plural forms.
func textOf(key string, text any) (*i18n.Message, bool) {
	switch text := text.(type) {
	case string:
		return &i18n.Message{ID: key, Other: text}, true
	case map[string]any:
		m := &i18n.Message{ID: key}
		for form, of := range map[string]*string{"one": &m.One, "other": &m.Other} {
			if given, there := text[form]; there {
				said, ok := given.(string)
				if !ok {
					return nil, false
				}
				*of = said
				delete(text, form)
			}
		}
		return m, len(text) == 0
	}
	return nil, false
}
