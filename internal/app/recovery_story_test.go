package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/mail/mailtest"
)

// Whoever a recovery is about and those who spoke for it are told of every
// step, each in their own words, and nobody is sent a half of what it takes.
func TestEverybodyConcernedIsToldOfARecovery(t *testing.T) {
	eachMailing(t, atEight, func(t *testing.T, x *exchangetest.Exchange, s *mailtest.Server) {
		admin, approver, lost := x.Cast(t, "agency-admin"), x.Cast(t, "approver"), x.Cast(t, "analyst")
		told := func(p *exchangetest.Person, want ...string) {
			t.Helper()
			eventually(t, "letters to "+p.Email, func() bool { return len(lettersTo(s, p.Email)) >= len(want) })
			got := lettersTo(s, p.Email)
			for _, text := range want { // two that leave at once come in either order
				if !slices.ContainsFunc(got, func(l mailtest.Letter) bool { _, said := plain(t, l); return strings.Contains(said, text) }) {
					t.Errorf("no letter to %s says %q", p.Email, text)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d letters to %s, want %d", len(got), p.Email, len(want))
			}
		}
		r, code, err := x.App.Auth.OpenRecovery(t.Context(), admin.Actor, lost.Person)
		if err != nil {
			t.Fatal(err)
		}
		told(lost, "pemulihan akses Anda dibuka")
		told(approver, "Ini memerlukan orang kedua") // could be the second one
		_, secret, err := x.App.Auth.ConfirmRecovery(t.Context(), approver.Actor, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		told(lost, "pemulihan akses Anda dibuka", "dua orang telah memastikan")
		if _, err := x.App.Auth.Recover(t.Context(), secret, code, make([]byte, 32), "x"); err != nil {
			t.Fatal(err)
		}
		told(lost, "pemulihan akses Anda dibuka", "dua orang telah memastikan", "kunci baru telah dibuat untuk Anda")
		told(approver, "Ini memerlukan orang kedua", "sudah punya orang kedua", "telah membuat kunci baru")
		told(admin, "Ini memerlukan orang kedua", "sudah punya orang kedua", "telah membuat kunci baru")
		for _, l := range s.Letters() {
			if _, text := plain(t, l); strings.Contains(text, code) || strings.Contains(text, secret) || strings.Contains(text, "/recovery/") {
				t.Errorf("a letter holds a half:\n%s", text)
			}
		}
		for _, name := range []string{"second-analyst", "officer", "platform", "same-officer", "reviewer"} {
			if got := lettersTo(s, x.Cast(t, name).Email); len(got) > 0 {
				t.Errorf("%s was told of it", name)
			}
		}
	})
}
