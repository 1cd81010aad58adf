package notes

// Ground is one of the five closed grounds. Regulation (EU) 2021/784, Article
// 2(7); every jurisdiction maps its own law on them.
type Ground string

// The grounds. There is no other and no free text.
const (
	GroundIncite         Ground = "incite"
	GroundSolicitOffence Ground = "solicit-offence"
	GroundSolicitGroup   Ground = "solicit-group"
	GroundInstruct       Ground = "instruct"
	GroundThreaten       Ground = "threaten"
)

// Grounds returns the five in the order of the Regulation, G1 to G5.
func Grounds() []Ground {
	return []Ground{GroundIncite, GroundSolicitOffence, GroundSolicitGroup, GroundInstruct, GroundThreaten}
}

// Function is what the content is for; any number may apply. The list is that
// of the Indonesian agency's yearly figures.
type Function string

// The functions.
const (
	FunctionPropaganda   Function = "propaganda"
	FunctionRecruitment  Function = "recruitment"
	FunctionTraining     Function = "training"
	FunctionPlanning     Function = "planning"
	FunctionFinancing    Function = "financing"
	FunctionLogistics    Function = "logistics"
	FunctionExecution    Function = "execution"
	FunctionHiding       Function = "hiding"
	FunctionParamilitary Function = "paramilitary"
)

// Tier orders by urgency, as the Terrorist Content Analytics Platform does.
type Tier string

// The tiers, most urgent first.
const (
	TierThreatToLife Tier = "threat-to-life"
	TierCrisis       Tier = "crisis"
	TierDesignation  Tier = "designation"
	TierPromotional  Tier = "promotional"
)

// Audience is a group that content is aimed at.
type Audience string

// The audiences that are counted.
const (
	AudienceMinors Audience = "minors"
	AudienceWomen  Audience = "women"
)

// ListClass says who has listed the entity. It is a fact, never a ground.
type ListClass string

// The classes of lists.
const (
	ListUN       ListClass = "un"
	ListRegional ListClass = "regional"
	ListNational ListClass = "national"
	ListNone     ListClass = "none"
)

// Purpose is one of the purposes that keep content lawful. Regulation (EU)
// 2021/784, Article 1(3).
type Purpose string

// The purposes that every assessment tests, P1 to P5.
const (
	PurposeJournalism    Purpose = "journalism"
	PurposeEducation     Purpose = "education"
	PurposeResearch      Purpose = "research"
	PurposeArt           Purpose = "art"
	PurposeCounterSpeech Purpose = "counter-speech"
)

// Purposes returns the five in the order in which documents list them.
func Purposes() []Purpose {
	return []Purpose{PurposeJournalism, PurposeEducation, PurposeResearch, PurposeArt, PurposeCounterSpeech}
}

// Finding is the answer to a test. The empty value answers nothing.
type Finding string

// The findings. Unsure asks for a second opinion and never leaves in a notice.
const (
	Yes    Finding = "yes"
	No     Finding = "no"
	Unsure Finding = "unsure"
)

// NoticeKind is what a notice asks for, and with what weight.
type NoticeKind string

// The kinds of notices.
const (
	Referral      NoticeKind = "referral"
	RemovalOrder  NoticeKind = "removal-order"
	Preservation  NoticeKind = "preservation"
	Warning       NoticeKind = "warning"
	Reinstatement NoticeKind = "reinstatement"
	RoomRequest   NoticeKind = "room-request"
)

// AnswerKind is what a platform did about one item.
type AnswerKind string

// The kinds of answers. The last three pause the answer clock. Regulation (EU)
// 2021/784, Article 3(6) to (8), Annexes II and III.
const (
	Removed          AnswerKind = "removed"
	Disabled         AnswerKind = "disabled"
	Restricted       AnswerKind = "restricted"
	AccountSuspended AnswerKind = "account-suspended"
	Labelled         AnswerKind = "labelled"
	StreamEnded      AnswerKind = "stream-ended"
	GoneBefore       AnswerKind = "gone-before"
	Refused          AnswerKind = "refused"
	Challenged       AnswerKind = "challenged"
	Impossible       AnswerKind = "impossible"
	Clarify          AnswerKind = "clarify"
	ManifestError    AnswerKind = "error"
)

// Pauses reports whether the answer stops the answer clock instead of closing
// the item.
func (k AnswerKind) Pauses() bool {
	return k == Impossible || k == Clarify || k == ManifestError
}

// Basis is why the platform acted.
type Basis string

// The bases of an action.
const (
	BasisOwnTerms  Basis = "own-terms"
	BasisThisOrder Basis = "this-order"
	BasisOtherLaw  Basis = "other-law"
)

// AnswerGround is the reason of an answer that does not do what was asked.
type AnswerGround string

// Grounds of refused.
const (
	NotWithinGrounds AnswerGround = "not-within-grounds"
	TruePurpose      AnswerGround = "true-purpose"
	TermsNotBreached AnswerGround = "terms-not-breached"
	ConflictOfLaw    AnswerGround = "conflict-of-law"
	NotPublic        AnswerGround = "not-public"
	NotOurs          AnswerGround = "not-ours"
)

// Grounds of impossible: force majeure, or impossibility in fact, objective
// technical or operational reasons included. Regulation (EU) 2021/784, Article 3(7).
const (
	ForceMajeure AnswerGround = "force-majeure"
	DeFacto      AnswerGround = "de-facto"
	Technical    AnswerGround = "technical"
	Operational  AnswerGround = "operational"
)

// Grounds of error: what is manifestly wrong or missing. Regulation (EU)
// 2021/784, Article 3(8), and the clarifications known from practice.
const (
	LinkInvalid      AnswerGround = "link-invalid"
	EvidenceMismatch AnswerGround = "evidence-mismatch"
	NotIdentifiable  AnswerGround = "not-identifiable"
	LanguageWrong    AnswerGround = "language"
	Incomplete       AnswerGround = "incomplete"
)

// Step is what somebody did by signing.
type Step string

// The steps. StepSealed is the organisation's own.
const (
	StepAssessed   Step = "assessed"
	StepProposed   Step = "proposed"
	StepApproved   Step = "approved"
	StepAuthorised Step = "authorised" // a court, where it must come first
	StepIssued     Step = "issued"
	StepReceived   Step = "received"
	StepAnswered   Step = "answered"
	StepSealed     Step = "sealed"
)

// Method is how a signature was made.
type Method string

// The methods.
const (
	MethodPasskey      Method = "passkey"
	MethodBrowserKey   Method = "browser-key"
	MethodAutomation   Method = "automation"
	MethodOrganisation Method = "organisation"
)

// Channel is a way by which a notice reached a platform.
type Channel string

// The channels.
const (
	ChannelAPI     Channel = "api"
	ChannelWebhook Channel = "webhook"
	ChannelPortal  Channel = "portal"
	ChannelMail    Channel = "mail"
	ChannelPaper   Channel = "paper"
)
