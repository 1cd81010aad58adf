package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

type listNoticesInput struct {
	Paging
	Life     []string `query:"life" maxItems:"8" enum:"draft,proposed,approved,logged,open,closed,withdrawn,quashed"`
	Kind     string   `query:"kind" enum:"referral,removal-order"`
	Platform string   `query:"platform" maxLength:"60"`
	Case     string   `query:"case" maxLength:"64"`
	Deadline string   `query:"deadline" enum:"none,awaits,unreceived,running,paused,overdue,answered"`
	ByDue    bool     `query:"by_due" doc:"The soonest due first, else the newest first"`
}

func (in listNoticesInput) filter() notice.Filter {
	return notice.Filter{
		Lives: words[notice.Life](in.Life), Kind: notes.NoticeKind(in.Kind), Platform: in.Platform, CaseID: casework.ID(in.Case),
		Deadline: notice.DeadlineState(in.Deadline), Cursor: in.Cursor, Limit: in.Limit, ByDueTime: in.ByDue,
	}
}

type progressBody struct {
	Pending  int `json:"pending"`
	Paused   int `json:"paused"`
	Answered int `json:"answered"`
	Verified int `json:"verified"`
}

// NoticeBody is a notice as lists show it: no link and no text.
type NoticeBody struct {
	ID              string       `json:"id"`
	Ref             string       `json:"ref"`
	Kind            string       `json:"kind"`
	Case            string       `json:"case" doc:"Empty for the platform"`
	CaseRef         string       `json:"case_ref"`
	Dossier         string       `json:"dossier"`
	Proposer        string       `json:"proposer"`
	Issuer          string       `json:"issuer"`
	IssuerName      string       `json:"issuer_name"`
	Addressee       string       `json:"addressee"`
	AddresseeName   string       `json:"addressee_name"`
	Platform        string       `json:"platform"`
	Pack            PackRef      `json:"pack"`
	Version         int          `json:"version"`
	Digest          string       `json:"digest" doc:"SHA-256 over the signed bytes, hex"`
	DeadlineMinutes int          `json:"deadline_minutes" doc:"From receipt; 0 for a referral"`
	Grounds         []string     `json:"grounds"`
	Functions       []string     `json:"functions"`
	Tier            string       `json:"tier"`
	ItemCount       int          `json:"item_count"`
	Progress        progressBody `json:"progress"`
	Broad           []string     `json:"broad"`
	ApprovalsNeeded int          `json:"approvals_needed"`
	MayTellUser     bool         `json:"may_tell_user"`
	Life            string       `json:"life"`
	Delivery        string       `json:"delivery"`
	Rung            string       `json:"rung"`
	Outcome         string       `json:"outcome"`
	Refused         string       `json:"refused" doc:"Why the dispatcher refused it; empty if it did not"`
	Deadline        string       `json:"deadline"`
	DeadlineAt      *time.Time   `json:"deadline_at,omitempty" doc:"What that state counts to"`
	Late            int          `json:"late" doc:"Items answered after their due time"`
	CreatedAt       time.Time    `json:"created_at"`
	ProposedAt      *time.Time   `json:"proposed_at,omitempty"`
	ApprovedAt      *time.Time   `json:"approved_at,omitempty"`
	IssuedAt        *time.Time   `json:"issued_at,omitempty"`
	SentAt          *time.Time   `json:"sent_at,omitempty"`
	ReceivedAt      *time.Time   `json:"received_at,omitempty"`
	DeemedAt        *time.Time   `json:"deemed_at,omitempty"`
	DueAt           *time.Time   `json:"due_at,omitempty"`
	AnsweredAt      *time.Time   `json:"answered_at,omitempty"`
	ClosedAt        *time.Time   `json:"closed_at,omitempty"`
	WithdrawnAt     *time.Time   `json:"withdrawn_at,omitempty"`
}

func noticeOf(n notice.Notice) NoticeBody {
	return NoticeBody{
		ID: string(n.ID), Ref: n.Ref, Kind: string(n.Kind), Case: string(n.CaseID), CaseRef: n.CaseRef, Dossier: string(n.DossierID),
		Proposer: string(n.Proposer), Issuer: string(n.Issuer), Addressee: string(n.Addressee), Platform: n.Platform, Pack: PackRef(n.Pack),
		Version: n.Version, Digest: notes.Hex(n.Digest), DeadlineMinutes: n.DeadlineMinutes, Grounds: texts(n.Grounds),
		Functions: texts(n.Functions), Tier: string(n.Tier), ItemCount: n.ItemCount, Broad: texts(n.Broad), ApprovalsNeeded: n.ApprovalsNeeded,
		MayTellUser: n.MayTell, Life: string(n.Life), Delivery: string(n.Delivery), Rung: string(n.Rung), Outcome: string(n.Outcome),
		CreatedAt: n.CreatedAt, ProposedAt: at(n.ProposedAt), ApprovedAt: at(n.ApprovedAt), IssuedAt: at(n.IssuedAt), SentAt: at(n.SentAt),
		ReceivedAt: at(n.ReceivedAt), DeemedAt: at(n.DeemedAt), DueAt: at(n.DueAt), AnsweredAt: at(n.AnsweredAt), ClosedAt: at(n.ClosedAt),
		WithdrawnAt: at(n.WithdrawnAt),
	}
}

func rowOf(r notice.Row) NoticeBody {
	b := noticeOf(r.Notice)
	b.IssuerName, b.AddresseeName, b.Refused = r.IssuerName, r.AddresseeName, r.Refused
	b.Progress = progressBody(r.Progress)
	b.Deadline, b.DeadlineAt, b.Late = string(r.Deadline), at(r.DeadlineAt), r.Late
	return b
}

// outward is a notice as its reader may see it: a platform learns nothing of
// the case behind it.
func outward(by party.Actor, b NoticeBody) NoticeBody {
	if b.Addressee == string(by.Party) {
		b.Case, b.CaseRef, b.Dossier = "", "", ""
	}
	return b
}

// listNotices: GET /notices, permission notice.read.
func (s *server) listNotices(ctx context.Context, in *listNoticesInput) (*listOut[NoticeBody], error) {
	by := auth.Actor(ctx)
	rows, next, err := s.Notices.List(ctx, by, in.filter())
	if err != nil {
		return nil, err
	}
	return pageOf(&in.Paging, rows, next, func(r notice.Row) NoticeBody { return outward(by, rowOf(r)) }), nil
}

// listInbox: GET /inbox, permission notice.receive.
func (s *server) listInbox(ctx context.Context, in *listNoticesInput) (*listOut[NoticeBody], error) {
	by := auth.Actor(ctx)
	rows, next, err := s.Notices.Inbox(ctx, by, in.filter())
	if err != nil {
		return nil, err
	}
	return pageOf(&in.Paging, rows, next, func(r notice.Row) NoticeBody { return outward(by, rowOf(r)) }), nil
}

type waitingBody struct {
	NoticeBody
	Step  string    `json:"step" doc:"approve or issue"`
	Since time.Time `json:"since"`
	May   bool      `json:"may" doc:"The caller may take the step"`
	Why   string    `json:"why" doc:"Why not, in the caller's language"`
}

// listApprovals: GET /notices/approvals, permission notice.read.
func (s *server) listApprovals(ctx context.Context, _ *struct{}) (*listOut[waitingBody], error) {
	all, err := s.Notices.Approvals(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return allOf(all, func(w notice.Waiting) waitingBody {
		b := s.button(ctx, string(w.Step), w.Why == nil, w.Why)
		return waitingBody{rowOf(w.Row), b.Event, w.Since, b.Open, b.Why}
	}), nil
}

type awaitingBody struct {
	Propose   int `json:"propose"`
	Approve   int `json:"approve"`
	Issue     int `json:"issue"`
	Confirm   int `json:"confirm"`
	Receive   int `json:"receive"`
	Answer    int `json:"answer"`
	Due1h     int `json:"due_1h"`
	Verify    int `json:"verify"`
	Questions int `json:"questions"`
	Overdue   int `json:"overdue"`
}

// awaiting: GET /notices/awaiting, permission notice.read.
func (s *server) awaiting(ctx context.Context, _ *struct{}) (*one[awaitingBody], error) {
	a, err := s.Notices.Awaiting(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return answer(awaitingBody(a)), nil
}

// draftBody is what a proposer chooses; the rest comes from case, pack and
// parties.
type draftBody struct {
	Case            string            `json:"case" minLength:"1" maxLength:"64"`
	Kind            string            `json:"kind" enum:"referral,removal-order"`
	Locations       []string          `json:"locations,omitempty" maxItems:"1000" doc:"Identifiers; absent for every location of the case"`
	DeadlineMinutes int               `json:"deadline_minutes,omitempty" minimum:"0" maximum:"100000" doc:"One of the pack's; absent for a referral"`
	Issuer          string            `json:"issuer,omitempty" maxLength:"64" doc:"Needed where the chain leaves more than one"`
	Addressee       string            `json:"addressee,omitempty" maxLength:"64" doc:"Identifier of the service that a site on a host of its own depends on; absent where the platform is known"`
	Emergency       string            `json:"emergency,omitempty" maxLength:"5000" doc:"Why the very first order to a platform cannot wait"`
	Withhold        string            `json:"withhold,omitempty" maxLength:"5000" doc:"Why the user may not be told yet"`
	WithholdUntil   *time.Time        `json:"withhold_until,omitempty"`
	Reasons         map[string]string `json:"reasons,omitempty" maxProperties:"24" doc:"Further languages of the statement of reasons, by BCP 47 tag"`
	HomeAuthority   string            `json:"home_authority,omitempty" maxLength:"200"`
}

func (b draftBody) input() notice.DraftInput {
	in := notice.DraftInput{
		CaseID: casework.ID(b.Case), Kind: notes.NoticeKind(b.Kind), Locations: words[report.LocationID](b.Locations),
		DeadlineMinutes: b.DeadlineMinutes, Issuer: party.ID(b.Issuer), Addressee: party.ID(b.Addressee), Emergency: b.Emergency, Withhold: b.Withhold,
		Reasons: b.Reasons, HomeAuthority: b.HomeAuthority,
	}
	if b.WithholdUntil != nil {
		in.WithholdUntil = b.WithholdUntil.UTC()
	}
	return in
}

type draftInput struct{ Body draftBody }

// draftNotice: POST /notices, permission notice.propose.
func (s *server) draftNotice(ctx context.Context, in *draftInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Draft(ctx, auth.Actor(ctx), in.Body.input()))
}

// moved answers with a notice that something happened to.
func (s *server) moved(n notice.Notice, err error) (*one[NoticeBody], error) {
	if err != nil {
		return nil, err
	}
	return answer(noticeOf(n)), nil
}

type redraftInput struct {
	ByID
	Body draftBody
}

// redraftNotice: PUT /notices/{id}, permission notice.propose. Signatures of
// older versions no longer count.
func (s *server) redraftNotice(ctx context.Context, in *redraftInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Redraft(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.input()))
}

type signatureBody struct {
	Key               string   `json:"key" minLength:"1" maxLength:"64" doc:"Identifier of the caller's own signing key"`
	Signature         []byte   `json:"signature" doc:"Ed25519 over the 32 bytes of the digest of /canonical, 64 bytes, base64; of a passkey the signature of its assertion"`
	ClientData        []byte   `json:"client_data,omitempty" maxLength:"8192" doc:"Of a passkey: clientDataJSON of its assertion, whose challenge is the digest, base64"`
	AuthenticatorData []byte   `json:"authenticator_data,omitempty" maxLength:"8192" doc:"Of a passkey: authenticatorData of its assertion, with the person verified, base64"`
	Read              []string `json:"read,omitempty" maxItems:"200" doc:"Parts of the dossier that the signer had opened"`
	ReadSeconds       int      `json:"read_seconds,omitempty" minimum:"0" maximum:"86400"`
}

func (b signatureBody) sig() notice.Sig {
	return notice.Sig{
		Key: party.KeyID(b.Key), Value: b.Signature, ClientData: b.ClientData, AuthenticatorData: b.AuthenticatorData,
		Read: b.Read, ReadSeconds: b.ReadSeconds,
	}
}

type signInput struct {
	ByID
	Body signatureBody
}

// proposeNotice: POST /notices/{id}/propose, permission notice.propose.
func (s *server) proposeNotice(ctx context.Context, in *signInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Propose(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.sig()))
}

// approveNotice: POST /notices/{id}/approve, permission notice.approve.
func (s *server) approveNotice(ctx context.Context, in *signInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Approve(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.sig()))
}

// issueNotice: POST /notices/{id}/issue, permission notice.issue.
func (s *server) issueNotice(ctx context.Context, in *signInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Issue(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.sig()))
}

type returnInput struct {
	ByID
	Body struct {
		Reasons []string `json:"reasons" minItems:"1" maxItems:"5" enum:"ground-unsupported,purpose-tests,lighter-measure,too-wide,other"`
		Text    string   `json:"text" minLength:"1" maxLength:"5000" doc:"What has to change; sealed"`
	}
}

// returnNotice: POST /notices/{id}/return, permission notice.return.
func (s *server) returnNotice(ctx context.Context, in *returnInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Return(ctx, auth.Actor(ctx), notice.ID(in.ID), notice.ReturnInput{Reasons: in.Body.Reasons, Text: in.Body.Text}))
}

// withdrawNotice: POST /notices/{id}/withdraw, permission notice.withdraw.
func (s *server) withdrawNotice(ctx context.Context, in *whyInput) (*one[NoticeBody], error) {
	return s.moved(s.Notices.Withdraw(ctx, auth.Actor(ctx), notice.ID(in.ID), in.Body.Why))
}

// document answers with bytes that are signed, exactly as they are.
func document(raw []byte, digest string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "application/json")
		ctx.SetHeader("Content-Length", strconv.Itoa(len(raw)))
		ctx.SetHeader("ETag", `"`+digest+`"`)
		ctx.SetStatus(http.StatusOK)
		_, _ = ctx.BodyWriter().Write(raw) // a caller that left needs no answer
	}}
}

// getCanonical: GET /notices/{id}/canonical, permission notice.read: what a
// person is about to sign.
func (s *server) getCanonical(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	raw, err := s.Notices.Canonical(ctx, auth.Actor(ctx), notice.ID(in.ID))
	if err != nil {
		return nil, err
	}
	return document(raw, notes.Hex(notes.Digest(notes.KindNotice, raw))), nil
}

// getSigned: GET /notices/{id}/signed, permission notice.read: the envelope
// that can be checked offline.
func (s *server) getSigned(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	v, err := s.Notices.Get(ctx, auth.Actor(ctx), notice.ID(in.ID))
	if err != nil {
		return nil, err
	}
	if len(v.Envelope) == 0 {
		return nil, fault.New(fault.Conflict, "notice.not-issued", "Ref", v.Ref)
	}
	return document(v.Envelope, notes.Hex(v.Digest)), nil
}

type advanceInput struct {
	ByID
}

// recordAdvance: POST /contacts/{id}/advance, permission notice.verify: the
// platform was told of procedures and deadlines, which its very first order
// has to follow. Regulation (EU) 2021/784, Article 3(2).
func (s *server) recordAdvance(ctx context.Context, in *advanceInput) (*struct{}, error) {
	return nil, s.Notices.RecordAdvance(ctx, auth.Actor(ctx), party.ID(in.ID))
}

type dossierBody struct {
	ID       string          `json:"id"`
	Ref      string          `json:"ref" doc:"Of the case"`
	Version  int             `json:"version"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Digest   string          `json:"digest"`
	State    string          `json:"state"`
	FrozenAt time.Time       `json:"frozen_at"`
	Files    []string        `json:"files" doc:"In the order of the document's evidence, for /captures/files"`
	Document json.RawMessage `json:"document" doc:"Canonical; its schema is notes/schema/dossier.json"`
}

// getDossier: GET /dossiers/{id}, permission case.read: what travelled with a
// proposal, for its sender, its receiver and oversight.
func (s *server) getDossier(ctx context.Context, in *ByID) (*one[dossierBody], error) {
	by := auth.Actor(ctx)
	d, err := s.Cases.Dossier(ctx, s.DB, casework.DossierID(in.ID))
	if err == nil {
		err = auth.May(by, auth.CaseRead, d.Object())
	}
	handed := d.Measure == casework.MeasureHandOver && d.Party != by.Party
	if fault.Of(err) == fault.NotFound || handed { // a hand-over is read as such, which keeps the finding back
		return nil, fault.Hidden("dossier")
	}
	if err != nil {
		return nil, err
	}
	return answer(dossierBody{
		ID: string(d.ID), Ref: d.Ref, Version: d.Version, From: string(d.Party), To: string(d.To), Digest: notes.Hex(d.Digest),
		State: string(d.State), FrozenAt: d.FrozenAt, Files: texts(d.Files), Document: d.Canonical,
	}), nil
}

type orgKeyBody struct {
	ID        string     `json:"id"`
	PublicKey []byte     `json:"public_key" doc:"Ed25519, 32 bytes, base64"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// listOrgKeys: GET /parties/{id}/keys, public: what verifies an organisation's
// seals.
func (s *server) listOrgKeys(ctx context.Context, in *ByID) (*listOut[orgKeyBody], error) {
	all, err := notice.OrgKeys(ctx, s.DB, party.ID(in.ID))
	if err != nil {
		return nil, err
	}
	return allOf(all, func(k notice.OrgKey) orgKeyBody { return orgKeyBody{k.ID, k.Public, k.CreatedAt, at(k.RevokedAt)} }), nil
}
