package notes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The integers of the number table and the examples of RFC 8785, sections
// 3.2.2 and 3.2.3; fractions of that table are refused, see below.
func TestCanonicalFollowsRFC8785(t *testing.T) {
	t.Parallel()
	tests := []struct{ rule, in, want string }{
		{"whitespace goes, section 3.2.1", "{ \"b\" : [ 1 , 2 ] ,\n\t\"a\" : { } }", `{"a":{},"b":[1,2]}`},
		{"literals, section 3.2.2.1", `[null, true, false]`, `[null,true,false]`},
		{"shortest escapes, section 3.2.2.2", `"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`, "\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\""},
		{"control characters with short names", `"\u0008\u0009\u000A\u000C\u000D"`, `"\b\t\n\f\r"`},
		{"no escape for html", `"\u003cscript\u003e \u0026"`, `"<script> &"`},
		{"surrogate pair becomes one character", `"\ud83d\ude02"`, "\"\U0001F602\""},
		{"no normalisation, section 3.1", `"A\u030a"`, "\"A\u030a\""},
		{"zero, appendix B", `0`, `0`},
		{"minus zero, appendix B", `-0`, `0`},
		{"max safe integer", `9007199254740991`, `9007199254740991`},
		{"min safe integer", `-9007199254740991`, `-9007199254740991`},
		{
			"members sort by UTF-16 units, section 3.2.3",
			`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"\u00f6\":\"Latin Small Letter O With Diaeresis\",\"\u20ac\":\"Euro Sign\",\"\U0001F600\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		},
		{"arrays keep their order", `[{"b":1,"a":2},"z","a"]`, `[{"a":2,"b":1},"z","a"]`},
		{"same name in different objects", `{"a":{"a":1},"b":[{"a":2}]}`, `{"a":{"a":1},"b":[{"a":2}]}`},
	}
	for _, tt := range tests {
		got, err := Canonical([]byte(tt.in))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: Canonical(%s) = %s, %v; want %s", tt.rule, tt.in, got, err, tt.want)
		}
	}
}

func TestCanonicalRefusesWhatTwoReadersCouldReadDifferently(t *testing.T) {
	t.Parallel()
	type loop struct{ Next any }
	endless := &loop{}
	endless.Next = endless
	tests := []struct {
		what string
		in   any
		want error
	}{
		{"fraction", []byte(`{"a":1.5}`), ErrNumber},
		{"whole number with fraction", []byte(`1.0`), ErrNumber},
		{"exponent", []byte(`[1e3]`), ErrNumber},
		{"2^53", []byte(`9007199254740992`), ErrNumber},
		{"-2^53", []byte(`-9007199254740992`), ErrNumber},
		{"number beyond int64", []byte(`123456789012345678901234567890`), ErrNumber},
		{"Go float", map[string]any{"a": 1.0}, ErrNumber},
		{"Go float32 in a struct", struct{ A []float32 }{[]float32{1}}, ErrNumber},
		{"Go int64 beyond 2^53", struct{ A int64 }{1 << 60}, ErrNumber},
		{"json.Number with fraction", json.Number("0.5"), ErrNumber},
		{"name twice", []byte(`{"a":1,"a":1}`), ErrDuplicate},
		{"name twice by escape", []byte(`{"a":1,"\u0061":2}`), ErrDuplicate},
		{"name twice deep inside", []byte(`[{"x":{"b":1,"c":[],"b":2}}]`), ErrDuplicate},
		{"invalid UTF-8", []byte("\"\xff\""), ErrUTF8},
		{"overlong UTF-8", []byte("\"\xc0\xaf\""), ErrUTF8},
		{"invalid UTF-8 in a Go value", map[string]string{"a": "\xff"}, ErrUTF8},
		{"invalid UTF-8 in a Go name", map[string]int{"\xff": 1}, ErrUTF8},
		{"half a surrogate pair", []byte(`"\ud800"`), ErrUTF8},
		{"surrogates in the wrong order", []byte(`"\ude00\ud83d"`), ErrUTF8},
		{"33 levels", []byte(strings.Repeat("[", 33) + strings.Repeat("]", 33)), ErrDepth},
		{"a million levels", []byte(strings.Repeat("[", 1_000_000)), ErrSyntax},
		{"a Go value that never ends", endless, ErrDepth},
		{"too large", []byte(`"` + strings.Repeat("a", MaxBytes) + `"`), ErrSize},
		{"nothing", []byte(``), ErrSyntax},
		{"two values", []byte(`{} {}`), ErrSyntax},
		{"trailing comma", []byte(`[1,]`), ErrSyntax},
		{"comment", []byte(`/* */ {}`), ErrSyntax},
		{"byte order mark", []byte("\xef\xbb\xbf{}"), ErrSyntax},
		{"leading zero", []byte(`01`), ErrSyntax},
		{"plus", []byte(`+1`), ErrSyntax},
		{"NaN", []byte(`NaN`), ErrSyntax},
		{"raw control character", []byte("\"\x01\""), ErrSyntax},
	}
	for _, tt := range tests {
		if got, err := Canonical(tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: Canonical = %.40q, %v; want %v", tt.what, got, err, tt.want)
		}
	}
}

func TestCanonicalAllowsExactlyItsLimits(t *testing.T) {
	t.Parallel()
	deep := []byte(strings.Repeat("[", 32) + strings.Repeat("]", 32))
	large := []byte(`"` + strings.Repeat("a", MaxBytes-2) + `"`)
	for _, in := range [][]byte{deep, large} {
		got, err := Canonical(in)
		if err != nil || string(got) != string(in) {
			t.Errorf("Canonical of %d bytes at the limit: %v", len(in), err)
		}
	}
}

func TestDigestIsSHA256OverKindAndBytes(t *testing.T) {
	t.Parallel()
	// printf 'tangkal/notice/v1\n{}' | sha256sum
	const want = "f203fa2dc2ee4597a41044ed494cc38aaef3b27e5798e80db7aa8df413cec633"
	if got := Hex(Digest(KindNotice, []byte(`{}`))); got != want {
		t.Errorf("Digest(notice, {}) = %s, want %s", got, want)
	}
}

func TestTimeIsUTCToTheSecond(t *testing.T) {
	t.Parallel()
	wib := time.FixedZone("WIB", 7*3600)
	at := At(time.Date(2026, 11, 19, 8, 26, 0, 999, wib))
	got, err := json.Marshal(at)
	if err != nil || string(got) != `"2026-11-19T01:26:00Z"` {
		t.Errorf("At(08:26 WIB) writes %s, %v", got, err)
	}
	for _, in := range []string{
		`"2026-11-19T01:26:00.5Z"`, `"2026-11-19T01:26:00+00:00"`, `"2026-11-19T01:26Z"`, `"2026-02-30T00:00:00Z"`,
		`"2026-11-19t01:26:00z"`, `"2026-11-19 01:26:00Z"`, `""`, `1763515560`,
	} {
		var x Time
		if err := json.Unmarshal([]byte(in), &x); err == nil {
			t.Errorf("%s is read as %v, want an error", in, x)
		}
	}
	if _, err := json.Marshal(Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("year 10000 was written")
	}
}

// RFC 6962, section 2.1, by hand for three leaves.
func TestRootIsTheMerkleTreeHashOfRFC6962(t *testing.T) {
	t.Parallel()
	a, b, c := [32]byte{1}, [32]byte{2}, [32]byte{3}
	leaf := func(d [32]byte) string { return fmt.Sprintf("%x", sha(0, d[:])) }
	node := func(l, r string) string { return fmt.Sprintf("%x", sha(1, unhex(t, l), unhex(t, r))) }
	for _, tt := range []struct {
		in   [][32]byte
		want string
	}{
		{nil, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{[][32]byte{a}, leaf(a)},
		{[][32]byte{a, b}, node(leaf(a), leaf(b))},
		{[][32]byte{a, b, c}, node(node(leaf(a), leaf(b)), leaf(c))},
	} {
		if got := Hex(Root(tt.in)); got != tt.want {
			t.Errorf("Root of %d = %s, want %s", len(tt.in), got, tt.want)
		}
	}
}

// The vector was made with openssl and the key 00 01 .. 1f:
// openssl dgst -sha256 -mac HMAC -macopt hexkey:0001..1f
func TestCommitIsHMACWithTheSaltAsKey(t *testing.T) {
	t.Parallel()
	var salt [32]byte
	for i := range salt {
		salt[i] = byte(i)
	}
	const want = "082547dd484133ce2eda239eb276d1e13cb6ed050a29ab2509c18e95e460f543"
	if got := Hex(Commit(salt, []byte("https://ruangsuara.example/v/1"))); got != want {
		t.Errorf("Commit = %s, want %s", got, want)
	}
	if Commit(salt, []byte("a")) == Commit([32]byte{}, []byte("a")) {
		t.Error("another salt gives the same commitment")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sha(prefix byte, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write([]byte{prefix})
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// The greatest notice that the schema allows, with locations of 250
// characters, is no larger than a notice may be; one byte more than that is.
func TestTheGreatestNoticeFits(t *testing.T) {
	t.Parallel()
	var doc Notice
	if err := json.Unmarshal(examples(t)["notice-id-order"], &doc); err != nil {
		t.Fatal(err)
	}
	first := doc.Items[0]
	doc.Items = nil
	for n := range MaxItems {
		it := first
		it.N = n + 1
		it.URL = fmt.Sprintf("https://%s.example/%0*d", first.Platform, 250-len(first.Platform)-len("https://.example/"), n)
		doc.Items = append(doc.Items, it)
	}
	canon, err := Canonical(doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := Validate(KindNotice, canon); err != nil {
		t.Errorf("%d items of 250 characters, %d bytes: %v", MaxItems, len(canon), err)
	}
	doc.Items[0].Extra = strings.Repeat("a", 1000)
	for i := 1; len(canon) <= MaxNoticeBytes; i++ {
		doc.Items[i%MaxItems].Extra = strings.Repeat("a", 1000)
		if i%500 == 0 {
			if canon, err = Canonical(doc); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := Validate(KindNotice, canon); !errors.Is(err, ErrSize) {
		t.Errorf("%d bytes: %v, want %v", len(canon), err, ErrSize)
	}
}
