package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/view"
)

// PolicySummary is a pack in a list.
type PolicySummary struct {
	PackRef
	Name       string    `json:"name" doc:"In the caller's language"`
	ValidFrom  time.Time `json:"valid_from"`
	Current    bool      `json:"current" doc:"In force now"`
	Unverified int       `json:"unverified" doc:"Figures that nobody has read in the law's own text"`
}

func (s *server) policySummary(ctx context.Context, p policy.Pack) PolicySummary {
	current, ok := s.Packs.Current(p.Code, s.Clock.Now())
	return PolicySummary{PackRef(p.Ref), p.Name.In(printer(ctx).Lang()), p.ValidFrom, ok && current.Ref == p.Ref, len(p.Unverified())}
}

// listPolicies: GET /policies, public.
func (s *server) listPolicies(ctx context.Context, _ *struct{}) (*listOut[PolicySummary], error) {
	return allOf(s.Packs.All(), func(p policy.Pack) PolicySummary { return s.policySummary(ctx, p) }), nil
}

// PolicyInput names one version of a pack.
type PolicyInput struct {
	Code    string `path:"code" maxLength:"40"`
	Version int    `path:"version" minimum:"1" maximum:"100000"`
}

type figureBody struct {
	Key      string `json:"key" doc:"Its lasting name" example:"deadlines.removal-order.urgent"`
	Label    string `json:"label"`
	Value    int64  `json:"value"`
	Unit     string `json:"unit"`
	Source   string `json:"source"`
	Standing string `json:"standing" doc:"verified, unverified or fixed"`
}

type policyBody struct {
	PolicySummary
	Figures []figureBody `json:"figures" doc:"Every number, with its source"`
	Pack    any          `json:"pack" doc:"The whole pack; its schema is docs/policy.md's"`
}

func (s *server) pack(code string, version int) (policy.Pack, error) {
	p, ok := s.Packs.Version(code, version)
	if !ok {
		return p, fault.Hidden("policy")
	}
	return p, nil
}

// getPolicy: GET /policies/{code}/{version}, public.
func (s *server) getPolicy(ctx context.Context, in *PolicyInput) (*one[policyBody], error) {
	p, err := s.pack(in.Code, in.Version)
	if err != nil {
		return nil, err
	}
	out := policyBody{PolicySummary: s.policySummary(ctx, p), Figures: []figureBody{}, Pack: p}
	for _, f := range p.Figures() {
		out.Figures = append(out.Figures, figureBody{f.Key, f.Label(printer(ctx)), f.Value, f.Unit, f.Source, string(f.Standing())})
	}
	return answer(out), nil
}

type diffInput struct {
	PolicyInput
	From int `query:"from" minimum:"1" maximum:"100000" doc:"An older version; the one before if absent"`
}

type changeBody struct {
	Key    string `json:"key"`
	Before string `json:"before" doc:"Empty if it was added"`
	After  string `json:"after" doc:"Empty if it was taken away"`
}

// diffPolicies: GET /policies/{code}/{version}/diff, public.
func (s *server) diffPolicies(_ context.Context, in *diffInput) (*listOut[changeBody], error) {
	after, err := s.pack(in.Code, in.Version)
	if err != nil {
		return nil, err
	}
	from := in.From
	if from == 0 {
		from = in.Version - 1
	}
	before, err := s.pack(in.Code, from)
	if err != nil {
		return nil, err
	}
	return allOf(policy.Diff(before, after), func(c policy.Change) changeBody { return changeBody{c.Key, c.Before, c.After} }), nil
}

type platformBody struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	Host string `json:"host"`
}

// listPlatforms: GET /platforms, public.
func (s *server) listPlatforms(context.Context, *struct{}) (*listOut[platformBody], error) {
	return allOf(s.Platforms.All(), func(p *canonical.Platform) platformBody { return platformBody{p.Key, p.Name, p.Host} }), nil
}

type entryBody struct {
	Seq    int64           `json:"seq" doc:"Its place in the order; the cursor"`
	ID     string          `json:"id"`
	Type   string          `json:"type" example:"notice.issued"`
	Object string          `json:"object"`
	On     string          `json:"object_id"`
	Ref    string          `json:"ref"`
	Party  string          `json:"party" doc:"Who acted; empty for the program itself"`
	Person string          `json:"person" doc:"Of one's own organisation only"`
	At     time.Time       `json:"at"`
	Data   json.RawMessage `json:"data" doc:"A small value that depends on the type; nothing sealed"`
	Chain  string          `json:"chain" doc:"SHA-256 over the entry before and this one"`
}

// entryOf is an entry as its reader may see it: other organisations' people
// stay unnamed.
func entryOf(by party.Actor, e feed.Entry) entryBody {
	out := entryBody{
		Seq: e.Seq, ID: e.ID, Type: e.Kind, Object: e.Object, On: e.ObjectID, Ref: e.Ref, Party: e.Party,
		At: e.ToldAt(), Data: e.Data, Chain: e.Chain,
	}
	if e.Party == string(by.Party) {
		out.Person = e.Person
	}
	return out
}

type feedInput struct {
	Paging
	Wait int `query:"wait" minimum:"0" maximum:"25" doc:"Seconds to wait for news while there are none"`
}

// listFeed: GET /feed: what one's organisation may know of, in the order in
// which it happened. The last next is where to go on later.
func (s *server) listFeed(ctx context.Context, in *feedInput) (*listOut[entryBody], error) {
	by := auth.Actor(ctx)
	after, err := number(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.newsAfter(ctx, by, after, in)
	if err != nil {
		return nil, err
	}
	next := in.Cursor
	if len(rows) > 0 {
		next = strconv.FormatInt(rows[len(rows)-1].Seq, 10)
	}
	return pageOf(&in.Paging, rows, next, func(e feed.Entry) entryBody { return entryOf(by, e) }), nil
}

// newsAfter returns the entries after a cursor, waiting for the first as long
// as the caller wants to.
func (s *server) newsAfter(ctx context.Context, by party.Actor, after int64, in *feedInput) ([]feed.Entry, error) {
	wake, stop := s.Feed.Sequenced().Listen()
	defer stop()
	over := time.NewTimer(time.Duration(in.Wait) * time.Second)
	defer over.Stop()
	for {
		rows, err := feed.After(ctx, s.DB, string(by.Party), after, in.Limit)
		if err != nil || len(rows) > 0 || in.Wait == 0 {
			return rows, err
		}
		select {
		case <-wake:
		case <-over.C:
			return feed.After(ctx, s.DB, string(by.Party), after, in.Limit) // another node may have sequenced
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// summary: GET /transparency/summary, public: the public figures.
func (s *server) summary(ctx context.Context, _ *struct{}) (*one[view.Figures], error) {
	f, err := s.public.Public(ctx, s.DB, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	return answer(f), nil
}
