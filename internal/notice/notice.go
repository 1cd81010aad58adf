// Package notice is a platform being asked, or ordered: from the proposal over
// the signatures of three people to the platform's answer for every item.
//
// A notice is built once, as canonical bytes (package notes), when it is
// drafted; everybody who decides about it signs the digest of exactly these
// bytes. Life, delivery and rung are three independent facts, each with its own
// slice of transitions (state.go). Whatever a notice rests on is checked again
// by the dispatcher before it leaves: the bytes, the rows beside them, the
// signatures, the persons behind them, and a MAC over all of it under a key
// that is not in the database (threat-model T11, T12).
//
// What people write, and every link, is sealed under a key of the notice's own.
package notice

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// An ID identifies a notice (UUIDv7).
type ID string

// A Life is how far the decision behind a notice has come.
type Life string

// The lives. A notice that is approved and issued waits in Approved, with
// IssuedAt set, until the feed has given it its place.
const (
	Draft     Life = "draft"
	Proposed  Life = "proposed"
	Approved  Life = "approved"
	Logged    Life = "logged"
	Open      Life = "open"
	Closed    Life = "closed"
	Withdrawn Life = "withdrawn"
	Quashed   Life = "quashed"
)

// Lives lists every life in order.
func Lives() []Life {
	return []Life{Draft, Proposed, Approved, Logged, Open, Closed, Withdrawn, Quashed}
}

// A Delivery is how far the message has come.
type Delivery string

// The deliveries. Accepted is all that a mail server's "250" or a webhook's
// "200" means; Received is the platform's own word.
const (
	Queued   Delivery = "queued"
	Sent     Delivery = "sent"
	Accepted Delivery = "accepted"
	Received Delivery = "received"
	Deemed   Delivery = "deemed"
	Failed   Delivery = "failed"
)

// A Rung is how far the ladder was climbed.
type Rung string

// The rungs that this program takes by itself. Warnings are people's acts.
const (
	NoRung    Rung = "none"
	Reminded  Rung = "reminded"
	Warned    Rung = "warned"
	Exhausted Rung = "exhausted"
)

// An Outcome says how a closed notice ended.
type Outcome string

// The outcomes.
const (
	OutcomeComplied Outcome = "complied" // every item acted on
	OutcomePartly   Outcome = "partly"   // some refused or challenged
	OutcomeRefused  Outcome = "refused"  // none acted on
	OutcomeExpired  Outcome = "expired"  // a referral that nobody answered
)

// A Notice is one message with legal weight to one platform, as its rows tell.
// Texts and links are not in here: see View.
type Notice struct {
	ID        ID
	Ref       string // DEMO-PH-2026-01192
	Kind      notes.NoticeKind
	CaseID    casework.ID
	CaseRef   string
	DossierID casework.DossierID

	Proposer  party.ID
	Issuer    party.ID
	Addressee party.ID
	Platform  string // key in the canonical rules
	Pack      policy.Ref

	Version         int      // of the draft, from 1; signatures count for one version
	Digest          [32]byte // of the canonical bytes of that version
	DeadlineMinutes int      // from receipt; 0 for a referral
	Grounds         []notes.Ground
	Functions       []notes.Function
	Tier            notes.Tier
	ItemCount       int
	Broad           []string // the pack's names for targets wider than one thing
	ApprovalsNeeded int
	MayTell         bool // may the user be told
	PreserveMonths  int
	AdvanceFrom     time.Time // may not be issued before: first-notice rule; zero if none
	Emergency       bool      // the first-notice exception was claimed, with its reason

	Life     Life
	Delivery Delivery
	Rung     Rung
	Outcome  Outcome

	DraftedBy   party.PersonID
	CreatedAt   time.Time
	DraftedAt   time.Time // of this version
	ProposedAt  time.Time
	ApprovedAt  time.Time
	IssuedAt    time.Time
	LoggedAt    time.Time
	LogSeq      int64 // place of notice.issued in the feed
	SentAt      time.Time
	AcceptedAt  time.Time
	ReceivedAt  time.Time
	DeemedAt    time.Time
	Unreceived  time.Time // when it became unreceived; zero while in time
	DueAt       time.Time // earliest due time of an open item; zero if no clock runs
	Awaits      bool      `json:"-"` // received or deemed so, and an item waits for its answer; not under the row MAC
	RemindedAt  time.Time
	OverdueAt   time.Time
	AnsweredAt  time.Time // last answer
	ClosedAt    time.Time
	WithdrawnAt time.Time

	sealedBytes []byte // canonical bytes under key
	key         vault.WrappedKey
	envelope    []byte // sealed notes.Signed, once issued
	rowMAC      []byte // over all rows until dispatch
	sentMAC     []byte // set by the dispatcher alone
	damage      error  // why a list shows less of it than there was; nil if all is there
}

// clockStart is when the answer clock began: the platform had it, by its own
// word or deemed. A receipt after deemed service does not move it.
func (n Notice) clockStart() time.Time {
	if !n.DeemedAt.IsZero() {
		return n.DeemedAt
	}
	return n.ReceivedAt
}

// An ItemState is how far one location has come.
type ItemState string

// The states of items.
const (
	Pending  ItemState = "pending"
	Paused   ItemState = "paused"
	Answered ItemState = "answered"
	Verified ItemState = "verified"
)

// An Item is one location of a notice, as its row tells.
type Item struct {
	N           int
	LocationID  report.LocationID
	Platform    string
	Kind        string
	ContentType string
	Language    string
	State       ItemState
	Answer      notes.AnswerKind // the last one
	AnsweredAt  time.Time
	Answers     int // versions of the answer so far
	VerifiedAt  time.Time
	Reopened    int
	StartedAt   time.Time // when its answer clock began: receipt, or reopening
	DueAt       time.Time // zero without a running clock

	sealedURL []byte
}

// An Announcement is news for one party, to be delivered by whatever endpoints
// it has. It says where to look and nothing else.
type Announcement struct {
	EntryID  string // of the feed entry; the same however often it is delivered
	Type     string // as "notice.issued"
	Object   string
	ObjectID string
	Ref      string
	Seq      int64
	At       time.Time
}

// Deps are what the room stands on.
type Deps struct {
	DB      *db.DB
	Feed    *feed.Feed
	Clock   clock.Clock
	Vault   *vault.Vault
	Packs   *policy.Set
	Reports *report.Room
	Cases   *casework.Room
	Search  *search.Index // nil finds nothing

	// Log hears what the dispatcher could not do; nil is slog.Default.
	Log *slog.Logger

	// Announce queues news for a party inside the transaction. Nil announces
	// nothing.
	Announce func(ctx context.Context, tx *db.Tx, to party.ID, m Announcement) error
}

// A Room is where notices are decided, sent and answered. It is safe for
// concurrent use.
type Room struct {
	Deps
	wake feed.Signal // something has been logged
}

// New returns the room. The caller subscribes its Subscriptions to the feed
// before the feed runs.
func New(d Deps) *Room {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return &Room{Deps: d}
}

// object is n as far as rights depend on it. The issuer knows of a notice once
// the proposer has approved it, the addressee once it was sent.
func (r *Room) object(n Notice, acted []party.PersonID) auth.Object {
	o := auth.Object{What: "notice", Proposer: n.Proposer, Acted: acted}
	if n.IssuedAt.IsZero() {
		o.Owner = n.Proposer // what is issued is the issuer's
	}
	if n.Issuer == n.Proposer || !slices.Contains([]Life{Draft, Proposed}, n.Life) {
		o.Issuer = n.Issuer
	}
	if r.sentRightly(n) {
		o.Addressee = n.Addressee
	}
	return o
}

// audience is who may see the news about n.
func (r *Room) audience(n Notice) []string {
	o := r.object(n, nil)
	return []string{string(n.Proposer), string(o.Issuer), string(o.Addressee)}
}

// record adds what happened to n to the feed.
func (r *Room) record(ctx context.Context, tx *db.Tx, by party.Actor, kind string, n Notice, data any, now time.Time) error {
	_, err := r.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "notice", ObjectID: string(n.ID), Ref: n.Ref,
		Party: string(by.Party), Person: string(by.Person),
		Audience: r.audience(n), Data: data, At: now,
	})
	return err
}

// pack returns the version of the rules under which n was drafted.
func (r *Room) pack(n Notice) (policy.Pack, error) {
	p, ok := r.Packs.Get(n.Pack)
	if !ok {
		return p, errPack(n)
	}
	return p, nil
}
