// Package policy holds jurisdictions as versioned data: grounds, legal bases,
// deadlines, ladders, languages and redress.
//
// A pack is one YAML file that one version of one jurisdiction's rules never
// leaves again: a notice records the [Ref] of the pack it was issued under.
// [Load] refuses a file that its JSON Schema (pack.schema.json, draft 2020-12)
// or the rules between its parts do not allow, and names every fault at once.
// Every number in a pack is a [Figure] with the source it was read in, and says
// whether somebody has read the law's own text. docs/policy.md tells how to
// write one. The clocks that follow from a pack are in policy/clocks.
package policy

import "slices"

// A Ground is one of the five reasons for which content may be referred or
// ordered removed. The list is closed: Regulation (EU) 2021/784, Article 2(7).
// The zero value is no ground.
type Ground string

// The five grounds, in the order in which every page shows them as G1 to G5.
const (
	Incite         Ground = "incite"
	SolicitOffence Ground = "solicit-offence"
	SolicitGroup   Ground = "solicit-group"
	Instruct       Ground = "instruct"
	Threaten       Ground = "threaten"
)

// Grounds lists the closed grounds in their fixed order.
func Grounds() []Ground {
	return []Ground{Incite, SolicitOffence, SolicitGroup, Instruct, Threaten}
}

// Valid reports whether g is on the closed list.
func (g Ground) Valid() bool { return slices.Contains(Grounds(), g) }

// A Function says what content is used for; a case has any number of them.
// They are BNPT's own tags, and never a ground.
type Function string

// The function tags.
const (
	Propaganda   Function = "propaganda"
	Recruitment  Function = "recruitment"
	Training     Function = "training"
	Planning     Function = "planning"
	Financing    Function = "financing"
	Logistics    Function = "logistics"
	Execution    Function = "execution"
	Hiding       Function = "hiding"
	Paramilitary Function = "paramilitary"
)

// Functions lists the function tags in their fixed order.
func Functions() []Function {
	return []Function{Propaganda, Recruitment, Training, Planning, Financing, Logistics, Execution, Hiding, Paramilitary}
}

// A Tier says how grave and how certain a case is, after the inclusion policy
// of the Terrorist Content Analytics Platform.
type Tier string

// The tiers, the gravest first.
const (
	ThreatToLife Tier = "threat-to-life"
	Crisis       Tier = "crisis"
	Designation  Tier = "designation"
	Promotional  Tier = "promotional"
)

// Tiers lists the tiers, the gravest first.
func Tiers() []Tier { return []Tier{ThreatToLife, Crisis, Designation, Promotional} }

// Valid reports whether t is a known tier.
func (t Tier) Valid() bool { return slices.Contains(Tiers(), t) }

// A ListClass says by whom an entity is listed. It is a supporting fact, never
// a ground, and a national listing alone is never the sole reason.
type ListClass string

// The classes, the weightiest first.
const (
	ListedUN       ListClass = "un"
	ListedRegional ListClass = "regional"
	ListedNational ListClass = "national"
	ListedNone     ListClass = "none"
)

// ListClasses lists the classes, the weightiest first.
func ListClasses() []ListClass {
	return []ListClass{ListedUN, ListedRegional, ListedNational, ListedNone}
}

// Valid reports whether l is a known class.
func (l ListClass) Valid() bool { return slices.Contains(ListClasses(), l) }

// A Purpose is one of the five that take content out of the definition when it
// is the true one. Regulation (EU) 2021/784, Article 1(3).
type Purpose string

// The purpose tests, in the order in which every page shows them as P1 to P5.
const (
	Journalism    Purpose = "journalism"
	Education     Purpose = "education"
	Research      Purpose = "research"
	Art           Purpose = "art"
	CounterSpeech Purpose = "counter-speech"
)

// Purposes lists the purpose tests in their fixed order.
func Purposes() []Purpose {
	return []Purpose{Journalism, Education, Research, Art, CounterSpeech}
}

// Valid reports whether p is one of the five tests.
func (p Purpose) Valid() bool { return slices.Contains(Purposes(), p) }

// A NoticeKind says what a notice is in law.
type NoticeKind string

// The kinds of notice.
const (
	Referral      NoticeKind = "referral"      // voluntary, against the platform's own terms
	RemovalOrder  NoticeKind = "removal-order" // binding
	Preservation  NoticeKind = "preservation"  // keep content and related data
	Warning       NoticeKind = "warning"       // about an order left unanswered
	Reinstatement NoticeKind = "reinstatement" // undo what an overturned decision asked
	RoomRequest   NoticeKind = "room-request"  // give room to a message of peace
)

// NoticeKinds lists the kinds of notice in their fixed order.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{Referral, RemovalOrder, Preservation, Warning, Reinstatement, RoomRequest}
}

// Valid reports whether k is a known kind.
func (k NoticeKind) Valid() bool { return slices.Contains(NoticeKinds(), k) }

// An Urgency chooses between a pack's two deadlines.
type Urgency string

// The urgencies.
const (
	Urgent   Urgency = "urgent"
	Standard Urgency = "standard"
)

// Urgencies lists the urgencies, the shorter deadline first.
func Urgencies() []Urgency { return []Urgency{Urgent, Standard} }

// Valid reports whether u is a known urgency.
func (u Urgency) Valid() bool { return slices.Contains(Urgencies(), u) }

// A PauseKind says why an answer clock stands still.
type PauseKind string

// The kinds of pause. Regulation (EU) 2021/784, Article 3(7) and 3(8).
const (
	Impossible    PauseKind = "impossible" // force majeure or de facto impossibility
	Clarify       PauseKind = "clarify"    // too little information
	ManifestError PauseKind = "error"      // the notice is wrong on its face
)

// PauseKinds lists the kinds of pause.
func PauseKinds() []PauseKind { return []PauseKind{Impossible, Clarify, ManifestError} }

// A SigningMethod is how a person's or a program's signature is made.
type SigningMethod string

// The signing methods.
const (
	Passkey    SigningMethod = "passkey"
	BrowserKey SigningMethod = "browser-key"
	Automation SigningMethod = "automation"
)

// SigningMethods lists the signing methods.
func SigningMethods() []SigningMethod { return []SigningMethod{Passkey, BrowserKey, Automation} }

// An Act is one step of a chain.
type Act string

// The acts, in the order in which they happen. Review is a judge's or an
// oversight body's, where a jurisdiction wants one before issuing.
const (
	Propose Act = "propose"
	Approve Act = "approve"
	Review  Act = "review"
	Issue   Act = "issue"
)

// Acts lists the acts in order.
func Acts() []Act { return []Act{Propose, Approve, Review, Issue} }

// A RungCode names a rung of the ladder after an order.
type RungCode string

// The rungs. What a rung asks of the platform is the pack's text.
const (
	Reminder      RungCode = "reminder"
	Warning1      RungCode = "warning-1"
	Warning2      RungCode = "warning-2"
	Warning3      RungCode = "warning-3"
	Fine          RungCode = "fine" // recorded; nothing is computed
	BlockProposal RungCode = "block-proposal"
)

// RungCodes lists the rungs.
func RungCodes() []RungCode {
	return []RungCode{Reminder, Warning1, Warning2, Warning3, Fine, BlockProposal}
}

// A PartyKind is the kind of organisation that takes a step; the words are
// those of the party package.
type PartyKind string

// The kinds of organisation that may stand in a chain.
const (
	Agency    PartyKind = "agency"
	Authority PartyKind = "authority"
	Court     PartyKind = "court"
	Oversight PartyKind = "oversight"
)

// PartyKinds lists the kinds of organisation that may stand in a chain.
func PartyKinds() []PartyKind { return []PartyKind{Agency, Authority, Court, Oversight} }

// A Role is the role that a person needs for a step; the words are those of the
// party package.
type Role string

// The roles that may stand in a chain.
const (
	Analyst  Role = "analyst"
	Approver Role = "approver"
	Officer  Role = "officer"
	Reviewer Role = "reviewer"
)

// Roles lists the roles that may stand in a chain.
func Roles() []Role { return []Role{Analyst, Approver, Officer, Reviewer} }

// A PartyKey names an organisation of this deployment in routing rules.
type PartyKey string
