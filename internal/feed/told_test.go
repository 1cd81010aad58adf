package feed_test

import (
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/feed"
)

// What follows from a report at once is told to programs by the hour, so that
// nobody puts it beside records of who used a network when; all else to the
// moment.
func TestWhatFollowsFromAReportIsToldByTheHour(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 47, 31, 123_000, time.FixedZone("WIB", 7*60*60))
	hour := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		entry feed.Entry
		want  time.Time
	}{
		{feed.Entry{Object: "report", Kind: "report.received", At: at}, hour},
		{feed.Entry{Object: "report", Kind: "report.added", At: at}, hour},
		{feed.Entry{Object: "case", Kind: "case.opened", At: at}, hour},
		{feed.Entry{Object: "case", Kind: "case.joined", At: at}, hour},
		{feed.Entry{Object: "case", Kind: "case.taken", At: at}, at},
		{feed.Entry{Object: "notice", Kind: "notice.sent", At: at}, at},
	} {
		if got := c.entry.ToldAt(); !got.Equal(c.want) {
			t.Errorf("%s is told as of %v, want %v", c.entry.Kind, got, c.want)
		}
	}
}
