// Package casework is where an analyst decides: what was reported becomes a
// case, the case is taken, captured and assessed against the closed grounds,
// and leaves as a frozen dossier, a hand-over or a closing with its reason.
//
// state.go is the one table of what may happen to a case. Everything a public
// method changes, rows and feed event, commits together. The party is the
// tenant: nobody sees a case of another, but oversight, which changes none.
// Reasons and free text are sealed under a key per case; references, platform,
// kind, grounds and times are plain (architecture.md, Data).
package casework

import (
	"cmp"
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/fetch"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/vault"
)

// An ID identifies a case (UUIDv7).
type ID string

// A State is where a case stands (domain.md, States).
type State string

// The states.
const (
	Open       State = "open"        // waits for somebody
	Taken      State = "taken"       // somebody assesses it
	Proposed   State = "proposed"    // its dossier waits for a second person
	Decided    State = "decided"     // a notice is on its way or being answered
	HandedOver State = "handed-over" // another party has been asked to take it
	Closed     State = "closed"
)

// States lists every state in the order in which a case passes them.
func States() []State { return []State{Open, Taken, Proposed, Decided, HandedOver, Closed} }

// lockFor is how long a case stays with its holder without any act of theirs.
const lockFor = 30 * time.Minute

// A Case is the unit of assessment, as lists show it. It holds no content.
type Case struct {
	ID           ID
	Ref          string // KS reference
	Party        party.ID
	State        State
	Holder       party.PersonID      // "" when nobody has taken it
	LockedUntil  time.Time           // until when it is the holder's; past means free
	Jurisdiction string              // policy pack code
	Platform     string              // key of the first location's platform, "" if unknown
	Kind         string              // kind of the first location (canonical.Kind)
	LocationIDs  []report.LocationID // in the order in which they came; filled by Get only
	Locations    int                 // how many there are
	ReportCount  int
	Voices       int      // as which they count: see Slot.Wave
	Channels     []string // by which it was reported
	Languages    []string // of the reports
	Topics       []string // what it was found to be about, and what the first report or a known one says: see Topics
	Heavy        bool     // has pictures, films or sound
	Queue        string   // code of the pack's queue
	Priority     int      // 0 to 100; it orders the queue and decides nothing
	Why          []Reason // how the priority came about
	Deadline     time.Time
	OpenedAt     time.Time
	ClosedAt     time.Time // zero while not closed
	Outcome      string    // why it was closed, "" while it is not
	HeldUntil    time.Time // deconfliction; past means no hold
	Holds        int       // how many times it has been held
	Version      int       // grows with every change

	Tier       policy.Tier      // of the last assessment, "" before one
	ListClass  policy.ListClass // of the last assessment
	Assessed   int              // version of the last assessment, 0 before one
	Complete   bool             // that assessment leaves nothing unanswered
	OrderFault string           // code of what closes the way to a notice, "" if nothing
	Opinion    string           // second opinion on that assessment: "", asked or given
	Captures   int              // captures done
	NoCapture  bool             // the reason why there is none is written
	Dossiers   int              // dossiers that await their decision or end
	HandedFrom HandOverID       // the hand-over it came from, "" if none

	Burst bool // many reports in one hour: perhaps a campaign against somebody (threat-model T04)

	Soon bool // a reporter says that somebody will be hurt soon

	// AheadAt is since when what a reporter claims moves the case forward, zero
	// if it does not: see claim.go.
	AheadAt time.Time

	// Again is why a closed case opens again once a day has passed since it was
	// last opened so, "" if it does not: see again.go.
	Again string

	Bulk bool // nobody has reported it but organisations by their lists

	// LaneID is the lane that the case came in, "" if in none; TurnAt is its turn
	// there, from when on it counts as waiting, zero where something of weight
	// has taken it out: see lane.go.
	LaneID LaneID
	TurnAt time.Time

	urgent   bool // a reporter spoke of a threat to life
	crisis   bool // linked to an active crisis
	kinds    []string
	rankedAt time.Time
	againAt  time.Time // when it was last opened by what anybody may claim
	key      vault.WrappedKey
}

// Title names a case in words: what it is and where. It holds no content and
// never a name from it (ui/principles.md 10). The platform's name is the
// caller's to translate from its key.
func (c Case) Title(p *i18n.Printer, platform string) string {
	kind := p.T("case.kind." + cmp.Or(c.Kind, "none"))
	if platform == "" {
		return kind
	}
	return p.T("case.title", "Kind", kind, "Platform", platform)
}

// Locked reports whether somebody other than the person has the case at now.
func (c Case) Locked(person party.PersonID, now time.Time) bool {
	return c.State == Taken && c.Holder != "" && c.Holder != person && now.Before(c.LockedUntil)
}

// Held reports whether a deconfliction hold stands at now.
func (c Case) Held(now time.Time) bool { return now.Before(c.HeldUntil) }

// Object is the case as rights see it.
func (c Case) Object() auth.Object { return auth.Object{What: "case", Owner: c.Party} }

// Deps are what the room stands on.
type Deps struct {
	DB      *db.DB
	Feed    *feed.Feed
	Clock   clock.Clock
	Vault   *vault.Vault
	Packs   *policy.Set
	Reports *report.Room
	Search  *search.Index // nil finds nothing
	// Fetch goes out to capture pages; without it a requested capture fails
	// with a reason, and evidence is uploaded.
	Fetch *fetch.Client
	// Enqueue adds the job that calls DoCapture to the transaction that asked
	// for the capture. Without it PendingCaptures finds what is to be done.
	Enqueue func(ctx context.Context, tx *db.Tx, id CaptureID) error
}

// A Room decides on cases. Any number of goroutines may share it.
type Room struct {
	Deps
}

// New returns the room over d.
func New(d Deps) *Room { return &Room{Deps: d} }
