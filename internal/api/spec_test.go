package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/i18n"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); review it, then run with -update\n%s", path, diff)
	}
}

// spec is the OpenAPI document as anybody reads it.
type spec map[string]any

func (h *house) readSpec(t testing.TB) spec {
	t.Helper()
	var s spec
	h.public.do(t, "GET", "/api/openapi.json", nil).want(t, 200, &s)
	return s
}

// at walks down; a missing member is nil.
func (s spec) at(path ...string) map[string]any {
	var v any = map[string]any(s)
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	m, _ := v.(map[string]any)
	return m
}

// resolve follows a reference.
func (s spec) resolve(m map[string]any) map[string]any {
	for {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		m = s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
}

// body is the JSON schema of an operation's body, nil if it has none.
func (s spec) body(r route) map[string]any {
	op := s.at("paths", prefix+r.path, strings.ToLower(r.method))
	content, _ := s.resolve(asMap(op["requestBody"]))["content"].(map[string]any)
	schema := asMap(asMap(content["application/json"])["schema"])
	if len(schema) == 0 {
		return nil
	}
	return s.resolve(schema)
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }

func strs(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, e := range list {
		out = append(out, fmt.Sprint(e))
	}
	return out
}

// sample is the smallest value that a schema allows, with whatever is required.
func (s spec) sample(schema map[string]any) any {
	schema = s.resolve(schema)
	if enum, ok := schema["enum"].([]any); ok {
		return enum[0]
	}
	kind, _ := schema["type"].(string)
	if kinds, ok := schema["type"].([]any); ok {
		kind, _ = kinds[0].(string)
	}
	switch kind {
	case "object":
		out := map[string]any{}
		for _, name := range strs(schema["required"]) {
			out[name] = s.sample(asMap(asMap(schema["properties"])[name]))
		}
		return out
	case "array":
		out := []any{}
		if n, _ := schema["minItems"].(float64); n > 0 {
			for range int(n) {
				out = append(out, s.sample(asMap(schema["items"])))
			}
		}
		return out
	case "integer", "number":
		n, _ := schema["minimum"].(float64)
		return int(n)
	case "boolean":
		return false
	}
	switch {
	case schema["contentEncoding"] == "base64":
		return "AAAA"
	case schema["format"] == "date-time":
		return "2026-11-19T08:00:00Z"
	}
	return "x"
}

func TestEveryOperationHasItsRow(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	s := h.readSpec(t)
	inTable := map[string]bool{}
	var b strings.Builder
	for _, r := range h.routes {
		inTable[r.method+" "+prefix+r.path] = true
		seat := string(r.seat)
		if r.seat == public {
			seat = "public"
		}
		fmt.Fprintf(&b, "%-6s %-45s %-16s %s\n", r.method, prefix+r.path, seat, i18n.For(i18n.EN).T("api.op."+r.id))
	}
	for path, item := range s.at("paths") {
		for method := range asMap(item) {
			if !inTable[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is documented and has no row", method, path)
			}
		}
	}
	golden(t, "routes.golden", b.String())
	for _, r := range h.routes {
		if r.seat != public && r.seat != signedIn && who(r.seat) == "" {
			t.Errorf("%s %s: no rule grants %q", r.method, r.path, r.seat)
		}
	}
}

func TestTheDocumentIsWhole(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	s := h.readSpec(t)
	if s["openapi"] != "3.1.0" || s.at("info")["title"] == "" || s.at("info")["version"] == "" {
		t.Errorf("head of the document: %v %v", s["openapi"], s["info"])
	}
	walk(t, s, "#", func(at string, m map[string]any) {
		if ref, ok := m["$ref"].(string); ok && s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...) == nil {
			t.Errorf("%s: %s leads nowhere", at, ref)
		}
	})
	compileSchemas(t, s)
	ids := map[string]bool{}
	for _, r := range h.routes {
		op := s.at("paths", prefix+r.path, strings.ToLower(r.method))
		id, _ := op["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s %s: operationId %q is missing or not unique", r.method, r.path, id)
		}
		ids[id] = true
		for _, field := range []string{"summary", "description"} {
			if text, _ := op[field].(string); text == "" || strings.Contains(text, "api.") {
				t.Errorf("%s %s: %s is %q", r.method, r.path, field, text)
			}
		}
		errors := 0
		for status, response := range asMap(op["responses"]) {
			example := asMap(asMap(asMap(s.resolve(asMap(response))["content"])[problemType])["example"])
			if status >= "400" && example["code"] != nil && example["detail"] != nil {
				errors++
			}
		}
		if errors < 3 {
			t.Errorf("%s %s: %d example errors, want at least 3", r.method, r.path, errors)
		}
		if (op["security"] == nil) != (r.seat == public) {
			t.Errorf("%s %s: security %v, seat %q", r.method, r.path, op["security"], r.seat)
		}
		for _, part := range strings.Split(r.path, "/") {
			name := strings.Trim(part, "{}")
			declared := slices.ContainsFunc(op["parameters"].([]any), func(p any) bool {
				m := s.resolve(asMap(p))
				return m["in"] == "path" && m["name"] == name && m["required"] == true
			})
			if part != name && !declared {
				t.Errorf("%s %s: parameter %q is not declared", r.method, r.path, name)
			}
		}
	}
}

// walk visits every object of a document.
func walk(t *testing.T, v any, at string, f func(string, map[string]any)) {
	t.Helper()
	switch v := v.(type) {
	case spec:
		walk(t, map[string]any(v), at, f)
	case map[string]any:
		f(at, v)
		for name, child := range v {
			walk(t, child, at+"/"+name, f)
		}
	case []any:
		for i, child := range v {
			walk(t, child, fmt.Sprintf("%s/%d", at, i), f)
		}
	}
}

// compileSchemas checks every schema against JSON Schema draft 2020-12, the
// dialect of OpenAPI 3.1.
func compileSchemas(t *testing.T, s spec) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	raw, err := json.Marshal(s)
	check(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	check(t, err)
	check(t, c.AddResource("mem:///openapi.json", doc))
	n := 0
	for name := range s.at("components", "schemas") {
		if _, err := c.Compile("mem:///openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
		n++
	}
	if n < 50 {
		t.Errorf("%d schemas, want at least 50", n)
	}
}

func TestThePageSpeaksBothLanguagesWithoutScript(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	for _, lang := range []string{"id", "en"} {
		h.public.lang = lang
		r := h.public.do(t, "GET", "/api/docs", nil).want(t, 200, nil)
		page := string(r.body)
		for _, banned := range []string{"<script", "style=", "<style", "onclick", "%!", "api.op", "ui.lang", "ZgotmplZ"} {
			if strings.Contains(page, banned) {
				t.Errorf("%s: the page contains %q", lang, banned)
			}
		}
		for _, route := range h.routes {
			if want := i18n.For(i18n.Lang(lang)).T("api.op." + route.id); !strings.Contains(page, strings.ReplaceAll(want, "'", "&#39;")) {
				t.Errorf("%s: the page lacks %q", lang, want)
			}
		}
		if r.Header.Get("Content-Language") != lang || !strings.Contains(page, `<html lang="`+lang+`"`) {
			t.Errorf("%s: Content-Language is %q", lang, r.Header.Get("Content-Language"))
		}
		if got := r.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
			t.Errorf("content security policy is %q", got)
		}
	}
}

// seated returns somebody whose seat fits a row.
func (h *house) seated(t testing.TB, r route) *caller {
	t.Helper()
	if r.seat == public {
		return h.public
	}
	for _, c := range cast {
		if p := h.people[c.name]; r.seat == signedIn || auth.Seat(p.actor, r.seat) {
			return p
		}
	}
	t.Fatalf("nobody has a seat for %s %s", r.method, r.path)
	return nil
}

// absent is an identifier that nothing has.
const absent = "01900000-0000-7000-8000-000000000000"

// path fills a row's path with one identifier.
func (r route) fill(id string) string {
	return strings.NewReplacer("{id}", id, "{file}", id, "{key}", id, "{n}", "1", "{code}", "id", "{version}", "3").Replace(r.path)
}

var needed = []asking{header("If-Match", `"0"`), header("Receipt", "TGK-0000-0000-0000-0000")}

func TestEveryRequiredMemberIsMissedByName(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	s := h.readSpec(t)
	before := h.rows(t)
	checked := 0
	for _, r := range h.routes {
		schema := s.body(r)
		if schema == nil {
			continue
		}
		c := h.seated(t, r)
		for _, pointer := range s.required(schema, "") {
			body := remove(t, s.full(schema), pointer)
			details := map[string]bool{}
			for _, lang := range []string{"id", "en"} {
				c.lang = lang
				p := c.do(t, r.method, r.fill(absent), body, needed...).problem(t, http.StatusUnprocessableEntity, "fault.input")
				i := slices.IndexFunc(p.Errors, func(e Part) bool { return e.Pointer == pointer && e.Code == "fault.required" && e.In == "body" })
				if i < 0 {
					t.Errorf("%s %s without %s: %+v", r.method, r.path, pointer, p.Errors)
					continue
				}
				details[p.Errors[i].Detail] = true
			}
			if len(details) != 2 {
				t.Errorf("%s %s without %s: said as %v, want two languages", r.method, r.path, pointer, details)
			}
			checked++
		}
		c.lang = "en"
	}
	if checked < 60 {
		t.Errorf("%d required members checked, want at least 60", checked)
	}
	h.unchanged(t, before)
}

// required lists the pointers of members that must be there whenever their
// parent is.
func (s spec) required(schema map[string]any, at string) []string {
	schema = s.resolve(schema)
	var out []string
	for _, name := range strs(schema["required"]) {
		out = append(out, at+"/"+name)
	}
	for name, child := range asMap(schema["properties"]) {
		m := s.resolve(asMap(child))
		if m["properties"] != nil {
			out = append(out, s.required(m, at+"/"+name)...)
		}
		if items := s.resolve(asMap(m["items"])); items["properties"] != nil {
			out = append(out, s.required(items, at+"/"+name+"/0")...)
		}
	}
	slices.Sort(out)
	return out
}

// full is sample with every optional object and one entry in every list of
// objects, so that what is inside can be missed.
func (s spec) full(schema map[string]any) map[string]any {
	out := asMap(s.sample(schema))
	for name, child := range asMap(s.resolve(schema)["properties"]) {
		m := s.resolve(asMap(child))
		if m["properties"] != nil {
			out[name] = s.full(m)
		}
		if items := s.resolve(asMap(m["items"])); items["properties"] != nil {
			n := 1
			if most, ok := m["minItems"].(float64); ok {
				n = int(most)
			}
			list := []any{}
			for range n {
				list = append(list, s.full(items))
			}
			out[name] = list
		}
	}
	return out
}

// remove takes one member out.
func remove(t testing.TB, v any, pointer string) any {
	t.Helper()
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	at := v
	for _, s := range steps[:len(steps)-1] {
		if list, ok := at.([]any); ok {
			at = list[0]
			continue
		}
		at = asMap(at)[s]
	}
	delete(asMap(at), steps[len(steps)-1])
	return v
}

func TestUnknownMembersAndParametersAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	s := h.readSpec(t)
	before := h.rows(t)
	for _, r := range h.routes {
		c := h.seated(t, r)
		var body any
		if schema := s.body(r); schema != nil {
			full := s.full(schema)
			for _, name := range []string{"zz", "party_id", "state", "Party"} {
				if _, known := asMap(schema["properties"])[name]; known {
					continue
				}
				full[name] = "x"
				p := c.do(t, r.method, r.fill(absent), full, needed...).problem(t, http.StatusUnprocessableEntity, "fault.input")
				if !slices.ContainsFunc(p.Errors, func(e Part) bool { return e.Pointer == "/"+name && e.Code == "api.unknown" }) {
					t.Errorf("%s %s with %s: %+v", r.method, r.path, name, p.Errors)
				}
				delete(full, name)
			}
			body = full
		}
		p := c.do(t, r.method, r.fill(absent)+"?zz=1", body, needed...).problem(t, http.StatusUnprocessableEntity, "fault.input")
		if !slices.ContainsFunc(p.Errors, func(e Part) bool {
			return e.In == "query" && e.Pointer == "/zz" && e.Code == "api.unknown-parameter"
		}) {
			t.Errorf("%s %s?zz=1: %+v", r.method, r.path, p.Errors)
		}
	}
	h.unchanged(t, before)
}
