package notes

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// examples returns the example documents of testdata by name; the name begins
// with the kind.
func examples(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, k := range Kinds() {
		paths, err := filepath.Glob("testdata/" + string(k) + "-*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			raw, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			out[strings.TrimSuffix(filepath.Base(p), ".json")] = raw
		}
	}
	return out
}

func kindOf(name string) Kind {
	k, _, _ := strings.Cut(name, "-")
	return Kind(k)
}

// golden compares got with a file of testdata, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; signed bytes are for ever (-want +got):\n%s", file, cmp.Diff(string(want), string(got)))
	}
}

func TestEveryExampleKeepsItsBytesAndDigest(t *testing.T) {
	t.Parallel()
	perKind := map[Kind]int{}
	digests := map[string]string{}
	for name, raw := range examples(t) {
		k := kindOf(name)
		perKind[k]++
		if err := Validate(k, raw); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		canon, err := Canonical(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, "canonical/"+name+".json", canon)
		digests[name] = Hex(Digest(k, canon))
	}
	for _, k := range Kinds() {
		if k != KindSeal && perKind[k] < 2 {
			t.Errorf("%s has %d examples, want 2 at least", k, perKind[k])
		}
	}
	sums, err := json.MarshalIndent(digests, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "canonical/digests.json", append(sums, '\n'))
}

func TestGoTypesWriteExamplesBackByteForByte(t *testing.T) {
	t.Parallel()
	for name, raw := range examples(t) {
		into, ok := newDocument(kindOf(name))
		if !ok {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := Canonical(into)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want, err := Canonical(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(string(want), string(got)))
		}
	}
}

func newDocument(k Kind) (any, bool) {
	switch k {
	case KindNotice:
		return new(Notice), true
	case KindDossier:
		return new(Dossier), true
	case KindAssessment:
		return new(Assessment), true
	case KindAnswer:
		return new(Answer), true
	case KindReceipt:
		return new(Receipt), true
	case KindLeaf:
		return new(Leaf), true
	case KindWebhook:
		return new(Webhook), true
	case KindBatch:
		return new(Batch), true
	default:
		return nil, false
	}
}

// The examples use every member that a schema knows, so that a member renamed
// in the Go types or in a schema cannot pass unseen.
func TestExamplesUseEveryMemberOfTheSchemas(t *testing.T) {
	t.Parallel()
	used := map[Kind]map[string]bool{}
	for name, raw := range examples(t) {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		k := kindOf(name)
		if used[k] == nil {
			used[k] = map[string]bool{}
		}
		collectNames(v, used[k])
	}
	for _, k := range []Kind{KindNotice, KindDossier, KindAssessment, KindAnswer, KindReceipt, KindLeaf, KindWebhook, KindBatch} {
		for name := range schemaProperties(t, string(k)+".json") {
			if !used[k][name] {
				t.Errorf("no example of %s uses %q", k, name)
			}
		}
	}
}

func collectNames(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			into[k] = true
			collectNames(e, into)
		}
	case []any:
		for _, e := range v {
			collectNames(e, into)
		}
	}
}

// schemaProperties returns every member name under "properties" in a schema.
func schemaProperties(t *testing.T, file string) map[string]bool {
	t.Helper()
	raw, err := Schemas.ReadFile("schema/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	walkSchema(doc, func(s map[string]any) {
		props, _ := s["properties"].(map[string]any)
		for name := range props {
			out[name] = true
		}
	})
	return out
}

// walkSchema visits every object of a schema document.
func walkSchema(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, e := range v {
			walkSchema(e, visit)
		}
	case []any:
		for _, e := range v {
			walkSchema(e, visit)
		}
	}
}

func TestAnExampleChangedAnywhereHasAnotherDigest(t *testing.T) {
	t.Parallel()
	for name, raw := range examples(t) {
		canon, err := Canonical(raw)
		if err != nil {
			t.Fatal(err)
		}
		whole := Digest(kindOf(name), canon)
		for i := 0; i < len(canon); i += 97 {
			flipped := bytes.Clone(canon)
			flipped[i] ^= 1
			if Digest(kindOf(name), flipped) == whole {
				t.Errorf("%s: digest does not see byte %d", name, i)
			}
		}
		for _, k := range Kinds() {
			if k != kindOf(name) && Digest(k, canon) == whole {
				t.Errorf("%s: digest is the same as that of kind %s", name, k)
			}
		}
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	t.Parallel()
	if err := Validate("order", []byte(`{}`)); !errors.Is(err, ErrKind) {
		t.Errorf("Validate(order) = %v, want %v", err, ErrKind)
	}
}
