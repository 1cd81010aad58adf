package notice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// List returns the notices that the actor may read, page by page.
func (r *Room) List(ctx context.Context, by party.Actor, f Filter) ([]Row, string, error) {
	return r.list(ctx, by, f, "")
}

// Inbox returns the notices addressed to the actor's platform.
func (r *Room) Inbox(ctx context.Context, by party.Actor, f Filter) ([]Row, string, error) {
	if err := auth.May(by, auth.NoticeRead, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return nil, "", err
	}
	f.ByDueTime = true
	return r.list(ctx, by, f, `n.addressee = $1 AND n.sent_mac IS NOT NULL`)
}

const maxTime = int64(1) << 62

// list reads one page. Tenancy is in the statement; the proof of dispatch is
// checked for each row that goes to a platform.
func (r *Room) list(ctx context.Context, by party.Actor, f Filter, where string) ([]Row, string, error) {
	q := query{args: []any{by.Party}}
	switch {
	case where != "":
		q.and(where)
	case by.PartyKind == party.Oversight && auth.May(by, auth.NoticeRead, auth.Object{What: "notice"}) == nil:
		q.and(`$1 <> ''`)
	case by.PartyKind == party.Platform:
		q.and(`n.addressee = $1 AND n.sent_mac IS NOT NULL`)
	default:
		if err := auth.May(by, auth.NoticeRead, auth.Object{What: "notice", Proposer: by.Party}); err != nil {
			return nil, "", err
		}
		q.and(`(n.proposer = $1 OR n.issuer = $1 AND n.life NOT IN ('draft', 'proposed'))`)
	}
	q.filter(f)
	limit := f.Limit
	if limit <= 0 || limit > 200 {
		limit = 50
	}
	order, key := q.page(f)
	sql := `SELECT ` + prefixed + ` FROM notices n WHERE ` + strings.Join(q.where, " AND ") + ` ORDER BY ` + order + fmt.Sprintf(` LIMIT %d`, limit+1)
	all, err := db.All(ctx, r.DB, scanListed, sql, q.args...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = key(all[limit-1])
	}
	rows := make([]Row, 0, len(all))
	for _, n := range all {
		if by.PartyKind == party.Platform && !r.sentRightly(n) {
			continue
		}
		row, err := r.row(ctx, n)
		if err != nil {
			return nil, "", err
		}
		if f.Deadline == "" || f.Deadline == row.Deadline {
			rows = append(rows, row)
		}
	}
	return rows, next, nil
}

var prefixed = "n." + strings.ReplaceAll(strings.Join(strings.Fields(columns), " "), ", ", ", n.")

// query gathers conditions with their arguments.
type query struct {
	where []string
	args  []any
}

func (q *query) and(cond string, args ...any) {
	for _, a := range args {
		q.args = append(q.args, a)
		cond = strings.Replace(cond, "?", fmt.Sprintf("$%d", len(q.args)), 1)
	}
	q.where = append(q.where, cond)
}

func (q *query) filter(f Filter) {
	if len(f.Lives) > 0 {
		marks := make([]string, len(f.Lives))
		args := make([]any, len(f.Lives))
		for i, l := range f.Lives {
			marks[i], args[i] = "?", l
		}
		q.and(`n.life IN (`+strings.Join(marks, ", ")+`)`, args...)
	}
	if f.Kind != "" {
		q.and(`n.kind = ?`, f.Kind)
	}
	if f.Platform != "" {
		q.and(`n.platform = ?`, f.Platform)
	}
	if f.CaseID != "" {
		q.and(`n.case_id = ?`, f.CaseID)
	}
}

// page adds the cursor's condition and returns the order and how to write the
// next cursor.
func (q *query) page(f Filter) (order string, key func(Notice) string) {
	if !f.ByDueTime {
		if f.Cursor != "" {
			q.and(`n.id < ?`, f.Cursor)
		}
		return `n.id DESC`, func(n Notice) string { return string(n.ID) }
	}
	if due, id, ok := strings.Cut(f.Cursor, "."); ok {
		var at int64
		if _, err := fmt.Sscan(due, &at); err == nil {
			q.and(`(COALESCE(n.due_at, `+fmt.Sprint(maxTime)+`), n.id) > (?, ?)`, at, id)
		}
	}
	return `COALESCE(n.due_at, ` + fmt.Sprint(maxTime) + `), n.id`, func(n Notice) string {
		at := maxTime
		if !n.DueAt.IsZero() {
			at = n.DueAt.UnixMicro()
		}
		return fmt.Sprintf("%d.%s", at, n.ID)
	}
}

// row adds what a list shows beside the notice.
func (r *Room) row(ctx context.Context, n Notice) (Row, error) {
	row := Row{Notice: n}
	var err error
	if row.Progress, err = progress(ctx, r.DB, n.ID); err != nil {
		return row, err
	}
	pack, err := r.pack(n)
	if err == nil {
		row.Deadline, row.DeadlineAt = DeadlineAt(n, row.Progress, pack, r.Clock.Now())
	} else if n.damage == nil {
		return row, err
	}
	for _, p := range []struct {
		id   party.ID
		name *string
	}{{n.Issuer, &row.IssuerName}, {n.Addressee, &row.AddresseeName}} {
		org, err := party.Get(ctx, r.DB, p.id)
		if err != nil {
			return row, err
		}
		*p.name = org.Name
	}
	if row.ItemKind, err = db.Value[string](ctx, r.DB, `SELECT kind FROM notice_items WHERE notice_id = $1 AND n = 1`, n.ID); err != nil && !errors.Is(err, db.ErrAbsent) {
		return row, err
	}
	if row.Late, err = db.Value[int](ctx, r.DB, `SELECT count(*) FROM notice_item_answers WHERE notice_id = $1 AND late = TRUE`, n.ID); err != nil {
		return row, err
	}
	row.Refused, err = db.Value[string](ctx, r.DB, `SELECT why FROM notice_refusals WHERE notice_id = $1`, n.ID)
	if errors.Is(err, db.ErrAbsent) {
		err = nil
	}
	if n.damage != nil {
		row.Refused = "rows"
	}
	return row, err
}

func progress(ctx context.Context, r db.Reader, id ID) (Progress, error) {
	type count struct {
		state ItemState
		n     int
	}
	all, err := db.All(ctx, r, func(row db.Row) (count, error) {
		var c count
		err := row.Scan(&c.state, &c.n)
		return c, err
	}, `SELECT state, count(*) FROM notice_items WHERE notice_id = $1 GROUP BY state`, id)
	var p Progress
	for _, c := range all {
		switch c.state {
		case Pending:
			p.Pending = c.n
		case Paused:
			p.Paused = c.n
		case Answered:
			p.Answered = c.n
		case Verified:
			p.Verified = c.n
		}
	}
	return p, err
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
