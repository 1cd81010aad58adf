package policy

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tangkal/tangkal/internal/i18n"
)

// refused are packs that differ from id-3.yaml in one place, each with
// everything that Load has to say about it.
var refused = []struct {
	name, old, new string
	want           string // pointer and English sentence, one line a fault
}{
	{
		"ground outside the closed list",
		"grounds:\n  incite:",
		"grounds:\n  disturb-public:\n    text: {id: x, en: x}\n    source: tco\n    verified: true\n  incite:",
		"/grounds/disturb-public: disturb-public is not a ground. The list is closed: incite, solicit-offence, solicit-group, instruct, threaten.",
	},
	{
		"ground renamed",
		"  threaten:\n",
		"  menace:\n",
		"/grounds/threaten: The ground threaten must be mapped; all five are required.\n" +
			"/grounds/menace: menace is not a ground. The list is closed: incite, solicit-offence, solicit-group, instruct, threaten.",
	},
	{
		"purpose test left out",
		"  art: {id",
		"  satire: {id",
		"/purpose_tests/art: The purpose test art must be there; all five are required.\n" +
			"/purpose_tests/satire: satire is not a purpose test. The list is closed: journalism, education, research, art, counter-speech.",
	},
	{
		"figure without a source",
		"hold: {value: 4320, unit: minutes, source: system, verified: true}",
		"hold: {value: 4320, unit: minutes, verified: true}",
		"/limits/hold/source: Every figure and clause names its source; write source.",
	},
	{
		"figure without a unit",
		"hold: {value: 4320, unit: minutes, source: system, verified: true}",
		"hold: {value: 4320, source: system, verified: true}",
		"/limits/hold/unit: unit is required.",
	},
	{
		"bare number",
		"hold_renewals: {value: 1, unit: count, source: system, verified: true}",
		"hold_renewals: 1",
		"/limits/hold_renewals: It is of type number; it should be object.",
	},
	{
		"unverified without saying why",
		"unreceived_after: {value: 30, unit: minutes, source: operator, verified: true}",
		"unreceived_after: {value: 30, unit: minutes, source: operator, verified: false}",
		"/receipt/unreceived_after/note: What is not verified says why; write note.",
	},
	{
		"verified from memory",
		"deadline: {value: 90, unit: days, source: recollection, verified: false",
		"deadline: {value: 90, unit: days, source: recollection, verified: true",
		"/redress/2/deadline/verified: recollection is general knowledge and never verified; write verified: false or cite the text.",
	},
	{
		"source that is not listed",
		"next_contact_after: {value: 60, unit: minutes, source: operator",
		"next_contact_after: {value: 60, unit: minutes, source: hearsay",
		"/receipt/next_contact_after/source: The source hearsay is not in sources; there are: aduan-kompas, hrw-mr5, jpnn-x, koalisi, kompas-4h, kompas-mr5, normalisasi-2014, onedet, operator, recollection, sekilas, suara, system, tco.",
	},
	{
		"hours for minutes",
		"unreceived_after: {value: 30, unit: minutes",
		"unreceived_after: {value: 30, unit: hours",
		"/receipt/unreceived_after/unit: hours is not a choice; allowed: minutes.",
	},
	{
		"fraction",
		"unreceived_after: {value: 30,",
		"unreceived_after: {value: 0.5,",
		"/receipt/unreceived_after/value: Whole numbers only; use a smaller unit.",
	},
	{
		"text for a number",
		"unreceived_after: {value: 30,",
		"unreceived_after: {value: \"30\",",
		"/receipt/unreceived_after/value: It is of type string; it should be integer.",
	},
	{
		"deemed by one method",
		"methods: {value: 2, unit: count",
		"methods: {value: 1, unit: count",
		"/receipt/deemed/methods/value: 1 is too small; 2 at least.",
	},
	{
		"deemed after two days",
		"working_days: {value: 3,",
		"working_days: {value: 2,",
		"/receipt/deemed/working_days/value: 2 is too small; 3 at least.",
	},
	{
		"deemed by one person",
		"persons: {value: 2, unit: count, source: system, verified: true}\n\npauses",
		"persons: {value: 1, unit: count, source: system, verified: true}\n\npauses",
		"/receipt/deemed/persons/value: 1 is too small; 2 at least.",
	},
	{
		"deemed not allowed yet counted",
		"    allowed: true\n",
		"    allowed: false\n",
		"/receipt/deemed/methods: Not allowed here; take it out.\n" +
			"/receipt/deemed/working_days: Not allowed here; take it out.\n" +
			"/receipt/deemed/persons: Not allowed here; take it out.",
	},
	{
		"three clarifications",
		"clarifications: {value: 2,",
		"clarifications: {value: 3,",
		"/pauses/clarifications/value: 3 is too large; 2 at most.",
	},
	{
		"pauses of two days",
		"total: {value: 1440,",
		"total: {value: 2880,",
		"/pauses/total/value: 2880 is too large; 1440 at most.",
	},
	{
		"deadline for a referral",
		"deadlines:\n",
		"deadlines:\n  referral:\n    urgent: {value: 60, unit: minutes, source: operator, verified: true}\n",
		"/deadlines/referral: referral is unknown; check its spelling or take it out.",
	},
	{
		"urgent longer than standard",
		"urgent: {value: 240, unit: minutes, source: kompas-4h",
		"urgent: {value: 2880, unit: minutes, source: kompas-4h",
		"/deadlines/removal-order/urgent: The urgent deadline (2880) is longer than the standard one (1440).\n" +
			"/deadlines/removal-order/urgent: 2880 minutes is not among choices; add it.",
	},
	{
		"chain without approval",
		"- {act: approve, party: agency, role: approver, persons: {value: 1, unit: count, source: system, verified: true}, limit: {value: 30, unit: minutes, source: operator, verified: true}}\n      - {act: issue, party: agency",
		"- {act: propose, party: agency, role: approver, persons: {value: 1, unit: count, source: system, verified: true}, limit: {value: 30, unit: minutes, source: operator, verified: true}}\n      - {act: issue, party: agency",
		"/chains/referral/steps: The step approve is missing; proposing, approving and issuing are always separate.\n" +
			"/chains/referral/steps/1/act: propose is out of place; the order is propose, approve, review, issue, each once.",
	},
	{
		"agency issues for an authority",
		"- {act: issue, party: authority, role: officer, persons: {value: 1, unit: count, source: system, verified: true}, limit: {value: 60, unit: minutes, source: operator, verified: true}}\n  preservation",
		"- {act: issue, party: agency, role: officer, persons: {value: 1, unit: count, source: system, verified: true}, limit: {value: 60, unit: minutes, source: operator, verified: true}}\n  preservation",
		"/chains/removal-order/steps/2/party: Issuing is authority: another body proposes and an authority issues, not agency alone.",
	},
	{
		"court that proposes",
		"- {act: propose, party: agency, role: analyst",
		"- {act: propose, party: court, role: analyst",
		"/chains/referral/steps/0/party: court cannot take the step propose; courts and oversight review, and only they do.\n" +
			"/chains/referral/steps/1/party: Issuing is same-party: this step belongs to court, not agency.\n" +
			"/chains/referral/steps/2/party: Issuing is same-party: this step belongs to court, not agency.",
	},
	{
		"program's signature alone",
		"methods: [passkey, browser-key]",
		"methods: [automation]",
		"/signing/methods: People must be able to sign: name passkey or browser-key.",
	},
	{
		"batch of 500",
		"  max: {value: 200,",
		"  max: {value: 500,",
		"/batch/max/value: 500 is too large; 200 at most.",
	},
	{
		"user never told",
		"may_tell_user: true",
		"may_tell_user: false",
		"/disclosure/may_tell_user: false is not a choice; allowed: true.",
	},
	{
		"withheld for half a year",
		"withhold_max: {value: 42,",
		"withhold_max: {value: 84,",
		"/disclosure/withhold_max: Withholding with its renewals is 168 days; 84 at most.",
	},
	{
		"national listing with one reviewer",
		"national_only_reviewers: {value: 2,",
		"national_only_reviewers: {value: 1,",
		"/listed_entities/national_only_reviewers/value: 1 is too small; 2 at least.",
	},
	{
		"block cap widened",
		"block_total: {value: 90,",
		"block_total: {value: 365,",
		"/limits/block_total/value: 365 is too large; 90 at most.",
	},
	{
		"first block term widened",
		"block_first: {value: 4320,",
		"block_first: {value: 10080,",
		"/limits/block_first/value: 10080 is too large; 4320 at most.",
	},
	{
		"no queue for the rest",
		"filter: {}}",
		"filter: {crisis: true}}",
		"/queues/5/filter: The last queue must take every case; leave its filter empty.",
	},
	{
		"queue twice",
		"{code: life,",
		"{code: crisis,",
		"/queues/1/code: crisis is in the list already; give it another name.",
	},
	{
		"route that asks nothing",
		"- {jurisdiction: id, to: tangkal-daring}",
		"- {to: tangkal-daring}",
		"/routing/rules/0: There are 1; 2 at least.",
	},
	{
		"warnings out of order",
		"- code: warning-2",
		"- code: warning-3",
		"/ladder/rungs/2/code: warning-3 is out of place; the order is reminder, warnings 1, 2, 3, a fine after a warning, a block proposal last.\n" +
			"/ladder/rungs/4/code: warning-3 is in the list already; give it another name.\n" +
			"/ladder/rungs/4/code: warning-3 is out of place; the order is reminder, warnings 1, 2, 3, a fine after a warning, a block proposal last.",
	},
	{
		"warnings without a basis",
		"  warning:\n    instrument: kepmen-522\n    rule:\n      text: {id: \"Surat teguran atas perintah yang tidak dijawab.\", en: \"Letter of warning about an order left unanswered.\"}\n      source: suara\n      verified: false\n      note: {id: \"Urutan ST1, ST2, ST3 dari pers; teks Kepmen 522/2024 belum ditemukan.\", en: \"The order ST1, ST2, ST3 comes from the press; the text of Decree 522/2024 was not found.\"}\n",
		"",
		"/deadlines/warning: warning has no legal basis; add one to legal_bases or take it out.\n" +
			"/chains/warning: warning has no legal basis; add one to legal_bases or take it out.\n" +
			"/ladder/rungs/1/code: warning-1 needs a legal basis for warnings in legal_bases.\n" +
			"/ladder/rungs/2/code: warning-2 needs a legal basis for warnings in legal_bases.\n" +
			"/ladder/rungs/3/code: fine needs a legal basis for warnings in legal_bases.\n" +
			"/ladder/rungs/4/code: warning-3 needs a legal basis for warnings in legal_bases.\n" +
			"/ladder/rungs/5/code: block-proposal needs a legal basis for warnings in legal_bases.",
	},
	{
		"rung from half time",
		"from: previous",
		"from: half-time",
		"/ladder/rungs/2/from: warning-2 cannot count from half-time; only the reminder counts from half-time, and the first rung not from previous.",
	},
	{
		"unknown time zone",
		"Asia/Jakarta",
		"Asia/Atlantis",
		"/time_zone: The time zone Asia/Atlantis is unknown; use an IANA name such as Asia/Jakarta.",
	},
	{
		"day that does not exist",
		"date: 2027-06-01",
		"date: 2027-06-31",
		"/calendar/holidays/3/date: 2027-06-31 is no existing time or date.",
	},
	{
		"holidays out of order",
		"date: 2027-06-01",
		"date: 2027-09-01",
		"/calendar/holidays/4/date: 2027-08-17 is out of order or written twice; sort the dates.",
	},
	{
		"time that does not exist",
		"2026-11-01T00:00:00+07:00",
		"2026-11-31T00:00:00+07:00",
		"/valid_from: 2026-11-31T00:00:00+07:00 is no existing time or date.",
	},
	{
		"misspelt key",
		"unreceived_after:",
		"unrecieved_after:",
		"/receipt/unreceived_after: unreceived_after is required.\n" +
			"/receipt/unrecieved_after: unrecieved_after is unknown; check its spelling or take it out.",
	},
	{
		"one language only",
		"name: {id: Profil Indonesia, en: Indonesia profile}",
		"name: {en: Indonesia profile}",
		"/name/id: id is required.",
	},
	{
		"version of another file",
		"version: 3\n",
		"version: 4\n",
		"/version: The file must be named id-4.yaml.",
	},
	{
		"instrument that is not listed",
		"instrument: terrorism-act",
		"instrument: penal-code",
		"/legal_bases/preservation/instrument: The instrument penal-code is not in instruments.",
	},
	{
		"another format",
		"tangkal-policy/1",
		"tangkal-policy/2",
		"/format: tangkal-policy/2 is not a choice; allowed: tangkal-policy/1.",
	},
	{
		"anchor",
		"limits:\n",
		"limits: &limits\n",
		"/limits: Anchors, aliases and merges are not used here; write the value out.",
	},
	{
		"alias",
		"  binding: id\n",
		"  binding: *code\n",
		"/languages/binding: Anchors, aliases and merges are not used here; write the value out.",
	},
	{
		"merge",
		"limits:\n",
		"limits:\n  <<: {hold: 1}\n",
		"/limits: Anchors, aliases and merges are not used here; write the value out.",
	},
	{
		"tag",
		"version: 3\n",
		"version: !!int 3\n",
		"/version: Tags and directives are not used here; take them out.",
	},
	{
		"key twice",
		"version: 3\n",
		"version: 3\nversion: 3\n",
		"/: Not valid YAML: mapping key \"version\" already defined at [5:1]",
	},
	{
		"nothing after a key",
		"version: 3\n",
		"version:\n",
		"/version: Empty or unknown value; fill it in or take the key out.",
	},
	{
		"two documents",
		"code: id\n",
		"code: id\n---\ncode: id\n",
		"/: The file must hold exactly one YAML document.",
	},
	{
		"not YAML",
		"code: id\n",
		"code: [id\n",
		"/: Not valid YAML: ',' or ']' must be specified",
	},
}

// base returns the embedded file that the tables change.
func base(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("packs/id-3.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// complaints loads one file and returns what Load says about it, without the
// file's name and line.
func complaints(t testing.TB, data string) string {
	t.Helper()
	_, err := Load(fstest.MapFS{"id-3.yaml": {Data: []byte(data)}})
	if err == nil {
		return ""
	}
	var out []string
	for _, line := range Explain(err, i18n.For(i18n.EN)) {
		parts := strings.SplitN(line, ":", 3)
		out = append(out, strings.TrimSpace(parts[2]))
	}
	return strings.Join(out, "\n")
}

func TestBrokenPacksAreRefusedByName(t *testing.T) {
	t.Parallel()
	text := base(t)
	for _, tt := range refused {
		if !strings.Contains(text, tt.old) {
			t.Errorf("%s: id-3.yaml has no %q", tt.name, tt.old)
			continue
		}
		if got := complaints(t, strings.Replace(text, tt.old, tt.new, 1)); got != tt.want || got == "" {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestFaultsNameFileAndLine(t *testing.T) {
	t.Parallel()
	text := strings.Replace(base(t), "time_zone: Asia/Jakarta", "time_zone: Asia/Atlantis", 1)
	text = strings.Replace(text, "methods: [passkey, browser-key]", "methods: [automation]", 1)
	lineOf := func(s string) int { return 1 + strings.Count(text[:strings.Index(text, s)], "\n") }
	_, err := Load(fstest.MapFS{"id-3.yaml": {Data: []byte(text)}, "xx-1.yaml": {Data: []byte("code: xx\n")}})
	got := strings.Join(Explain(err, i18n.For(i18n.ID)), "\n")
	for _, want := range []string{
		fmt.Sprintf("id-3.yaml:%d: /time_zone: Zona waktu Asia/Atlantis", lineOf("time_zone:")),
		fmt.Sprintf("id-3.yaml:%d: /signing/methods: Orang harus dapat", lineOf("  methods: [automation]")),
		"xx-1.yaml:1: /grounds: grounds harus ada.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestHugeAndDeepFilesAreRefusedBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, data, want string }{
		{"300 KiB", "# " + strings.Repeat("x", 300<<10), "/: The file is larger than 256 KiB."},
		{"brackets", "a: " + strings.Repeat("[", 100_000), "/: Nested too deep; 16 levels at most."},
		{"dashes", strings.Repeat("- ", 100_000), "/: Nested too deep; 16 levels at most."},
		{"questions", strings.Repeat("? ", 100_000), "/: Nested too deep; 16 levels at most."},
		{"brackets below the scan", "a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), strings.TrimSpace("/a" + strings.Repeat("/0", 16) + ": Nested too deep; 16 levels at most.")},
		{"values", "a: [" + strings.Repeat("1,", 25_000) + "1]", "/a/19998: Too many values; 20000 at most."},
		{"keys", strings.Repeat("k: v\n", 20_000), "/: Too many values; 8000 at most."},
		{"anchors", strings.Repeat("&a ", 80_000), "/: Anchors, aliases and merges are not used here; write the value out."},
		{"closed brackets", "a: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "/: Nested too deep; 16 levels at most."},
		{"anchors after a key", "a: " + strings.Repeat("&a ", 80_000), "/: Anchors, aliases and merges are not used here; write the value out."},
		{"empty", "", "/: The file must hold exactly one YAML document."},
		{"a list", "- 1\n", "/: It is of type array; it should be object."},
	} {
		if got := complaints(t, tt.data); got != tt.want {
			t.Errorf("%s: got %.300q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzPack: no file makes Load panic, and a file that it takes comes back as the
// same pack with sourced figures only.
func FuzzPack(f *testing.F) {
	text := base(f)
	f.Add([]byte(text))
	for _, tt := range refused {
		f.Add([]byte(strings.Replace(text, tt.old, tt.new, 1)))
	}
	schema := compileSchema()
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			t.Skip("time, not size, is what the fuzzer has")
		}
		c := checker{file: "id-3.yaml"}
		p, ok := c.pack(schema, data)
		if !ok {
			if len(c.faults) == 0 {
				t.Fatal("refused without a reason")
			}
			return
		}
		again, ok := (&checker{file: "id-3.yaml"}).pack(schema, bytes.Clone(data))
		if !ok || again.Ref != p.Ref || len(Diff(p, again)) > 0 {
			t.Fatal("the same bytes are another pack")
		}
		for _, fig := range p.Figures() {
			if _, known := p.Sources[fig.Source]; !known {
				t.Fatalf("%s has no source", fig.Pointer)
			}
		}
	})
}
