package i18n_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/pdq"
)

// A text is one entry of one catalogue: a sentence, or its plural forms.
type text struct{ One, Other string }

func (m *text) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &m.Other) == nil {
		return nil
	}
	type forms text
	return json.Unmarshal(raw, (*forms)(m))
}

// arguments returns the names that the text asks for, in order.
func (m text) arguments(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, s := range []string{m.One, m.Other} {
		trees, err := parse.Parse("text", s, "{{", "}}", nil)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if tree := trees["text"]; tree != nil && tree.Root != nil {
			collect(tree.Root, &names)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// collect gathers the fields under a node of a template.
func collect(n parse.Node, names *[]string) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			collect(child, names)
		}
	case *parse.ActionNode:
		collect(n.Pipe, names)
	case *parse.IfNode:
		collect(n.Pipe, names)
		collect(n.List, names)
		collect(n.ElseList, names)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			for _, arg := range c.Args {
				collect(arg, names)
			}
		}
	case *parse.FieldNode:
		*names = append(*names, n.Ident[0])
	}
}

// catalogue returns every text of an area and language by its key.
func catalogue(t *testing.T, area string, lang i18n.Lang) map[string]text {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("catalogue", area+"."+string(lang)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]text
	if err := json.Unmarshal(raw, &texts); err != nil {
		t.Fatalf("%s.%s: %v", area, lang, err)
	}
	return texts
}

// areas returns the names of all catalogues.
func areas(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("catalogue/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d catalogues, %v", len(files), err)
	}
	var names []string
	for _, f := range files {
		area, _, _ := strings.Cut(filepath.Base(f), ".")
		if !slices.Contains(names, area) {
			names = append(names, area)
		}
	}
	return names
}

// texts returns all texts of a language by key.
func texts(t *testing.T, lang i18n.Lang) map[string]text {
	t.Helper()
	all := map[string]text{}
	for _, area := range areas(t) {
		for key, m := range catalogue(t, area, lang) {
			if _, twice := all[key]; twice {
				t.Errorf("%s stands in two catalogues, one of them %s", key, area)
			}
			all[key] = m
		}
	}
	return all
}

var keyForm = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9_-]+)+$`)

func TestBothLanguagesSayTheSameThings(t *testing.T) {
	for _, area := range areas(t) {
		id, en := catalogue(t, area, i18n.ID), catalogue(t, area, i18n.EN)
		for key, m := range id {
			other, ok := en[key]
			if !ok {
				t.Errorf("%s: %s has no English text", area, key)
				continue
			}
			if a, b := m.arguments(t), other.arguments(t); !slices.Equal(a, b) {
				t.Errorf("%s: %s: Indonesian asks for %v, English for %v", area, key, a, b)
			}
			if !keyForm.MatchString(key) {
				t.Errorf("%s: %q is no key", area, key)
			}
			for _, s := range []string{m.Other, other.Other} {
				if strings.TrimSpace(strings.TrimSuffix(s, ": ")) != strings.TrimSuffix(s, ": ") || s == "" {
					t.Errorf("%s: %s: %q is empty or has spaces around it", area, key, s)
				}
			}
		}
		for key := range en {
			if _, ok := id[key]; !ok {
				t.Errorf("%s: %s has no Indonesian text", area, key)
			}
		}
	}
}

// TestNoKeyStandsTwice also reads the arguments' templates of every text.
func TestNoKeyStandsTwice(t *testing.T) {
	if id, en := texts(t, i18n.ID), texts(t, i18n.EN); len(id) != len(en) || len(id) < 100 {
		t.Errorf("%d Indonesian texts, %d English", len(id), len(en))
	}
}

// same are the texts that both languages write alike: names, and words that one
// took from the other or both from a third.
var same = []string{
	"API", "Admin", "Auditor", "Data", "Detail", "Diplomat", "Domain", "Label", "Media", "ms", "Operator", "Passkey", "Platform", "Propaganda",
	"Regional", "Rp {{.N}}", "Server", "Status", "Total", "Video", "Webhook", "Webhook {{.Host}}",
}

func TestIndonesianIsNotEnglishLeftOver(t *testing.T) {
	id, en := texts(t, i18n.ID), texts(t, i18n.EN)
	argument := regexp.MustCompile(`{{[^}]*}}`)
	for key, m := range id {
		words := strings.ContainsFunc(argument.ReplaceAllString(m.Other, ""), unicode.IsLetter)
		alike := slices.ContainsFunc(same, func(s string) bool { return strings.EqualFold(s, m.Other) })
		if words && !alike && m.Other == en[key].Other {
			t.Errorf("%s: both languages say %q", key, m.Other)
		}
	}
}

func TestEveryRefusedPictureIsExplained(t *testing.T) {
	for _, lang := range i18n.Langs() {
		all := texts(t, lang)
		for _, r := range pdq.Reasons() {
			if _, ok := all[string(r)]; !ok {
				t.Errorf("%s has no text in %s", r, lang)
			}
		}
	}
}

func TestEveryRefusedLocationIsExplained(t *testing.T) {
	for _, lang := range i18n.Langs() {
		all := texts(t, lang)
		for _, r := range canonical.Reasons() {
			m, ok := all[string(r)]
			if !ok {
				t.Errorf("%s has no text in %s", r, lang)
				continue
			}
			// internal/report passes the offending part and the longest length.
			for _, a := range m.arguments(t) {
				if a != "Part" && a != "Max" {
					t.Errorf("%s in %s asks for %s, which nobody passes", r, lang, a)
				}
			}
		}
		for _, r := range []canonical.Reason{canonical.Empty, canonical.BadUTF8, canonical.BadHost} { // may be about the whole
			if got := i18n.For(lang).T(string(r), "Part", "", "Max", canonical.MaxBytes); strings.Contains(got, "  ") || strings.HasPrefix(got, " ") {
				t.Errorf("%s in %s without a part reads %q", r, lang, got)
			}
		}
	}
}
