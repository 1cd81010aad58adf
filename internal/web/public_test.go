package web

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/a-h/templ"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

var reported = time.Date(2026, 11, 19, 7, 32, 0, 0, time.UTC)

func publicPage(t *testing.T, p *i18n.Printer, title, path string) components.PublicPage {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	return components.PublicPage{Page: components.Page{P: p, Title: title, Path: path, Zone: zone, Now: reported.Add(time.Hour)}}
}

func narrow(pg components.PublicPage) components.PublicPage {
	pg.Narrow, pg.NoFoot, pg.Exit = true, true, "https://cuaca.example"
	return pg
}

func home(t *testing.T, p *i18n.Printer) HomePage {
	t.Helper()
	share := func(key string, n int64, look components.ShareLook) components.Share {
		return components.Share{Name: p.T("public.home.share." + key), Value: n, Look: look, Text: p.Number(n), Part: p.Percent(n, 4218)}
	}
	var bars []components.Bar
	for i, v := range [][]int64{{62, 5, 0}, {70, 4, 0}, {58, 6, 0}, {75, 3, 0}, {81, 7, 0}, {66, 5, 0}, {72, 4, 0}, {69, 6, 0}, {78, 5, 0}, {84, 9, 0}, {79, 6, 2}, {60, 7, 16}} {
		day := reported.AddDate(0, 0, (i-11)*7)
		b := components.Bar{Name: p.Date(day, time.UTC), Values: v}
		if i%3 == 0 || i == 11 {
			b.Label = p.Day(day, time.UTC)
		}
		bars = append(bars, b)
	}
	return HomePage{
		PublicPage: publicPage(t, p, p.T("public.home"), "/"), Emergency: "112",
		Figures: &Figures{
			From: reported.AddDate(0, 0, -30), To: reported, Reports: 4218, Orders: 346, CSV: "/figures.csv", JSON: "/figures.json",
			Outcome: components.Shares{Label: "4218", Parts: []components.Share{share("closed", 2574, components.ShareClosed), share("open", 486, components.ShareOpen), share("asked", 812, components.ShareAsked), share("bound", 346, components.ShareBound)}},
			Weeks: components.BarChart{
				Label: p.T("public.home.weeks.label", "Weeks", 12), Unit: p.T("public.home.week"), Phone: 6, Format: p.Number, Bars: bars,
				Series: []components.Series{{Name: p.T("public.home.actioned"), Look: components.LookSolid}, {Name: p.T("public.home.refused"), Look: components.LookHatch}, {Name: p.T("public.home.open"), Look: components.LookDashed}},
			},
			Facts:     []HomeFact{{Value: "27", Text: "perintah ditolak platform dengan alasan"}, {Value: "19", Text: "banding diperiksa"}, {Value: "6", Text: "perintah dibatalkan"}},
			Platforms: []PlatformLine{{Name: "Ruangsuara", Orders: "112", Median: p.Span(22 * time.Minute), Share: 137, OnTime: "98%", Refused: "6"}, {Name: "Pesanku", Orders: "41", Median: p.Span(108 * time.Minute), Share: 675, OnTime: "83%", Behind: true, Refused: "8"}},
		},
		Latest: []Decision{{Ref: "DEMO-PH-2026-01192", Platform: "Ruangsuara", Chip: components.Chip{State: components.StateRemoved}, At: reported}},
		Log:    &LogBand{Text: "Log publik.", Href: "/log"},
	}
}

// publicPages returns every public page, empty and full, by name.
func publicPages(t *testing.T, p *i18n.Printer) map[string]templ.Component {
	t.Helper()
	page := func(title, path string) components.PublicPage { return narrow(publicPage(t, p, p.T(title), path)) }
	empty := home(t, p)
	empty.Figures, empty.Latest, empty.Log = nil, nil, nil
	form := ReportPage{PublicPage: page("public.report.title", "/report"), Token: "t", MaxFiles: 10, FileLimit: "50 MB", Reply: p.Lang(), URLs: []string{"https://ruangsuara.example/v/84qe-90t", "https://kabarkita.example/p/2"}, Category: "recruitment"}
	wrong := form
	wrong.PublicPage.Failed, wrong.Category, wrong.Contact, wrong.Many = true, "", "surel", "a\nb"
	wrong.Agencies = []Option{{"A", "Dit. Tangkal Daring"}, {"B", "Unit Meridia"}}
	for _, f := range []string{"url", "urls", "category", "description", "files", "contact", "agency"} {
		wrong.Errors = append(wrong.Errors, components.FieldError{Field: f, Text: "Perbaiki " + f})
	}
	status := StatusPage{
		PublicPage: page("public.status.title", "/receipt"), Code: "TGK-7Q4M-92XK-D3VR-8WPN", Ref: "DEMO-LP-2026-01192", Agency: "Dit. Tangkal Daring",
		Headline: components.Chip{State: components.StateReview}, Files: 1, Links: 2, Saved: p.T("public.status.saved.message"),
		Steps:    []StatusStep{{Icon: "circle-check-big", Text: p.T("public.receipt.title"), At: reported}, {Icon: "scale", Text: p.T("public.receipt.judged")}},
		Messages: []StatusMessage{{From: "Dit. Tangkal Daring", Text: "Menit ke berapa?", At: reported}, {Ours: true, From: p.T("public.status.you"), Text: "00:37", At: reported}},
	}
	refused := status
	refused.Saved, refused.Errors = "", []components.FieldError{{Field: "message", Text: "Tulis sesuatu"}, {Field: "files", Text: "Terlalu besar"}}
	seats := SignInPage{PublicPage: publicPage(t, p, p.T("public.signin.title"), "/sign-in"), Challenge: "1", Nonce: "AAAA", Next: "/triage", Failed: "Ditolak"}
	seats.Signs = true
	demo := seats
	demo.Demo = []DemoParty{{Name: "Dit. Tangkal Daring", Kind: "Lembaga", Icon: "landmark", People: []DemoPerson{{Name: "Ratna S.", Initials: "RS", Role: "analis", Does: "Menilai laporan", ID: "ratna"}, {Name: "Sari W.", Initials: "SW", Role: "penyetuju", Does: "Menyetujui usulan", ID: "sari"}}}, {Name: "Ruangsuara", Kind: "Platform video", Icon: "building-2", People: []DemoPerson{{Name: "Mia T.", Initials: "MT", Role: "kepercayaan & keamanan", Does: "Menjawab perintah", ID: "mia"}}}}
	return map[string]templ.Component{
		"home": homeView(home(t, p)), "home-empty": homeView(empty), "report": reportView(form), "report-error": reportView(wrong),
		"receipt": receiptView(ReceiptPage{PublicPage: page("public.receipt.title", "/report"), Code: status.Code, At: reported, Usual: 24 * time.Hour, Counsel: "konselor", CounselTo: "https://konselor.example"}),
		"check":   checkView(CheckPage{PublicPage: page("public.check.title", "/receipt"), Errors: []components.FieldError{{Field: "code", Text: p.T("public.check.wrong")}}}),
		"status":  statusView(status), "status-error": statusView(refused), "signin": signInView(seats), "signin-demo": signInView(demo),
		"join":  joinView(JoinPage{PublicPage: page("public.signin.title", "/invitations/x"), Action: "/invitations/x", Party: "Ruangsuara", Roles: "analis", Zones: []Option{{"Asia/Jakarta", "WIB"}}, Errors: []components.FieldError{{Field: "name", Text: "Isi nama"}}}),
		"error": errorView(ErrorPage{PublicPage: page("public.error.internal", "/x"), Icon: "circle-alert", What: p.T("fault.internal", "Ref", "ABCD1234"), Kept: p.T("public.error.kept"), Code: "ABCD1234", Back: Option{"/", p.T("public.error.home")}}),
	}
}

func TestPublicPagesKeepTheRules(t *testing.T) {
	for _, lang := range i18n.Langs() {
		for name, page := range publicPages(t, i18n.For(lang)) {
			pagetest.Render(t, "public-"+name+"-"+string(lang), page)
		}
	}
}

func TestPublicFormsWorkWithoutScript(t *testing.T) {
	p := i18n.For(i18n.EN)
	pages := publicPages(t, p)
	for name, wants := range map[string][]string{
		"report":  {`action="/report"`, `enctype="multipart/form-data"`, `name="url"`, `name="urls"`, `name="category"`, `name="files"`, `name="contact"`, `name="reply"`, `name="token"`, `type="submit"`},
		"receipt": {`action="/receipt"`, `name="code" value="TGK-7Q4M-92XK-D3VR-8WPN"`, `type="submit"`},
		"status":  {`action="/receipt/message"`, `name="message"`, `action="/receipt/material"`, `name="files"`},
		"home":    {`action="/receipt"`, `name="code"`},
	} {
		markup := pagetest.Render(t, name, pages[name])
		for _, want := range wants {
			if !strings.Contains(markup, want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
	}
}

func TestAFormWithErrorsKeepsEveryAnswer(t *testing.T) {
	p := i18n.For(i18n.ID)
	markup := pagetest.Render(t, "report-error", publicPages(t, p)["report-error"])
	for _, want := range []string{
		"<title>Galat: ", `value="https://ruangsuara.example/v/84qe-90t"`, `value="https://kabarkita.example/p/2"`, `value="surel"`, ">a\nb</textarea>",
		`href="#url"`, `href="#category"`, `id="category"`, `aria-describedby="files-hint files-error"`,
	} {
		if !strings.Contains(markup, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestAReceiptCodeNeverStandsInAnAddress(t *testing.T) {
	for name, page := range publicPages(t, i18n.For(i18n.EN)) {
		markup := pagetest.Render(t, name, page)
		for _, part := range strings.Split(markup, "\"") {
			if strings.HasPrefix(part, "/") && strings.Contains(part, "TGK-") {
				t.Errorf("%s: %q", name, part)
			}
		}
	}
}
