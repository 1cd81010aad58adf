package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tangkal/tangkal/internal/i18n"
)

func mustVersion(t *testing.T, s *Set, code string, version int) Pack {
	t.Helper()
	p, ok := s.Version(code, version)
	if !ok {
		t.Fatalf("no pack %s-%d", code, version)
	}
	return p
}

func TestEmbeddedPacksAreSound(t *testing.T) {
	t.Parallel()
	s, err := Load(defaults())
	if err != nil {
		t.Fatal(strings.Join(Explain(err, i18n.For(i18n.EN)), "\n"))
	}
	var got []string
	for _, p := range s.All() {
		got = append(got, fmt.Sprintf("%s-%d", p.Code, p.Version))
	}
	if want := "eu-tco-1 eu-tco-2 id-2 id-3"; strings.Join(got, " ") != want {
		t.Errorf("packs %q, want %q", got, want)
	}
}

// Every number in a pack but its own version is a figure with a source, and one
// whose source nobody has read is never verified.
func TestEveryNumberHasASource(t *testing.T) {
	t.Parallel()
	for _, p := range Default().All() {
		data, err := embedded.ReadFile("packs/" + fileName(&p))
		if err != nil {
			t.Fatal(err)
		}
		tr, err := parse(data)
		if err != nil {
			t.Fatal(err)
		}
		figures := 0
		walkNumbers(tr.root, "", func(pointer string, owner map[string]any) {
			if pointer == "/version" {
				return
			}
			figures++
			source, _ := owner["source"].(string)
			if _, known := p.Sources[source]; !known || !strings.HasSuffix(pointer, "/value") {
				t.Errorf("%s-%d: %s is a number without a source", p.Code, p.Version, pointer)
			}
		})
		if figures != len(p.Figures()) || figures < 50 {
			t.Errorf("%s-%d: %d numbers, %d figures", p.Code, p.Version, figures, len(p.Figures()))
		}
		for _, f := range p.Figures() {
			if f.Kind == SourceRecollection && f.Standing() != Unverified {
				t.Errorf("%s-%d: %s is %s by recollection", p.Code, p.Version, f.Pointer, f.Standing())
			}
		}
	}
}

func walkNumbers(v any, pointer string, visit func(string, map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if _, number := e.(json.Number); number {
				visit(pointer+"/"+k, v)
			}
			walkNumbers(e, pointer+"/"+k, visit)
		}
	case []any:
		for i, e := range v {
			if _, number := e.(json.Number); number {
				visit(fmt.Sprintf("%s/%d", pointer, i), nil)
			}
			walkNumbers(e, fmt.Sprintf("%s/%d", pointer, i), visit)
		}
	}
}

// The schema itself leaves no way in for a bare number: an integer stands only
// in the version and in a figure's value.
func TestSchemaAllowsNumbersInFiguresOnly(t *testing.T) {
	t.Parallel()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			if v["type"] == "integer" || v["type"] == "number" {
				found = append(found, at)
			}
			for k, e := range v {
				walk(e, at+"/"+k)
			}
		case []any:
			for i, e := range v {
				walk(e, fmt.Sprintf("%s/%d", at, i))
			}
		}
	}
	walk(doc, "")
	slices.Sort(found)
	if want := []string{"/$defs/figure/properties/value", "/properties/version"}; !slices.Equal(found, want) {
		t.Errorf("integers at %q, want %q", found, want)
	}
	required := doc.(map[string]any)["$defs"].(map[string]any)["figure"].(map[string]any)["required"]
	if got := fmt.Sprint(required); got != "[value unit source verified]" {
		t.Errorf("a figure requires %s", got)
	}
}

// What sources disagree on, or nobody has read, is flagged with the reason.
func TestConflictsAreFlagged(t *testing.T) {
	t.Parallel()
	s := Default()
	for _, tt := range []struct {
		code    string
		version int
		key     string
		note    string
	}{
		{"id", 3, "deadlines.removal-order.urgent", "12 hours"},
		{"id", 3, "penalties.fine-per-item.figure", "tariff"},
		{"eu-tco", 2, "first_notice.advance", "general knowledge"},
		{"eu-tco", 2, "home_copy.request", "48 hours"},
		{"eu-tco", 2, "disclosure.withhold_max", "6 weeks"},
	} {
		found := false
		for _, f := range mustVersion(t, s, tt.code, tt.version).Unverified() {
			if f.Key == tt.key {
				found = f.Note != nil && strings.Contains(f.Note.EN, tt.note)
			}
		}
		if !found {
			t.Errorf("%s-%d: %s is not flagged with %q", tt.code, tt.version, tt.key, tt.note)
		}
	}
	if got := mustVersion(t, s, "id", 3).UnverifiedClauses(); !slices.Contains(got, "/receipt/deemed/rule") || slices.Contains(got, "/deadlines/removal-order/urgent") {
		t.Errorf("unverified clauses %q", got)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	s := Default()
	id, eu := mustVersion(t, s, "id", 3), mustVersion(t, s, "eu-tco", 2)
	for _, tt := range []struct {
		p       Pack
		kind    NoticeKind
		urgency Urgency
		minutes int
		ok      bool
	}{
		{eu, RemovalOrder, Urgent, 60, true}, // Regulation (EU) 2021/784, Article 3(3)
		{eu, RemovalOrder, Standard, 60, true},
		{id, RemovalOrder, Urgent, 240, true}, // Permenkominfo 5/2020 by the press, unverified
		{id, RemovalOrder, Standard, 1440, true},
		{id, RemovalOrder, "", 0, false},
		{id, Referral, Urgent, 0, false},
		{eu, Referral, Standard, 0, false},
		{eu, Warning, Urgent, 0, false},
	} {
		minutes, ok := tt.p.Deadline(tt.kind, tt.urgency)
		if minutes != tt.minutes || ok != tt.ok {
			t.Errorf("%s %s %s: %d %v, want %d %v", tt.p.Code, tt.kind, tt.urgency, minutes, ok, tt.minutes, tt.ok)
		}
	}
	if !id.AllowsDeadline(RemovalOrder, 720) || eu.AllowsDeadline(RemovalOrder, 240) || !id.AllowsDeadline(Referral, 0) || id.AllowsDeadline(Referral, 60) {
		t.Error("allowed choices differ from the packs'")
	}
}

func TestCurrentIsTheVersionInForce(t *testing.T) {
	t.Parallel()
	s := Default()
	for when, want := range map[string]int{
		"2026-02-28T16:59:59Z": 0, "2026-02-28T17:00:00Z": 2, // midnight in Jakarta
		"2026-10-31T16:59:59Z": 2, "2026-10-31T17:00:00Z": 3, "2036-01-01T00:00:00Z": 3,
	} {
		now, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := s.Current("id", now); p.Version != want || ok != (want > 0) {
			t.Errorf("at %s: version %d, want %d", when, p.Version, want)
		}
	}
	if _, ok := s.Current("atlantis", time.Now()); ok {
		t.Error("an unknown code has a version in force")
	}
}

func TestRefNamesTheExactText(t *testing.T) {
	t.Parallel()
	s := Default()
	p := mustVersion(t, s, "id", 3)
	if got, ok := s.Get(p.Ref); !ok || got.Ref != p.Ref || len(p.Ref.Digest) != 64 {
		t.Errorf("Get(%v) = %v, %v", p.Ref, got.Ref, ok)
	}
	other := p.Ref
	other.Digest = strings.Repeat("0", 64)
	if _, ok := s.Get(other); ok {
		t.Error("a pack is found by a digest it does not have")
	}
}

func TestChainsKeepProposingAndIssuingApart(t *testing.T) {
	t.Parallel()
	s := Default()
	want := map[string]string{
		"id removal-order":     "authority: propose/agency approve/agency issue/authority",
		"id referral":          "same-party: propose/agency approve/agency issue/agency",
		"eu-tco removal-order": "same-party: propose/authority approve/authority issue/authority",
		"eu-tco warning":       "",
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		code, kind, _ := strings.Cut(name, " ")
		var p Pack
		for _, v := range s.packs[code] {
			p = v
		}
		got := ""
		if c, ok := p.Chain(NoticeKind(kind)); ok {
			got = string(c.Issuing) + ":"
			for _, st := range c.Steps {
				got += fmt.Sprintf(" %s/%s", st.Act, st.Party)
			}
		}
		if got != want[name] {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
	}
}

func TestLadderStopsUnderEURulesAndSaysSo(t *testing.T) {
	t.Parallel()
	s := Default()
	climb := func(p Pack) (codes []RungCode) {
		r, ok := p.NextRung("")
		for ok {
			codes = append(codes, r.Code)
			r, ok = p.NextRung(r.Code)
		}
		return codes
	}
	eu := mustVersion(t, s, "eu-tco", 2)
	if got := climb(eu); !slices.Equal(got, []RungCode{Reminder}) || !strings.Contains(eu.Ladder.Ends.Text.EN, "stops here") {
		t.Errorf("EU ladder %q ends with %q", got, eu.Ladder.Ends.Text.EN)
	}
	if got := climb(mustVersion(t, s, "id", 3)); !slices.Equal(got, []RungCode{Reminder, Warning1, Warning2, Fine, Warning3, BlockProposal}) {
		t.Errorf("Indonesia's ladder %q", got)
	}
	if _, ok := eu.NextRung("warning-1"); ok {
		t.Error("a rung follows one that the ladder does not have")
	}
}

func TestGroundsAreClosed(t *testing.T) {
	t.Parallel()
	id := mustVersion(t, Default(), "id", 3)
	for _, g := range Grounds() {
		if c, ok := id.Ground(g); !ok || c.Text.ID == "" || c.Text.EN == "" || c.Provision == nil {
			t.Errorf("%s is not mapped: %+v", g, c)
		}
	}
	for _, g := range []Ground{"", "disturb-public", "INCITE"} {
		if _, ok := id.Ground(g); ok || g.Valid() {
			t.Errorf("%q is a ground", g)
		}
	}
	if !strings.Contains(id.UnavailableGrounds[0].Name.EN, "Disturbing the public") {
		t.Error("the pack does not say that disturbing the public is no ground")
	}
}

func TestDiffNamesWhatChanged(t *testing.T) {
	t.Parallel()
	s := Default()
	got := map[string]string{}
	for _, c := range Diff(mustVersion(t, s, "id", 2), mustVersion(t, s, "id", 3)) {
		got[c.Key] = c.Before + " -> " + c.After
	}
	for key, want := range map[string]string{
		"receipt.unreceived_after.value":            "60 -> 30",
		"deadlines.removal-order.choices.720.value": " -> 720",
		"duties.no-user-data.code":                  " -> no-user-data",
		"batch.sample_min.value":                    "2 -> 4",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	for _, key := range []string{"version", "deadlines.removal-order.choices.1440.value", "name.id"} {
		if v, ok := got[key]; ok {
			t.Errorf("%s shows as a change: %s", key, v)
		}
	}
	if same := Diff(mustVersion(t, s, "id", 3), mustVersion(t, s, "id", 3)); len(same) > 0 {
		t.Errorf("a pack differs from itself: %v", same)
	}
}

func TestRouteTakesTheFirstRuleThatFits(t *testing.T) {
	t.Parallel()
	p := Pack{Routing: Routing{Default: "d", Rules: []Route{
		{Choice: "civil", To: "a"},
		{Platform: "kabarkita", Language: "id", To: "b"},
		{Jurisdiction: "id", To: "c"},
	}}}
	for _, tt := range []struct {
		f    RouteFacts
		want PartyKey
	}{
		{RouteFacts{}, "d"},
		{RouteFacts{Choice: "civil", Jurisdiction: "id"}, "a"},
		{RouteFacts{Platform: "kabarkita", Language: "id"}, "b"},
		{RouteFacts{Platform: "kabarkita", Language: "en"}, "d"},
		{RouteFacts{Platform: "kabarkita", Language: "en", Jurisdiction: "id"}, "c"},
	} {
		if got := p.Route(tt.f); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.f, got, tt.want)
		}
	}
}

func TestEveryCaseHasAQueue(t *testing.T) {
	t.Parallel()
	id := mustVersion(t, Default(), "id", 3)
	for _, tt := range []struct {
		f    CaseFacts
		want string
	}{
		{CaseFacts{Channels: []string{"web"}, Crisis: true}, "crisis"},
		{CaseFacts{Channels: []string{"web"}, Tier: ThreatToLife}, "life"},
		{CaseFacts{Channels: []string{"web", "match"}, Tier: Promotional}, "public"},
		{CaseFacts{Channels: []string{"match"}}, "match"},
		{CaseFacts{}, "all"},
	} {
		if got := id.Queue(tt.f).Code; got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.f, got, tt.want)
		}
	}
}

func TestBatchSample(t *testing.T) {
	t.Parallel()
	b := mustVersion(t, Default(), "id", 3).Batch // 10 %, at least 4
	for n, want := range map[int]int{0: 0, 3: 3, 12: 4, 40: 4, 41: 5, 200: 20} {
		if got := b.Sample(n); got != want {
			t.Errorf("%d cases: sample of %d, want %d", n, got, want)
		}
	}
}

// Whatever a page shows of a pack has a text in both languages.
func TestEveryFigureAndCodeHasWords(t *testing.T) {
	t.Parallel()
	var codes []string
	add := func(prefix string, values ...string) {
		for _, v := range values {
			codes = append(codes, "policy."+prefix+"."+v)
		}
	}
	add("ground", words(Grounds())...)
	add("function", words(Functions())...)
	add("tier", words(Tiers())...)
	add("listed", words(ListClasses())...)
	add("purpose", words(Purposes())...)
	add("kind", words(NoticeKinds())...)
	add("urgency", words(Urgencies())...)
	add("pause", words(PauseKinds())...)
	add("method", words(SigningMethods())...)
	add("act", words(Acts())...)
	add("rung", words(RungCodes())...)
	add("broad", "apex-domain", "popular-host", "news", "academia", "government")
	add("standing", "verified", "unverified", "fixed")
	for _, lang := range i18n.Langs() {
		p := i18n.For(lang)
		for _, code := range codes {
			if !p.Has(code) {
				t.Errorf("%s: no text for %s", lang, code)
			}
		}
		for _, pack := range Default().All() {
			for _, f := range pack.Figures() {
				if s := f.Label(p) + " " + f.Words(p); strings.Contains(s, "policy.") || strings.Contains(s, "<no value>") {
					t.Errorf("%s: %s is %q", lang, f.Key, s)
				}
			}
		}
	}
	en := i18n.For(i18n.EN)
	for _, f := range mustVersion(t, Default(), "id", 3).Figures() {
		if f.Key == "deadlines.removal-order.urgent" {
			if got := f.Label(en) + ": " + f.Words(en); got != "Removal order: urgent answer clock: 4 hours" {
				t.Errorf("%q", got)
			}
		}
	}
}

func words[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// The schema's lists and the Go constants are one list each.
func TestSchemaKnowsTheSameWords(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"/chains/removal-order/steps/0/party": words(PartyKinds()),
		"/chains/removal-order/steps/0/role":  words(Roles()),
		"/chains/removal-order/steps/0/act":   nil, // propose, approve, review, issue
		"/ladder/rungs/0/code":                words(RungCodes()),
		"/pauses/kinds/0/kind":                {"impossible", "clarify", "error"},
		"/signing/methods/0":                  words(SigningMethods()),
		"/queues/1/filter/tiers/0":            words(Tiers()),
	} {
		if want == nil {
			want = words(Acts())
		}
		if got := enumAt(t, name); !slices.Equal(got, want) {
			t.Errorf("%s: schema %q, constants %q", name, got, want)
		}
	}
}

// enumAt asks the schema for the choices at a place by putting a wrong one there.
func enumAt(t *testing.T, pointer string) []string {
	t.Helper()
	tr, err := parse([]byte(base(t)))
	if err != nil {
		t.Fatal(err)
	}
	set(tr.root, strings.Split(pointer, "/")[1:], "no-such-word")
	c := checker{tree: tr}
	c.checkSchema(compileSchema(), tr)
	for _, f := range c.faults {
		if f.err.Field == pointer && f.err.Code == "policy.schema.enum" {
			return strings.Split(f.err.Args["Want"].(string), ", ")
		}
	}
	t.Fatalf("%s takes any word", pointer)
	return nil
}

func set(v any, path []string, to string) {
	switch v := v.(type) {
	case map[string]any:
		if len(path) == 1 {
			v[path[0]] = to
			return
		}
		set(v[path[0]], path[1:], to)
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil {
			panic(err)
		}
		if len(path) == 1 {
			v[i] = to
			return
		}
		set(v[i], path[1:], to)
	}
}

func TestLoadDirAddsToTheEmbeddedPacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := strings.NewReplacer("version: 3\n", "version: 4\n", "2026-11-01T", "2027-01-01T").Replace(base(t))
	put("id-4.yaml", next)
	put("id-3.yaml", base(t)) // the same bytes are no conflict
	s, err := LoadDir(dir)
	if err != nil {
		t.Fatal(strings.Join(Explain(err, i18n.For(i18n.EN)), "\n"))
	}
	if p, _ := s.Current("id", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)); p.Version != 4 {
		t.Errorf("version %d in force, want 4", p.Version)
	}

	put("id-3.yaml", strings.Replace(base(t), "Indonesia profile", "Another profile", 1))
	put("id-4.yaml", strings.Replace(next, "2027-01-01T", "2026-10-01T", 1))
	_, err = LoadDir(dir)
	got := strings.Join(Explain(err, i18n.For(i18n.EN)), "\n")
	for _, want := range []string{
		"/version: id version 3 is already in id-3.yaml with other content; publish a new version.",
		"/valid_from: Version 4 must come into force after version 3, that is after 2026-11-01T00:00:00+07:00.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if _, err := LoadDir(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing directory is no error")
	}
	if _, err := Load(fstest.MapFS{"id-3.yaml/x": {Data: nil}}); err == nil {
		t.Error("a directory with a pack's name is no error")
	}
}

func BenchmarkDefault(b *testing.B) {
	for b.Loop() {
		Default()
	}
}

// docs/policy.md explains every field of a pack.
func TestEveryFieldIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for name := range schema.Properties {
		if !bytes.Contains(doc, []byte("`"+name+"`")) {
			t.Errorf("docs/policy.md does not tell of %s", name)
		}
	}
}
