package api

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

type handOverInput struct {
	ByID
	Body struct {
		To        string   `json:"to" minLength:"1" maxLength:"64" doc:"Identifier of the organisation that shall decide"`
		Locations []string `json:"locations,omitempty" maxItems:"1000" doc:"Identifiers of locations of the case; absent for all"`
		Note      string   `json:"note,omitempty" maxLength:"5000" doc:"What the receiver should know; not the finding"`
	}
}

// handOver: POST /cases/{id}/hand-overs, permission case.work.
func (s *server) handOver(ctx context.Context, in *handOverInput) (*one[idBody], error) {
	id, err := s.Cases.HandOver(ctx, auth.Actor(ctx), casework.ID(in.ID), casework.HandOverInput{
		To: party.ID(in.Body.To), LocationIDs: words[report.LocationID](in.Body.Locations), Note: in.Body.Note,
	})
	if err != nil {
		return nil, err
	}
	return answer(idBody{string(id)}), nil
}

type handOverBody struct {
	ID         string            `json:"id"`
	Ref        string            `json:"ref" doc:"Of the sender's case"`
	Dossier    string            `json:"dossier"`
	From       string            `json:"from"`
	To         string            `json:"to"`
	State      string            `json:"state" doc:"offered, accepted, split or returned"`
	At         time.Time         `json:"at"`
	AnsweredAt *time.Time        `json:"answered_at,omitempty"`
	NewCase    string            `json:"new_case" doc:"The receiver's"`
	Reasons    []string          `json:"reasons"`
	Note       string            `json:"note"`
	Answer     string            `json:"answer"`
	Locations  []locationBody    `json:"locations"`
	Evidence   []notes.Evidence  `json:"evidence"`
	Files      []string          `json:"files" doc:"In the order of evidence, for /captures/files"`
	Assessment *notes.Assessment `json:"assessment,omitempty" doc:"The sender's; the receiver sees it only after its own"`
}

func handOverOf(h casework.HandedOn) handOverBody {
	return handOverBody{
		ID: string(h.ID), Ref: h.Ref, Dossier: string(h.Dossier), From: string(h.Party), To: string(h.To), State: string(h.State), At: h.At,
		AnsweredAt: at(h.AnswerAt), NewCase: string(h.NewCase), Reasons: texts(h.Reasons), Note: h.Note, Answer: h.Answer,
		Locations: locations(h.Locations), Evidence: append([]notes.Evidence{}, h.Evidence...), Files: texts(h.Files), Assessment: h.Assessment,
	}
}

type listHandOversInput struct {
	Paging
	State string `query:"state" enum:"offered,accepted,split,returned"`
}

// listHandOvers: GET /hand-overs, permission case.read.
func (s *server) listHandOvers(ctx context.Context, in *listHandOversInput) (*listOut[handOverBody], error) {
	rows, next, err := s.Cases.HandOvers(ctx, auth.Actor(ctx), casework.HandOverState(in.State), casework.HandOverID(in.Cursor), in.Limit)
	if err != nil {
		return nil, err
	}
	return pageOf(&in.Paging, rows, string(next), handOverOf), nil
}

// getHandOver: GET /hand-overs/{id}, permission case.read.
func (s *server) getHandOver(ctx context.Context, in *ByID) (*one[handOverBody], error) {
	h, err := s.Cases.GetHandOver(ctx, auth.Actor(ctx), casework.HandOverID(in.ID))
	if err != nil {
		return nil, err
	}
	return answer(handOverOf(h)), nil
}

type acceptInput struct {
	ByID
	Body struct {
		Accept  []string `json:"accept,omitempty" maxItems:"1000" doc:"Identifiers of the locations taken; absent for all"`
		Reasons []string `json:"reasons,omitempty" maxItems:"4" enum:"not-competent,incomplete,not-understood,already-known" doc:"Why the others go back"`
		Text    string   `json:"text,omitempty" maxLength:"5000"`
	}
}

// acceptHandOver: POST /hand-overs/{id}/accept, permission case.answer.
func (s *server) acceptHandOver(ctx context.Context, in *acceptInput) (*one[idBody], error) {
	id, err := s.Cases.AcceptHandOver(ctx, auth.Actor(ctx), casework.HandOverID(in.ID), casework.HandOverAnswer{
		Accept: words[report.LocationID](in.Body.Accept), Reasons: in.Body.Reasons, Text: in.Body.Text,
	})
	if err != nil {
		return nil, err
	}
	return answer(idBody{string(id)}), nil
}

type returnHandOverInput struct {
	ByID
	Body struct {
		Reasons []string `json:"reasons" minItems:"1" maxItems:"4" enum:"not-competent,incomplete,not-understood,already-known"`
		Text    string   `json:"text,omitempty" maxLength:"5000"`
	}
}

// returnHandOver: POST /hand-overs/{id}/return, permission case.answer.
func (s *server) returnHandOver(ctx context.Context, in *returnHandOverInput) (*struct{}, error) {
	return nil, s.Cases.ReturnHandOver(ctx, auth.Actor(ctx), casework.HandOverID(in.ID), casework.HandOverAnswer{Reasons: in.Body.Reasons, Text: in.Body.Text})
}

type exposureBody struct {
	VisibleSeconds int  `json:"visible_seconds" doc:"Media seen today"`
	LimitSeconds   int  `json:"limit_seconds"`
	Full           bool `json:"full" doc:"Only light work is offered"`
	Break          bool `json:"break" doc:"A break is due"`
}

func exposureOf(e casework.Exposure) *one[exposureBody] {
	return answer(exposureBody{int(e.Visible.Seconds()), int(e.Limit.Seconds()), e.Full, e.Break})
}

// getExposure: GET /people/me/exposure. Nobody sees another's.
func (s *server) getExposure(ctx context.Context, _ *struct{}) (*one[exposureBody], error) {
	e, err := s.Cases.Exposure(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return exposureOf(e), nil
}

type exposureInput struct {
	Body struct {
		Seconds int `json:"seconds" minimum:"0" maximum:"900" doc:"During which media were visible since the last call"`
	}
}

// addExposure: POST /people/me/exposure, permission case.evidence.
func (s *server) addExposure(ctx context.Context, in *exposureInput) (*one[exposureBody], error) {
	e, err := s.Cases.AddExposure(ctx, auth.Actor(ctx), in.Body.Seconds)
	if err != nil {
		return nil, err
	}
	return exposureOf(e), nil
}

// startBreak: POST /people/me/breaks.
func (s *server) startBreak(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.Cases.StartBreak(ctx, auth.Actor(ctx))
}
