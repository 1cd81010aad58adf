package policy

import (
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
)

// A Pack is one version of one jurisdiction's rules. Only Load makes one, so
// that everything in it has passed the schema and the rules between its parts.
// Packs share memory; treat every field as read-only.
type Pack struct {
	Ref         Ref          `json:"-"`
	Code        string       `json:"code"`
	Version     int          `json:"version"`
	Name        Text         `json:"name"`
	ValidFrom   time.Time    `json:"valid_from"` // first moment at which it is current
	TimeZone    string       `json:"time_zone"`  // IANA name
	Calendar    Calendar     `json:"calendar"`
	Format      string       `json:"format"`
	Instruments []Instrument `json:"instruments"`

	// Sources are what figures and clauses cite, by key.
	Sources map[string]Source `json:"sources"`

	// Grounds holds the national law's provision for each of the five.
	Grounds            map[Ground]Clause `json:"grounds"`
	UnavailableGrounds []Unavailable     `json:"unavailable_grounds"`
	PurposeTests       map[Purpose]Text  `json:"purpose_tests"`

	// LegalBases has no entry for a kind that the jurisdiction cannot issue.
	LegalBases map[NoticeKind]LegalBasis `json:"legal_bases"`
	Deadlines  map[NoticeKind]Deadlines  `json:"deadlines"`
	Receipt    Receipt                   `json:"receipt"`
	Pauses     Pauses                    `json:"pauses"`

	// FirstNotice is nil where nothing has to be sent ahead of the very first
	// notice to a platform.
	FirstNotice *FirstNotice `json:"first_notice"`

	Chains       map[NoticeKind]Chain `json:"chains"`
	Signing      Signing              `json:"signing"`
	Ladder       Ladder               `json:"ladder"`
	Languages    Languages            `json:"languages"`
	Redress      []Redress            `json:"redress"`
	Duties       []Duty               `json:"duties"` // printed on the notice's face
	Disclosure   Disclosure           `json:"disclosure"`
	HomeCopy     HomeCopy             `json:"home_copy"`
	Preservation PreservationTerm     `json:"preservation"`
	Listed       Listed               `json:"listed_entities"`
	Penalties    []Penalty            `json:"penalties"`
	Limits       Limits               `json:"limits"`
	Queues       []Queue              `json:"queues"` // in order of priority; the last takes everything
	Priority     Priority             `json:"priority"`
	Routing      Routing              `json:"routing"`
	Batch        Batch                `json:"batch"`

	figures []Figure
	leaves  map[string]string // lasting key to scalar value
	leafAt  map[string]string // lasting key to pointer
	lines   map[string]int    // pointer to line in the file
}

// A Ref names the exact text that applied, for ever.
type Ref struct {
	Code    string `json:"code"`
	Version int    `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of the file's bytes, lower-case hex
}

// Text is one text in both languages.
type Text struct {
	ID string `json:"id"`
	EN string `json:"en"`
}

// In returns the text in a language, Indonesian being the default.
func (t Text) In(l i18n.Lang) string {
	if l == i18n.EN {
		return t.EN
	}
	return t.ID
}

// A SourceKind says what a source is, and so how far it can be trusted.
type SourceKind string

// The kinds of source.
const (
	SourceLaw          SourceKind = "law"          // the provision's own text
	SourceOfficial     SourceKind = "official"     // a public body about its rule
	SourcePress        SourceKind = "press"        // the press about a rule
	SourceCivil        SourceKind = "civil"        // civil society about a rule
	SourceSystem       SourceKind = "system"       // a hard limit of this program
	SourceOperator     SourceKind = "operator"     // the deployment's own choice, not law
	SourceRecollection SourceKind = "recollection" // nobody has read a text; never verified
)

// A Source is where a figure or a clause was read.
type Source struct {
	Kind  SourceKind `json:"kind"`
	Title string     `json:"title"`
	Where string     `json:"where"` // address or article, may be empty
}

// A Clause is a sentence of law or of operation with its source.
type Clause struct {
	Text      Text   `json:"text"`
	Provision *Text  `json:"provision"` // article, nil if none is known
	Source    string `json:"source"`    // key in Pack.Sources
	Verified  bool   `json:"verified"`
	Note      *Text  `json:"note"` // why it is not verified, or a remark
}

// An Instrument is a law or decree that the pack rests on.
type Instrument struct {
	Key    string `json:"key"`
	Title  Text   `json:"title"`
	Source string `json:"source"`
}

// Unavailable is a ground of national law that is expressly not offered here.
type Unavailable struct {
	Name Text   `json:"name"`
	Rule Clause `json:"rule"`
}

// A LegalBasis is what a kind of notice rests on.
type LegalBasis struct {
	Instrument string `json:"instrument"` // key in Pack.Instruments
	Rule       Clause `json:"rule"`
}

// Deadlines are the minutes from receipt for one kind of notice.
type Deadlines struct {
	Urgent   Figure   `json:"urgent"`
	Standard Figure   `json:"standard"`
	Choices  []Figure `json:"choices"` // what a proposer may choose from
}

// Receipt is the receipt clock: what follows while nobody confirms receipt. The
// first figure counts from the first sending, the other three from the moment
// at which the notice became unreceived.
type Receipt struct {
	UnreceivedAfter          Figure `json:"unreceived_after"`
	NextChannelAfter         Figure `json:"next_channel_after"`
	NextContactAfter         Figure `json:"next_contact_after"`
	LegalRepresentativeAfter Figure `json:"legal_representative_after"`
	Deemed                   Deemed `json:"deemed"`
}

// Deemed says whether service may be deemed where receipt is never confirmed.
// Where it is not allowed, Rule is the sentence that says so and the figures
// are zero.
type Deemed struct {
	Allowed     bool   `json:"allowed"`
	Rule        Clause `json:"rule"`
	Methods     Figure `json:"methods"`      // different methods of service tried, >= 2
	WorkingDays Figure `json:"working_days"` // full working days since the first sending, >= 3
	Persons     Figure `json:"persons"`      // who record it together, >= 2
}

// Pauses are the lawful stops of the answer clock.
type Pauses struct {
	Kinds          []Pause `json:"kinds"`
	Clarifications Figure  `json:"clarifications"` // without the issuer's consent, <= 2
	Total          Figure  `json:"total"`          // minutes per item without consent, <= 24 h
}

// A Pause is one lawful reason to stop the answer clock.
type Pause struct {
	Kind PauseKind `json:"kind"`
	Rule Clause    `json:"rule"`
}

// FirstNotice is the information that goes ahead of the very first notice to a
// platform. Regulation (EU) 2021/784, Article 3(2).
type FirstNotice struct {
	Advance   Figure `json:"advance"`
	Exception Clause `json:"exception"`
}

// Issuing says whether the organisation that proposes also issues.
type Issuing string

// The two ways of issuing.
const (
	ByAuthority Issuing = "authority"  // the agency proposes, an authority issues
	SameParty   Issuing = "same-party" // one organisation holds both
)

// A Chain is the order of steps from proposal to issue, each by other persons.
type Chain struct {
	Issuing Issuing `json:"issuing"`
	Steps   []Step  `json:"steps"`
}

// A Step is one act of a chain.
type Step struct {
	Act     Act       `json:"act"`
	Party   PartyKind `json:"party"`
	Role    Role      `json:"role"`
	Persons Figure    `json:"persons"`
	Limit   Figure    `json:"limit"` // minutes; our own target, never an effect in law
}

// Signing says which signatures suffice and when one more person is needed.
type Signing struct {
	Methods        []SigningMethod `json:"methods"`
	BroadTargets   []string        `json:"broad_targets"`
	ExtraApprovers Figure          `json:"extra_approvers"`
}

// Suffices reports whether a signature made by method counts.
func (s Signing) Suffices(method SigningMethod) bool { return slices.Contains(s.Methods, method) }

// Ladder is what may follow an order that is not answered.
type Ladder struct {
	Rungs []Rung `json:"rungs"`
	Ends  Clause `json:"ends"` // what to say when there is no further rung
}

// From says what a rung's earliest time counts from.
type From string

// What a rung's earliest time counts from.
const (
	FromHalfTime From = "half-time" // half of the time between receipt and due
	FromDue      From = "due"
	FromPrevious From = "previous" // the moment at which the rung before was taken
)

// A Rung is one step of the ladder. A person takes it; none is taken by itself
// but a reminder.
type Rung struct {
	Code     RungCode  `json:"code"`
	From     From      `json:"from"`
	After    Figure    `json:"after"` // minutes
	Party    PartyKind `json:"party"`
	Role     Role      `json:"role"`
	Text     Text      `json:"text"`
	Source   string    `json:"source"`
	Verified bool      `json:"verified"`
	Note     *Text     `json:"note"`
}

// Languages are those of the notice.
type Languages struct {
	Binding string   `json:"binding"` // ISO 639
	Others  []string `json:"others"`
	Rule    Clause   `json:"rule"`
}

// Redress is one way to object, printed on the notice.
type Redress struct {
	For      string  `json:"for"` // platform, user or anyone
	Body     Text    `json:"body"`
	Deadline *Figure `json:"deadline"` // days; nil if left to another law
	Rule     Clause  `json:"rule"`
}

// A Duty is printed on the notice's face.
type Duty struct {
	Code string `json:"code"`
	Rule Clause `json:"rule"`
}

// Disclosure says whether the platform may tell the user. The answer is yes
// unless the notice gives a reason and a term.
type Disclosure struct {
	MayTellUser bool   `json:"may_tell_user"`
	WithholdMax Figure `json:"withhold_max"` // days
	Renewals    Figure `json:"renewals"`
	Rule        Clause `json:"rule"`
}

// HomeCopy says whether the platform's home authority gets a copy.
// Regulation (EU) 2021/784, Article 4.
type HomeCopy struct {
	Required bool    `json:"required"`
	Scrutiny *Figure `json:"scrutiny"` // minutes that authority has
	Request  *Figure `json:"request"`  // minutes to ask it for scrutiny
	Rule     Clause  `json:"rule"`
}

// PreservationTerm is how long the platform keeps what it removed.
type PreservationTerm struct {
	Months Figure `json:"months"`
	Rule   Clause `json:"rule"`
}

// Listed is the rule for listed entities.
type Listed struct {
	Classes               []ListClass `json:"classes"`
	NationalOnlyReviewers Figure      `json:"national_only_reviewers"`
	Rule                  Clause      `json:"rule"`
}

// A Penalty is a figure that the law threatens. It is shown, never applied.
type Penalty struct {
	Code   string `json:"code"`
	Figure Figure `json:"figure"`
	Text   Text   `json:"text"`
}

// Limits are bounds that a pack may only make stricter.
type Limits struct {
	Hold         Figure `json:"hold"`          // minutes of a deconfliction hold, <= 72 h
	HoldRenewals Figure `json:"hold_renewals"` // <= 1
	SealDays     Figure `json:"seal_days"`     // <= 84
	BlockFirst   Figure `json:"block_first"`   // minutes of a block's first term, <= 72 h
	BlockTotal   Figure `json:"block_total"`   // days of all terms, <= 90
}

// A Queue is a named part of the cases waiting for triage.
type Queue struct {
	Code   string `json:"code"`
	Name   Text   `json:"name"`
	Filter Filter `json:"filter"`
}

// A Filter holds what a case needs to be in a queue; an empty part allows
// everything.
type Filter struct {
	Channels  []string `json:"channels"`
	Tiers     []Tier   `json:"tiers"`
	Platforms []string `json:"platforms"`
	Languages []string `json:"languages"`
	Crisis    bool     `json:"crisis"` // only cases linked to an active crisis
}

// Priority holds the most points that each reason can add to a case's place.
type Priority struct {
	Deadline         Figure `json:"deadline"`
	Crisis           Figure `json:"crisis"`
	TierThreatToLife Figure `json:"tier-threat-to-life"`
	TierCrisis       Figure `json:"tier-crisis"`
	TierDesignation  Figure `json:"tier-designation"`
	TierPromotional  Figure `json:"tier-promotional"`
	Reach            Figure `json:"reach"`
	Reports          Figure `json:"reports"`
	Age              Figure `json:"age"`
}

// Tier returns the points of a tier, 0 for none.
func (p Priority) Tier(t Tier) int {
	switch t {
	case ThreatToLife:
		return p.TierThreatToLife.Int()
	case Crisis:
		return p.TierCrisis.Int()
	case Designation:
		return p.TierDesignation.Int()
	case Promotional:
		return p.TierPromotional.Int()
	default:
		return 0
	}
}

// Routing says which agency gets a report.
type Routing struct {
	Default PartyKey `json:"default"`
	Rules   []Route  `json:"rules"` // the first that fits decides
}

// A Route sends a report to a party if every part that it names fits.
type Route struct {
	Jurisdiction string   `json:"jurisdiction"`
	Platform     string   `json:"platform"`
	Language     string   `json:"language"`
	Choice       string   `json:"choice"`
	To           PartyKey `json:"to"`
}

// Batch bounds decisions on many cases at once.
type Batch struct {
	Max           Figure `json:"max"`            // <= 200
	SamplePercent Figure `json:"sample_percent"` // drawn and opened before signing
	SampleMin     Figure `json:"sample_min"`
}

// Sample returns how many of n cases have to be opened before the batch may be
// signed: the pack's share, rounded up, at least its floor, at most all.
func (b Batch) Sample(n int) int {
	share := (n*b.SamplePercent.Int() + 99) / 100
	return max(0, min(n, max(share, b.SampleMin.Int())))
}

// Deadline returns the minutes from receipt in which a kind of notice is to be
// answered. ok is false where the kind has none: a referral never has one.
func (p Pack) Deadline(kind NoticeKind, urgency Urgency) (minutes int, ok bool) {
	d, ok := p.Deadlines[kind]
	if !ok {
		return 0, false
	}
	switch urgency {
	case Urgent:
		return d.Urgent.Int(), true
	case Standard:
		return d.Standard.Int(), true
	default:
		return 0, false
	}
}

// AllowsDeadline reports whether a proposer may choose these minutes for kind.
// Where the kind has no deadline only 0 is allowed.
func (p Pack) AllowsDeadline(kind NoticeKind, minutes int) bool {
	d, ok := p.Deadlines[kind]
	if !ok {
		return minutes == 0
	}
	return slices.ContainsFunc(d.Choices, func(f Figure) bool { return f.Int() == minutes })
}

// Ground returns the provision that the jurisdiction's law maps on g. ok is
// false for anything outside the closed list.
func (p Pack) Ground(g Ground) (Clause, bool) {
	c, ok := p.Grounds[g]
	return c, ok
}

// Chain returns the steps for a kind of notice. ok is false where the
// jurisdiction does not issue it.
func (p Pack) Chain(kind NoticeKind) (Chain, bool) {
	c, ok := p.Chains[kind]
	return c, ok
}

// Pause returns the pack's rule for a kind of pause. ok is false where the
// clock does not stop for it.
func (p Pack) Pause(kind PauseKind) (Clause, bool) {
	for _, k := range p.Pauses.Kinds {
		if k.Kind == kind {
			return k.Rule, true
		}
	}
	return Clause{}, false
}

// NextRung returns the rung after the one taken last; taken is "" before the
// first. ok is false at the ladder's end, where Ladder.Ends says why.
func (p Pack) NextRung(taken RungCode) (Rung, bool) {
	next := 0
	if taken != "" {
		i := slices.IndexFunc(p.Ladder.Rungs, func(r Rung) bool { return r.Code == taken })
		if i < 0 {
			return Rung{}, false
		}
		next = i + 1
	}
	if next >= len(p.Ladder.Rungs) {
		return Rung{}, false
	}
	return p.Ladder.Rungs[next], true
}

// RouteFacts are what routing rules may ask about a report. An empty fact fits
// only rules that do not ask for it.
type RouteFacts struct {
	Jurisdiction string
	Platform     string
	Language     string
	Choice       string // the agency that the reporter chose
}

// Route returns the agency that gets the report: that of the first rule that
// fits, else the default.
func (p Pack) Route(f RouteFacts) PartyKey {
	fits := func(want, got string) bool { return want == "" || want == got }
	for _, r := range p.Routing.Rules {
		if fits(r.Jurisdiction, f.Jurisdiction) && fits(r.Platform, f.Platform) &&
			fits(r.Language, f.Language) && fits(r.Choice, f.Choice) {
			return r.To
		}
	}
	return p.Routing.Default
}

// CaseFacts are what queue filters may ask about a case.
type CaseFacts struct {
	Channels  []string // every channel by which the case was reported
	Tier      Tier     // "" before the assessment
	Platforms []string
	Languages []string
	Crisis    bool
}

// Queue returns the first queue whose filter the case fits. The last queue of
// every pack takes everything, so that no case is lost.
func (p Pack) Queue(f CaseFacts) Queue {
	for _, q := range p.Queues {
		if q.Filter.fits(f) {
			return q
		}
	}
	return p.Queues[len(p.Queues)-1]
}

func (f Filter) fits(c CaseFacts) bool {
	return anyOf(f.Channels, c.Channels) && anyOf(f.Platforms, c.Platforms) && anyOf(f.Languages, c.Languages) &&
		(len(f.Tiers) == 0 || slices.Contains(f.Tiers, c.Tier)) && (!f.Crisis || c.Crisis)
}

// anyOf reports whether one of have is wanted; an empty want allows everything.
func anyOf(want, have []string) bool {
	return len(want) == 0 || slices.ContainsFunc(have, func(h string) bool { return slices.Contains(want, h) })
}
