package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// An analyst sees on a case that it is part of a burst, when its turn is, and
// reaches all of them from there.
func TestABurstIsSaidOnItsCases(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	plain := d.reported(t, "https://ruangsuara.example/v/plain")
	var last report.ID
	for i := range 25 {
		r, err := x.App.Report.Submit(t.Context(), report.Submission{
			Channel: report.Web, Locations: []string{fmt.Sprintf("https://ruangsuara.example/v/burst-%d", i)}, Category: report.Unsure, Lang: "id",
			Description: "tolong hapus akun ini karena sudah lama meresahkan warga kampung kami dan semua orang tahu",
		})
		if err != nil {
			t.Fatal(err)
		}
		last = r.ReportID
	}
	var cases []casework.Case
	comes(t, x, "the last case", func() bool {
		var err error
		if cases, err = x.App.Casework.OfReport(t.Context(), d.As(t, "analyst").Actor, last); err != nil {
			t.Fatal(err)
		}
		return len(cases) == 1
	})
	if cases[0].LaneID == "" {
		t.Fatalf("it is in no lane: %+v", cases[0])
	}
	lane := "/triage?lane=" + string(cases[0].LaneID)
	body := d.get(t, "/cases/"+string(cases[0].ID)).body
	for _, want := range []string{"Bagian dari lonjakan: 25 kasus tautan yang dilaporkan dengan kata-kata hampir sama.", "yang ini mulai", `href="` + lane + `"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the case does not say %q", want)
		}
	}
	pagetest.Check(t, "case", body)
	if body := d.get(t, "/cases/"+string(plain.ID)).body; strings.Contains(body, "onjakan: ") {
		t.Error("a case that is no part of it says that it is")
	}
	body = d.get(t, lane).body
	if strings.Contains(body, plain.Ref) || !strings.Contains(body, cases[0].Ref) || !strings.Contains(body, "lonjakan, bergiliran") {
		t.Error("the list of the burst is not that of the burst")
	}
	all, _, err := x.App.Casework.Queue(t.Context(), d.As(t, "analyst").Actor, casework.Filter{Lane: cases[0].LaneID})
	if err != nil || len(all) != 25 {
		t.Errorf("%d cases are in the burst (%v)", len(all), err)
	}
	for name, view := range map[string]browsertest.View{"desk": {}, "phone": {Phone: true, Dark: true}} {
		p := browsertest.Open(t, view)
		p.Bring(d.Browser.Jar, d.URL)
		p.Go(d.URL + "/cases/" + string(cases[0].ID))
		p.Shot("lane-" + name)
	}
}
