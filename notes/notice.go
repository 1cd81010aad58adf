package notes

// Notice is one message with legal weight to one platform about one or many
// items. Its fields follow sections A to G of Annex I to Regulation (EU)
// 2021/784, widened to every kind of notice and jurisdiction. The time of issue
// is not in it but in the envelope, because proposer, approver and officer sign
// the same bytes. Which fields each kind needs is in schema/notice.json.
type Notice struct {
	V            int        `json:"v"`
	Instance     string     `json:"instance"`  // code of the instance, as in references
	ID           string     `json:"id"`        // UUID
	Reference    string     `json:"reference"` // as in DEMO-PH-2026-01192
	Kind         NoticeKind `json:"kind"`
	Issuer       Party      `json:"issuer"`
	Proposer     Party      `json:"proposer"`
	Jurisdiction string     `json:"jurisdiction"` // ID, EU, ...
	Pack         Pack       `json:"pack"`

	LegalBasis []LegalBasis `json:"legal_basis,omitempty"`
	Court      *Court       `json:"court,omitempty"`
	Addressee  Addressee    `json:"addressee"`
	Items      []Item       `json:"items,omitempty"`
	Room       *Room        `json:"room,omitempty"`

	Grounds   []Ground   `json:"grounds,omitempty"`
	Functions []Function `json:"functions,omitempty"`
	Audience  []Audience `json:"audience,omitempty"`
	Tier      Tier       `json:"tier,omitempty"`
	Listed    *Listed    `json:"listed,omitempty"`
	Reasons   Text       `json:"reasons"`
	Languages []string   `json:"languages"` // in which the notice is made out

	PurposeTests   []PurposeTest `json:"purpose_tests,omitempty"`
	PurposeReasons *Text         `json:"purpose_reasons,omitempty"`
	Necessity      *Necessity    `json:"necessity,omitempty"`
	Scope          *Scope        `json:"scope,omitempty"`

	DeadlineMinutes int        `json:"deadline_minutes"` // from receipt; 0 is none
	Duties          *Duties    `json:"duties,omitempty"`
	Warning         *WarnStep  `json:"warning,omitempty"`
	Disclosure      Disclosure `json:"disclosure"`

	HomeAuthorityCopy *HomeCopy    `json:"home_authority_copy,omitempty"`
	Feedback          Contact      `json:"feedback"`
	Redress           []Redress    `json:"redress,omitempty"`
	FirstNotice       *FirstNotice `json:"first_notice,omitempty"`
	Previous          []Previous   `json:"previous,omitempty"`
	Incident          string       `json:"incident,omitempty"` // reference of a crisis
	Dossier           string       `json:"dossier,omitempty"`  // digest of the dossier behind it, hex
}

// Party names an organisation.
type Party struct {
	ID    string `json:"id"` // as registered with the instance
	Name  string `json:"name"`
	Kind  string `json:"kind"`            // agency, authority, platform, ...
	State string `json:"state,omitempty"` // ISO 3166-1, or the code of a union
}

// Pack names the version of the jurisdiction's data that applied.
type Pack struct {
	Code    string `json:"code"` // as eu-tco
	Version int    `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of the pack file, hex
}

// LegalBasis is a provision on which the notice rests.
type LegalBasis struct {
	Law     string `json:"law"`
	Article string `json:"article"`
	Title   string `json:"title"`
}

// Court names the decision of a court that came first, where one is needed.
type Court struct {
	Name      string `json:"name"`
	Reference string `json:"reference"`
	DecidedAt Time   `json:"decided_at"`
	Document  string `json:"document,omitempty"` // SHA-256 of the decision, hex
}

// Addressee is the platform. Annex I, section A.
type Addressee struct {
	Party                    string `json:"party,omitempty"` // absent while unregistered
	Name                     string `json:"name"`
	Kind                     string `json:"kind"` // social, messaging, hosting, ...
	LegalRepresentative      string `json:"legal_representative,omitempty"`
	Contact                  string `json:"contact"` // contact point: mail address or URL
	StateOfMainEstablishment string `json:"state_of_main_establishment,omitempty"`
}

// Item is one location, numbered from 1 within its notice. Annex I, section B.
type Item struct {
	N           int    `json:"n"`
	URL         string `json:"url"`  // canonical URL or handle, not defanged
	Kind        string `json:"kind"` // post, account, channel, ...
	Platform    string `json:"platform"`
	Extra       string `json:"extra,omitempty"` // what else helps to find it
	ContentType string `json:"content_type"`
	Language    string `json:"language"` // BCP 47, und when unknown
}

// Room is what a room request asks for: place for a peace message.
type Room struct {
	Campaign  string   `json:"campaign"` // reference
	Placement string   `json:"placement"`
	Languages []string `json:"languages"`
	From      Time     `json:"from"`
	Until     Time     `json:"until"`
}

// Listed is a fact about the entity behind the content, never a ground.
type Listed struct {
	Class ListClass `json:"class"`
	List  string    `json:"list,omitempty"`
	Entry string    `json:"entry,omitempty"` // number on that list
}

// Text says one thing in one or more languages, of which one binds.
type Text struct {
	Binding string            `json:"binding"` // BCP 47
	Texts   map[string]string `json:"texts"`   // by BCP 47 tag
}

// PurposeTest is the outcome of one purpose test. Reasons stand in the
// assessment; a notice gives them together as purpose_reasons.
type PurposeTest struct {
	Purpose Purpose `json:"purpose"`
	Claimed Finding `json:"claimed"`
	Actual  Finding `json:"actual"` // is it the true purpose?
	Reasons string  `json:"reasons,omitempty"`
}

// Necessity says which lighter measures were tried, or why none would work.
type Necessity struct {
	Tried   []Measure `json:"tried,omitempty"`
	WhyNone *Text     `json:"why_none,omitempty"`
}

// Measure is a lighter measure and what came of it.
type Measure struct {
	Measure string `json:"measure"`
	At      Time   `json:"at,omitzero"`
	Outcome string `json:"outcome"`
}

// Scope is where the notice shall take effect, no wider than necessary.
type Scope struct {
	Territories []string `json:"territories"`   // ISO 3166-1, EU, or 001 for the world
	Why         *Text    `json:"why,omitempty"` // required for the world
}

// Duties stand on the face of the notice.
type Duties struct {
	RemoveMinutes  int   `json:"remove_minutes"`  // 0 is no duty to remove
	PreserveMonths int   `json:"preserve_months"` // 0 is no duty to preserve
	Statement      *Text `json:"statement,omitempty"`
}

// WarnStep is the rung of the ladder that a warning stands for.
type WarnStep struct {
	Rung       int   `json:"rung"`
	Commitment bool  `json:"commitment"` // a written commitment is asked for
	Fine       *Fine `json:"fine,omitempty"`
}

// Fine is recorded, never computed.
type Fine struct {
	AmountMinor int64  `json:"amount_minor"` // in the minor unit of ISO 4217
	Currency    string `json:"currency"`
	Provision   string `json:"provision"`
}

// Disclosure says whether the user may be told. Annex I, section C.
type Disclosure struct {
	MayTellUser bool  `json:"may_tell_user"`
	Reason      *Text `json:"reason,omitempty"`
	Until       Time  `json:"until,omitzero"`
}

// HomeCopy says whether the authority of the platform's home state gets a
// copy. Annex I, section D.
type HomeCopy struct {
	Applies   bool   `json:"applies"`
	Authority string `json:"authority,omitempty"`
	State     string `json:"state,omitempty"`
}

// Contact is where the platform asks. Annex I, section F.
type Contact struct {
	Name      string   `json:"name"`
	Email     string   `json:"email,omitempty"`
	Telephone string   `json:"telephone,omitempty"`
	URL       string   `json:"url,omitempty"`
	Hours     string   `json:"hours,omitempty"`
	Languages []string `json:"languages,omitempty"`
}

// Redress is a way to object. Annex I, section G.
type Redress struct {
	Body      string   `json:"body"`
	For       []string `json:"for"`      // platform, uploader, site-owner, reporter, anyone
	Deadline  string   `json:"deadline"` // ISO 8601 duration as P14D, or none
	Provision string   `json:"provision"`
	Languages []string `json:"languages"`
	URL       string   `json:"url,omitempty"`
}

// FirstNotice says that this is the first order to this platform, and when it
// was told of procedures and deadlines, or which emergency forbade waiting.
// Regulation (EU) 2021/784, Article 3(2).
type FirstNotice struct {
	First     bool  `json:"first"`
	AdvanceAt Time  `json:"advance_at,omitzero"`
	Emergency *Text `json:"emergency,omitempty"`
}

// Previous names a notice that this one builds on.
type Previous struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`   // of that notice, hex
	Relation  string `json:"relation"` // follows, replaces, warns-about, reinstates
}
