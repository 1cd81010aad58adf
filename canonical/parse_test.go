package canonical_test

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/canonical"
)

func known(t testing.TB) *canonical.Platforms {
	t.Helper()
	ps, err := canonical.Demo()
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// lines returns the lines of a file in testdata that are no comments.
func lines(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			all = append(all, s.Text())
		}
	}
	return all
}

// unquote reads a line that may be a Go string literal.
func unquote(t testing.TB, s string) string {
	t.Helper()
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	plain, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return plain
}

func TestHostileInputIsRefusedForItsReason(t *testing.T) {
	ps := known(t)
	n, seen := 0, map[canonical.Reason]bool{}
	for _, l := range lines(t, "hostile.txt") {
		reason, quoted, ok := strings.Cut(l, "\t")
		if !ok {
			continue
		}
		n++
		raw := unquote(t, quoted)
		loc, err := canonical.Parse(raw, ps)
		var refused *canonical.Error
		if !errors.As(err, &refused) {
			t.Errorf("%s = %+v, %v, want refused as %s", quoted, loc, err, reason)
			continue
		}
		seen[refused.Reason] = true
		if string(refused.Reason) != "location."+reason {
			t.Errorf("%s refused as %s, want %s", quoted, refused.Reason, reason)
		}
		if msg := refused.Error(); len(msg) > 1000 || strings.ContainsFunc(msg, func(r rune) bool { return r < ' ' || r > 0x7E && r != '…' }) {
			t.Errorf("%s: unsafe message %q", quoted, msg)
		}
	}
	if n < 60 {
		t.Errorf("%d hostile inputs, want at least 60", n)
	}
	for _, r := range canonical.Reasons() {
		if !seen[r] && r != canonical.TooLong && r != canonical.BadUTF8 {
			t.Errorf("no hostile input for %s", r)
		}
	}
}

func TestOversizedAndBrokenTextIsRefused(t *testing.T) {
	ps := known(t)
	for raw, want := range map[string]canonical.Reason{
		"https://site.example/" + strings.Repeat("a", canonical.MaxBytes): canonical.TooLong,
		"https://site.example/" + strings.Repeat("ü", 900):                canonical.TooLong,
		strings.Repeat("a", 1<<20):                                        canonical.TooLong,
		"https://site.example/\xff":                                       canonical.BadUTF8,
	} {
		_, err := canonical.Parse(raw, ps)
		var refused *canonical.Error
		if !errors.As(err, &refused) || refused.Reason != want {
			t.Errorf("%.40q…: %v, want %s", raw, err, want)
		}
	}
}

// TestSpellingsOfOneThingAreEqual reads groups of lines: first the canonical
// form, then spellings of it.
func TestSpellingsOfOneThingAreEqual(t *testing.T) {
	ps := known(t)
	groups, want := 0, ""
	for _, l := range append(lines(t, "equal.txt"), "") {
		switch {
		case l == "":
			want = ""
			continue
		case want == "":
			want = l
			groups++
		}
		loc, err := canonical.Parse(unquote(t, l), ps)
		if err != nil || loc.Canonical != want {
			t.Errorf("%s = %q, %v, want %q", l, loc.Canonical, err, want)
		}
	}
	if groups < 60 {
		t.Errorf("%d groups, want at least 60", groups)
	}
}

func TestDifferentThingsStayDifferent(t *testing.T) {
	ps := known(t)
	for _, pair := range [][2]string{
		{"https://site.example/a?id=1", "https://site.example/a?id=2"},
		{"https://site.example/a?x=1&x=2", "https://site.example/a?x=2&x=1"},
		{"https://site.example/a%2Fb", "https://site.example/a/b"},
		{"https://site.example/A", "https://site.example/a"},
		{"https://site.example/a", "https://site.example/a/"},
		{"https://site.example/#/one", "https://site.example/#/two"},
		{"https://site.example:8443/a", "https://site.example/a"},
		{"http://site.example:8080/a", "https://site.example:8080/a"},
		{"https://www.youtube.com/watch?v=AAAAAAAAAAA", "https://www.youtube.com/watch?v=aaaaaaaaaaa"},
		{"https://ruangsuara.example/v/84qe-90t", "https://ruangsuara.example/live/84qe-90t"},
		{"https://forumraya.example/t/1?post=4", "https://forumraya.example/t/1?post=5"},
		{"https://a.blogspot.com/2024/01/x.html", "https://b.blogspot.com/2024/01/x.html"},
		{"https://mega.nz/file/abc#key1", "https://mega.nz/file/abc#key2"},
	} {
		a, errA := canonical.Parse(pair[0], ps)
		b, errB := canonical.Parse(pair[1], ps)
		if errA != nil || errB != nil || a.Canonical == b.Canonical {
			t.Errorf("%s and %s are both %s (%v, %v)", pair[0], pair[1], a.Canonical, errA, errB)
		}
	}
}

func TestAHintTellsThePlatformOfABareHandle(t *testing.T) {
	loc, err := canonical.ParseOn("@Suara_Contoh", "ruangsuara", known(t))
	if err != nil || loc.Canonical != "https://ruangsuara.example/@suara_contoh" || loc.Kind != canonical.Account {
		t.Errorf("%+v, %v", loc, err)
	}
}

func TestDefangedAsOnTheScreens(t *testing.T) {
	const shown = "hxxps://ruangsuara[.]example/v/84qe-90t"
	loc, err := canonical.Parse(shown, known(t))
	if err != nil || canonical.Defang(loc.Canonical) != shown || canonical.Refang(shown) != loc.Canonical {
		t.Errorf("%s, %v: shown as %s", loc.Canonical, err, canonical.Defang(loc.Canonical))
	}
}

func FuzzParse(f *testing.F) {
	ps := known(f)
	for _, l := range lines(f, "equal.txt") {
		f.Add(l)
	}
	for _, l := range lines(f, "hostile.txt") {
		_, quoted, _ := strings.Cut(l, "\t")
		f.Add(quoted)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		loc, err := canonical.Parse(raw, ps)
		if err != nil {
			var refused *canonical.Error
			if !errors.As(err, &refused) {
				t.Fatalf("%q: %v is not a refusal", raw, err)
			}
			return
		}
		again, err := canonical.Parse(loc.Canonical, ps)
		if err != nil || again.Canonical != loc.Canonical || again.Host != loc.Host || again.Platform != loc.Platform || again.Kind != loc.Kind || again.ID != loc.ID {
			t.Errorf("%q = %+v\nagain = %+v, %v", raw, loc, again, err)
		}
		if loc.Kind != canonical.Wallet && !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(loc.Canonical, "https://"), "http://"), loc.Host) {
			t.Errorf("%q: host %q is not that of %q", raw, loc.Host, loc.Canonical)
		}
		if back := canonical.Refang(canonical.Defang(loc.Canonical)); loc.Kind != canonical.Wallet && back != loc.Canonical {
			t.Errorf("%q shown and back is %q", loc.Canonical, back)
		}
		if loc.Kind == "" || len(loc.Canonical) > canonical.MaxBytes {
			t.Errorf("%q = %+v", raw, loc)
		}
	})
}

func BenchmarkParseURL(b *testing.B) {
	ps := known(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := canonical.Parse("https://m.youtube.com/watch?v=dQw4w9WgXcQ&utm_source=share&t=10", ps); err != nil {
			b.Fatal(err)
		}
	}
}
