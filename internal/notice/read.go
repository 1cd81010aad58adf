package notice

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/huandu/go-sqlbuilder"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/notes"
)

// A Filter narrows a list. Empty parts allow everything.
type Filter struct {
	Lives     []Life
	Kind      notes.NoticeKind
	Platform  string
	CaseID    casework.ID
	Deadline  DeadlineState // by what the clocks show now; applied after paging, so pages may be short
	Cursor    string        // of the page before; "" is the first
	Limit     int           // at most 200; 0 is 50
	ByDueTime bool          // the soonest due first, else the newest first
}

// Deciding are the lives of a notice before it is sent.
func Deciding() []Life { return []Life{Draft, Proposed, Approved, Logged} }

// A DeadlineState is what a list says about a notice's time.
type DeadlineState string

// The deadline states of a notice.
const (
	NoDeadline    DeadlineState = "none"       // a referral, or nothing runs
	AwaitsReceipt DeadlineState = "awaits"     // sent, not received, in time
	IsUnreceived  DeadlineState = "unreceived" // the receipt clock is over
	Running       DeadlineState = "running"    // the answer clock runs
	ClockPaused   DeadlineState = "paused"     // every open item is paused
	Overdue       DeadlineState = "overdue"    // an item is late
	FullyAnswered DeadlineState = "answered"   // nothing is open
)

// Progress counts a notice's items by state.
type Progress struct {
	Pending, Paused, Answered, Verified int
}

// Total is the number of items.
func (p Progress) Total() int { return p.Pending + p.Paused + p.Answered + p.Verified }

// DeadlineAt returns what the clocks of a notice show at now: the state, and
// the moment that it counts to (receipt wanted, answer due), zero without one.
func DeadlineAt(n Notice, p Progress, pack policy.Pack, now time.Time) (DeadlineState, time.Time) {
	switch {
	case n.Life != Open || n.SentAt.IsZero():
		return NoDeadline, time.Time{}
	case p.Pending+p.Paused == 0:
		return FullyAnswered, time.Time{}
	case n.clockStart().IsZero():
		c := clocks.Receipt(n.SentAt, now, pack)
		if c.State == clocks.Unreceived {
			return IsUnreceived, c.UnreceivedAt
		}
		return AwaitsReceipt, c.UnreceivedAt
	case p.Pending == 0:
		return ClockPaused, time.Time{}
	case n.DueAt.IsZero():
		return NoDeadline, time.Time{}
	case now.After(n.DueAt):
		return Overdue, n.DueAt
	default:
		return Running, n.DueAt
	}
}

// A Row is a notice as lists show it. It holds no link and no text.
type Row struct {
	Notice
	IssuerName    string
	AddresseeName string
	ItemKind      string // kind of the first item
	Progress      Progress
	Deadline      DeadlineState
	DeadlineAt    time.Time
	Late          int    // items answered after their due time
	Refused       string // why the dispatcher refused it, "" if it did not
}

// Bounds of a page of a list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// A side is one way in which notices are a party's own, in SQL.
type side func(b *sqlbuilder.SelectBuilder)

// List returns the notices that the actor may read, page by page.
func (r *Room) List(ctx context.Context, by party.Actor, f Filter) ([]Row, string, error) {
	sides, err := tenant(by)
	if err != nil {
		return nil, "", err
	}
	return r.list(ctx, by, f, sides)
}

// Inbox returns the notices addressed to the actor's platform, the soonest due
// first.
func (r *Room) Inbox(ctx context.Context, by party.Actor, f Filter) ([]Row, string, error) {
	if err := auth.May(by, auth.NoticeRead, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return nil, "", err
	}
	f.ByDueTime = true
	return r.list(ctx, by, f, []side{addressed(by)})
}

// tenant binds a list to what the actor may read: the SQL side of
// auth.May(by, auth.NoticeRead, notice).
func tenant(by party.Actor) ([]side, error) {
	own := string(by.Party)
	switch {
	case by.PartyKind == party.Oversight && auth.May(by, auth.NoticeRead, auth.Object{What: "notice"}) == nil:
		return []side{func(*sqlbuilder.SelectBuilder) {}}, nil // reads all
	case by.PartyKind == party.Platform:
		return []side{addressed(by)}, nil
	default:
		return []side{
			func(b *sqlbuilder.SelectBuilder) { b.Where(b.Equal("proposer", own)) },
			func(b *sqlbuilder.SelectBuilder) {
				b.Where(b.Equal("issuer", own), "life NOT IN ('draft', 'proposed')")
			},
		}, auth.May(by, auth.NoticeRead, auth.Object{What: "notice", Proposer: by.Party})
	}
}

// addressed is what was sent to the actor's platform.
func addressed(by party.Actor) side {
	return func(b *sqlbuilder.SelectBuilder) {
		b.Where(b.Equal("addressee", string(by.Party)), "sent_mac IS NOT NULL")
	}
}

// list reads one page. Tenancy is in the statement; the proof of dispatch is
// checked for each row that goes to a platform. It costs one query for the
// notices and four for what stands beside them, however many they are.
func (r *Room) list(ctx context.Context, by party.Actor, f Filter, sides []side) ([]Row, string, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	query, args, err := f.query(sides, limit+1)
	if err != nil {
		return nil, "", err
	}
	all, err := db.All(ctx, r.DB, scanListed, query, args...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = f.mark(all[limit-1]).String()
	}
	if by.PartyKind == party.Platform {
		all = slices.DeleteFunc(all, func(n Notice) bool { return !r.sentRightly(n) })
	}
	rows, err := r.rows(ctx, all)
	if err != nil || f.Deadline == "" {
		return rows, next, err
	}
	return slices.DeleteFunc(rows, func(row Row) bool { return row.Deadline != f.Deadline }), next, nil
}

// query writes the statement of a page. Each side is read along its own index,
// limit rows of it: under one OR, the databases sort all that the party ever had.
func (f Filter) query(sides []side, limit int) (string, []any, error) {
	outer := sqlbuilder.PostgreSQL.NewSelectBuilder()
	outer.Select(listed).From("notices")
	ids := make([]string, len(sides))
	for i, bind := range sides {
		b := sqlbuilder.PostgreSQL.NewSelectBuilder()
		b.Select("id").From("notices")
		bind(b)
		f.narrow(b)
		if err := f.page(b); err != nil {
			return "", nil, err
		}
		ids[i] = "SELECT id FROM (" + outer.Var(b.Limit(limit)) + ") AS side" + strconv.Itoa(i)
	}
	outer.Where("id IN (" + strings.Join(ids, " UNION ") + ")")
	f.order(outer)
	query, args := outer.Limit(limit).Build()
	return query, args, nil
}

func (f Filter) narrow(b *sqlbuilder.SelectBuilder) {
	switch {
	case len(f.Lives) == 0:
	case slices.Equal(f.Lives, []Life{Open}):
		b.Where("life = 'open'") // the words of the indexes notices_…_due
	case slices.Equal(f.Lives, Deciding()):
		b.Where("life IN ('draft', 'proposed', 'approved', 'logged')") // of notices_…_deciding
	default:
		b.Where(b.In("life", sqlbuilder.List(f.Lives)))
	}
	if f.Deadline == AwaitsReceipt || f.Deadline == IsUnreceived {
		b.Where("received_at IS NULL", "deemed_at IS NULL")
	}
	for column, value := range map[string]string{"kind": string(f.Kind), "platform": f.Platform, "case_id": string(f.CaseID)} {
		if value != "" {
			b.Where(b.Equal(column, value))
		}
	}
}

// What lists are sorted by: the words of the indexes notices_inbox,
// notices_proposed, notices_issued and notices_created. What has no due time
// comes last.
const (
	dueKey     = `coalesce(due_at, 4611686018427387904)`
	createdKey = `created_at`
	never      = int64(1) << 62
)

// page sets the order of a list, and its beginning.
func (f Filter) page(b *sqlbuilder.SelectBuilder) error {
	f.order(b)
	if f.Cursor == "" {
		return nil
	}
	m, err := db.ParseMark(f.Cursor)
	if err != nil {
		return err
	}
	key, after := createdKey, " < "
	if f.ByDueTime {
		key, after = dueKey, " > "
	}
	b.Where("(" + key + ", id)" + after + "(" + b.Var(m.Key) + ", " + b.Var(m.ID) + ")")
	return nil
}

func (f Filter) order(b *sqlbuilder.SelectBuilder) {
	if f.ByDueTime {
		b.OrderBy(dueKey, "id")
	} else {
		b.OrderBy(createdKey+" DESC", "id DESC")
	}
}

// mark is where a page ends whose last notice is n.
func (f Filter) mark(n Notice) db.Mark {
	switch {
	case !f.ByDueTime:
		return db.Mark{Key: db.Micros(n.CreatedAt), ID: string(n.ID)}
	case n.DueAt.IsZero():
		return db.Mark{Key: never, ID: string(n.ID)}
	default:
		return db.Mark{Key: db.Micros(n.DueAt), ID: string(n.ID)}
	}
}

// A ChainStep is one step of a notice's chain, done or to come.
type ChainStep struct {
	Step       notes.Step
	Party      party.ID
	PartyName  string
	Role       party.Role
	Limit      time.Duration // our own target
	Person     party.PersonID
	PersonName string // "" for the platform: it knows the organisation and the key
	Key        party.KeyID
	Method     party.Method
	At         time.Time // zero while to come
	Read       []string
	ReadFor    time.Duration

	// Of an approval in a batch: how many notices it held, how many of them were
	// drawn, and whether the signer had opened this one. Batch is 0 otherwise.
	Batch       int
	BatchSample int
	BatchOpened bool
}

// An ItemView is one item with everything that was said about it.
type ItemView struct {
	Item
	URL     string // canonical, not defanged
	Clock   clocks.AnswerClock
	History []GivenAnswer // oldest first
	Pauses  []Pause
	Buttons []Button
}

// A GivenAnswer is one version of an item's answer.
type GivenAnswer struct {
	Version int
	Call    string // identifier of the signed answer it stands in
	Row     notes.Row
	At      time.Time
	Late    bool
}

// A Version is one draft of a notice, with why it came back.
type Version struct {
	Version   int
	Digest    [32]byte
	DossierID casework.DossierID
	Person    party.PersonID
	At        time.Time
	Returned  *Returned // nil if it was not
}

// Returned says who sent a version back, and why.
type Returned struct {
	Party   party.ID
	Person  party.PersonID
	Reasons []string
	Text    string
	At      time.Time
}

// A View is everything about one notice that the actor may see.
type View struct {
	Row
	Document     notes.Notice // what was signed, as a document
	Canonical    []byte       // the bytes themselves
	Envelope     []byte       // notes.Signed, once issued
	ProposerName string
	Chain        []ChainStep
	Receipt      clocks.ReceiptClock // meaningful once sent and while not received
	Items        []ItemView
	Messages     []Message
	Timeline     []feed.Entry
	Deliveries   []DeliveryStep
	Versions     []Version // not for the platform
	Deemed       *DeemedService
	Files        []File // not for the platform
	Evidence     int    // files of the dossier
	PreserveTill time.Time
	Buttons      []Button
	ReceiptDoc   []byte                    // the platform's receipt, canonical
	Names        map[party.PersonID]string // of the persons in here; for a platform only its own

	homes map[party.PersonID]party.ID
}

// A Button is an act on a notice or item: open to the actor, or locked and why.
type Button struct {
	Event Event
	Open  bool
	Why   error // a fault that says why it is locked; nil while open
}
