package report

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/i18n"
)

// A StepKind is something that became of a report, as its reporter is told.
type StepKind = string

// The steps. Their texts are in the catalogues as report.step.<kind>; they name
// organisations, never people and never other reporters. StepJoined is written
// and said alike for the first report of something and for the hundredth, so
// that nobody learns by reporting what has been reported before.
const (
	StepReceived   StepKind = "received"
	StepAdded      StepKind = "added"       // the reporter added material
	StepJoined     StepKind = "joined"      // it belongs to a case
	StepReview     StepKind = "in-review"   // a person is looking at it
	StepHandedOver StepKind = "handed-over" // another organisation decides; Args: Agency
	StepReferred   StepKind = "referred"    // the platform was asked; Args: Platform
	StepOrdered    StepKind = "ordered"     // the platform was ordered; Args: Platform
	StepAnswered   StepKind = "answered"    // Args: Platform, Answer (an item's answer, domain.md)
	StepOverdue    StepKind = "overdue"     // the platform has not answered in time; Args: Platform
	StepWithdrawn  StepKind = "withdrawn"   // what was asked is taken back; Args: Platform
	StepTakenBack  StepKind = "taken-back"  // the organisation that reported takes the report back
	StepClosed     StepKind = "closed"      // Args: Outcome, one of Outcomes
	StepReopened   StepKind = "reopened"
)

// Steps lists the kinds of step.
func Steps() []StepKind {
	return []StepKind{
		StepReceived, StepAdded, StepJoined, StepReview, StepHandedOver, StepReferred, StepOrdered,
		StepAnswered, StepOverdue, StepWithdrawn, StepTakenBack, StepClosed, StepReopened,
	}
}

// Outcomes lists how a report may end, as StepClosed says it; their texts are
// report.outcome.<outcome>.
func Outcomes() []string {
	return []string{"acted", "not-acted", "lawful", "out-of-scope", "not-found", "duplicate", "other"}
}

// Answers lists the answers that StepAnswered may tell; their texts are
// report.answer.<answer> (domain.md, Answers).
func Answers() []string {
	return []string{
		"removed", "disabled", "restricted", "account-suspended", "labelled", "stream-ended", "gone-before",
		"refused", "challenged", "impossible", "clarify", "error",
	}
}

// A Step is one line of a report's timeline.
type Step struct {
	Kind StepKind
	At   time.Time
	Args map[string]string // names of the catalogue text's arguments; nothing sealed
}

// Text says the step in the printer's language.
func (s Step) Text(p *i18n.Printer) string {
	args := make([]any, 0, 2*len(s.Args))
	for _, name := range []string{"Agency", "Platform", "Answer", "Outcome"} {
		v := s.Args[name]
		switch {
		case v == "" && name == "Platform":
			v = p.T("report.step.the-platform")
		case v == "" && name == "Agency":
			v = p.T("report.step.another-agency")
		case v == "" && name == "Outcome":
			v = p.T("report.outcome.other")
		case name == "Answer" && slices.Contains(Answers(), v):
			v = p.T("report.answer." + v)
		case name == "Outcome" && slices.Contains(Outcomes(), v):
			v = p.T("report.outcome." + v)
		}
		args = append(args, name, v)
	}
	return p.T("report.step."+s.Kind, args...)
}

// StepTx adds a step to the timelines of reports, in the transaction of what
// happened. A step that a report's timeline ends with already is not repeated,
// but for StepAdded, each of which is the reporter's own act. An unknown kind
// is an error of the caller's.
func (r *Room) StepTx(ctx context.Context, tx *db.Tx, reports []ID, s Step) error {
	return r.stepTx(ctx, tx, reports, s, s.Kind == StepReceived) // nothing comes before it
}

// FirstStepTx is StepTx for a report to which this step has never been told. It
// does not look for that.
func (r *Room) FirstStepTx(ctx context.Context, tx *db.Tx, id ID, s Step) error {
	return r.stepTx(ctx, tx, []ID{id}, s, true)
}

func (r *Room) stepTx(ctx context.Context, tx *db.Tx, reports []ID, s Step, first bool) error {
	if !slices.Contains(Steps(), s.Kind) {
		return fmt.Errorf("step of reports: no kind %q", s.Kind)
	}
	if s.At.IsZero() {
		s.At = r.clock.Now()
	}
	args, err := json.Marshal(s.Args)
	if err != nil {
		return err
	}
	if len(s.Args) == 0 {
		args = []byte("{}")
	}
	if err := addStep(ctx, tx, slices.Compact(slices.Sorted(slices.Values(reports))), s, string(args), first); err != nil {
		return fmt.Errorf("step %s of reports: %w", s.Kind, err)
	}
	return nil
}

// addStep adds a step to each report whose last one is another.
func addStep(ctx context.Context, tx *db.Tx, reports []ID, s Step, args string, first bool) error {
	if first {
		return insertSteps(ctx, tx, reports, nil, s, args)
	}
	same, err := db.AllIn(ctx, tx, db.Scalar[ID], func(in string) string {
		return `SELECT s.report_id FROM report_steps s
			WHERE s.kind = $1 AND s.args = $2 AND s.report_id IN (` + in + `) AND NOT EXISTS (
				SELECT 1 FROM report_steps l WHERE l.report_id = s.report_id AND (l.at > s.at OR (l.at = s.at AND l.id > s.id)))`
	}, reports, s.Kind, args)
	if err != nil {
		return err
	}
	return insertSteps(ctx, tx, reports, same, s, args)
}

// insertSteps adds the step to reports, but for those whose last it is already.
func insertSteps(ctx context.Context, tx *db.Tx, reports, same []ID, s Step, args string) error {
	for _, id := range reports {
		if s.Kind != StepAdded && slices.Contains(same, id) {
			continue
		}
		err := tx.Send(ctx, `INSERT INTO report_steps (id, report_id, kind, args, at) VALUES ($1, $2, $3, $4, $5)`,
			db.NewID(), id, s.Kind, args, db.Micros(s.At))
		if err != nil {
			return err
		}
	}
	return nil
}

// stepsOf returns a report's timeline, oldest first.
func stepsOf(ctx context.Context, q db.Reader, id ID) ([]Step, error) {
	return db.All(ctx, q, func(row db.Row) (Step, error) {
		var s Step
		var args string
		if err := row.Scan(&s.Kind, &args, db.Time(&s.At)); err != nil {
			return s, err
		}
		if args == "{}" {
			return s, nil
		}
		return s, json.Unmarshal([]byte(args), &s.Args)
	}, `SELECT kind, args, at FROM report_steps WHERE report_id = $1 ORDER BY at, id`, id)
}

// LastSteps returns the step that each report's timeline ends with.
func (r *Room) LastSteps(ctx context.Context, q db.Reader, ids []ID) (map[ID]Step, error) {
	out := make(map[ID]Step, len(ids))
	_, err := db.AllIn(ctx, q, func(row db.Row) (none struct{}, err error) {
		var id ID
		var s Step
		var args string
		if err := row.Scan(&id, &s.Kind, &args, db.Time(&s.At)); err != nil {
			return none, err
		}
		err = json.Unmarshal([]byte(args), &s.Args)
		out[id] = s
		return none, err
	}, func(in string) string {
		return `SELECT s.report_id, s.kind, s.args, s.at FROM report_steps s WHERE s.report_id IN (` + in + `) AND NOT EXISTS (
			SELECT 1 FROM report_steps l WHERE l.report_id = s.report_id AND (l.at > s.at OR (l.at = s.at AND l.id > s.id)))`
	}, ids)
	return out, err
}
