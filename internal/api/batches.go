package api

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

// BatchBody is several like notices that one signature approves.
type BatchBody struct {
	ID       string      `json:"id"`
	State    string      `json:"state" doc:"drawn, approved or ended"`
	Why      string      `json:"why" doc:"What ended it: returned, changed or replaced"`
	DrawnAt  time.Time   `json:"drawn_at"`
	DoneAt   *time.Time  `json:"done_at,omitempty"`
	Digest   string      `json:"digest" doc:"What is signed: of document as canonical JSON, kind batch, hex"`
	Unopened int         `json:"unopened" doc:"Drawn dossiers that have to be opened before the signature"`
	Document notes.Batch `json:"document" doc:"Its schema is notes/schema/batch.json"`
	Items    []batchItem `json:"items"`
}

type batchItem struct {
	N        int        `json:"n"`
	Notice   string     `json:"notice"`
	Ref      string     `json:"ref"`
	Sampled  bool       `json:"sampled" doc:"Drawn: must be opened"`
	OpenedAt *time.Time `json:"opened_at,omitempty"`
}

func batchOf(b notice.Batch) BatchBody {
	out := BatchBody{
		ID: string(b.ID), State: string(b.State), Why: b.Why, DrawnAt: b.DrawnAt, DoneAt: at(b.DoneAt), Digest: notes.Hex(b.Digest),
		Unopened: b.Unopened(), Document: b.Document,
	}
	for _, it := range b.Items {
		out.Items = append(out.Items, batchItem{it.N, string(it.Notice), it.Ref, it.Sampled, at(it.OpenedAt)})
	}
	return out
}

// batched answers with a batch that something happened to.
func batched(b notice.Batch, err error) (*one[BatchBody], error) {
	if err != nil {
		return nil, err
	}
	return answer(batchOf(b)), nil
}

func (s *server) batchRoutes() []route {
	return []route{
		on(s, "GET", "/batches", auth.NoticeApprove, "batches.list", s.listBatches),
		on(s, "POST", "/batches", auth.NoticeApprove, "batches.draw", s.drawBatch, created),
		on(s, "GET", "/batches/{id}", auth.NoticeApprove, "batches.get", s.getBatch),
		on(s, "POST", "/batches/{id}/open", auth.NoticeApprove, "batches.open", s.openInBatch),
		on(s, "POST", "/batches/{id}/without", auth.NoticeApprove, "batches.without", s.leaveOut),
		on(s, "POST", "/batches/{id}/approve", auth.NoticeApprove, "batches.approve", s.approveBatch),
	}
}

// listBatches: GET /batches, permission notice.approve: the caller's own that
// are neither signed nor ended.
func (s *server) listBatches(ctx context.Context, _ *struct{}) (*listOut[BatchBody], error) {
	all, err := s.Notices.Batches(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return allOf(all, batchOf), nil
}

type drawInput struct {
	Body struct {
		Notices []string `json:"notices" minItems:"2" maxItems:"200" doc:"Identifiers of proposed notices of one kind, ground, tier, platform, time to answer and author"`
	}
}

// drawBatch: POST /batches, permission notice.approve, never by key. The same
// notices again give the same batch.
func (s *server) drawBatch(ctx context.Context, in *drawInput) (*one[BatchBody], error) {
	return batched(s.Notices.Draw(ctx, auth.Actor(ctx), words[notice.ID](in.Body.Notices)))
}

// getBatch: GET /batches/{id}, permission notice.approve: the caller's own.
func (s *server) getBatch(ctx context.Context, in *ByID) (*one[BatchBody], error) {
	return batched(s.Notices.Batch(ctx, auth.Actor(ctx), notice.BatchID(in.ID)))
}

type placeInput struct {
	ByID
	Body struct {
		N int `json:"n" minimum:"1" maximum:"200" doc:"Place of the notice in the batch"`
	}
}

// openInBatch: POST /batches/{id}/open, permission notice.approve, never by
// key: the caller has the dossier of that notice before them.
func (s *server) openInBatch(ctx context.Context, in *placeInput) (*one[BatchBody], error) {
	by, id := auth.Actor(ctx), notice.BatchID(in.ID)
	if _, err := s.Notices.Opened(ctx, by, id, in.Body.N); err != nil {
		return nil, err
	}
	return batched(s.Notices.Batch(ctx, by, id))
}

// leaveOut: POST /batches/{id}/without, permission notice.approve, never by
// key: another draw without that notice.
func (s *server) leaveOut(ctx context.Context, in *placeInput) (*one[BatchBody], error) {
	return batched(s.Notices.Without(ctx, auth.Actor(ctx), notice.BatchID(in.ID), in.Body.N))
}

// approveBatch: POST /batches/{id}/approve, permission notice.approve, never by
// key: one signature over the batch's digest.
func (s *server) approveBatch(ctx context.Context, in *signInput) (*one[BatchBody], error) {
	return batched(s.Notices.ApproveBatch(ctx, auth.Actor(ctx), notice.BatchID(in.ID), in.Body.sig()))
}
