package api

import (
	"context"
	"math"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/flagger"
)

func (s *server) accuracyRoutes() []route {
	return []route{
		on(s, "GET", "/accuracy", auth.AccuracyRead, "accuracy.list", s.listAccuracy),
		on(s, "GET", "/accuracy/own", auth.ListRead, "accuracy.own", s.ownAccuracy),
	}
}

// accuracyBody is how often one organisation was right.
type accuracyBody struct {
	ID    string         `json:"id" doc:"Of the organisation that reported"`
	Name  string         `json:"name"`
	Kind  string         `json:"kind"`
	At    time.Time      `json:"counted_at"`
	Spans []accuracySpan `json:"spans"`
}

type accuracySpan struct {
	Days       int      `json:"days" doc:"How far back it looks"`
	Reports    int      `json:"reports" doc:"That came in under its name"`
	Cases      int      `json:"cases" doc:"That the reports are part of; what follows are cases"`
	Assessed   int      `json:"assessed" doc:"That are decided: upheld, refused and other"`
	Upheld     int      `json:"upheld" doc:"A platform was asked or ordered"`
	Refused    int      `json:"refused" doc:"No ground, a true purpose, or not public"`
	Other      int      `json:"other" doc:"Closed for another reason"`
	Unassessed int      `json:"unassessed" doc:"Not decided yet"`
	Share      *float64 `json:"share" doc:"Upheld among upheld and refused, from 0 to 1; null if there is neither"`
	Low        *float64 `json:"low" doc:"The share is at least so high, with 95 % confidence (Wilson)"`
	High       *float64 `json:"high" doc:"And at most so high"`
}

func accuracyOf(at time.Time, s flagger.Source) accuracyBody {
	out := accuracyBody{ID: string(s.Party), Name: s.Name, Kind: string(s.Kind), At: at.UTC(), Spans: []accuracySpan{}}
	for _, a := range s.Accuracy {
		span := accuracySpan{
			Days: a.Days, Reports: a.Reports, Cases: a.Cases, Assessed: a.Assessed(), Upheld: a.Upheld, Refused: a.Refused, Other: a.Other, Unassessed: a.Unassessed,
		}
		if low, share, high, ok := a.Ratio(); ok {
			span.Low, span.Share, span.High = digits(low), digits(share), digits(high)
		}
		out.Spans = append(out.Spans, span)
	}
	return out
}

// digits is a share with four digits.
func digits(f float64) *float64 {
	f = math.Round(f*1e4) / 1e4
	return &f
}

// listAccuracy: GET /accuracy, permission accuracy.read.
func (s *server) listAccuracy(ctx context.Context, _ *struct{}) (*listOut[accuracyBody], error) {
	count, err := s.Flagger.Accuracies(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return allOf(count.All, func(s flagger.Source) accuracyBody { return accuracyOf(count.At, s) }), nil
}

// ownAccuracy: GET /accuracy/own, permission list.read.
func (s *server) ownAccuracy(ctx context.Context, _ *struct{}) (*one[accuracyBody], error) {
	count, err := s.Flagger.Own(ctx, auth.Actor(ctx))
	if err != nil {
		return nil, err
	}
	if len(count.All) == 0 { // its row does not hold (party/seal.go)
		return nil, fault.Hidden("accuracy")
	}
	return answer(accuracyOf(count.At, count.All[0])), nil
}
