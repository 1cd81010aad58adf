// Package report takes what a person, a partner or a program tells us: where
// something is, what it is about, and files that show it.
//
// Whoever reports stays unknown (threat-model T01). Nothing of the connection
// is kept; description, files, their names, messages and contact are sealed
// under a key of the report's own, and the receipt by which the reporter comes
// back is stored only as a MAC (T02). An organisation that reports with its key
// or by a list does so under its name; which of its people did, is not kept here. A report is routed to one agency by the
// jurisdiction's pack. What becomes of it is told to its reporter as steps,
// which name organisations but never people or other reporters.
package report

import (
	"context"
	"log/slog"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/vault"
)

// An ID identifies a report (UUIDv7).
type ID string

// A FileID identifies a file of a report (UUIDv7).
type FileID string

// A Channel is how a report came.
type Channel string

// The channels (domain.md, Report).
const (
	Web     Channel = "web"
	API     Channel = "api"
	Mail    Channel = "mail"
	Match   Channel = "match"
	Watch   Channel = "watch"
	Partner Channel = "partner"
)

// Channels lists the channels in the order they are shown.
func Channels() []Channel { return []Channel{Web, API, Mail, Match, Watch, Partner} }

// A Category is what the reporter believes it is about. It decides nothing: the
// assessment does, on the closed grounds. What it may do in the queue is bounded
// (casework/claim.go, wishes.go).
type Category string

// The categories, as the public form asks.
const (
	Incitement   Category = "incitement"   // calls for violence, or praise of it
	Recruitment  Category = "recruitment"  // asks people to join a group
	Instructions Category = "instructions" // dangerous guides
	Financing    Category = "financing"    // collects money
	Threat       Category = "threat"       // announces an attack
	Unsure       Category = "unsure"       // somebody else shall judge
)

// Categories lists the categories in the order the form shows them.
func Categories() []Category {
	return []Category{Incitement, Recruitment, Instructions, Financing, Threat, Unsure}
}

// Limits of one report, with all that is added to it later (domain.md, Limits).
const (
	MaxLocations   = 1000
	MaxDescription = 5000 // runes; of each message too
	MaxContact     = 500  // runes
	MaxFiles       = 10
	MaxTotalBytes  = 500 << 20
	MaxImageBytes  = 50 << 20
	MaxFileBytes   = 200 << 20
	MaxMessages    = 200 // by the reporter
	MaxAdditions   = 50  // times that material was added
)

// Events that this room records; the object is "report", the audience its
// agency. None carries sealed text.
const (
	EventReceived = "report.received"
	EventAdded    = "report.added" // material: locations, files, text
	EventMessage  = "report.message"
	EventOpened   = "report.file-opened"    // audit only
	EventContact  = "report.contact-opened" // audit only
	EventErased   = "report.erased"
)

// Deps is what the room stands on.
type Deps struct {
	DB        *db.DB
	Feed      *feed.Feed
	Clock     clock.Clock
	Vault     *vault.Vault
	Packs     *policy.Set
	Platforms *canonical.Platforms

	// Contact are those who alone can open a reporter's contact. Without any,
	// it is sealed under the report's key.
	Contact vault.Recipients
	// Jurisdiction is the pack that routes reports whose reporter chose no
	// agency; "" is that of the oldest active agency.
	Jurisdiction string
}

// A Room takes and keeps reports. It is safe for concurrent use.
type Room struct {
	db           *db.DB
	feed         *feed.Feed
	clock        clock.Clock
	vault        *vault.Vault
	packs        *policy.Set
	platforms    *canonical.Platforms
	contact      vault.Recipients
	jurisdiction string
}

// New returns the room over d.
func New(d Deps) *Room {
	return &Room{
		db: d.DB, feed: d.Feed, clock: d.Clock, vault: d.Vault, packs: d.Packs, platforms: d.Platforms,
		contact: d.Contact, jurisdiction: d.Jurisdiction,
	}
}

// A Submission is what somebody reports. It has no place for an address, an
// agent, a referrer or a cookie, so that none can be kept.
type Submission struct {
	Channel     Channel
	Locations   []string // links or handles as pasted, at most MaxLocations; none only if there is a file
	Category    Category
	Description string // at most MaxDescription runes; may be empty
	Soon        bool   // somebody will be hurt soon, the reporter says: duty is called
	Lang        i18n.Lang
	Agency      string   // code of the agency the reporter chose, "" leaves it to the pack
	Contact     string   // how to reach the reporter, at most MaxContact runes; "" is the usual case
	Files       []Upload // what shows it, at most MaxFiles with More
	More        Uploads  // files that arrive one by one while the request is read; may be nil

	// From is the organisation that reports under its own name, "" for
	// everybody else: nothing is kept of who they are. Bulk is that the report
	// is one of a list.
	From party.ID
	Bulk bool

	// With, if set, is carried out in the transaction that stores the report,
	// and stops it with its fault.
	With func(ctx context.Context, tx *db.Tx, id ID, ref string) error

	// Spend, if set, is carried out in the transaction that stores the report,
	// and stops it with its fault: what the report has cost. A repeat of a form
	// with a Token costs nothing more.
	Spend func(ctx context.Context, tx *db.Tx) error

	// Token makes repeats of one form have one effect: see NewToken. May be
	// empty.
	Token string
}

// A Receipt is the answer to a Submission. Code is shown once and stored
// nowhere; whoever holds it is the reporter.
type Receipt struct {
	Code     string // TGK-XXXX-XXXX-XXXX-XXXX
	Ref      string // public reference
	ReportID ID
}

// LogValue keeps the code out of logs.
func (r Receipt) LogValue() slog.Value { return slog.StringValue(r.Ref) }

// Facts are what later rooms may know of a report without opening anything.
type Facts struct {
	ID         ID
	Ref        string
	Party      string // the agency it was routed to
	Channel    Channel
	From       party.ID // organisation that reported under its own name, "" for everybody else
	Bulk       bool     // one of a list
	Category   Category
	Soon       bool // somebody will be hurt soon, the reporter says
	Lang       i18n.Lang
	ReceivedAt time.Time
	Locations  []LocationID // in the order given
	Wording    []byte       // at the first of them, see Room.Wording
	Files      int
	Marks      Marks // what it has in common with others, until its case is made
}

// Hour returns t cut to the hour: how times of reports are told to anybody
// outside their agency (threat-model T01).
func Hour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// Facts returns what is plain about a report, or a hidden fault.
func (r *Room) Facts(ctx context.Context, q db.Reader, id ID) (Facts, error) {
	return loadFacts(ctx, q, id)
}

// FactsOf is Facts of many reports; unknown ones are left out. It costs three
// queries for each 200.
func (r *Room) FactsOf(ctx context.Context, q db.Reader, ids []ID) (map[ID]Facts, error) {
	return factsOf(ctx, q, ids)
}
