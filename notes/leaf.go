package notes

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Leaf is one entry of the public log. It holds the fields that the public
// figures need and salted commitments, never a URL, host name, handle, person,
// hash of content or free text. Exactly the part named by Kind is set.
// schema/leaf.json gives the figure that each field serves.
type Leaf struct {
	V            int      `json:"v"`
	Kind         string   `json:"kind"`
	Ref          string   `json:"ref"`
	Instance     string   `json:"instance"`
	Issuer       string   `json:"issuer"`
	Jurisdiction string   `json:"jurisdiction"`
	Pack         LeafPack `json:"pack"`
	At           Time     `json:"at"` // to the minute; sealed: to the day
	Opens        *Opens   `json:"opens,omitempty"`

	// Commitments holds HMAC-SHA-256 of a value under its own 256-bit salt, hex.
	Commitments map[string]string `json:"commitments,omitempty"`

	Notice     *LeafNotice     `json:"notice,omitempty"`
	Answer     *LeafAnswer     `json:"answer,omitempty"`
	Service    *LeafService    `json:"service,omitempty"`
	Warning    *LeafWarning    `json:"warning,omitempty"`
	Withdrawal *LeafWithdrawal `json:"withdrawal,omitempty"`
	Block      *LeafBlock      `json:"block,omitempty"`
	Lift       *LeafLift       `json:"lift,omitempty"`
	Appeal     *LeafAppeal     `json:"appeal,omitempty"`
	Outcome    *LeafOutcome    `json:"outcome,omitempty"`
	Retraction *LeafRetraction `json:"retraction,omitempty"`
	Crisis     *LeafCrisis     `json:"crisis,omitempty"`
	Freeze     *LeafFreeze     `json:"freeze,omitempty"`
	PackChange *LeafPackChange `json:"pack_change,omitempty"`
	KeyChange  *LeafKeyChange  `json:"key_change,omitempty"`
	Campaign   *LeafCampaign   `json:"campaign,omitempty"`
	Sealed     *LeafSealed     `json:"sealed,omitempty"`
}

// LeafPack names the jurisdiction's data that applied.
type LeafPack struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// Opens says that this leaf is what an earlier sealed one committed to.
type Opens struct {
	Index int64  `json:"index"` // of the sealed leaf in the log
	Salt  string `json:"salt"`  // 256 bits, hex
}

// ChainStep is who did one step, by kind of organisation and of key only.
type ChainStep struct {
	Step      Step   `json:"step"`
	PartyKind string `json:"party_kind"`
	Method    Method `json:"method"`
}

// LeafItems counts items under one root over their commitments.
type LeafItems struct {
	Root       string         `json:"root"` // see [Root], hex
	Count      int            `json:"count"`
	ByKind     map[string]int `json:"by_kind,omitempty"`
	ByLanguage map[string]int `json:"by_language,omitempty"`
	ByAnswer   map[string]int `json:"by_answer,omitempty"`
	ByBasis    map[string]int `json:"by_basis,omitempty"`
}

// LeafNotice records that a notice was issued.
type LeafNotice struct {
	Kind            NoticeKind     `json:"kind"`
	Grounds         []Ground       `json:"grounds"`
	Functions       []Function     `json:"functions"`
	Tier            Tier           `json:"tier,omitempty"`
	ListClass       ListClass      `json:"list_class,omitempty"`
	Languages       []string       `json:"languages"`
	Chain           []ChainStep    `json:"chain"`
	Disclosure      LeafDisclosure `json:"disclosure"`
	DeadlineMinutes int            `json:"deadline_minutes"`
	Platform        string         `json:"platform"` // party, or unregistered/<kind>
	Items           LeafItems      `json:"items"`
}

// LeafDisclosure says whether the user may be told.
type LeafDisclosure struct {
	MayTellUser bool `json:"may_tell_user"`
	Until       Time `json:"until,omitzero"`
}

// LeafAnswer records one call of a platform.
type LeafAnswer struct {
	Items            LeafItems `json:"items"`
	MinutesToReceipt int       `json:"minutes_to_receipt"`
	MinutesToAnswer  int       `json:"minutes_to_answer"`
	MinutesPaused    int       `json:"minutes_paused"`
}

// LeafService records that a notice was received, deemed served, or not.
type LeafService struct {
	Result      string    `json:"result"`
	Channels    []Channel `json:"channels"`
	WorkingDays int       `json:"working_days"`
	Minutes     int       `json:"minutes"`
}

// LeafWarning records a rung of the ladder.
type LeafWarning struct {
	Rung            int    `json:"rung"`
	DeadlineMinutes int    `json:"deadline_minutes"`
	Commitment      bool   `json:"commitment"`
	FineMinor       int64  `json:"fine_minor,omitempty"`
	Currency        string `json:"currency,omitempty"`
}

// LeafWithdrawal records that an issuer took a notice back, or oversight did.
type LeafWithdrawal struct {
	Reason          string `json:"reason"`
	Items           int    `json:"items"`
	MinutesStanding int    `json:"minutes_standing"`
}

// LeafBlock records that resolvers were told not to answer.
type LeafBlock struct {
	Entitled  string      `json:"entitled"` // exhausted-ladder or court
	Domains   LeafItems   `json:"domains"`
	Chain     []ChainStep `json:"chain"`
	Term      int         `json:"term"`
	ExpiresAt Time        `json:"expires_at"`
	Operators int         `json:"operators"`
}

// LeafLift records that a block ended.
type LeafLift struct {
	Reason          string `json:"reason"`
	MinutesStanding int    `json:"minutes_standing"`
	OperatorsAsked  int    `json:"operators_asked"`
	OperatorsUndone int    `json:"operators_undone"`
}

// LeafAppeal records that somebody objected.
type LeafAppeal struct {
	By      string `json:"by"`
	Against string `json:"against"`
}

// LeafOutcome records how an appeal ended.
type LeafOutcome struct {
	Result  string `json:"result"`
	Minutes int    `json:"minutes"`
}

// LeafRetraction records how far an undoing has travelled.
type LeafRetraction struct {
	Reason    string         `json:"reason"`
	ByTarget  map[string]int `json:"by_target"`
	Confirmed int            `json:"confirmed"`
	Minutes   int            `json:"minutes"`
}

// LeafCrisis records a step of an incident.
type LeafCrisis struct {
	Mode         string `json:"mode"`
	Type         string `json:"type"` // code from the incident types in force
	Event        string `json:"event"`
	Participants int    `json:"participants"`
	Acknowledged int    `json:"acknowledged"`
	Minutes      int    `json:"minutes"`
}

// LeafFreeze records that oversight stopped the operator, or let it go on.
type LeafFreeze struct {
	Scope   string `json:"scope"`
	Event   string `json:"event"`
	Persons int    `json:"persons"`
	Hours   int    `json:"hours"`
}

// LeafPackChange records that a jurisdiction's data changed.
type LeafPackChange struct {
	From        int      `json:"from"`
	To          int      `json:"to"`
	Digest      string   `json:"digest"`
	EffectiveAt Time     `json:"effective_at"`
	Persons     int      `json:"persons"`
	Areas       []string `json:"areas"`
	Unverified  int      `json:"unverified"` // figures whose source is not confirmed
}

// LeafKeyChange records a change of an organisation's key.
type LeafKeyChange struct {
	Key     string `json:"key"` // key id
	Purpose string `json:"purpose"`
	Event   string `json:"event"`
}

// LeafCampaign records a step of a campaign of peace messages.
type LeafCampaign struct {
	Event      string   `json:"event"`
	Languages  []string `json:"languages"`
	Asked      int      `json:"asked"`
	Given      int      `json:"given"`
	Reach      int64    `json:"reach"`
	Incident   bool     `json:"incident"`
	SponsorOwn bool     `json:"sponsor_own"` // the issuer itself is the sponsor
}

// LeafSealed stands for a leaf that opens later.
type LeafSealed struct {
	Until        Time   `json:"until"`
	Prolongation int    `json:"prolongation"` // 0 is the first term
	Commitment   string `json:"commitment"`   // to the canonical leaf, see [Commit]
}

// Commit is the salted commitment to value: HMAC-SHA-256 with the salt as key.
// Each value has a salt of its own. Whoever gets salt and value can check it;
// once the salt is destroyed nobody can.
func Commit(salt [32]byte, value []byte) [32]byte {
	m := hmac.New(sha256.New, salt[:])
	m.Write(value)
	return [32]byte(m.Sum(nil))
}

// Root is the Merkle tree hash of RFC 6962, section 2.1, over commitments in
// the order of the items' numbers. The root of none is SHA-256 of nothing.
func Root(commitments [][32]byte) [32]byte {
	switch n := len(commitments); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, commitments[0][:]...))
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		left, right := Root(commitments[:k]), Root(commitments[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}
