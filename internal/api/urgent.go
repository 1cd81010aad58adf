package api

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
)

type urgentCase struct {
	ID      string `json:"id"`
	Ref     string `json:"ref"`
	State   string `json:"state"`
	Reports int    `json:"reports" doc:"That say so"`
}

type urgentCallBody struct {
	ID       string       `json:"id"`
	RaisedAt time.Time    `json:"raised_at"`
	Count    int          `json:"count" doc:"Cases in it"`
	Cases    []urgentCase `json:"cases" doc:"The first twenty"`
	HeededBy string       `json:"heeded_by" doc:"Who looks; empty while nobody does"`
	HeededAt *time.Time   `json:"heeded_at"`
}

type urgentInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most, the latest first"`
}

// listUrgentCalls: GET /urgent-calls, permission case.read. That one looks is
// said by a person, on the page.
func (s *server) listUrgentCalls(ctx context.Context, in *urgentInput) (*listOut[urgentCallBody], error) {
	calls, err := s.Cases.LatestCalls(ctx, auth.Actor(ctx), in.Limit)
	if err != nil {
		return nil, err
	}
	return allOf(calls, func(c casework.Call) urgentCallBody {
		out := urgentCallBody{ID: string(c.ID), RaisedAt: c.RaisedAt, Count: c.Count, HeededBy: string(c.HeededBy), HeededAt: at(c.HeededAt), Cases: []urgentCase{}}
		for _, k := range c.Cases {
			out.Cases = append(out.Cases, urgentCase{string(k.ID), k.Ref, string(k.State), k.Reports})
		}
		return out
	}), nil
}
