package notice

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// maxReasons bounds a written reason in characters.
const maxReasons = 5000

// A DraftInput is what a proposer chooses; the rest comes from the case, the
// pack and the parties.
type DraftInput struct {
	CaseID          casework.ID
	Kind            notes.NoticeKind    // referral or removal order
	Locations       []report.LocationID // none means every location of the case
	DeadlineMinutes int                 // one of the pack's; 0 for a referral
	Issuer          party.ID            // "" where the chain or the pack leaves one only

	// Addressee is the registered service that a site on a host of its own
	// depends on: its hosting provider, content network or registrar. Where the
	// location data know the platform it is found by itself, and stays "".
	Addressee party.ID

	// Emergency is why the very first order to a platform cannot wait for the
	// advance information; "" claims no exception. Regulation (EU) 2021/784,
	// Article 3(2).
	Emergency string

	// Withhold is why the user may not be told yet; "" means the user may be
	// told. WithholdUntil is needed with it.
	Withhold      string
	WithholdUntil time.Time

	// Reasons are further languages of the statement of reasons, by BCP 47 tag.
	Reasons map[string]string

	// HomeAuthority is who gets a copy at the platform's home state, where the
	// pack wants one; "" names the state's competent authority.
	HomeAuthority string
}

// draft is what build makes of its input: the bytes and the rows beside them.
type draft struct {
	doc       notes.Notice
	canonical []byte
	digest    [32]byte
	pack      policy.Pack
	locations []report.LocationID
	broad     []string
	approvals int
	advance   time.Time
	issuer    party.ID
	addressee party.ID
}

// builder holds what a notice is built from.
type builder struct {
	room     *Room
	tx       *db.Tx
	by       party.Actor
	in       DraftInput
	now      time.Time
	pack     policy.Pack
	chain    policy.Chain
	instance reference.Instance
	frozen   casework.Dossier

	proposer, issuer, addressee party.Party
}

// packFor returns the rules of an actor's jurisdiction.
func (r *Room) packFor(by party.Actor, now time.Time) (policy.Pack, error) {
	for _, code := range []string{by.Jurisdiction, strings.ToLower(by.Jurisdiction)} {
		if p, ok := r.Packs.Current(code, now); ok {
			return p, nil
		}
	}
	return policy.Pack{}, fault.New(fault.Conflict, "notice.no-pack", "Code", by.Jurisdiction)
}

// checkInput names everything that is wrong with the proposer's choices.
func checkInput(in DraftInput, p policy.Pack, now time.Time) error {
	var c fault.Checker
	c.Require(in.CaseID != "", "/case")
	switch {
	case in.Kind != notes.Referral && in.Kind != notes.RemovalOrder:
		c.Add("/kind", "notice.kind", "Value", string(in.Kind))
	case !p.AllowsDeadline(policy.NoticeKind(in.Kind), in.DeadlineMinutes):
		c.Add("/deadline_minutes", "notice.deadline", "Value", in.DeadlineMinutes, "Allowed", deadlines(p, in.Kind))
	}
	for at, text := range map[string]string{"/emergency": in.Emergency, "/withhold": in.Withhold} {
		checkText(&c, at, text)
	}
	for lang, text := range in.Reasons {
		c.Require(strings.TrimSpace(text) != "", "/reasons/"+lang)
		checkText(&c, "/reasons/"+lang, text)
	}
	if in.Withhold != "" {
		limit := now.AddDate(0, 0, p.Disclosure.WithholdMax.Int())
		if in.WithholdUntil.Before(now) || in.WithholdUntil.After(limit) {
			c.Add("/withhold_until", "notice.withhold", "Days", p.Disclosure.WithholdMax.Int())
		}
	}
	return c.Err()
}

func checkText(c *fault.Checker, at, text string) {
	if n := utf8.RuneCountInString(text); n > maxReasons {
		c.Add(at, "notice.too-long", "Max", maxReasons, "Got", n)
	}
	if !utf8.ValidString(text) {
		c.Add(at, "notice.not-text")
	}
}

func deadlines(p policy.Pack, kind notes.NoticeKind) string {
	var all []string
	for _, f := range p.Deadlines[policy.NoticeKind(kind)].Choices {
		all = append(all, strconv.Itoa(f.Int()))
	}
	return cmp.Or(strings.Join(all, ", "), "0")
}

// plan checks the proposer's choices and finds pack, parties and chain, all
// that can be known before the case is frozen.
func (r *Room) plan(ctx context.Context, tx *db.Tx, by party.Actor, in DraftInput, now time.Time) (*builder, error) {
	b := &builder{room: r, tx: tx, by: by, in: in, now: now}
	var err error
	if b.pack, err = r.packFor(by, now); err != nil {
		return nil, err
	}
	if err := checkInput(in, b.pack, now); err != nil {
		return nil, err
	}
	if len(b.in.Locations) == 0 {
		if b.in.Locations, err = r.Cases.Locations(ctx, tx, in.CaseID); err != nil {
			return nil, err
		}
	}
	if b.proposer, err = party.Get(ctx, tx, by.Party); err != nil {
		return nil, err
	}
	if b.instance, err = reference.Of(ctx, tx); err != nil {
		return nil, err
	}
	return b, b.findChain(ctx)
}

// freeze takes the case to proposed and keeps its dossier.
func (b *builder) freeze(ctx context.Context) error {
	var err error
	b.frozen, err = b.room.Cases.FreezeTx(ctx, b.tx, b.by, casework.Freeze{
		CaseID: b.in.CaseID, LocationIDs: b.in.Locations, To: b.issuer.ID, Measure: string(b.in.Kind),
	}, b.now)
	if err != nil {
		return err
	}
	b.addressee, err = b.platform(ctx)
	return err
}

// build makes the canonical notice of the frozen dossier. The identifier and
// reference are those of the notice it is for.
func (b *builder) build(ctx context.Context, id ID, ref string) (draft, error) {
	doc, err := b.document(ctx, id, ref)
	if err != nil {
		return draft{}, err
	}
	canon, err := notes.Canonical(doc)
	if err == nil {
		err = notes.Validate(notes.KindNotice, canon)
	}
	if errors.Is(err, notes.ErrSize) {
		return draft{}, fault.New(fault.Invalid, "notice.too-large", "Max", notes.MaxNoticeBytes).Because(err)
	}
	if err != nil {
		return draft{}, invalidDocument(err)
	}
	d := draft{
		doc: doc, canonical: canon, digest: notes.Digest(notes.KindNotice, canon), pack: b.pack, locations: b.frozen.Locations,
		issuer: b.issuer.ID, addressee: b.addressee.ID,
	}
	if d.broad, d.approvals, err = b.approvals(ctx); err != nil {
		return d, err
	}
	d.advance, err = b.advance(ctx)
	return d, err
}

// invalidDocument says, for each field, what Annex I or our schema misses.
func invalidDocument(err error) error {
	var bad *notes.InvalidError
	if !errors.As(err, &bad) {
		return err
	}
	var c fault.Checker
	for _, p := range bad.Problems {
		if p.Rule == notes.RuleRequired {
			for name := range strings.SplitSeq(p.Limit, ", ") {
				c.Require(false, p.Pointer+"/"+name)
			}
			continue
		}
		c.Add(p.Pointer, "document."+string(p.Rule), "Limit", p.Limit)
	}
	return c.Err()
}

// platform returns the one registered platform of all items, or, where they
// stand on hosts of nobody's platform, the service that the proposer named.
func (b *builder) platform(ctx context.Context) (party.Party, error) {
	key := b.frozen.Document.Locations[0].Platform
	for i, l := range b.frozen.Document.Locations {
		if l.Platform != key {
			return party.Party{}, fault.New(fault.Invalid, "notice.platforms", "First", key, "Other", l.Platform).At("/locations/" + strconv.Itoa(i))
		}
	}
	if key == casework.UnknownPlatform {
		return b.chosen(ctx)
	}
	p, err := party.ByPlatform(ctx, b.tx, key)
	if fault.Of(err) == fault.NotFound || err == nil && !p.Active {
		return p, fault.New(fault.Conflict, "notice.unregistered", "Platform", key)
	}
	if err == nil && b.in.Addressee != "" && b.in.Addressee != p.ID {
		return p, fault.New(fault.Invalid, "notice.addressee-known", "Platform", p.Name).At("/addressee")
	}
	return p, err
}

// chosen returns the service that the proposer named.
func (b *builder) chosen(ctx context.Context) (party.Party, error) {
	p, err := party.Get(ctx, b.tx, b.in.Addressee)
	if fault.Of(err) == fault.NotFound || err == nil && (p.Kind != party.Platform || !p.Active) {
		return p, fault.New(fault.Invalid, "notice.addressee").At("/addressee")
	}
	return p, err
}

// findChain checks that the proposer may begin the chain and finds the issuer.
func (b *builder) findChain(ctx context.Context) error {
	kind := policy.NoticeKind(b.in.Kind)
	chain, ok := b.pack.Chain(kind)
	if !ok {
		return fault.New(fault.Denied, "notice.no-chain", "Kind", string(kind), "Pack", b.pack.Code)
	}
	b.chain = chain
	if first, ok := stepOf(chain, policy.Propose); !ok || string(first.Party) != string(b.by.PartyKind) {
		return fault.New(fault.Denied, "notice.chain-party", "Want", string(first.Party), "Got", string(b.by.PartyKind))
	}
	if _, ok := stepOf(chain, policy.Review); ok {
		return fault.New(fault.Denied, "notice.chain-review", "Pack", b.pack.Code)
	}
	if chain.Issuing == policy.SameParty {
		if b.in.Issuer != "" && b.in.Issuer != b.by.Party {
			return fault.New(fault.Invalid, "notice.issuer").At("/issuer")
		}
		b.issuer = b.proposer
		return nil
	}
	issue, _ := stepOf(chain, policy.Issue)
	candidates, err := party.List(ctx, b.tx, party.Kind(issue.Party))
	if err != nil {
		return err
	}
	candidates = slices.DeleteFunc(candidates, func(p party.Party) bool {
		return !p.Active || !strings.EqualFold(p.Jurisdiction, b.by.Jurisdiction) || b.in.Issuer != "" && p.ID != b.in.Issuer
	})
	if len(candidates) != 1 {
		return fault.New(fault.Invalid, "notice.issuer", "Count", len(candidates)).At("/issuer")
	}
	b.issuer = candidates[0]
	return nil
}

func stepOf(c policy.Chain, act policy.Act) (policy.Step, bool) {
	i := slices.IndexFunc(c.Steps, func(s policy.Step) bool { return s.Act == act })
	if i < 0 {
		return policy.Step{}, false
	}
	return c.Steps[i], true
}

// broadNames are the pack's words for canonical's reasons.
var broadNames = map[string]string{"apex": "apex-domain", "popular": "popular-host"}

// approvals returns which of the pack's broad targets are among the items, and
// how many approvals the notice needs.
func (b *builder) approvals(ctx context.Context) (broad []string, needed int, err error) {
	locations, err := b.room.Reports.Locations(ctx, b.tx, b.frozen.Locations)
	if err != nil {
		return nil, 0, err
	}
	for _, l := range locations {
		for _, why := range l.Broad {
			name := cmp.Or(broadNames[why], why)
			if slices.Contains(b.pack.Signing.BroadTargets, name) && !slices.Contains(broad, name) {
				broad = append(broad, name)
			}
		}
	}
	slices.Sort(broad)
	approve, _ := stepOf(b.chain, policy.Approve)
	needed = max(1, approve.Persons.Int())
	if len(broad) > 0 {
		needed += max(1, b.pack.Signing.ExtraApprovers.Int())
	}
	return broad, needed, nil
}

// first reports whether no order of the issuer has been sent to the platform.
func (b *builder) first(ctx context.Context) (bool, error) {
	n, err := db.Value[int64](ctx, b.tx, `
		SELECT count(*) FROM notices WHERE issuer = $1 AND addressee = $2 AND kind = $3 AND sent_at IS NOT NULL`,
		b.issuer.ID, b.addressee.ID, notes.RemovalOrder)
	return n == 0, err
}

// advance returns the moment before which the notice may not be issued.
func (b *builder) advance(ctx context.Context) (time.Time, error) {
	if b.pack.FirstNotice == nil || b.in.Kind != notes.RemovalOrder || b.in.Emergency != "" {
		return time.Time{}, nil
	}
	first, err := b.first(ctx)
	if err != nil || !first {
		return time.Time{}, err
	}
	at, err := b.advancedAt(ctx)
	if err != nil || at.IsZero() {
		return time.Time{}, err
	}
	return at.Add(b.pack.FirstNotice.Advance.Duration()), nil
}

func (b *builder) advancedAt(ctx context.Context) (time.Time, error) {
	return advancedAt(ctx, b.tx, b.issuer.ID, b.addressee.ID)
}

// advancedAt returns when the issuer told the platform of its procedures and
// deadlines, the zero time if never.
func advancedAt(ctx context.Context, r db.Reader, issuer, addressee party.ID) (time.Time, error) {
	at, err := db.One(ctx, r, func(row db.Row) (time.Time, error) {
		var t time.Time
		err := row.Scan(db.Time(&t))
		return t, err
	}, `SELECT at FROM notice_advance WHERE issuer = $1 AND addressee = $2`, issuer, addressee)
	if errors.Is(err, db.ErrAbsent) {
		return time.Time{}, nil
	}
	return at, err
}
