package view

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WriteCSV writes the figures as rows of figure, part, from, to and value
// (RFC 4180), so that every figure of the page stands in a row of its own. A
// value that too few decisions stand behind is "too few"; times are UTC in ISO
// 8601, lengths in minutes.
func (f Figures) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	from, to := f.From, f.At
	row := func(figure, part, value string) {
		if part != "" && strings.ContainsRune("=+-@\t\r", rune(part[0])) {
			part = "'" + part // an organisation's name, which a spreadsheet would run as a formula
		}
		_ = c.Write([]string{figure, part, stamp(from), stamp(to), value}) // Error says it below
	}
	count := func(figure, part string, n int) { row(figure, part, strconv.Itoa(n)) }
	_ = c.Write([]string{"figure", "part", "from", "to", "value"})
	for _, x := range []struct {
		figure, part string
		n            int
	}{
		{"reports", "", f.Reports.Total},
		{"reports", "closed", f.Reports.Closed},
		{"reports", "open", f.Reports.Open},
		{"reports", "referred", f.Reports.Referred},
		{"reports", "ordered", f.Reports.Ordered},
		{"orders", "", f.Orders.Total},
		{"orders", "items", f.Orders.Items},
		{"orders", "acted", f.Orders.Acted},
		{"orders", "refused", f.Orders.Refused},
		{"orders", "open", f.Orders.Open},
		{"orders", "undone", f.Orders.Undone},
		{"orders", "on-time", f.Orders.OnTime},
		{"orders", "late", f.Orders.Late},
		{"referrals", "", f.Referrals.Total},
		{"referrals", "items", f.Referrals.Items},
		{"referrals", "acted", f.Referrals.Acted},
		{"referrals", "declined", f.Referrals.Declined},
		{"referrals", "open", f.Referrals.Open},
		{"referrals", "undone", f.Referrals.Undone},
	} {
		count(x.figure, x.part, x.n)
	}
	row("minutes-to-receipt", "", few(f.Orders.ToReceipt))
	row("minutes-to-answer", "", few(f.Orders.ToAnswer))
	row("on-time-percent", "", few(f.Orders.OnTimePercent))
	for _, p := range f.Platforms {
		count("platform-orders", p.Name, p.Total)
		count("platform-refused", p.Name, p.Refused)
		row("platform-minutes-to-receipt", p.Name, few(p.ToReceipt))
		row("platform-minutes-to-answer", p.Name, few(p.ToAnswer))
		row("platform-on-time-percent", p.Name, few(p.OnTimePercent))
	}
	for _, g := range slices.Sorted(maps.Keys(f.Grounds)) {
		count("orders-by-ground", g, f.Grounds[g])
	}
	for _, b := range slices.Sorted(maps.Keys(f.Refusals)) {
		count("refused-items-by-basis", b, f.Refusals[b])
	}
	for _, week := range f.Weeks {
		from, to = week.From, week.From.AddDate(0, 0, 7)
		count("week-orders", "acted", week.Acted)
		count("week-orders", "refused", week.Refused)
		count("week-orders", "open", week.Open)
		count("week-orders", "undone", week.Undone)
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func few(n *int) string {
	if n == nil {
		return "too few"
	}
	return strconv.Itoa(*n)
}
