package i18n_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/notes"
)

func TestNegotiate(t *testing.T) {
	for header, want := range map[string]i18n.Lang{
		"":                              i18n.ID,
		"id":                            i18n.ID,
		"in":                            i18n.ID, // the code before 1989, which old phones still send
		"id-ID,id;q=0.9,en;q=0.8":       i18n.ID,
		"en":                            i18n.EN,
		"en-GB,en-US;q=0.9":             i18n.EN,
		"EN-gb":                         i18n.EN,
		"fr,en;q=0.5":                   i18n.EN,
		"fr,id;q=0.5,en;q=0.4":          i18n.ID,
		"en;q=0.1,id;q=0.9":             i18n.ID,
		"fr":                            i18n.ID,
		"*":                             i18n.ID,
		"en;q=0":                        i18n.ID,
		";;;===":                        i18n.ID,
		"en\x00":                        i18n.ID,
		strings.Repeat("x-y;q=1,", 999): i18n.ID,
	} {
		if got := i18n.Negotiate(header); got != want {
			t.Errorf("%.40q: got %s, want %s", header, got, want)
		}
	}
}

func TestAPrinterSpeaksItsLanguage(t *testing.T) {
	for lang, want := range map[i18n.Lang][4]string{
		i18n.ID: {"Bagian ini wajib diisi.", "Terlalu panjang: paling banyak 200 karakter.", "1 hari", "1.234 hari"},
		i18n.EN: {"This is required.", "This is too long: at most 200 characters.", "1 day", "1,234 days"},
	} {
		p := i18n.For(lang)
		got := [4]string{p.T("fault.required"), p.T("party.too-long", "Max", 200), p.N("ui.span.days", 1), p.N("ui.span.days", 1234)}
		if got != want || p.Lang() != lang {
			t.Errorf("%s: got %q, want %q", p.Lang(), got, want)
		}
	}
	if p := i18n.For("tlh"); p.Lang() != i18n.ID {
		t.Errorf("an unknown language gets %s", p.Lang())
	}
}

func TestAFaultIsSaidInWords(t *testing.T) {
	e := fault.New(fault.Invalid, "party.code", "Value", "A <b>")
	if got, want := i18n.For(i18n.EN).Fault(e), "“A <b>” cannot be a short name: use 2 to 40 of a–z, 0–9 and inner hyphens."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// What is hidden is named by a code, which is not a word of the reader.
	if got, want := i18n.For(i18n.ID).Fault(fault.Hidden("page")), "Halaman itu tidak ada, atau Anda tidak boleh melihatnya."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAMissingInputIsNamed(t *testing.T) {
	for pointer, want := range map[string]string{
		"":                   "This is required.",
		"/nobody-knows/7":    "This is required.",
		"/reasons":           "“Reasons” is still missing.",
		"/grounds/1/reasons": "“Grounds 2, reasons” is still missing.",
		"/items/1199/url":    "“Links 1,200, address” is still missing.",
		"/3":                 "This is required.",
	} {
		if got := i18n.For(i18n.EN).Fault(fault.New(fault.Invalid, "fault.required").At(pointer)); got != want {
			t.Errorf("%q: got %q, want %q", pointer, got, want)
		}
	}
}

// TestEverythingRequiredHasAName reads the source for what rooms require.
func TestEverythingRequiredHasAName(t *testing.T) {
	requires := regexp.MustCompile(`\.Require\(.*, "(/[a-z_/]+)"\)|"fault\.required"\)\.At\("(/[a-z_/]+)"\)|Add\("(/[a-z_/]+)", "fault\.required"`)
	found := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range requires.FindAllStringSubmatch(string(source), -1) {
			found++
			if pointer := m[1] + m[2] + m[3]; i18n.For(i18n.EN).Field(pointer) == "" {
				t.Errorf("%s requires %s, which has no name", path, pointer)
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Fatalf("%d requirements found, %v: has the form of the source changed?", found, err)
	}
}

func TestEveryRuleOfADocumentIsSaid(t *testing.T) {
	for _, lang := range i18n.Langs() {
		for _, r := range notes.Rules() {
			e := fault.New(fault.Invalid, "document."+string(r), "Limit", "200").At("/reasons/texts/en")
			got := i18n.For(lang).Fault(e)
			if named := "“" + i18n.For(lang).T("field.reasons") + ", "; !strings.HasPrefix(got, named) || strings.Contains(got, "document.") {
				t.Errorf("%s, %s: %q does not name the field", lang, r, got)
			}
			if got := i18n.For(lang).Fault(e.At("")); got == "" || strings.Contains(got, "document.") || strings.Contains(got, "no value") {
				t.Errorf("%s, %s: the whole document is said as %q", lang, r, got)
			}
		}
	}
}

// TestEverythingHiddenHasAName reads the source for what rooms hide.
func TestEverythingHiddenHasAName(t *testing.T) {
	hides := regexp.MustCompile(`fault\.Hidden\("([a-z-]+)"\)|What: +"([a-z-]+)"`)
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range hides.FindAllStringSubmatch(string(source), -1) {
			if what := m[1] + m[2]; !i18n.For(i18n.EN).Has("fault.what." + what) {
				t.Errorf("%s hides a %q that has no name", path, what)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMissingTextShowsItsKey(t *testing.T) {
	p := i18n.For(i18n.EN)
	if got := p.T("no.such-key", "A", 1); got != "no.such-key" {
		t.Errorf("got %q", got)
	}
	if p.Has("no.such-key") || !p.Has("fault.required") || !p.Has("fault.hidden") {
		t.Error("Has does not tell texts from missing ones")
	}
}

func TestAnOddNumberOfArgumentsIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an odd number of arguments passes")
		}
	}()
	i18n.For(i18n.ID).T("fault.required", "Name")
}
