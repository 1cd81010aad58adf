package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
)

// prefix is where the operations live.
const prefix = "/api/v1"

// Seats that are not an act of auth's table.
const (
	public   auth.Act = ""          // anybody, signed in or not
	signedIn auth.Act = "signed-in" // anybody who is somebody
)

// A route is one row of the table of operations.
type route struct {
	method, path string
	seat         auth.Act                             // whose seat may knock; the room decides about the object
	id           string                               // operation; its words are api.op.<id> in the catalogues
	status       int                                  // of success, 0 for huma's choice: 200, or 204 without a body
	document     func(huma.Registry, *huma.Operation) // what huma cannot see in the types
	register     func(huma.API, huma.Operation)
}

// A detail widens a route.
type detail func(*route)

// created makes success 201.
func created(r *route) { r.status = http.StatusCreated }

// accepted makes success 202.
func accepted(r *route) { r.status = http.StatusAccepted }

// reads documents a body that the operation reads itself.
func reads(body any, first string) detail {
	return func(r *route) {
		r.document = func(registry huma.Registry, op *huma.Operation) { streamed(registry, op, body, first) }
	}
}

// on ties a row to its handler, whose types are the contract.
func on[I, O any](s *server, method, path string, seat auth.Act, id string, h func(context.Context, *I) (*O, error), details ...detail) route {
	r := route{method: method, path: path, seat: seat, id: id}
	for _, d := range details {
		d(&r)
	}
	r.register = func(api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := h(ctx, in)
			if err != nil {
				return nil, s.problem(ctx, err)
			}
			return out, nil
		})
	}
	return r
}

// knock is the middleware of one operation: whoever's seat could never do it
// is sent away before anything is read.
func (s *server) knock(seat auth.Act) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		actor := auth.Actor(ctx.Context())
		switch {
		case seat == public:
		case !actor.Known():
			s.turnAway(ctx, fault.New(fault.Denied, "auth.sign-in"))
			return
		case seat != signedIn && !auth.Seat(actor, seat):
			s.turnAway(ctx, fault.New(fault.Denied, "auth.not-allowed", "Act", string(seat)))
			return
		case writes(ctx.Method()):
			if err := auth.Present(actor, seat); err != nil {
				s.turnAway(ctx, err)
				return
			}
		}
		next(ctx)
	}
}

// turnAway answers with a problem instead of the operation.
func (s *server) turnAway(ctx huma.Context, err error) {
	p := s.problem(ctx.Context(), err)
	for k, v := range p.GetHeaders() {
		ctx.SetHeader(k, v[0])
	}
	ctx.SetHeader("Content-Type", problemType)
	ctx.SetStatus(p.Status)
	_ = jsonFormat.Marshal(ctx.BodyWriter(), p) // a caller that left needs no answer
}

// table is every operation there is, with the seat that may knock. Who may do
// what reads as these pages; testdata/routes.golden is the same as text.
func (s *server) table() []route {
	var all []route
	for _, part := range [][]route{
		s.reportRoutes(), s.listRoutes(), s.accuracyRoutes(), s.caseRoutes(), s.noticeRoutes(), s.batchRoutes(), s.answerRoutes(), s.partyRoutes(), s.openRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

func (s *server) reportRoutes() []route {
	return []route{
		on(s, "POST", "/reports", public, "reports.submit", s.submitReport, created, reads(submitBody{}, "report")),
		on(s, "POST", "/reports/tokens", public, "reports.token", s.newReportToken, created),
		on(s, "POST", "/reports/tickets", public, "reports.ticket", s.newReportTicket, created),
		on(s, "GET", "/reports/agencies", public, "reports.agencies", s.listAgencies),
		on(s, "GET", "/receipts", public, "receipts.get", s.getReceipt),
		on(s, "POST", "/receipts", public, "receipts.look", s.lookAtReceipt),
		on(s, "POST", "/receipts/messages", public, "receipts.write", s.writeToAgency, created),
		on(s, "POST", "/receipts/material", public, "receipts.add", s.addMaterial, created, reads(materialBody{}, "material")),
		on(s, "GET", "/reports", auth.ReportRead, "reports.list", s.listReports),
		on(s, "GET", "/reports/{id}", auth.ReportRead, "reports.get", s.getReport),
		on(s, "POST", "/reports/{id}/messages", auth.ReportReply, "reports.reply", s.replyToReport, created),
		on(s, "GET", "/reports/{id}/files/{file}", auth.CaseEvidence, "reports.file", s.openReportFile),
	}
}

func (s *server) caseRoutes() []route {
	return []route{
		on(s, "GET", "/cases", auth.CaseRead, "cases.list", s.listCases),
		on(s, "GET", "/cases/counts", auth.CaseRead, "cases.counts", s.countCases),
		on(s, "GET", "/cases/next", auth.CaseWork, "cases.next", s.nextCase),
		on(s, "GET", "/cases/{id}", auth.CaseRead, "cases.get", s.getCase),
		on(s, "POST", "/cases/{id}/take", auth.CaseWork, "cases.take", s.takeCase),
		on(s, "POST", "/cases/{id}/release", auth.CaseWork, "cases.release", s.releaseCase),
		on(s, "POST", "/cases/{id}/skip", auth.CaseWork, "cases.skip", s.skipCase),
		on(s, "POST", "/cases/{id}/assign", auth.CaseAssign, "cases.assign", s.assignCase),
		on(s, "POST", "/cases/{id}/locations", auth.CaseWork, "cases.locations", s.addCaseLocations),
		on(s, "PUT", "/cases/{id}/assessment", auth.CaseWork, "cases.assess", s.assessCase),
		on(s, "POST", "/cases/{id}/opinions", auth.CaseWork, "cases.ask", s.askOpinion),
		on(s, "PUT", "/cases/{id}/opinions", auth.CaseRead, "cases.opine", s.giveOpinion),
		on(s, "POST", "/cases/{id}/captures", auth.CaseWork, "captures.add", s.addCapture, created, reads(captureBody{}, "capture")),
		on(s, "POST", "/cases/{id}/captures/requests", auth.CaseWork, "captures.request", s.requestCapture, accepted),
		on(s, "PUT", "/cases/{id}/no-capture", auth.CaseWork, "captures.none", s.noCapture),
		on(s, "GET", "/captures/files/{file}", auth.CaseEvidence, "captures.open", s.openCapture),
		on(s, "POST", "/cases/close", auth.CaseWork, "cases.close", s.closeCases),
		on(s, "POST", "/cases/undo", auth.CaseWork, "cases.undo", s.undoClosing),
		on(s, "GET", "/urgent-calls", auth.CaseRead, "calls.list", s.listUrgentCalls),
		on(s, "POST", "/cases/{id}/hold", auth.CaseWork, "cases.hold", s.holdCase),
		on(s, "POST", "/cases/{id}/hold/end", auth.CaseWork, "cases.end-hold", s.endHold),
		on(s, "POST", "/cases/{id}/hand-overs", auth.CaseWork, "handovers.offer", s.handOver, created),
		on(s, "GET", "/hand-overs", auth.CaseRead, "handovers.list", s.listHandOvers),
		on(s, "GET", "/hand-overs/{id}", auth.CaseRead, "handovers.get", s.getHandOver),
		on(s, "POST", "/hand-overs/{id}/accept", auth.CaseAnswer, "handovers.accept", s.acceptHandOver),
		on(s, "POST", "/hand-overs/{id}/return", auth.CaseAnswer, "handovers.return", s.returnHandOver),
		on(s, "GET", "/people/me/exposure", signedIn, "exposure.get", s.getExposure),
		on(s, "POST", "/people/me/exposure", auth.CaseEvidence, "exposure.add", s.addExposure),
		on(s, "POST", "/people/me/breaks", signedIn, "exposure.break", s.startBreak),
	}
}

func (s *server) partyRoutes() []route {
	return []route{
		on(s, "GET", "/parties", signedIn, "parties.list", s.listParties),
		on(s, "GET", "/people", auth.PartyRead, "people.list", s.listPeople),
		on(s, "GET", "/people/me", signedIn, "people.me", s.whoAmI),
		on(s, "PUT", "/people/{id}", auth.PartyAdmin, "people.change", s.changePerson),
		on(s, "POST", "/people/{id}/deactivate", auth.PartyAdmin, "people.deactivate", s.deactivatePerson),
		on(s, "GET", "/people/me/keys", signedIn, "people.keys", s.listMyKeys),
		on(s, "POST", "/people/me/keys", signedIn, "people.enrol", s.enrolKey, created),
		on(s, "DELETE", "/people/{id}/keys/{key}", auth.PartyKey, "people.revoke-key", s.revokeKey),
		on(s, "GET", "/people/invitations", auth.PartyAdmin, "people.invitations", s.listInvitations),
		on(s, "POST", "/people/invitations", auth.PartyAdmin, "people.invite", s.invite, created),
		on(s, "DELETE", "/people/invitations/{id}", auth.PartyAdmin, "people.uninvite", s.revokeInvitation),
		on(s, "POST", "/people/join", public, "people.join", s.join, created),
		on(s, "POST", "/sessions/challenges", public, "sessions.challenge", s.newChallenge, created),
		on(s, "POST", "/sessions", public, "sessions.begin", s.beginSession, created),
		on(s, "DELETE", "/sessions", signedIn, "sessions.end", s.endSession),
		on(s, "GET", "/people/me/sessions", signedIn, "sessions.list", s.listSessions),
		on(s, "DELETE", "/people/me/sessions/{id}", signedIn, "sessions.end-one", s.endMySession),
		on(s, "DELETE", "/people/me/sessions", signedIn, "sessions.end-others", s.endOtherSessions),
		on(s, "GET", "/keys", auth.PartyAdmin, "keys.list", s.listAPIKeys),
		on(s, "POST", "/keys", auth.PartyKey, "keys.add", s.addAPIKey, created),
		on(s, "DELETE", "/keys/{id}", auth.PartyAdmin, "keys.revoke", s.revokeAPIKey),
		on(s, "GET", "/webhooks", auth.PartyAdmin, "webhooks.list", s.listWebhooks),
		on(s, "POST", "/webhooks", auth.PartyAdmin, "webhooks.add", s.addWebhook, created),
		on(s, "POST", "/webhooks/{id}/rotate", auth.PartyAdmin, "webhooks.rotate", s.rotateWebhook),
		on(s, "POST", "/webhooks/{id}/test", auth.PartyAdmin, "webhooks.test", s.testWebhook, accepted),
		on(s, "POST", "/webhooks/{id}/resume", auth.PartyAdmin, "webhooks.resume", s.resumeWebhook),
		on(s, "POST", "/webhooks/{id}/replays", auth.PartyReplay, "webhooks.replay", s.replayWebhook, accepted),
		on(s, "GET", "/webhooks/{id}/replays", auth.PartyAdmin, "webhooks.replays", s.listReplays),
		on(s, "GET", "/webhooks/{id}/attempts", auth.PartyAdmin, "webhooks.history", s.listHistory),
		on(s, "GET", "/webhooks/{id}/deliveries", auth.PartyAdmin, "webhooks.deliveries", s.listDeliveries),
		on(s, "GET", "/deliveries/{id}/attempts", auth.PartyAdmin, "webhooks.attempts", s.listAttempts),
		on(s, "DELETE", "/webhooks/{id}", auth.PartyAdmin, "webhooks.remove", s.removeWebhook),
	}
}

func (s *server) openRoutes() []route {
	return []route{
		on(s, "GET", "/policies", public, "policies.list", s.listPolicies),
		on(s, "GET", "/policies/{code}/{version}", public, "policies.get", s.getPolicy),
		on(s, "GET", "/policies/{code}/{version}/diff", public, "policies.diff", s.diffPolicies),
		on(s, "GET", "/platforms", public, "platforms.list", s.listPlatforms),
		on(s, "GET", "/transparency/summary", public, "transparency.summary", s.summary),
		on(s, "GET", "/feed", signedIn, "feed.list", s.listFeed),
	}
}

func (s *server) noticeRoutes() []route {
	return []route{
		on(s, "GET", "/notices", auth.NoticeRead, "notices.list", s.listNotices),
		on(s, "GET", "/notices/approvals", auth.NoticeRead, "notices.approvals", s.listApprovals),
		on(s, "GET", "/notices/awaiting", auth.NoticeRead, "notices.awaiting", s.awaiting),
		on(s, "POST", "/notices", auth.NoticePropose, "notices.draft", s.draftNotice, created),
		on(s, "PUT", "/notices/{id}", auth.NoticePropose, "notices.redraft", s.redraftNotice),
		on(s, "GET", "/notices/{id}", auth.NoticeRead, "notices.get", s.getNotice),
		on(s, "GET", "/notices/{id}/canonical", auth.NoticeRead, "notices.canonical", s.getCanonical, octets),
		on(s, "GET", "/notices/{id}/signed", auth.NoticeRead, "notices.signed", s.getSigned, octets),
		on(s, "POST", "/notices/{id}/propose", auth.NoticePropose, "notices.propose", s.proposeNotice),
		on(s, "POST", "/notices/{id}/approve", auth.NoticeApprove, "notices.approve", s.approveNotice),
		on(s, "POST", "/notices/{id}/return", auth.NoticeReturn, "notices.return", s.returnNotice),
		on(s, "POST", "/notices/{id}/issue", auth.NoticeIssue, "notices.issue", s.issueNotice),
		on(s, "POST", "/notices/{id}/withdraw", auth.NoticeWithdraw, "notices.withdraw", s.withdrawNotice),
		on(s, "GET", "/notices/{id}/items", auth.NoticeRead, "items.list", s.listItems),
		on(s, "POST", "/notices/{id}/items/verify", auth.NoticeVerify, "items.verify", s.verifyItems),
		on(s, "POST", "/notices/{id}/items/{n}/reopen", auth.NoticeVerify, "items.reopen", s.reopenItem),
		on(s, "POST", "/notices/{id}/items/{n}/pause", auth.NoticeVerify, "items.resolve", s.resolvePause),
		on(s, "GET", "/notices/{id}/messages", auth.NoticeRead, "threads.list", s.listMessages),
		on(s, "POST", "/notices/{id}/messages", auth.NoticeWrite, "threads.write", s.writeMessage, created),
		on(s, "GET", "/notices/{id}/deliveries", auth.NoticeRead, "notices.deliveries", s.listNoticeDeliveries),
		on(s, "POST", "/notices/{id}/service", auth.NoticeVerify, "notices.serve", s.serveOnPaper, created, reads(serviceBody{}, "service")),
		on(s, "POST", "/notices/{id}/deemed", auth.NoticeDeem, "notices.deem", s.proposeDeemed, created, reads(deemBody{}, "evidence")),
		on(s, "POST", "/notices/{id}/deemed/confirm", auth.NoticeConfirm, "notices.confirm", s.confirmDeemed),
		on(s, "GET", "/notices/{id}/files/{file}", auth.NoticeRead, "notices.file", s.openNoticeFile, octets),
		on(s, "POST", "/contacts/{id}/advance", auth.NoticeVerify, "contacts.advance", s.recordAdvance, created),
		on(s, "GET", "/dossiers/{id}", auth.CaseRead, "dossiers.get", s.getDossier),
		on(s, "GET", "/parties/{id}/keys", public, "parties.keys", s.listOrgKeys),
	}
}

func (s *server) answerRoutes() []route {
	return []route{
		on(s, "GET", "/inbox", auth.NoticeReceive, "inbox.list", s.listInbox),
		on(s, "POST", "/notices/{id}/receive", auth.NoticeReceive, "notices.receive", s.receiveNotice),
		on(s, "POST", "/notices/{id}/answers", auth.NoticeAnswer, "answers.give", s.answerNotice),
		on(s, "POST", "/answers", auth.NoticeAnswer, "answers.bulk", s.answerBulk, lines, octets),
		on(s, "GET", "/answers/template", auth.NoticeAnswer, "answers.template", s.answerTemplate, octets),
	}
}
