package i18n

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

var numbers = map[Lang]*message.Printer{
	ID: message.NewPrinter(language.Indonesian),
	EN: message.NewPrinter(language.English),
}

// Number returns n with the language's thousands separator: 4.218 or 4,218.
func (p *Printer) Number(n int64) string { return numbers[p.lang].Sprintf("%d", n) }

// Decimal returns f with the given number of digits after the decimal sign:
// 18,2 or 18.2.
func (p *Printer) Decimal(f float64, digits int) string {
	return numbers[p.lang].Sprint(number.Decimal(f, number.Scale(digits)))
}

// Percent returns part of whole as a whole per cent, and a dash where the
// whole is nothing.
func (p *Printer) Percent(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return numbers[p.lang].Sprintf("%d%%", (part*200+whole)/(whole*2))
}

// Bytes returns a size in decimal units (1 kB = 1000 bytes), with one digit
// after the sign below ten.
func (p *Printer) Bytes(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if f < 999.5 {
			break
		}
		f, unit = f/1000, u
	}
	if unit == "B" || f >= 9.95 {
		return p.Decimal(f, 0) + " " + unit
	}
	return p.Decimal(f, 1) + " " + unit
}

var months = map[Lang][12]string{
	ID: {"Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober", "November", "Desember"},
	EN: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

var shortMonths = map[Lang][12]string{
	ID: {"Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"},
	EN: {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
}

var weekdays = map[Lang][7]string{
	ID: {"Minggu", "Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu"},
	EN: {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
}

// Weekday returns the name of a day of the week: Senin.
func (p *Printer) Weekday(d time.Weekday) string { return weekdays[p.lang][d] }

// TimeOfDay returns minutes from midnight as a time of day: 08.00 or 08:00.
func (p *Printer) TimeOfDay(minutes int) string {
	return p.clock(time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC), false)
}

// clock writes hours and minutes: a dot between them in Indonesian (Ejaan yang
// Disempurnakan, time of day), a colon in English.
func (p *Printer) clock(t time.Time, seconds bool) string {
	layout := "15:04"
	if seconds {
		layout = "15:04:05"
	}
	s := t.Format(layout)
	if p.lang == ID {
		s = strings.ReplaceAll(s, ":", ".")
	}
	return s
}

// Zone returns the name of zone at t: an abbreviation people use (WIB, WITA,
// WIT, UTC), else the distance from UTC.
func Zone(t time.Time, zone *time.Location) string {
	name, offset := t.In(zone).Zone()
	if name != "" && name[0] != '+' && name[0] != '-' {
		return name
	}
	return distance(offset)
}

func distance(offset int) string {
	sign, o := '+', offset
	if o < 0 {
		sign, o = '-', -o
	}
	if o%3600 == 0 {
		return fmt.Sprintf("UTC%c%d", sign, o/3600)
	}
	return fmt.Sprintf("UTC%c%d:%02d", sign, o/3600, o%3600/60)
}

// Clock returns the time of day without its zone, for columns whose head names
// it: 14.32 or 14:32.
func (p *Printer) Clock(t time.Time, zone *time.Location) string {
	return p.clock(t.In(zone), false)
}

// Time returns the time of day with its zone: 14.32 WIB or 14:32 WIB.
func (p *Printer) Time(t time.Time, zone *time.Location) string {
	return p.Clock(t, zone) + " " + Zone(t, zone)
}

// Moment is Time to the second: 14.32.08 WIB.
func (p *Printer) Moment(t time.Time, zone *time.Location) string {
	return p.clock(t.In(zone), true) + " " + Zone(t, zone)
}

// Date returns a date in full: 19 November 2026.
func (p *Printer) Date(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	return fmt.Sprintf("%d %s %d", t.Day(), months[p.lang][t.Month()-1], t.Year())
}

// Day returns a date without its year: 19 Nov.
func (p *Printer) Day(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	return fmt.Sprintf("%d %s", t.Day(), shortMonths[p.lang][t.Month()-1])
}

// DateTime returns date and time with their zone, as records show them:
// 19 November 2026, 14.32 WIB.
func (p *Printer) DateTime(t time.Time, zone *time.Location) string {
	return p.Date(t, zone) + ", " + p.Time(t, zone)
}

// Exact returns everything about an instant, for a title on a shorter form:
// Kamis, 19 November 2026 14.32.08 WIB (UTC+7).
func (p *Printer) Exact(t time.Time, zone *time.Location) string {
	l := t.In(zone)
	_, offset := l.Zone()
	comma := ""
	if p.lang == ID {
		comma = ","
	}
	s := weekdays[p.lang][l.Weekday()] + comma + " " + p.Date(t, zone) + " " + p.clock(l, true) + " " + Zone(t, zone)
	if d := distance(offset); d != Zone(t, zone) && offset != 0 {
		s += " (" + d + ")"
	}
	return s
}

// When returns the shortest form that is clear at now: the time of day for
// today, day and time within half a year, else the date.
func (p *Printer) When(t, now time.Time, zone *time.Location) string {
	a, b := t.In(zone), now.In(zone)
	switch {
	case a.YearDay() == b.YearDay() && a.Year() == b.Year():
		return p.Time(t, zone)
	case now.Sub(t).Abs() < 182*24*time.Hour:
		return p.Day(t, zone) + " " + p.Time(t, zone)
	default:
		return p.Date(t, zone)
	}
}

// Span returns a length of time in the one or two units that matter: 45 dtk,
// 19 mnt, 1 j 44, 3 hari. It rounds down, so that a deadline never looks
// longer than it is; a negative length is taken as its absolute value.
func (p *Printer) Span(d time.Duration) string {
	d = d.Abs()
	minutes := int(d / time.Minute)
	switch {
	case d < time.Minute:
		return p.T("ui.span.seconds", "S", int(d/time.Second))
	case minutes < 60:
		return p.T("ui.span.minutes", "M", minutes)
	case minutes < 48*60 && minutes%60 == 0:
		return p.T("ui.span.hours", "H", minutes/60)
	case minutes < 24*60:
		return p.T("ui.span.hm", "H", minutes/60, "M", fmt.Sprintf("%02d", minutes%60))
	case minutes < 48*60:
		return p.T("ui.span.hours", "H", minutes/60)
	default:
		return p.N("ui.span.days", minutes/(24*60))
	}
}

// Window returns a length that was set by rule, without rounding to less than
// it is: 4 jam, 24 jam, 30 menit, 7 hari.
func (p *Printer) Window(d time.Duration) string {
	switch {
	case d > 48*time.Hour && d%(24*time.Hour) == 0:
		return p.N("ui.span.days", int(d/(24*time.Hour)))
	case d >= time.Hour && d%time.Hour == 0:
		return p.N("ui.window.hours", int(d/time.Hour))
	default:
		return p.N("ui.window.minutes", int(d/time.Minute))
	}
}

// Left returns the time until a deadline: 1 j 44 lagi.
func (p *Printer) Left(d time.Duration) string { return p.T("ui.left", "Span", p.Span(d)) }

// Over returns the time since a deadline: lewat 1 j 11.
func (p *Printer) Over(d time.Duration) string { return p.T("ui.over", "Span", p.Span(d)) }

// Ago returns the time from t to now: 3 j 05 lalu; what is less than a minute
// old is just now.
func (p *Printer) Ago(t, now time.Time) string {
	d := now.Sub(t)
	if d < time.Minute {
		return p.T("ui.now")
	}
	return p.T("ui.ago", "Span", p.Span(d))
}
