package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// ownTopics are the topics to choose from, those checked that the person asked
// not to be given; none for whoever is given no cases.
func (s *Server) ownTopics(ctx context.Context, by party.Actor, p *i18n.Printer) ([]components.Choice, error) {
	if !auth.Seat(by, auth.CaseWork) {
		return nil, nil
	}
	wishes, err := s.Casework.Wishes(ctx, by)
	var out []components.Choice
	for _, t := range casework.Topics() {
		out = append(out, components.Choice{Value: t, Label: p.T("triage.topic." + t), Checked: slices.Contains(wishes, t)})
	}
	return out, err
}

// postProfileTopics: POST /profile/topics {topic…} says what the person asks not
// to be given.
func (s *Server) postProfileTopics(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	if err := s.Casework.SetWishes(r.Context(), actorOf(r.Context()), r.PostForm["topic"]); err != nil {
		return err
	}
	return s.profileSaved(w, r, "topics")
}

// markAvoided says of cases in a list that they are about what the reader asked
// not to be given. Nobody else is told.
func (s *Server) markAvoided(ctx context.Context, by party.Actor, p *i18n.Printer, lines []QueueRow, cases []casework.Case) error {
	wishes, err := s.Casework.Wishes(ctx, by)
	for i, c := range cases {
		if c.Avoids(wishes) {
			lines[i].Facts = append(lines[i].Facts, RowFact{"eye-off", p.T("triage.fact.avoided")})
		}
	}
	return err
}
