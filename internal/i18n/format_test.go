package i18n_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/tangkal/tangkal/internal/i18n"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestFormatsFollowTheLanguage(t *testing.T) {
	jakarta, jayapura, tehran := zone(t, "Asia/Jakarta"), zone(t, "Asia/Jayapura"), zone(t, "Asia/Tehran")
	at := time.Date(2026, 11, 19, 7, 32, 8, 0, time.UTC)
	for _, c := range []struct {
		name   string
		say    func(*i18n.Printer) string
		id, en string
	}{
		{"number", func(p *i18n.Printer) string { return p.Number(4218) }, "4.218", "4,218"},
		{"decimal", func(p *i18n.Printer) string { return p.Decimal(18.24, 1) }, "18,2", "18.2"},
		{"percent", func(p *i18n.Printer) string { return p.Percent(346, 4218) }, "8%", "8%"},
		{"percent of nothing", func(p *i18n.Printer) string { return p.Percent(0, 0) }, "–", "–"},
		{"bytes", func(p *i18n.Printer) string { return p.Bytes(184_300) }, "184 kB", "184 kB"},
		{"few bytes", func(p *i18n.Printer) string { return p.Bytes(512) }, "512 B", "512 B"},
		{"megabytes", func(p *i18n.Printer) string { return p.Bytes(2_540_000) }, "2,5 MB", "2.5 MB"},
		{"nearly a megabyte", func(p *i18n.Printer) string { return p.Bytes(999_700) }, "1,0 MB", "1.0 MB"},
		{"time", func(p *i18n.Printer) string { return p.Time(at, jakarta) }, "14.32 WIB", "14:32 WIB"},
		{"time in the east", func(p *i18n.Printer) string { return p.Time(at, jayapura) }, "16.32 WIT", "16:32 WIT"},
		{"time in UTC", func(p *i18n.Printer) string { return p.Time(at, time.UTC) }, "07.32 UTC", "07:32 UTC"},
		{"zone without a name", func(p *i18n.Printer) string { return p.Time(at, tehran) }, "11.02 UTC+3:30", "11:02 UTC+3:30"},
		{"date", func(p *i18n.Printer) string { return p.Date(at.AddDate(0, -1, 0), jakarta) }, "19 Oktober 2026", "19 October 2026"},
		{"date and time", func(p *i18n.Printer) string { return p.DateTime(at, jakarta) }, "19 November 2026, 14.32 WIB", "19 November 2026, 14:32 WIB"},
		{"date crosses midnight", func(p *i18n.Printer) string { return p.Day(at.Add(12*time.Hour), jakarta) }, "20 Nov", "20 Nov"},
		{"exact", func(p *i18n.Printer) string { return p.Exact(at, jakarta) }, "Kamis, 19 November 2026 14.32.08 WIB (UTC+7)", "Thursday 19 November 2026 14:32:08 WIB (UTC+7)"},
		{"today", func(p *i18n.Printer) string { return p.When(at, at.Add(2*time.Hour), jakarta) }, "14.32 WIB", "14:32 WIB"},
		{"yesterday by the reader's clock", func(p *i18n.Printer) string { return p.When(at, at.Add(10*time.Hour), jakarta) }, "19 Nov 14.32 WIB", "19 Nov 14:32 WIB"},
		{"long ago", func(p *i18n.Printer) string { return p.When(at, at.AddDate(1, 0, 0), jakarta) }, "19 November 2026", "19 November 2026"},
		{"left", func(p *i18n.Printer) string { return p.Left(104*time.Minute + 59*time.Second) }, "1 j 44 lagi", "1 h 44 left"},
		{"left, padded", func(p *i18n.Printer) string { return p.Left(62 * time.Minute) }, "1 j 02 lagi", "1 h 02 left"},
		{"left, minutes", func(p *i18n.Printer) string { return p.Left(19 * time.Minute) }, "19 mnt lagi", "19 min left"},
		{"left, seconds", func(p *i18n.Printer) string { return p.Left(9 * time.Second) }, "9 dtk lagi", "9 s left"},
		{"left, whole hours", func(p *i18n.Printer) string { return p.Left(19 * time.Hour) }, "19 j lagi", "19 h left"},
		{"left, more than a day", func(p *i18n.Printer) string { return p.Left(30*time.Hour + time.Minute) }, "30 j lagi", "30 h left"},
		{"over", func(p *i18n.Printer) string { return p.Over(-71 * time.Minute) }, "lewat 1 j 11", "1 h 11 over"},
		{"over by days", func(p *i18n.Printer) string { return p.Over(9*24*time.Hour + time.Hour) }, "lewat 9 hari", "9 days over"},
		{"window", func(p *i18n.Printer) string { return p.Window(4 * time.Hour) }, "4 jam", "4 hours"},
		{"window of one hour", func(p *i18n.Printer) string { return p.Window(time.Hour) }, "1 jam", "1 hour"},
		{"window in minutes", func(p *i18n.Printer) string { return p.Window(90 * time.Minute) }, "90 menit", "90 minutes"},
		{"window in days", func(p *i18n.Printer) string { return p.Window(7 * 24 * time.Hour) }, "7 hari", "7 days"},
		{"ago", func(p *i18n.Printer) string { return p.Ago(at, at.Add(3*time.Hour)) }, "3 j lalu", "3 h ago"},
		{"just now", func(p *i18n.Printer) string { return p.Ago(at, at.Add(20*time.Second)) }, "baru saja", "just now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.say(i18n.For(i18n.ID)); got != c.id {
				t.Errorf("id: %q, want %q", got, c.id)
			}
			if got := c.say(i18n.For(i18n.EN)); got != c.en {
				t.Errorf("en: %q, want %q", got, c.en)
			}
		})
	}
}
