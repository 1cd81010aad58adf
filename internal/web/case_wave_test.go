package web_test

import (
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// An analyst sees a campaign on the case it is about: how many reports came at
// once, how many of them read alike, and as how many they count.
func TestACampaignIsSeenOnItsCase(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	c := d.reported(t, aPost)
	if body := d.get(t, "/cases/"+string(c.ID)).body; strings.Contains(body, "serupa") {
		t.Error("one report is shown as a wave")
	}
	for range 44 { // ten minutes may end meanwhile: one side has twenty
		d.reported(t, aPost)
	}
	body := d.get(t, "/cases/"+string(c.ID)).body
	for _, want := range []string{"laporan dalam 10 menit, 100% di antaranya serupa", "45 laporan kasus ini dihitung sebagai 1 suara", "<rect"} {
		if !strings.Contains(body, want) {
			t.Errorf("the case does not say %q", want)
		}
	}
	pagetest.Check(t, "case", body)
	p := browsertest.Open(t, browsertest.View{Dark: true})
	p.Bring(d.Browser.Jar, d.URL)
	p.Go(d.URL + "/cases/" + string(c.ID))
	p.Shot("wave")
}
