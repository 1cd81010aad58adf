package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/party"
)

// row is the text of the table's line that begins with a name.
func row(body, name string) string {
	for part := range strings.SplitSeq(body, "<tr>") {
		if line, _, _ := strings.Cut(part, "</tr>"); strings.Contains(line, name) {
			return line
		}
	}
	return ""
}

func TestHowOftenSomebodyWasRightIsTold(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	x.Join(t, "lena", warga, party.Analyst)
	analyst, lena := at(t, x, "analyst"), at(t, x, "lena")
	sent := lena.lists(t, "november.csv", "url\nhttps://ruangsuara.example/v/1\nhttps://ruangsuara.example/v/2\nhttps://ruangsuara.example/v/3\n")
	lena.post(t, sent.url.Path+"/start", nil).want(t, http.StatusOK)
	var cases []casework.Case
	comes(t, x, "the cases", func() bool {
		var err error
		cases, _, err = x.App.Casework.Queue(t.Context(), analyst.Actor, casework.Filter{Limit: 9})
		return err == nil && len(cases) == 3
	})
	_, err := x.App.Casework.Close(t.Context(), analyst.Actor, []casework.ID{cases[0].ID, cases[1].ID}, casework.CloseInput{Reason: "no-ground"})
	must(t, err)

	for _, who := range []string{"analyst", "approver", "reviewer"} {
		page := at(t, x, who).get(t, "/accuracy?days=365&by=share")
		page.want(t, http.StatusOK)
		line := row(page.body, "Jaring Warga")
		for _, want := range []string{`data-l="Laporan">3<`, `data-l="Terbukti">0<`, `data-l="Tidak terbukti">2<`, `data-l="Menunggu">1<`, "0%", "0 sampai 66%"} {
			if !strings.Contains(line, want) {
				t.Errorf("%s is not told %q in %q", who, want, line)
			}
		}
	}
	if body := at(t, x, "eu-analyst").get(t, "/accuracy").body; !strings.Contains(body, "Belum ada yang melapor atas namanya sendiri") || strings.Contains(body, "Jaring Warga") {
		t.Error("an agency to which nobody reported is told of others, or nothing is not explained")
	}
	for _, who := range []string{"lena", "platform", "agency-admin"} {
		at(t, x, who).get(t, "/accuracy").want(t, http.StatusNotFound)
		at(t, x, who).get(t, "/accuracy.csv").want(t, http.StatusNotFound)
	}
	if line := row(lena.get(t, "/lists").body, "365 hari"); !strings.Contains(line, `data-l="Tidak terbukti">2<`) {
		t.Errorf("its own figures: %q", line)
	}
	for who, path := range map[string]string{"analyst": "/accuracy.csv", "lena": "/lists/accuracy.csv"} {
		csv := at(t, x, who).get(t, path)
		if csv.status != http.StatusOK || !strings.Contains(csv.body, "Jaring Warga,civil,365,3,3,2,0,2,0,1,0.0000,0.0000,0.6576,") {
			t.Errorf("%s: %d %s", path, csv.status, csv.body)
		}
	}
	at(t, x, "reviewer").get(t, "/lists/accuracy.csv").want(t, http.StatusNotFound)
}
