package notes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// change is a document with one thing made wrong: the member at pointer is set,
// or removed where value is nil.
type change struct {
	base    string
	pointer string
	value   any
	at      string // pointer of the problem wanted
	want    string // part of what would be right
}

var orders = []change{
	{"notice-id-order", "/grounds/0", "disturbing-the-public", "/grounds/0", "must be one of incite, solicit-offence"},
	{"notice-id-order", "/grounds", []any{}, "/grounds", "at least 1"},
	{"notice-id-order", "/grounds/1", "incite", "/grounds", "must not repeat"},
	{"notice-id-order", "/grounds", nil, "", "needs grounds"},
	{"notice-id-order", "/legal_basis", nil, "", "needs legal_basis"},
	{"notice-id-order", "/reasons", nil, "", "needs reasons"},
	{"notice-id-order", "/redress", nil, "", "needs redress"},
	{"notice-id-order", "/necessity", nil, "", "needs necessity"},
	{"notice-id-order", "/necessity/tried", nil, "/necessity", "one of the two at least"},
	{"notice-id-order", "/purpose_tests", nil, "", "needs purpose_tests"},
	{"notice-id-order", "/purpose_tests/4", nil, "/purpose_tests", "at least 5"},
	{"notice-id-order", "/purpose_tests/0/purpose", "art", "/purpose_tests/0/purpose", "must be journalism"},
	{"notice-id-order", "/purpose_tests/0/actual", "yes", "/purpose_tests/0/actual", "must be no"},
	{"notice-id-order", "/purpose_tests/0/actual", "unsure", "/purpose_tests/0/actual", "must be no"},
	{"notice-id-order", "/purpose_reasons", nil, "", "needs purpose_reasons"},
	{"notice-id-order", "/scope", nil, "", "needs scope"},
	{"notice-id-order", "/scope/territories/0", "001", "/scope", "needs why"},
	{"notice-id-order", "/duties", nil, "", "needs duties"},
	{"notice-id-order", "/duties/remove_minutes", 60, "/duties/remove_minutes", "must equal deadline_minutes"},
	{"notice-id-order", "/deadline_minutes", 0, "/deadline_minutes", "at least 1"},
	{"notice-id-order", "/disclosure/may_tell_user", false, "/disclosure", "needs reason, until"},
	{"notice-id-order", "/disclosure/until", "2026-12-01T00:00:00Z", "/disclosure/until", "must be absent"},
	{"notice-id-order", "/home_authority_copy", nil, "", "needs home_authority_copy"},
	{"notice-id-order", "/home_authority_copy/applies", true, "/home_authority_copy", "needs authority, state"},
	{"notice-id-order", "/first_notice/first", true, "/first_notice", "needs advance_at or emergency"},
	{"notice-id-order", "/feedback", map[string]any{"name": "x"}, "/feedback", "a mail address, a number or a URL"},
	{"notice-id-order", "/items", nil, "", "needs items"},
	{"notice-id-order", "/items/1/n", 3, "/items/1/n", "must be 2"},
	{"notice-id-order", "/items/0/url", "https://a.example/ x", "/items/0/url", "without spaces"},
	{"notice-id-order", "/items/0/url", "https://a.example/\u202egpj.exe", "/items/0/url", "direction characters"},
	{"notice-id-order", "/items/0/kind", "private-message", "/items/0/kind", "must be one of post"},
	{"notice-id-order", "/issuer/name", "Kem.\u202eKomunikasi", "/issuer/name", "Name of the organisation"},
	{"notice-id-order", "/issuer/id", "kem.example", "/issuer/id", "lower-case letters, digits and hyphens"},
	{"notice-id-order", "/reference", "AUR-PH-2026-01192", "/reference", "must begin with the instance"},
	{"notice-id-order", "/reasons/binding", "jv", "/reasons/binding", "must be a language that texts holds"},
	{"notice-id-order", "/languages/1", "ar", "/languages/1", "must be a language that reasons holds"},
	{"notice-id-order", "/issued_at", "2026-11-19T01:26:00Z", "", `does not exist here: "issued_at"`},
	{"notice-id-order", "/v", 2, "/v", "must be 1"},
	{"notice-id-order", "/id", "019A9C3E-7B1A-7C40-8F3E-2D6B1A4C9E01", "/id", "UUID in lower case"},
	{"notice-id-order", "/listed/class", "none", "/listed/list", "must be absent"},
	{"notice-id-order", "/dossier", "abc", "/dossier", "64 lower-case"},
	{"notice-id-order", "/dossier", nil, "", "needs dossier"},
	{"notice-id-order", "/necessity/tried/0/at", "2026-02-30T00:00:00Z", "", "is not a UTC time"},
	{"notice-id-order", "/necessity/tried/0/at", "0001-01-01T00:00:00Z", "", "year 1"},
	{"notice-eu-order", "/court/decided_at", "2026-11-18T09:00:00+01:00", "/court/decided_at", "UTC to the second"},
	{"notice-referral", "/deadline_minutes", 60, "/deadline_minutes", "must be 0"},
	{"notice-referral", "/duties", map[string]any{"remove_minutes": 60, "preserve_months": 0}, "/duties", "must be absent"},
	{"notice-preservation", "/duties/preserve_months", 0, "/duties/preserve_months", "at least 1"},
	{"notice-preservation", "/duties/remove_minutes", 10, "/duties/remove_minutes", "must be 0"},
	{"notice-warning", "/previous/0/relation", "follows", "/previous", "names the notice that it warns about"},
	{"notice-warning", "/warning", nil, "", "needs warning"},
	{"notice-reinstatement", "/grounds", []any{"incite"}, "/grounds", "must be absent"},
	{"notice-room-request", "/room/until", "2026-11-30T00:00:00Z", "/room/until", "must be after from"},
	{"notice-room-request", "/room", nil, "", "needs room"},
}

var others = []change{
	{"assessment-order", "/grounds/0/met", nil, "/grounds/0", "needs met"},
	{"assessment-order", "/grounds/0/reasons", nil, "/grounds/0", "needs reasons"},
	{"assessment-order", "/grounds/4", nil, "/grounds", "at least 5"},
	{"assessment-order", "/public", "no", "/public", "must be yes"},
	{"assessment-order", "/purpose_tests/2/actual", "unsure", "/purpose_tests/2/actual", "must be no"},
	{"assessment-order", "/purpose_tests/2/reasons", nil, "/purpose_tests/2", "needs reasons"},
	{"assessment-order", "/previous", nil, "", "needs previous"},
	{"assessment-no-measure", "/measure", "referral", "/grounds", "needs a ground that is met"},
	{"assessment-order", "/tier", nil, "", "needs tier"},
	{"dossier-proposal", "/evidence", []any{}, "", "needs evidence_missing"},
	{"dossier-proposal", "/evidence/0/item", 3, "/evidence/0/item", "number of a location"},
	{"dossier-proposal", "/evidence/0/captured_at", "2026-11-20T00:00:00Z", "/evidence/0/captured_at", "not be after frozen_at"},
	{"dossier-proposal", "/evidence/1/n", 1, "/evidence/1/n", "must be 2"},
	{"dossier-proposal", "/evidence/0/sealed_by", "Ratna S.", "/evidence/0/sealed_by", "must be one of analyst"},
	{"dossier-proposal", "/case", "DEMO-KS-2026-0001", "/assessment/case", "must be the dossier's case"},
	{"dossier-proposal", "/assessment/grounds/0/reasons", nil, "/assessment/grounds/0", "needs reasons"},
	{"answer-done", "/rows/0/at", nil, "/rows/0", "needs at"},
	{"answer-done", "/rows/0/basis", nil, "/rows/0", "needs basis"},
	{"answer-done", "/rows/0/where", []any{"ID"}, "/rows/0/where", "must be absent"},
	{"answer-done", "/rows/1/n", 1, "/rows/1/n", "greater than in the row before"},
	{"answer-done", "/rows/1/until", "2026-11-19T03:41:00Z", "/rows/1/until", "must be after at"},
	{"answer-done", "/rows", []any{}, "/rows", "at least 1"},
	{"answer-every-kind", "/rows/1/where", nil, "/rows/1", "needs where"},
	{"answer-every-kind", "/rows/2/how", nil, "/rows/2", "needs how"},
	{"answer-every-kind", "/rows/4/label", nil, "/rows/4", "needs label"},
	{"answer-every-kind", "/rows/7/ground", nil, "/rows/7", "needs ground"},
	{"answer-every-kind", "/rows/7/ground", "technical", "/rows/7/ground", "must be one of not-within-grounds"},
	{"answer-every-kind", "/rows/7/explanation", nil, "/rows/7", "needs explanation"},
	{"answer-every-kind", "/rows/8/suspensive", nil, "/rows/8", "needs suspensive"},
	{"answer-every-kind", "/rows/9/ground", "busy", "/rows/9/ground", "must be one of force-majeure"},
	{"answer-every-kind", "/rows/10/question", nil, "/rows/10", "needs question"},
	{"answer-every-kind", "/rows/11/ground", "true-purpose", "/rows/11/ground", "must be one of link-invalid"},
	{"answer-every-kind", "/rows/0/answer", "deleted", "/rows/0/answer", "must be one of removed"},
	{"receipt-api", "/channel", "fax", "/channel", "must be one of api"},
	{"receipt-api", "/received_at", "2026-11-19T01:40:00.123Z", "/received_at", "UTC to the second"},
	{"receipt-api", "/notice", nil, "", "needs notice"},
	{"receipt-api", "/utc_offset", "WIB", "/utc_offset", "+07:00"},
	{"webhook-issued", "/type", "NoticeIssued", "/type", "noun.verb"},
	{"webhook-issued", "/url", "http://tangkal.example/x", "/url", "https, or http on the own machine"},
	{"webhook-issued", "/id", "a.b", "/id", "Id of the message"},
	{"webhook-issued", "/reasons", "x", "", `does not exist here: "reasons"`},
}

var leaves = []change{
	{"leaf-notice", "/url", "https://a.example", "", `does not exist here: "url"`},
	{"leaf-notice", "/notice/reasons", "x", "/notice", `does not exist here: "reasons"`},
	{"leaf-notice", "/issuer", "kem.example", "/issuer", "lower-case letters, digits and hyphens"},
	{"leaf-notice", "/notice/platform", "ruangsuara.example", "/notice/platform", "unregistered/<kind>"},
	{"leaf-notice", "/notice/platform", "unregistered/blog", "/notice/platform", "unregistered/<kind>"},
	{"leaf-notice", "/at", "2026-11-19T01:26:07Z", "/at", "To the minute"},
	{"leaf-sealed", "/at", "2026-11-19T01:26:00Z", "/at", "day only"},
	{"leaf-sealed", "/sealed/until", "2027-02-12T00:00:00Z", "/sealed/until", "84 days"},
	{"leaf-notice", "/notice/items/count", 3, "/notice/items/by_kind", "must add up to count"},
	{"leaf-answer", "/answer/items/by_answer/refused", 1, "/answer/items/by_answer", "must add up to count"},
	{"leaf-answer", "/answer/items/by_answer/a.example", 1, "/answer/items/by_answer", `does not exist here: "a.example"`},
	{"leaf-notice", "/answer", map[string]any{}, "/answer", "must be absent"},
	{"leaf-notice", "/notice", nil, "", "needs notice"},
	{"leaf-notice", "/notice/grounds", []any{}, "/notice/grounds", "at least 1"},
	{"leaf-notice", "/commitments/url", strings.Repeat("a", 64), "/commitments", `does not exist here: "url"`},
	{"leaf-notice", "/notice/disclosure/may_tell_user", false, "/notice/disclosure/until", "exactly when"},
	{"leaf-lift", "/lift/operators_undone", 13, "/lift/operators_undone", "must not exceed"},
	{"leaf-crisis", "/crisis/acknowledged", 15, "/crisis/acknowledged", "must not exceed"},
	{"leaf-crisis", "/crisis/mode", "exercise", "/crisis/mode", "must be one of live, drill"},
	{"leaf-retraction", "/retraction/confirmed", 5, "/retraction/confirmed", "must not exceed"},
	{"leaf-block", "/block/expires_at", "2026-11-19T01:26:00Z", "/block/expires_at", "must be after at"},
	{"leaf-warning", "/warning/currency", nil, "/warning", "fine_minor needs currency"},
	{"leaf-notice", "/pack/version", "10.0.0.1", "/pack/version", "must be of type integer"},
}

func TestEachFaultIsNamedWithItsPlaceAndWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	docs := examples(t)
	for _, c := range slices.Concat(orders, others, leaves) {
		name := fmt.Sprintf("%s %s = %v", c.base, c.pointer, c.value)
		err := Validate(kindOf(c.base), apply(t, docs[c.base], c))
		var bad *InvalidError
		if !errors.As(err, &bad) {
			t.Errorf("%s: Validate = %v, want an InvalidError", name, err)
			continue
		}
		if !slices.ContainsFunc(bad.Problems, func(p Problem) bool {
			return p.Pointer == c.at && strings.Contains(p.Want, c.want)
		}) {
			t.Errorf("%s:\n got %v\nwant %s: %s", name, err, c.at, c.want)
		}
	}
}

func TestSizesOfKindsAreKept(t *testing.T) {
	t.Parallel()
	pad := strings.Repeat(" ", MaxWebhookBytes) + "{}"
	for k, raw := range map[Kind]string{KindLeaf: pad, KindWebhook: pad} {
		if err := Validate(k, []byte(raw)); !errors.Is(err, ErrSize) {
			t.Errorf("Validate(%s, %d bytes) = %v, want %v", k, len(raw), err, ErrSize)
		}
	}
}

// apply returns raw with c made.
func apply(t testing.TB, raw []byte, c change) []byte {
	t.Helper()
	var doc any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatalf("%s: %v", c.base, err)
	}
	doc = set(doc, strings.Split(c.pointer, "/")[1:], c.value)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func set(v any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	switch v := v.(type) {
	case map[string]any:
		if value == nil && len(path) == 1 {
			delete(v, path[0])
			return v
		}
		v[path[0]] = set(v[path[0]], path[1:], value)
		return v
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i >= len(v) {
			panic("no element " + path[0])
		}
		if value == nil && len(path) == 1 {
			return slices.Delete(v, i, i+1)
		}
		v[i] = set(v[i], path[1:], value)
		return v
	default:
		panic("no member " + path[0])
	}
}

// T26 of the threat model: nothing in a leaf can carry a URL, host name,
// address, content or free text, because every string is an enumeration or has
// a pattern that leaves no room for dots, spaces or slashes.
func TestLeafHasNoRoomForFreeText(t *testing.T) {
	t.Parallel()
	for _, s := range leafStrings(t) {
		pattern, _ := s["pattern"].(string)
		if pattern == "" {
			t.Errorf("string without pattern: %v", s["description"])
			continue
		}
		re := regexp.MustCompile(pattern)
		for _, leak := range []string{
			"https://ruangsuara.example/v/1", "ruangsuara.example", "www.ruangsuara.example", "@contoh_akun_31", "192.0.2.7", "2001:db8::7",
			"Ratna S.", "ratna@tangkal.example", "hxxps://x[.]example", "bagian dari video",
		} {
			if re.MatchString(leak) {
				t.Errorf("pattern %s lets %q into the log", pattern, leak)
			}
		}
	}
}

func TestEveryLeafFieldNamesTheFigureThatUsesIt(t *testing.T) {
	t.Parallel()
	raw, err := Schemas.ReadFile("schema/leaf.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	fields := 0
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		props, _ := s["properties"].(map[string]any)
		for name, v := range props {
			p, at := v.(map[string]any), path+"/"+name
			if p["properties"] != nil {
				walk(at, p)
				continue
			}
			if items, ok := p["items"].(map[string]any); ok && items["properties"] != nil {
				walk(at, items)
				continue
			}
			fields++
			if figure, _ := p["x-statistic"].(string); figure == "" {
				t.Errorf("%s serves no figure", at)
			}
		}
	}
	walk("", doc)
	if fields < 80 {
		t.Errorf("only %d fields were looked at", fields)
	}
}

// leafStrings returns every string schema that a leaf can reach.
func leafStrings(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	defs := schemaDoc(t, "common.json")["$defs"].(map[string]any)
	walkSchema(schemaDoc(t, "leaf.json"), func(s map[string]any) {
		if ref, ok := s["$ref"].(string); ok {
			s = defs[strings.TrimPrefix(ref, "common.json#/$defs/")].(map[string]any)
		}
		if s["type"] == "string" {
			out = append(out, s)
		}
	})
	if len(out) < 20 {
		t.Fatalf("only %d strings found", len(out))
	}
	return out
}

func schemaDoc(t *testing.T, file string) map[string]any {
	t.Helper()
	raw, err := Schemas.ReadFile("schema/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every object refuses members it does not know, and everything is described.
func TestSchemasAreClosedAndDescribed(t *testing.T) {
	t.Parallel()
	files, err := Schemas.ReadDir("schema")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		walkSchema(schemaDoc(t, f.Name()), func(s map[string]any) {
			if s["type"] == "object" && s["required"] != nil && s["additionalProperties"] != false {
				t.Errorf("%s: an object is open: %v", f.Name(), s["description"])
			}
			if typ, _ := s["type"].(string); typ != "" && typ != "object" && s["description"] == nil {
				t.Errorf("%s: no description: %v", f.Name(), s)
			}
		})
	}
}

func TestTermsOfTheSchemasAreThoseOfThePackage(t *testing.T) {
	t.Parallel()
	defs := schemaDoc(t, "common.json")["$defs"].(map[string]any)
	want := map[string][]string{
		"ground":     names(Grounds()),
		"function":   names([]Function{FunctionPropaganda, FunctionRecruitment, FunctionTraining, FunctionPlanning, FunctionFinancing, FunctionLogistics, FunctionExecution, FunctionHiding, FunctionParamilitary}),
		"tier":       names([]Tier{TierThreatToLife, TierCrisis, TierDesignation, TierPromotional}),
		"audience":   names([]Audience{AudienceMinors, AudienceWomen}),
		"listClass":  names([]ListClass{ListUN, ListRegional, ListNational, ListNone}),
		"finding":    names([]Finding{Yes, No, Unsure}),
		"noticeKind": names([]NoticeKind{Referral, RemovalOrder, Preservation, Warning, Reinstatement, RoomRequest}),
		"channel":    names([]Channel{ChannelAPI, ChannelWebhook, ChannelPortal, ChannelMail, ChannelPaper}),
		"step":       names([]Step{StepAssessed, StepProposed, StepApproved, StepAuthorised, StepIssued, StepReceived, StepAnswered, StepSealed}),
		"method":     names([]Method{MethodPasskey, MethodBrowserKey, MethodAutomation, MethodOrganisation}),
	}
	for def, terms := range want {
		got := fmt.Sprint(defs[def].(map[string]any)["enum"])
		if got != fmt.Sprint(terms) {
			t.Errorf("%s: schema has %v, package has %v", def, got, terms)
		}
	}
	row := schemaDoc(t, "answer.json")["$defs"].(map[string]any)["row"].(map[string]any)["properties"].(map[string]any)
	answers := []AnswerKind{Removed, Disabled, Restricted, AccountSuspended, Labelled, StreamEnded, GoneBefore, Refused, Challenged, Impossible, Clarify, ManifestError}
	if got := fmt.Sprint(row["answer"].(map[string]any)["enum"]); got != fmt.Sprint(names(answers)) {
		t.Errorf("answers: schema has %v, package has %v", got, answers)
	}
	for _, a := range answers {
		if pauses := a == Impossible || a == Clarify || a == ManifestError; a.Pauses() != pauses {
			t.Errorf("%s.Pauses() = %v", a, a.Pauses())
		}
	}
}

func names[T ~string](terms []T) []string {
	var out []string
	for _, s := range terms {
		out = append(out, string(s))
	}
	return out
}

// What Document writes of a Go value or of text is what Canonical writes, and it
// finds the same wrong as Validate does.
func TestADocumentIsWrittenAndCheckedInOne(t *testing.T) {
	t.Parallel()
	docs := examples(t)
	same := func(name string, raw []byte) {
		kind := kindOf(name)
		want := Validate(kind, raw)
		values := []any{raw}
		var a Answer
		var n Notice
		if kind == KindAnswer && json.Unmarshal(raw, &a) == nil {
			values = append(values, a)
		}
		if kind == KindNotice && json.Unmarshal(raw, &n) == nil {
			values = append(values, n)
		}
		for i, v := range values {
			if i > 0 { // what the type cannot hold is not in the value either
				canon, err := Canonical(v)
				if err != nil {
					t.Fatal(err)
				}
				want = Validate(kind, canon)
			}
			got, err := Document(kind, v)
			if fmt.Sprint(err) != fmt.Sprint(want) {
				t.Errorf("%s as %T: Document = %v, Validate = %v", name, v, err, want)
			}
			if canon, _ := Canonical(v); err == nil && !bytes.Equal(got, canon) {
				t.Errorf("%s as %T: Document wrote other bytes", name, v)
			}
		}
	}
	for name, raw := range docs {
		same(name, raw)
	}
	for _, c := range slices.Concat(orders, others, leaves) {
		same(c.base, apply(t, docs[c.base], c))
	}
	if _, err := Document("letter", Answer{}); !errors.Is(err, ErrKind) {
		t.Errorf("an unknown kind: %v", err)
	}
}
