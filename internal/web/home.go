package web

import (
	"time"

	"github.com/tangkal/tangkal/internal/web/components"
)

// HomePage is the public's way in: report, follow a report, and what came of
// all of them.
type HomePage struct {
	components.PublicPage
	Emergency string   // number to call in danger; a setting of each deployment, "" leaves the line out
	Failed    string   // why a receipt code was not found, said beside its field; "" if it was not asked
	Figures   *Figures // nil until something was decided
	Latest    []Decision
	Log       *LogBand // nil where this instance keeps no public log
}

// Figures are the last 30 days in numbers, everything said and counted.
type Figures struct {
	From, To  time.Time
	Reports   int64
	Orders    int64
	CSV, JSON string // addresses of the same figures; "" leaves the button out
	Outcome   components.Shares
	Weeks     components.BarChart
	Facts     []HomeFact
	Platforms []PlatformLine
}

// A HomeFact is a figure with a sentence: refusals, appeals, reversals, blocks.
// They are shown with the same weight as removals.
type HomeFact struct {
	Value string
	Text  string
	Link  string // said after Text, as a link to Href
	Href  string
}

// A PlatformLine says how one platform answers.
type PlatformLine struct {
	Name    string
	Orders  string
	Median  string // time from receipt to answer
	Share   int    // the median in thousandths of the longest
	OnTime  string
	Behind  bool // under nine in ten on time
	Refused string
}

// A Decision is a line of the latest decisions; it shows neither link nor
// account.
type Decision struct {
	Ref      string
	Platform string
	Chip     components.Chip
	At       time.Time
	Href     string // "" where there is no page of its own
}

// LogBand invites a stranger to check the public log.
type LogBand struct {
	Text string // how many entries, and who signed the last checkpoint
	Href string
}

// howItWorks lists the four steps of the home page, by icon and catalogue key.
func howItWorks() []struct{ Icon, Key string } {
	return []struct{ Icon, Key string }{{"flag", "report"}, {"scale", "judge"}, {"user-check", "second"}, {"list-tree", "log"}}
}
