package components_test

import (
	"context"
	"io"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/a-h/templ"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

var noon = time.Date(2026, 11, 19, 7, 32, 0, 0, time.UTC)

func jakarta(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func console(t *testing.T, p *i18n.Printer, theme components.Theme) components.ConsolePage {
	return components.ConsolePage{
		Page:  components.Page{P: p, Title: "KS-2026-0412", Path: "/cases/1?tab=reports", Theme: theme, Zone: jakarta(t), Now: noon},
		Seat:  components.SeatAgency,
		Party: components.Party{Name: "Dit. Tangkal Daring", Kind: "Lembaga, Indonesia"},
		Parties: []components.PartyLink{
			{Party: components.Party{Name: "Kem. Komunikasi", Kind: "Otoritas"}, ID: "x", Action: "/seat"},
		},
		Person: components.Person{ID: "1", Name: "Ratna S.", Initials: "RS", Role: "Analis", SignOut: "/sign-out", Profile: "/me"},
		Nav: []components.NavGroup{
			{Items: []components.NavItem{
				{Icon: "inbox", Label: "Triase", Href: "/triage", Count: "38", Active: true},
				{Icon: "folder-search", Label: "Kasus", Href: "/cases", Count: "126"},
				{Icon: "user-check", Label: "Persetujuan", Href: "/approvals", Count: "4", Hot: true},
				{Icon: "file-text", Label: "Perintah", Href: "/notices", Count: "57", Topic: "notice"},
			}},
			{Title: "Bersama", Items: []components.NavItem{{Icon: "siren", Label: "Ruang krisis", Href: "/crisis", Live: true}}},
		},
		Crumbs:   []components.Crumb{{Label: "Triase", Href: "/triage"}, {Label: "KS-2026-0412"}},
		Exposure: &components.Exposure{Seen: 38 * time.Minute, Limit: 120 * time.Minute, BreakIn: 12 * time.Minute},
		Alert:    &components.Alert{Strong: "Insiden aktif", Text: "KR-2026-004 · 00.42.10", Href: "/crisis", Link: "Buka"},
		Unread:   2, Waiting: "/approvals", Find: "/find", Events: "/events",
		Commands: []components.CommandGroup{{Title: "Kasus ini", Items: []components.Command{{Icon: "scale", Label: "Minta pendapat kedua", Keys: []string{"S"}, Click: "#second"}}}},
	}
}

// all renders every component under the others.
func all(t *testing.T, p *i18n.Printer) templ.Component {
	z := jakarta(t)
	var parts []templ.Component
	add := func(c ...templ.Component) { parts = append(parts, c...) }
	for _, s := range components.States() {
		add(components.StateChip(p, components.Chip{State: s}))
	}
	for _, l := range []string{"RED", "AMBER", "AMBER+STRICT", "GREEN", "CLEAR"} {
		add(components.TLPChip(l))
	}
	for _, g := range components.Grounds() {
		add(components.GroundCode(p, g, true), components.Text(g.Short(p)+" "+g.Tail(p)))
	}
	for _, x := range components.Purposes() {
		add(components.Text(x.Label(p)))
	}
	for _, left := range []time.Duration{3 * time.Hour, 104 * time.Minute, 40 * time.Minute, -71 * time.Minute} {
		add(components.DeadlineView(p, components.Running(noon.Add(left), 4*time.Hour, noon), z))
	}
	add(
		components.DeadlineView(p, components.Target(noon.Add(19*time.Minute), time.Hour, noon), z),
		components.DeadlineView(p, components.Paused(noon, 4*time.Hour), z),
		components.DeadlineView(p, components.Done(noon, 9*time.Minute), z),
		components.DeadlineView(p, components.Deadline{}, z),
		components.TimeView(p, noon, noon, z), components.AgoView(p, noon.Add(-3*time.Hour), noon, z),
		components.Disclosure(p, true), components.Disclosure(p, false),
		components.Kbd("Ctrl"), components.Avatar("RS", "av-k"), components.Pill("3"),
		components.NewPill("/triage", "case.opened report"),
		components.DefangedURL(p, components.Defanged{Text: "hxxps://ruangsuara[.]example/v/84qe-90t", Copy: true}),
		components.Meter(320, "brand", "32%"),
		components.Mark("size-8", "var(--brand)", "#0a9aa2"),
	)
	add(orders(p, z)...)
	add(forms(p)...)
	add(lists(p)...)
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, `<div class="grid justify-items-start gap-3 p-6"><h1 class="text-xl font-bold">Gallery</h1>`)
		for _, c := range parts {
			_, _ = io.WriteString(w, `<div class="w-full">`)
			if err := c.Render(ctx, w); err != nil {
				return err
			}
			_, _ = io.WriteString(w, `</div>`)
		}
		_, err := io.WriteString(w, `</div>`)
		return err
	})
}

func orders(p *i18n.Printer, z *time.Location) []templ.Component {
	return []templ.Component{
		components.Ladder(p, []components.Rung{
			{State: components.RungDone, Name: "Rujukan", Note: "17 Nov, tanpa jawaban"},
			{State: components.RungDone, Name: "Perintah 4 jam", Note: "19 Nov"},
			{State: components.RungNow, Sign: "1", Name: "Peringatan 1", Note: "Jawab sebelum 17.24 WIB"},
			{State: components.RungNext, Sign: "2", Name: "Peringatan 2", Note: "Paling cepat 17.24 WIB"},
			{State: components.RungNext, Sign: "3", Name: "Peringatan 3"},
			{State: components.RungLock, Name: "Blokir DNS", Note: "layanan umum: hanya dengan putusan pengadilan"},
		}),
		components.Chain(p, []components.ChainStep{
			{Act: "diusulkan", Person: "Ratna S.", Initials: "RS", At: noon},
			{Act: "disetujui", Person: "Sari W.", Initials: "SW", Party: "Dit. Tangkal Daring", At: noon},
			{Act: "diterbitkan", Person: "petugas Kem. Komunikasi"},
		}, z),
		components.ClockBarView(components.ClockBar{
			Parts: []components.ClockPart{{Kind: components.ClockRan, Took: 35 * time.Minute, Label: "35 mnt berjalan"}, {Kind: components.ClockStood, Took: 41 * time.Minute, Label: "41 mnt berhenti"}, {Kind: components.ClockLate, Took: 71 * time.Minute, Label: "1 j 11 lewat"}},
			Marks: []components.ClockMark{{Label: "08.40"}, {After: 76 * time.Minute, Label: "13.21"}, {After: 147 * time.Minute, Label: "kini"}},
		}),
		components.Timeline(p, []components.Event{
			{Icon: "triangle-alert", Tone: components.ToneAmber, Who: "Bagus T.", Text: "mengirim peringatan 1", At: noon, Note: "lewat API"},
			{Icon: "undo-2", Text: "Dikembalikan", At: noon, Quote: "G2 tidak didukung transkrip."},
		}, noon, z),
	}
}

func forms(p *i18n.Printer) []templ.Component {
	return []templ.Component{
		components.ErrorSummary(p, []components.FieldError{{Field: "url", Text: "Masukkan tautan"}, {Text: "Coba lagi"}}),
		components.InputField(p, components.Input{FieldBox: components.FieldBox{ID: "url", Label: "Tautan", Hint: "Salin dari bilah alamat", Error: "Masukkan tautan"}, Name: "url", Mono: true}),
		components.TextAreaField(p, components.TextArea{FieldBox: components.FieldBox{ID: "why", Label: "Alasan", Small: true}, Name: "why", Rows: 3}),
		components.ChoiceField(p, components.Choices{FieldBox: components.FieldBox{ID: "kind", Label: "Ini tentang apa?"}, Name: "kind", Choices: []components.Choice{{Value: "a", Label: "Perekrutan"}, {Value: "b", Label: "Lain", Hint: "Kami yang menilai", Checked: true}}}),
		components.ChoiceField(p, components.Choices{FieldBox: components.FieldBox{ID: "many", Label: "Pilih semua"}, Name: "many", Many: true, Choices: []components.Choice{{Value: "a", Label: "Satu"}}}),
		components.SegmentedField(components.Segmented{Name: "g1", Label: "G1", Segments: components.YesNo(p, true), Key: "1", Small: true}),
		components.ConfirmDialog(p, components.Confirm{
			ID: "dns", Icon: "shield-ban", Title: "Usulkan blokir", Text: "Ini belum memblokir.", EffectHead: "Yang terdampak", Effects: []string{"satu situs"},
			Conditions: []components.Condition{{Met: true, Name: "Uji situs"}, {Name: "Dua organisasi", Note: "belum"}}, Type: "situs.example", TypeLabel: "Ketik nama", Action: "/x",
			Fields: []components.Hidden{{Name: "id", Value: "1"}}, Submit: "Kirim", Danger: true, Sign: &components.SignForm{Digest: "AAAA", Keys: []string{"0123456789abcdef"}, Enrol: "/me/keys"},
		}),
		components.UploadProgress(p),
		components.ProgressView("Memeriksa", "3", "10"),
		components.CopyButton(components.CopyText{Text: "TGK", Label: "Salin kode"}),
	}
}

func lists(p *i18n.Printer) []templ.Component {
	return []templ.Component{
		components.TabLinks("Isi kasus", []components.Tab{{Label: "Transkrip", Href: "?tab=a", Active: true}, {Label: "Laporan", Count: "14", Href: "?tab=b"}}),
		components.EmptyState(components.Empty{Icon: "coffee", Title: "Antrean kosong. Istirahatlah.", Text: "Tidak ada yang menunggu.", Action: "Muat ulang", Href: "/triage"}),
		components.NoteBox(components.Note{Tone: components.ToneViolet, Icon: "scale", Strong: "Catatan.", Text: "Klaim saja tidak."}),
		components.Facts([]components.Fact{{Name: "Bukti", Value: "6 berkas"}}),
		components.TableView(p, components.Table{
			Caption: "Perintah", Select: "item", Columns: []components.Column{{Label: "Nomor"}, {Label: "Butir", Right: true}},
			Rows: []components.Row{{ID: "1", Name: "PH-2026-01211", Cells: []templ.Component{components.Text("PH-2026-01211"), components.Text("2")}}},
		}),
		components.ToastView(p, components.Toast{Icon: "check", Text: "Ditutup", Undo: "/undo", Fields: []components.Hidden{{Name: "token", Value: "1"}}}),
		components.BarChartView(p, components.BarChart{
			Label: "Perintah per pekan", Unit: "Pekan", Phone: 6, Format: p.Number,
			Series: []components.Series{{Name: "ditindak", Look: components.LookSolid}, {Name: "ditolak", Look: components.LookHatch}, {Name: "berjalan", Look: components.LookDashed}},
			Bars:   []components.Bar{{Label: "31 Agu", Name: "31 Agustus", Values: []int64{62, 5, 0}}, {Name: "7 September", Values: []int64{70, 4, 9}}},
		}),
		components.SharesView(components.Shares{Label: "Hasil", Parts: []components.Share{{Name: "ditutup", Value: 2574, Text: "2.574", Part: "61%", Look: components.ShareClosed}, {Name: "ditinjau", Value: 486, Text: "486", Part: "12%", Look: components.ShareOpen}, {Name: "rujukan", Value: 812, Text: "812", Part: "19%", Look: components.ShareAsked}, {Name: "perintah", Value: 346, Text: "346", Part: "8%", Look: components.ShareBound}}}),
	}
}

func TestEveryComponentStandsInBothFrames(t *testing.T) {
	for _, lang := range i18n.Langs() {
		for _, theme := range []components.Theme{components.ThemeLight, components.ThemeDark} {
			p := i18n.For(lang)
			name := "gallery-" + string(lang) + "-" + string(theme)
			inside := all(t, p)
			pagetest.Render(t, name, with(inside, components.Console(console(t, p, theme))))
			public := components.PublicPage{Page: components.Page{P: p, Title: "Gallery", Path: "/", Theme: theme, Now: noon, Failed: true}, Active: "report", Exit: "https://cuaca.example"}
			pagetest.Render(t, name+"-public", with(inside, components.Public(public)))
			public.Narrow, public.NoFoot = true, true
			pagetest.Render(t, name+"-narrow", with(inside, components.Public(public)))
		}
	}
}

// with renders c around the children.
func with(children, c templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return c.Render(templ.WithChildren(ctx, children), w)
	})
}

func TestPaceOfADeadline(t *testing.T) {
	for _, c := range []struct {
		left, window time.Duration
		want, own    components.Pace
	}{
		{3 * time.Hour, 4 * time.Hour, components.PaceCalm, components.PaceCalm},
		{2*time.Hour + time.Second, 4 * time.Hour, components.PaceCalm, components.PaceCalm},
		{2 * time.Hour, 4 * time.Hour, components.PaceSoon, components.PaceSoon},
		{time.Hour, 4 * time.Hour, components.PaceSoon, components.PaceSoon},
		{time.Hour - time.Second, 4 * time.Hour, components.PaceHot, components.PaceSoon},
		{44 * time.Minute, time.Hour, components.PaceHot, components.PaceSoon},
		{5 * time.Hour, 24 * time.Hour, components.PaceHot, components.PaceSoon},
		{0, time.Hour, components.PaceOverdue, components.PaceOverdue},
		{-time.Minute, time.Hour, components.PaceOverdue, components.PaceOverdue},
	} {
		if got := components.Running(noon.Add(c.left), c.window, noon).Pace; got != c.want {
			t.Errorf("%v of %v is %q, want %q", c.left, c.window, got, c.want)
		}
		if got := components.Target(noon.Add(c.left), c.window, noon).Pace; got != c.own {
			t.Errorf("%v of our own %v is %q, want %q", c.left, c.window, got, c.own)
		}
	}
}
