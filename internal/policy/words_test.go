package policy_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// schemaWords returns the words that a definition of the signed documents'
// schemas allows.
func schemaWords(t *testing.T, file string, path ...string) []string {
	t.Helper()
	raw, err := os.ReadFile("../../notes/schema/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var node map[string]json.RawMessage
	for _, step := range append(path, "enum") {
		node = nil
		if err := json.Unmarshal(raw, &node); err != nil {
			t.Fatalf("%s: %v: %v", file, path, err)
		}
		raw = node[step]
	}
	var words []string
	if err := json.Unmarshal(raw, &words); err != nil || len(words) == 0 {
		t.Fatalf("%s: %v: %d words, %v", file, path, len(words), err)
	}
	return words
}

func plain[S ~string](list []S) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// TestPacksAndSignedDocumentsUseOneSetOfWords: a word that a pack allows must be
// one that a signed document can carry, and the other way round.
func TestPacksAndSignedDocumentsUseOneSetOfWords(t *testing.T) {
	for name, c := range map[string]struct{ pack, document []string }{
		"grounds":             {plain(policy.Grounds()), schemaWords(t, "common.json", "$defs", "ground")},
		"grounds in code":     {plain(policy.Grounds()), plain(notes.Grounds())},
		"functions":           {plain(policy.Functions()), schemaWords(t, "common.json", "$defs", "function")},
		"tiers":               {plain(policy.Tiers()), schemaWords(t, "common.json", "$defs", "tier")},
		"list classes":        {plain(policy.ListClasses()), schemaWords(t, "common.json", "$defs", "listClass")},
		"purposes":            {plain(policy.Purposes()), schemaWords(t, "assessment.json", "$defs", "purposeTest", "properties", "purpose")},
		"purposes in code":    {plain(policy.Purposes()), plain(notes.Purposes())},
		"kinds of notice":     {plain(policy.NoticeKinds()), schemaWords(t, "common.json", "$defs", "noticeKind")},
		"methods of people":   {append(plain(policy.SigningMethods()), string(notes.MethodOrganisation)), schemaWords(t, "common.json", "$defs", "method")},
		"parties":             {plain(party.Kinds()), schemaWords(t, "common.json", "$defs", "partyKind")},
		"kinds of platform":   {party.PlatformKinds(), schemaWords(t, "common.json", "$defs", "platformKind")},
		"methods of our keys": {plain(policy.SigningMethods()), []string{string(party.Passkey), string(party.BrowserKey), string(party.Automation)}},
	} {
		if !slices.Equal(c.pack, c.document) {
			t.Errorf("%s: here %v, there %v", name, c.pack, c.document)
		}
	}
}

// TestAChainNamesPartiesAndRolesThatExist: a step that nobody can take would
// stop every notice under its pack.
func TestAChainNamesPartiesAndRolesThatExist(t *testing.T) {
	for _, kind := range policy.PartyKinds() {
		if !slices.Contains(party.Kinds(), party.Kind(kind)) {
			t.Errorf("no organisation is of the kind %q", kind)
		}
	}
	for _, role := range policy.Roles() {
		if !slices.Contains(party.Roles(), party.Role(role)) {
			t.Errorf("nobody has the role %q", role)
		}
	}
}
