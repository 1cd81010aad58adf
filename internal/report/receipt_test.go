package report_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/report"
)

func TestAReceiptIsReadAsPeopleWriteIt(t *testing.T) {
	const want = "TGK-7Q4M-92XK-D3V0-81PN"
	for _, s := range []string{
		want, "tgk-7q4m-92xk-d3v0-81pn", "7Q4M92XKD3V081PN", "  TGK 7Q4M 92XK D3V0 81PN\n", "TGK-7Q4M-92XK-D3VO-8IPN",
		"tgk7q4m92xkd3vo8lpn", "TGK–7Q4M–92XK–D3V0–81PN", "TGK.7Q4M.92XK.D3V0.81PN", "7q4m_92xk_d3v0_81pn", "T G K 7Q4M92XKD3V081PN",
	} {
		got, err := report.ParseReceipt(s)
		if err != nil || got != want {
			t.Errorf("ParseReceipt(%q) = %q, %v, want %q", s, got, err, want)
		}
	}
	// A code may itself begin with the letters of the prefix.
	if got, err := report.ParseReceipt("tgk0 0000 0000 0000"); err != nil || got != "TGK-TGK0-0000-0000-0000" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, s := range []string{
		"", "TGK", "TGK-", "TGK-7Q4M-92XK-D3V0", "TGK-7Q4M-92XK-D3V0-81PNX", "XYZ-7Q4M-92XK-D3V0-81PN", "TGK-7Q4M-92XK-D3V0-81PU",
		"TGK-7Q4M-92XK-D3V0-81P*", strings.Repeat("-", 80) + want, strings.Repeat("7", 101), "\x00", "７Q4M92XKD3V081PN",
	} {
		if got, err := report.ParseReceipt(s); !fault.Is(err, "report.no-receipt") {
			t.Errorf("ParseReceipt(%q) = %q, %v, want the answer of a wrong code", s, got, err)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	for _, s := range []string{"TGK-7Q4M-92XK-D3VR-8WPN", "tgk 7q4m92xkd3vr8wpn", "", "O0Il", "ſ\u212A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, err := report.ParseReceipt(s)
		if err != nil {
			if code != "" || !fault.Is(err, "report.no-receipt") {
				t.Errorf("ParseReceipt(%q) = %q, %v", s, code, err)
			}
			return
		}
		if again, err := report.ParseReceipt(code); err != nil || again != code {
			t.Errorf("ParseReceipt(%q) = %q, which reads as %q, %v", s, code, again, err)
		}
	})
}

func TestACodeThatOpensNothingGetsOneAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		s.Files = []report.Upload{picture("erased later")}
		r := h.submit(t, s)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			return h.EraseTx(ctx, tx, []report.ID{r.ReportID}, h.clock.Now())
		})

		_, wrong := h.Status(t.Context(), "TGK-0000-0000-0000-0000")
		_, malformed := h.Status(t.Context(), "nothing like it")
		_, erased := h.Status(t.Context(), r.Code)
		for name, err := range map[string]error{
			"malformed": malformed, "erased": erased, "erased, write": h.Write(t.Context(), r.Code, "Halo?", nil),
			"erased, add": h.AddMaterial(t.Context(), r.Code, report.Material{Text: "Halo?"}),
		} {
			got, _ := fault.As(err)
			want, _ := fault.As(wrong)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(fault.Error{})); diff != "" || got == nil {
				t.Errorf("%s answers otherwise than a wrong code (-wrong +got):\n%s", name, diff)
			}
		}
		got, err := h.Get(t.Context(), h.analyst, r.ReportID)
		if err != nil || !got.Erased || got.Description != "" || len(got.Files) != 0 {
			t.Errorf("after erasure staff read %+v, %v", got, err)
		}
		if err := h.Reply(t.Context(), h.analyst, r.ReportID, "Halo?"); !fault.Is(err, "report.erased") {
			t.Errorf("a reply to nobody: %v", err)
		}
	})
}

func TestGuessedReceiptsOpenNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		for range 20 {
			h.submit(t, good())
		}
		const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
		raw := make([]byte, 16)
		for range 3000 {
			rand.Read(raw) //nolint:errcheck // never fails
			for i := range raw {
				raw[i] = letters[raw[i]%32]
			}
			if _, err := h.Status(t.Context(), string(raw)); !fault.Is(err, "report.no-receipt") {
				t.Fatalf("%s: %v", raw, err)
			}
		}
	})
}

// Every one of the 80 bits counts: neither the beginning of a code nor all of it
// but one letter opens anything.
func TestACodeOneLetterOffOpensNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		code := h.submit(t, good()).Code
		if _, err := h.Status(t.Context(), code); err != nil {
			t.Fatal(err)
		}
		for i := len("TGK-"); i < len(code); i++ {
			if code[i] == '-' {
				continue
			}
			other := "7"
			if code[i] == '7' {
				other = "Q"
			}
			near := code[:i] + other + code[i+1:]
			if _, err := h.Status(t.Context(), near); !fault.Is(err, "report.no-receipt") {
				t.Errorf("%s opens what %s does: %v", near, code, err)
			}
			if err := h.Write(t.Context(), near, "Halo?", nil); !fault.Is(err, "report.no-receipt") {
				t.Errorf("%s writes to what %s opens: %v", near, code, err)
			}
		}
	})
}

// 500 codes in which some letter is always the same, or follows the form's
// token too closely, would not hold 80 random bits (threat-model T02).
func TestEveryLetterOfAReceiptIsRandom(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	for name, token := range map[string]func() string{"without a token": func() string { return "" }, "with a token": h.NewToken} {
		const codes = 250
		var seen [24]map[byte]int
		for i := range seen {
			seen[i] = map[byte]int{}
		}
		for range codes {
			s := good()
			s.Token = token()
			code := h.submit(t, s).Code
			for i := range code {
				seen[i][code[i]]++
			}
		}
		for i := len("TGK-"); i < len("TGK-XXXX-XXXX-XXXX-XXXX"); i++ {
			if i%5 == 3 {
				continue // a dash
			}
			most := 0
			for _, n := range seen[i] {
				most = max(most, n)
			}
			// Each of 32 letters is expected 8 times; 40 has a chance below one in 10^15.
			if len(seen[i]) < 24 || most > 40 {
				t.Errorf("%s: place %d has %d letters, one of them %d times of %d", name, i, len(seen[i]), most, codes)
			}
		}
	}
}

func TestAFormSentTwiceIsOneReport(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		form := func(token, name string) report.Submission {
			s := good()
			s.Token = token
			s.Files = []report.Upload{picture("the same"), {Name: name, Content: strings.NewReader("catatan")}}
			return s
		}
		token := h.NewToken()
		first := h.submit(t, form(token, "a.txt"))
		h.clock.Advance(20 * time.Hour)
		if again := h.submit(t, form(token, "a.txt")); again != first {
			t.Errorf("sent again: %+v, want %+v", again, first)
		}
		if h.count(t, "reports") != 1 || h.blobs(t) != 2 {
			t.Errorf("%d reports and %d blobs, want 1 and 2", h.count(t, "reports"), h.blobs(t))
		}
		other := []report.Receipt{
			h.submit(t, form(token, "b.txt")), h.submit(t, form(h.NewToken(), "a.txt")), h.submit(t, form("", "a.txt")), h.submit(t, form("", "a.txt")),
		}
		h.clock.Advance(6 * time.Hour)
		other = append(other, h.submit(t, form(token, "a.txt"))) // too late to be shown the receipt again
		seen := map[string]bool{first.Code: true}
		for i, r := range other {
			if seen[r.Code] {
				t.Errorf("%d: receipt %s was given before", i, r.Code)
			}
			seen[r.Code] = true
		}
		h.drain(t)
		if n := h.count(t, "feed_entries"); n != 6 {
			t.Errorf("%d entries, want one for each of 6 reports", n)
		}
	})
}

func TestOnlyTokensOfOurMakingCount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		mine := h.NewToken()
		other := "B"
		if mine[0] == 'B' {
			other = "C"
		}
		for _, token := range []string{"1", "token", mine + "A", mine[:len(mine)-1], other + mine[1:], strings.Repeat("A", len(mine))} {
			s := good()
			s.Token = token
			if _, err := h.Submit(t.Context(), s); !hasPart(err, "/token", "report.token") {
				t.Errorf("token %q: %v", token, err)
			}
		}
		h.wantNothing(t)
	})
}

func TestEveryStepIsSaidInBothLanguages(t *testing.T) {
	for _, lang := range i18n.Langs() {
		p := i18n.For(lang)
		for _, kind := range report.Steps() {
			for _, args := range []map[string]string{nil, {"Platform": "Ruangsuara", "Agency": "Dit. Contoh", "Answer": "removed", "Outcome": "acted"}} {
				text := report.Step{Kind: kind, Args: args}.Text(p)
				if strings.HasPrefix(text, "report.") || strings.Contains(text, ": report.") || strings.Contains(text, "<no value>") || text == "" {
					t.Errorf("%s, %s: %q", lang, kind, text)
				}
			}
		}
		for _, key := range allKeys() {
			if !p.Has(key) {
				t.Errorf("%s has no text for %s", lang, key)
			}
		}
	}
}

// allKeys lists the catalogue keys that are made of values.
func allKeys() []string {
	var keys []string
	for _, c := range report.Channels() {
		keys = append(keys, "report.channel."+string(c))
	}
	for _, c := range report.Categories() {
		keys = append(keys, "report.category."+string(c), "report.category."+string(c)+".hint")
	}
	for _, o := range report.Outcomes() {
		keys = append(keys, "report.outcome."+o)
	}
	for _, a := range report.Answers() {
		keys = append(keys, "report.answer."+a)
	}
	return keys
}
