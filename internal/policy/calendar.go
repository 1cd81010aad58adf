package policy

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Calendar says which days are worked, in the pack's time zone.
type Calendar struct {
	Weekend  []string  `json:"weekend"`  // English names, lower case
	Holidays []Holiday `json:"holidays"` // in order of date

	loc *time.Location
}

// A Holiday is one day off.
type Holiday struct {
	Date   string `json:"date"` // 2026-12-25
	Name   Text   `json:"name"`
	Source string `json:"source"`
}

// Location returns the pack's time zone.
func (c Calendar) Location() *time.Location {
	if c.loc == nil {
		return time.UTC
	}
	return c.loc
}

// WorkingDay reports whether the day of t, as seen in the pack's time zone, is
// neither weekend nor a holiday.
func (c Calendar) WorkingDay(t time.Time) bool {
	local := t.In(c.Location())
	day := strings.ToLower(local.Weekday().String())
	if slices.Contains(c.Weekend, day) {
		return false
	}
	date := local.Format(time.DateOnly)
	_, holiday := slices.BinarySearchFunc(c.Holidays, date, func(h Holiday, d string) int { return strings.Compare(h.Date, d) })
	return !holiday
}

// AfterWorkingDays returns the first moment at which n full working days have
// passed since t: midnight, in the pack's time zone, at the end of the n-th. The
// day of t itself does not count. For n <= 0 it returns t.
// Compare Regulation (EEC, Euratom) 1182/71, Article 3.
func (c Calendar) AfterWorkingDays(t time.Time, n int) time.Time {
	if n <= 0 {
		return t
	}
	y, m, d := t.In(c.Location()).Date()
	for n > 0 {
		d++
		if c.WorkingDay(time.Date(y, m, d, 12, 0, 0, 0, c.Location())) {
			n--
		}
	}
	return time.Date(y, m, d+1, 0, 0, 0, 0, c.Location())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
