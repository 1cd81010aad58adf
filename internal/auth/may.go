// Package auth establishes who acts and says what they may do.
//
// People hold browser sessions, machines hold API keys; both end as a
// party.Actor, which only this package makes. Four places share the work: the
// route table says which seat may knock, a room's transitions say which states
// allow an act, May says whether this person may do it to this object, and SQL
// carries the tenant.
package auth

import (
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// An Act is something a person may do to an object: noun.verb.
type Act string

// The acts. Each noun has a read act: whoever may not even read is told that
// the object does not exist.
const (
	ReportRead  Act = "report.read"
	ReportReply Act = "report.reply" // message the reporter through the receipt

	ListRead Act = "list.read" // lists that one's own organisation sent, and how often it was right
	ListSend Act = "list.send" // read a list, and report its rows

	RegisterRead Act = "register.read" // old registers of one's own organisation
	RegisterSend Act = "register.send" // read one, keep its entries, take it back

	AccuracyRead Act = "accuracy.read" // how often those were right who reported to one's own organisation

	CaseRead     Act = "case.read"
	CaseWork     Act = "case.work"     // take, capture, assess, close, hold, hand over
	CaseAssign   Act = "case.assign"   // give a case to a colleague
	CaseEvidence Act = "case.evidence" // open captures and files; each opening is recorded
	CaseAnswer   Act = "case.answer"   // accept or return what was handed over
	CaseHeed     Act = "case.heed"     // say that one looks at cases where somebody will be hurt soon

	NoticeRead     Act = "notice.read"
	NoticePropose  Act = "notice.propose"
	NoticeApprove  Act = "notice.approve" // the second person
	NoticeReturn   Act = "notice.return"
	NoticeIssue    Act = "notice.issue" // the authority's officer
	NoticeWithdraw Act = "notice.withdraw"
	NoticeVerify   Act = "notice.verify"  // check an answer, reopen an item, end a pause
	NoticeDeem     Act = "notice.deem"    // propose that service be deemed
	NoticeConfirm  Act = "notice.confirm" // deem it, as the second person
	NoticeReceive  Act = "notice.receive"
	NoticeAnswer   Act = "notice.answer"
	NoticeWrite    Act = "notice.write" // a message in the notice's conversation

	PartyRead    Act = "party.read"
	PartyKey     Act = "party.key"     // one's own keys: add, revoke, make an API key
	PartyAdmin   Act = "party.admin"   // people, keys, webhooks of one's own organisation
	PartyReplay  Act = "party.replay"  // have what was sent to one's own webhook sent there again
	PartyRecover Act = "party.recover" // let a colleague make a new key, as the second person
	PartyAdd     Act = "party.add"     // invite another organisation
	PolicyRead   Act = "policy.read"   // jurisdictions and their figures
	AuditRead    Act = "policy.audit"  // the chained record of acts
)

// A Relation is how an actor's party stands to an object.
type Relation string

// The relations.
const (
	Own       Relation = "own"       // the object belongs to the party
	Proposer  Relation = "proposer"  // the party proposed the notice
	Issuer    Relation = "issuer"    // the party issues the notice
	Addressee Relation = "addressee" // the notice is addressed to the party, and issued
	Receiver  Relation = "receiver"  // a dossier of the object was addressed to the party
	Any       Relation = "any"       // no relation needed
)

// An Object is what an act is done to, as far as rights depend on it. The zero
// Object belongs to nobody.
type Object struct {
	What      string // noun for the answer "there is no such …"
	Owner     party.ID
	Proposer  party.ID
	Issuer    party.ID
	Addressee party.ID // set only once the addressee may know
	Receivers []party.ID
	Acted     []party.PersonID // who took an earlier step of the same chain
}

// A Rule grants an act to a seat: kinds of party, roles and a relation. What
// no rule grants is refused.
type Rule struct {
	Act      Act
	Kinds    []party.Kind // none means every kind
	Roles    []party.Role // none means every role
	Relation Relation
	Fresh    bool  // the actor must not have taken an earlier step
	Proof    Proof // what the act asks of the actor besides; the same in every row of an act
}

var (
	deciders   = []party.Kind{party.Agency, party.Authority, party.LawEnforcement, party.Helpline}
	caseStaff  = []party.Role{party.Analyst, party.Approver, party.Officer}
	answerers  = []party.Role{party.Analyst, party.Approver, party.Officer}
	overseers  = []party.Role{party.Reviewer, party.Auditor}
	platforms  = []party.Kind{party.Platform}
	oversights = []party.Kind{party.Oversight}
	// flaggers report under their own name: whoever was invited, but for those
	// who are addressed, who resolve names and who review.
	flaggers = []party.Kind{
		party.Agency, party.State, party.Civil, party.LawEnforcement, party.FinancialIntelligence, party.Intergovernmental, party.Research, party.Helpline,
	}
	senders = []party.Role{party.Analyst, party.Liaison}
)

// Rules is the whole table of rights. An auditor reads it as docs/rights.md.
func Rules() []Rule {
	return []Rule{
		{Act: ReportRead, Kinds: deciders, Roles: caseStaff, Relation: Own},
		{Act: ReportReply, Kinds: deciders, Roles: []party.Role{party.Analyst}, Relation: Own},

		{Act: ListRead, Kinds: flaggers, Roles: senders, Relation: Own},
		{Act: ListSend, Kinds: flaggers, Roles: senders, Relation: Own},

		{Act: RegisterRead, Kinds: deciders, Roles: caseStaff, Relation: Own},
		{Act: RegisterRead, Kinds: oversights, Roles: overseers, Relation: Any},
		{Act: RegisterSend, Kinds: deciders, Roles: []party.Role{party.Analyst, party.Officer}, Relation: Own},

		{Act: AccuracyRead, Kinds: deciders, Roles: caseStaff, Relation: Own},
		{Act: AccuracyRead, Kinds: oversights, Roles: overseers, Relation: Any},

		{Act: CaseRead, Kinds: deciders, Roles: caseStaff, Relation: Own},
		{Act: CaseRead, Kinds: deciders, Roles: caseStaff, Relation: Receiver},
		{Act: CaseRead, Kinds: oversights, Roles: overseers, Relation: Any},
		{Act: CaseWork, Kinds: deciders, Roles: []party.Role{party.Analyst}, Relation: Own},
		{Act: CaseAssign, Kinds: deciders, Roles: []party.Role{party.Analyst, party.Approver}, Relation: Own},
		{Act: CaseEvidence, Kinds: deciders, Roles: caseStaff, Relation: Own},
		{Act: CaseEvidence, Kinds: deciders, Roles: caseStaff, Relation: Receiver},
		{Act: CaseEvidence, Kinds: oversights, Roles: overseers, Relation: Any},
		{Act: CaseAnswer, Kinds: deciders, Roles: []party.Role{party.Analyst, party.Officer}, Relation: Receiver},
		{Act: CaseHeed, Kinds: deciders, Roles: caseStaff, Relation: Own},

		{Act: NoticeRead, Kinds: deciders, Roles: caseStaff, Relation: Proposer},
		{Act: NoticeRead, Kinds: deciders, Roles: caseStaff, Relation: Issuer},
		{Act: NoticeRead, Kinds: platforms, Relation: Addressee},
		{Act: NoticeRead, Kinds: oversights, Roles: overseers, Relation: Any},
		{Act: NoticePropose, Kinds: deciders, Roles: []party.Role{party.Analyst}, Relation: Own, Proof: Signature},
		{Act: NoticeApprove, Kinds: deciders, Roles: []party.Role{party.Approver}, Relation: Proposer, Fresh: true, Proof: Signature},
		{Act: NoticeReturn, Kinds: deciders, Roles: []party.Role{party.Approver}, Relation: Proposer, Fresh: true},
		{Act: NoticeReturn, Kinds: deciders, Roles: []party.Role{party.Officer}, Relation: Issuer, Fresh: true},
		{Act: NoticeIssue, Kinds: deciders, Roles: []party.Role{party.Officer}, Relation: Issuer, Fresh: true, Proof: Signature},
		{Act: NoticeWithdraw, Kinds: deciders, Roles: []party.Role{party.Approver, party.Officer}, Relation: Issuer},
		{Act: NoticeWithdraw, Kinds: deciders, Roles: caseStaff, Relation: Own}, // until it is issued
		{Act: NoticeVerify, Kinds: deciders, Roles: caseStaff, Relation: Issuer},
		{Act: NoticeVerify, Kinds: deciders, Roles: caseStaff, Relation: Proposer},
		{Act: NoticeDeem, Kinds: deciders, Roles: []party.Role{party.Approver, party.Officer}, Relation: Issuer},
		{Act: NoticeConfirm, Kinds: deciders, Roles: []party.Role{party.Approver, party.Officer}, Relation: Issuer, Proof: Touch},
		{Act: NoticeReceive, Kinds: platforms, Roles: answerers, Relation: Addressee},
		{Act: NoticeAnswer, Kinds: platforms, Roles: answerers, Relation: Addressee},
		{Act: NoticeWrite, Kinds: deciders, Roles: caseStaff, Relation: Proposer},
		{Act: NoticeWrite, Kinds: deciders, Roles: caseStaff, Relation: Issuer},
		{Act: NoticeWrite, Kinds: platforms, Roles: answerers, Relation: Addressee},

		{Act: PartyRead, Relation: Own},
		{Act: PartyKey, Relation: Own, Proof: Touch},
		{Act: PartyAdmin, Roles: []party.Role{party.Admin}, Relation: Own, Proof: Touch},
		{Act: PartyReplay, Roles: []party.Role{party.Admin}, Relation: Own},
		{Act: PartyRecover, Roles: []party.Role{party.Admin, party.Approver}, Relation: Own, Fresh: true, Proof: Touch},
		{Act: PartyAdd, Kinds: []party.Kind{party.Agency, party.Authority}, Roles: []party.Role{party.Admin}, Relation: Any, Proof: Touch},
		{Act: PolicyRead, Relation: Any},
		{Act: AuditRead, Kinds: oversights, Roles: overseers, Relation: Any},
	}
}

var table = Rules()

// May returns nil if the actor may do act to o, a Denied fault that says why
// not, or a hidden fault when the actor may not even know of o.
func May(a party.Actor, act Act, o Object) error {
	if !a.Known() {
		return fault.New(fault.Denied, "auth.sign-in")
	}
	why := "auth.not-allowed"
	for _, r := range table {
		if r.Act != act || !r.seat(a) || !o.stands(a.Party, r.Relation) {
			continue
		}
		if r.Fresh && slices.Contains(o.Acted, a.Person) {
			why = "auth.same-person"
			continue
		}
		return nil
	}
	if !reads(a, act, o) {
		return fault.Hidden(o.What)
	}
	return fault.New(fault.Denied, why, "Act", string(act))
}

// Seat reports whether any object at all could be open to the actor for act:
// what a route or a menu asks before an object is known.
func Seat(a party.Actor, act Act) bool {
	return a.Known() && slices.ContainsFunc(table, func(r Rule) bool { return r.Act == act && r.seat(a) })
}

// reads reports whether the actor may know of o.
func reads(a party.Actor, act Act, o Object) bool {
	noun, _, _ := strings.Cut(string(act), ".")
	read := Act(noun + ".read")
	return slices.ContainsFunc(table, func(r Rule) bool {
		return r.Act == read && r.seat(a) && o.stands(a.Party, r.Relation)
	})
}

func (r Rule) seat(a party.Actor) bool {
	if len(r.Kinds) > 0 && !slices.Contains(r.Kinds, a.PartyKind) {
		return false
	}
	return len(r.Roles) == 0 || slices.ContainsFunc(r.Roles, a.Has)
}

// stands reports whether p has the relation to o. An unset party of the object
// relates to nobody.
func (o Object) stands(p party.ID, rel Relation) bool {
	if p == "" {
		return false
	}
	switch rel {
	case Any:
		return true
	case Own:
		return o.Owner == p
	case Proposer:
		return o.Proposer == p
	case Issuer:
		return o.Issuer == p
	case Addressee:
		return o.Addressee == p
	case Receiver:
		return slices.Contains(o.Receivers, p)
	default:
		return false
	}
}
