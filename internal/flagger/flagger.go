// Package flagger is where organisations bring many things at once, under their
// own name: a list of what they found becomes reports like anybody's, an old
// register of what was decided before becomes history, and how often those who
// report were right is counted.
//
// Nothing comes of a list but reports. They go through the ordinary intake, fold
// into the cases that are there, count as one voice of one organisation, and wait
// behind what people report one by one. Nothing comes of a register but entries,
// which are shown and found. How often a flagger was right is told to those who
// assess and to the flagger itself; no order, no priority and no decision rests on
// it (Regulation (EU) 2022/2065, Article 22, asks for the same figures of trusted
// flaggers once a year).
package flagger

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/vault"
)

// An ID identifies a list (UUIDv7).
type ID string

// A State is where a list stands.
type State string

// The states, in the order in which a list passes them.
const (
	Draft   State = "draft"   // read, and not reported yet
	Running State = "running" // its rows become reports, or entries
	Done    State = "done"
	Undone  State = "undone" // taken back: the entries of a register, or what nobody had begun with of a list
)

// A Field is what a column of a list holds.
type Field string

// The fields. A column that holds none of them is left alone.
const (
	Location  Field = "location"  // links or handles, several with spaces or line ends between
	Note      Field = "note"      // what the sender says of it
	Hint      Field = "hint"      // what it seems to be about: a category or a ground
	Reference Field = "reference" // the sender's own
	Found     Field = "found"     // the day on which the sender saw it
	Nothing   Field = ""
)

// The fields of registers besides: what was decided of it before.
const (
	Decided  Field = "decided"  // the day of the decision
	Decision Field = "decision" // of which kind it was
	Ground   Field = "ground"   // on which it rested
	Service  Field = "platform" // where it was
	Standing Field = "standing" // whether it stands or was withdrawn
)

// A List is what an organisation sent.
type List struct {
	ID        ID
	Kind      Kind
	Party     party.ID
	Person    party.PersonID // who sent it
	State     State
	Lines     int // rows, those that cannot be read included
	Next      int // rows that are done
	Made      int // that became reports, or entries
	Again     int // that the organisation had sent before
	Wrong     int // that could not be read, or were refused
	CreatedAt time.Time
	StartedAt time.Time // zero for a draft
	EndedAt   time.Time // zero until it is done
	UndoneAt  time.Time // zero unless it was taken back
	UndoneBy  party.PersonID
	Back      int // reports of a list that were taken back; the others had been taken up

	Gone    bool      // its rows are no longer kept; what follows is empty then
	Name    string    // of the file
	Sheet   string    // of the workbook that was read, "" of text
	Other   int       // sheets of the workbook that were not read
	Lang    i18n.Lang // of the reports
	Columns []Field   // what each column holds
}

// Object is the list as rights see it. Both kinds have one name: whoever may not
// know of a list does not learn of which kind it is.
func (l List) Object() auth.Object { return auth.Object{What: "list", Owner: l.Party} }

// Limits.
const (
	// MaxWaiting is how many lists of one organisation may be drafts or running.
	MaxWaiting = 20
	// draftFor is how long a draft is kept.
	draftFor = 24 * time.Hour
	// keptFor is how long the rows of a finished list are kept; its reports have
	// their own time.
	keptFor = 90 * 24 * time.Hour
)

// What this room records of an object, which is a "list" or a "register": the
// event is "list.started", "register.undone" and so on, the audience its
// organisation.
const (
	eventStarted   = "started"
	eventDone      = "done"
	eventUndone    = "undone"     // of a list: to be taken back
	eventTakenBack = "taken-back" // of a list: all that could be
)

// Deps is what the room stands on.
type Deps struct {
	DB      *db.DB
	Feed    *feed.Feed
	Clock   clock.Clock
	Vault   *vault.Vault
	Reports *report.Room
	Cases   *casework.Room
	Search  *search.Index
	Cage    *cage.Cage // opens workbooks; without one only text is read
	// Spare refuses while the disk is nearly full; nil never does.
	Spare func() error
	// Enqueue adds the job that calls Work to the transaction that started the
	// list. Without it Running finds what is to be done.
	Enqueue func(ctx context.Context, tx *db.Tx, id ID) error
	// EnqueueBack adds another job that calls Work, to the transaction that takes
	// a list back: a job that is done is not done again. Without it Undoing finds
	// what is to be done.
	EnqueueBack func(ctx context.Context, tx *db.Tx, id ID) error
}

// A Room takes lists. It is safe for concurrent use.
type Room struct {
	Deps

	counting singleflight.Group
	mu       sync.Mutex
	known    map[party.ID]counted // guarded by mu: the last figures of one organisation, and under "" of all
}

// New returns the room over d.
func New(d Deps) *Room { return &Room{Deps: d, known: map[party.ID]counted{}} }
