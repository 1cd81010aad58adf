package api

import (
	"context"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/notes"
)

// WebhookBody is a webhook as its owner sees it.
type WebhookBody struct {
	ID           string     `json:"id"`
	URL          string     `json:"url"`
	Label        string     `json:"label"`
	Events       []string   `json:"events" doc:"Event types, or prefixes as notice.*; none means all"`
	PublicKey    string     `json:"public_key" doc:"Verifies v1a signatures"`
	CreatedAt    time.Time  `json:"created_at"`
	LastOK       *time.Time `json:"last_ok,omitempty"`
	FailingSince *time.Time `json:"failing_since,omitempty"`
	RetryAt      *time.Time `json:"retry_at,omitempty"`
	Waiting      int        `json:"waiting" doc:"Deliveries not yet made"`
	Health       string     `json:"health" enum:"untried,well,failing,paused" doc:"While it is paused nothing is sent to it but tests"`
	Failures     int        `json:"failures" doc:"Attempts in a row that failed"`
	PausedAt     *time.Time `json:"paused_at,omitempty"`
}

func webhookOf(e outbox.Endpoint) WebhookBody {
	return WebhookBody{
		e.ID, e.URL, e.Label, texts(e.Events), notes.FormatHookPublic(e.Public), e.CreatedAt, at(e.LastOK), at(e.FailingSince), at(e.RetryAt), e.Waiting,
		string(e.Health()), e.Failures, at(e.PausedAt),
	}
}

// listWebhooks: GET /webhooks, permission party.admin.
func (s *server) listWebhooks(ctx context.Context, _ *struct{}) (*listOut[WebhookBody], error) {
	all, err := s.Outbox.Endpoints(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return allOf(all, webhookOf), nil
}

type webhookInput struct {
	Body struct {
		URL    string   `json:"url" minLength:"1" maxLength:"2048" example:"https://hooks.ruangsuara.example/tangkal"`
		Label  string   `json:"label,omitempty" maxLength:"100"`
		Events []string `json:"events,omitempty" maxItems:"50"`
	}
}

type webhookMade struct {
	WebhookBody
	Secret string `json:"secret" doc:"Verifies v1 signatures; shown this once"`
}

// addWebhook: POST /webhooks, permission party.admin.
func (s *server) addWebhook(ctx context.Context, in *webhookInput) (*one[webhookMade], error) {
	e, secret, err := s.Outbox.AddEndpoint(ctx, auth.Actor(ctx), in.Body.URL, in.Body.Label, in.Body.Events)
	if err != nil {
		return nil, err
	}
	return answer(webhookMade{webhookOf(e), secret}), nil
}

// rotateWebhook: POST /webhooks/{id}/rotate, permission party.admin.
func (s *server) rotateWebhook(ctx context.Context, in *ByID) (*one[webhookMade], error) {
	e, secret, err := s.Outbox.Rotate(ctx, auth.Actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return answer(webhookMade{webhookOf(e), secret}), nil
}

// testWebhook: POST /webhooks/{id}/test, permission party.admin.
func (s *server) testWebhook(ctx context.Context, in *ByID) (*struct{}, error) {
	_, err := s.Outbox.Test(ctx, auth.Actor(ctx), in.ID)
	return nil, err
}

// resumeWebhook: POST /webhooks/{id}/resume, permission party.admin.
func (s *server) resumeWebhook(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Outbox.Resume(ctx, auth.Actor(ctx), in.ID)
}

type replayInput struct {
	ByID
	Body struct {
		After *int64     `json:"after,omitempty" minimum:"0" doc:"The sequence of the last message that arrived; 0 for everything"`
		Since *time.Time `json:"since,omitempty" doc:"Or a time; one of the two"`
	}
}

type replayBody struct {
	ID      string     `json:"id"`
	After   int64      `json:"after"`
	Until   int64      `json:"until" doc:"The last entry of the feed when it was asked for"`
	AskedAt time.Time  `json:"asked_at"`
	Queued  int        `json:"queued" doc:"Messages put into the queue so far"`
	DoneAt  *time.Time `json:"done_at,omitempty" doc:"When all of them were in the queue"`
}

func replayOf(p outbox.Replay) replayBody {
	return replayBody{p.ID, p.After, p.Until, p.AskedAt, p.Queued, at(p.DoneAt)}
}

// replayWebhook: POST /webhooks/{id}/replays, permission party.replay.
func (s *server) replayWebhook(ctx context.Context, in *replayInput) (*one[replayBody], error) {
	var p outbox.Replay
	var err error
	switch {
	case in.Body.After != nil && in.Body.Since == nil:
		p, err = s.Outbox.ReplayAfter(ctx, auth.Actor(ctx), in.ID, *in.Body.After)
	case in.Body.Since != nil && in.Body.After == nil:
		p, err = s.Outbox.ReplaySince(ctx, auth.Actor(ctx), in.ID, *in.Body.Since)
	default:
		err = fault.New(fault.Invalid, "outbox.replay-from").At("/after")
	}
	if err != nil {
		return nil, err
	}
	return answer(replayOf(p)), nil
}

// listReplays: GET /webhooks/{id}/replays, permission party.admin.
func (s *server) listReplays(ctx context.Context, in *ByID) (*listOut[replayBody], error) {
	all, err := s.Outbox.Replays(ctx, auth.Actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return allOf(all, replayOf), nil
}

type historyInput struct {
	ByID
	Paging
}

type historyBody struct {
	Message string    `json:"message" doc:"The webhook-id"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Status  int       `json:"status" doc:"HTTP status; 0 without an answer"`
	Error   string    `json:"error" doc:"Why there was no answer; empty with one"`
	TookMS  int       `json:"took_ms"`
	Seq     int64     `json:"seq"`
	Type    string    `json:"type"`
	Ref     string    `json:"ref"`
	State   string    `json:"state" enum:"waiting,accepted,given-up" doc:"What the message is now"`
	Repeat  bool      `json:"repeat" doc:"The receiver had taken it before; it was asked for again"`
}

// listHistory: GET /webhooks/{id}/attempts, permission party.admin: the log of
// an endpoint, the newest attempt first.
func (s *server) listHistory(ctx context.Context, in *historyInput) (*listOut[historyBody], error) {
	before, err := outbox.ParseCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, next, err := s.Outbox.History(ctx, auth.Actor(ctx), in.ID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	return pageOf(&in.Paging, rows, next.String(), func(l outbox.LogEntry) historyBody {
		return historyBody{l.Message, l.N, l.At, l.Status, l.Error, l.TookMS, l.Seq, l.Type, l.Ref, string(l.State), l.Repeat}
	}), nil
}

// removeWebhook: DELETE /webhooks/{id}, permission party.admin.
func (s *server) removeWebhook(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, s.Outbox.RemoveEndpoint(ctx, auth.Actor(ctx), in.ID)
}

type deliveryBody struct {
	ID         string     `json:"id"`
	Seq        int64      `json:"seq"`
	Type       string     `json:"type"`
	Ref        string     `json:"ref"`
	State      string     `json:"state" doc:"waiting, accepted or given-up"`
	Attempts   int        `json:"attempts"`
	CreatedAt  time.Time  `json:"created_at"`
	NextAt     *time.Time `json:"next_at,omitempty"`
	DoneAt     *time.Time `json:"done_at,omitempty"`
	LastStatus int        `json:"last_status" doc:"HTTP status; 0 for none"`
	LastError  string     `json:"last_error"`
}

type deliveriesInput struct {
	ByID
	Paging
}

// listDeliveries: GET /webhooks/{id}/deliveries, permission party.admin.
func (s *server) listDeliveries(ctx context.Context, in *deliveriesInput) (*listOut[deliveryBody], error) {
	by := auth.Actor(ctx)
	before, err := number(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Outbox.Deliveries(ctx, by, in.ID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 { // none, or none of one's own
		if _, err := s.Outbox.Endpoint(ctx, by, in.ID); err != nil {
			return nil, err
		}
	}
	next := ""
	if len(rows) == in.Limit {
		next = strconv.FormatInt(rows[len(rows)-1].Seq, 10)
	}
	return pageOf(&in.Paging, rows, next, func(d outbox.Delivery) deliveryBody {
		return deliveryBody{d.ID, d.Seq, d.Type, d.Ref, string(d.State), d.Attempts, d.CreatedAt, at(d.NextAt), at(d.DoneAt), d.LastStatus, d.LastError}
	}), nil
}

// number reads a cursor that is a sequence number; "" is 0.
func number(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "api.cursor").At("query:/cursor")
	}
	return n, nil
}

type attemptBody struct {
	N      int       `json:"n"`
	At     time.Time `json:"at"`
	Status int       `json:"status"`
	Error  string    `json:"error"`
	TookMS int       `json:"took_ms"`
}

// listAttempts: GET /deliveries/{id}/attempts, permission party.admin.
func (s *server) listAttempts(ctx context.Context, in *ByID) (*listOut[attemptBody], error) {
	all, err := s.Outbox.Attempts(ctx, auth.Actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return allOf(all, func(a outbox.Attempt) attemptBody { return attemptBody(a) }), nil
}
