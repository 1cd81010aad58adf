package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// A HandOverID identifies a hand-over (UUIDv7).
type HandOverID string

// A HandOverState is what became of a hand-over.
type HandOverState string

// The states of a hand-over.
const (
	Offered    HandOverState = "offered"
	AcceptedIt HandOverState = "accepted"
	SplitIt    HandOverState = "split" // some locations accepted, the others sent back
	ReturnedIt HandOverState = "returned"
)

// A HandedOn is a dossier that one party handed to another, which makes its own
// assessment and sees the first only after answering (domain.md, Case).
type HandedOn struct {
	ID        HandOverID
	Dossier   DossierID
	Ref       string // of the sender's case
	Party     party.ID
	To        party.ID
	State     HandOverState
	Person    party.PersonID // who handed over
	At        time.Time
	AnswerAt  time.Time
	NewCase   ID       // of the receiver, "" before it accepted
	Reasons   []string // codes of a return
	Note      string   // the sender's
	Answer    string   // the receiver's text
	Locations []report.Location
	Evidence  []notes.Evidence
	Files     []FileID // in the order of Evidence, for OpenCapture

	// Assessment is the sender's; nil for the receiver until its own case has
	// a complete assessment.
	Assessment *notes.Assessment

	caseID       ID
	note, answer []byte // sealed
}

// ReturnReasons lists why a hand-over may be sent back.
func ReturnReasons() []string {
	return []string{"not-competent", "incomplete", "not-understood", "already-known"}
}

// maxNote bounds the text that goes with a hand-over or an answer, in characters.
const maxNote = 5_000

// A HandOverInput says what goes to whom.
type HandOverInput struct {
	To          party.ID
	LocationIDs []report.LocationID // none means all
	Note        string              // what the receiver should know; not the finding
}

// HandOver offers a case, with its dossier frozen, to another party that
// decides on cases. The assessment is the decision to do so; it needs to be
// complete and to end in MeasureHandOver.
func (r *Room) HandOver(ctx context.Context, by party.Actor, id ID, in HandOverInput) (HandOverID, error) {
	hid := HandOverID(db.NewID())
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, HandOver, now, func(c *Case, _ situation) (any, error) {
			to, err := r.receiver(ctx, tx, by, in)
			if err != nil {
				return nil, err
			}
			if len(in.LocationIDs) == 0 {
				if in.LocationIDs, err = r.Locations(ctx, tx, c.ID); err != nil {
					return nil, err
				}
			}
			d, err := r.freeze(ctx, tx, by, c, Freeze{CaseID: c.ID, LocationIDs: in.LocationIDs, To: in.To, Measure: MeasureHandOver}, now)
			if err != nil {
				return nil, err
			}
			note, err := r.seal(*c, "handover", string(hid), []byte(in.Note))
			if err != nil {
				return nil, err
			}
			_, err = tx.Exec(ctx, `
				INSERT INTO handovers (id, case_id, dossier_id, party_id, to_party, state, person_id, at, reasons, note_sealed)
				VALUES ($1, $2, $3, $4, $5, 'offered', $6, $7, '[]', $8)`,
				hid, c.ID, d.ID, c.Party, in.To, by.Person, db.Micros(now), note)
			if err != nil {
				return nil, err
			}
			if err := r.offered(ctx, tx, by, *c, hid, in.To, len(d.Locations), now); err != nil {
				return nil, err
			}
			n := c.news()
			n.Count = len(d.Locations)
			return n, r.steps(ctx, tx, *c, report.Step{Kind: report.StepHandedOver, At: now, Args: map[string]string{"Agency": to.Name}})
		})
		return err
	})
	return hid, err
}

// offered tells the receiver, who knows of the hand-over and not of the case.
func (r *Room) offered(ctx context.Context, tx *db.Tx, by party.Actor, c Case, id HandOverID, to party.ID, n int, now time.Time) error {
	return r.recordHandOver(ctx, tx, by, c, id, "handover.offered", now, news{State: HandedOver, Count: n}, to)
}

// receiver checks whom a case may be handed to.
func (r *Room) receiver(ctx context.Context, q db.Reader, by party.Actor, in HandOverInput) (party.Party, error) {
	var faults fault.Checker
	prose(&faults, "/note", in.Note, maxNote)
	to, err := party.Get(ctx, q, in.To)
	if fault.Of(err) == fault.Internal && err != nil {
		return to, err
	}
	kinds := []party.Kind{party.Agency, party.Authority, party.LawEnforcement, party.Helpline}
	if err != nil || !to.Active || to.ID == by.Party || !slices.Contains(kinds, to.Kind) {
		faults.Add("/to", "case.receiver")
	}
	return to, faults.Err()
}

// Object is the hand-over as rights see it.
func (h HandedOn) Object() auth.Object {
	return auth.Object{What: "handover", Owner: h.Party, Receivers: []party.ID{h.To}}
}

// A HandOverAnswer is the receiver's. The party asked takes all, takes some, or
// sends everything back.
type HandOverAnswer struct {
	Accept  []report.LocationID // of an accepting answer; none means all
	Reasons []string            // codes of what is sent back; at least one then
	Text    string
}

// AcceptHandOver takes a hand-over, or some of its locations, as a new case of
// the actor's party, and returns that. What is not accepted goes back to the
// sender's case, with reasons.
func (r *Room) AcceptHandOver(ctx context.Context, by party.Actor, id HandOverID, a HandOverAnswer) (ID, error) {
	var made ID
	err := r.answerHandOver(ctx, by, id, a, func(ctx context.Context, tx *db.Tx, h HandedOn, sender *Case, now time.Time) (HandOverState, error) {
		to, err := party.Get(ctx, tx, h.To)
		if err != nil {
			return "", err
		}
		c, err := r.newCase(ctx, tx, to, now)
		if err != nil {
			return "", err
		}
		var ls []report.Location
		for _, l := range h.Locations {
			if len(a.Accept) == 0 || slices.Contains(a.Accept, l.ID) {
				ls = append(ls, l)
			}
		}
		c.HandedFrom, c.Heavy, c.urgent = h.ID, sender.Heavy, sender.urgent
		c.AheadAt = now // a person handed it over
		c.Channels, c.Languages, c.Topics = []string{string(report.Partner)}, sender.Languages, sender.Topics
		if err := r.store(ctx, tx, &c, ls, now); err != nil {
			return "", err
		}
		made = c.ID
		if err := r.record(ctx, tx, by, c, "case.opened", c.news(), now); err != nil {
			return "", err
		}
		if len(ls) < len(h.Locations) {
			return SplitIt, nil
		}
		return AcceptedIt, nil
	})
	if err != nil {
		return "", err
	}
	return made, nil
}

// ReturnHandOver sends a hand-over back to its sender, with reasons.
func (r *Room) ReturnHandOver(ctx context.Context, by party.Actor, id HandOverID, a HandOverAnswer) error {
	a.Accept = nil
	return r.answerHandOver(ctx, by, id, a, func(context.Context, *db.Tx, HandedOn, *Case, time.Time) (HandOverState, error) {
		return ReturnedIt, nil
	})
}

// events of the sender's case by what became of the hand-over.
var answers = map[HandOverState]Event{AcceptedIt: AcceptAll, SplitIt: AcceptPart, ReturnedIt: ReturnOffered}

// answerHandOver checks the answer, lets take do its part and moves the
// sender's case.
func (r *Room) answerHandOver(ctx context.Context, by party.Actor, id HandOverID, a HandOverAnswer,
	take func(context.Context, *db.Tx, HandedOn, *Case, time.Time) (HandOverState, error),
) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		h, err := r.handOver(ctx, tx, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if err := auth.May(by, auth.CaseAnswer, h.Object()); err != nil {
			return err
		}
		sender, err := load(ctx, tx, h.caseID)
		if err != nil {
			return err
		}
		if h.State != Offered {
			return fault.New(fault.Conflict, "case.hand-over-answered", "Ref", h.Ref)
		}
		if err := r.fillHandOver(ctx, tx, &h); err != nil {
			return err
		}
		state, err := take(ctx, tx, h, &sender, now)
		if err != nil {
			return err
		}
		if err := a.check(h, state); err != nil {
			return err
		}
		return r.settleHandOver(ctx, tx, by, h, sender, a, state, now)
	})
}

// check wants locations of the hand-over, and reasons for what goes back.
func (a HandOverAnswer) check(h HandedOn, state HandOverState) error {
	var faults fault.Checker
	prose(&faults, "/text", a.Text, maxNote)
	for i, l := range a.Accept {
		if !slices.ContainsFunc(h.Locations, func(x report.Location) bool { return x.ID == l }) {
			faults.Add(fmt.Sprintf("/accept/%d", i), "case.location", "Ref", h.Ref)
		}
	}
	for i, reason := range a.Reasons {
		oneOf(&faults, fmt.Sprintf("/reasons/%d", i), reason, ReturnReasons())
	}
	faults.Require(state == AcceptedIt || len(a.Reasons) > 0, "/reasons")
	return faults.Err()
}

func (r *Room) settleHandOver(ctx context.Context, tx *db.Tx, by party.Actor, h HandedOn, sender Case, a HandOverAnswer, state HandOverState, now time.Time) error {
	s := situation{Case: sender, By: by, Now: now}
	t, err := next(s, answers[state], h.Object())
	if err != nil {
		return err
	}
	text, err := r.seal(sender, "handover-answer", string(h.ID), []byte(a.Text))
	if err != nil {
		return err
	}
	made, err := db.All(ctx, tx, db.Scalar[ID], `SELECT id FROM cases WHERE handed_from = $1`, h.ID)
	if err != nil {
		return err
	}
	made = append(made, "")
	_, err = tx.Exec(ctx, `
		UPDATE handovers SET state = $2, answered_by = $3, answered_at = $4, new_case_id = $5, reasons = $6, answer_sealed = $7 WHERE id = $1`,
		h.ID, state, by.Person, db.Micros(now), db.OrNull(made[0]), db.List(a.Reasons), text)
	if err != nil {
		return err
	}
	sent := sender.Holder
	_, err = r.move(ctx, tx, s, t, func(c *Case, _ situation) (any, error) {
		c.Dossiers--
		fate, outcome := SentBack, ""
		if state == AcceptedIt {
			fate, outcome = Finished, "handed-over"
			c.Outcome, c.ClosedAt, c.Holder, c.LockedUntil = outcome, now, "", time.Time{}
		} else {
			c.Holder, c.LockedUntil = sent, now.Add(lockFor)
		}
		return c.news(), setFate(ctx, tx, Dossier{ID: h.Dossier}, fate, outcome, now)
	})
	if err != nil {
		return err
	}
	return r.recordHandOver(ctx, tx, by, sender, h.ID, "handover."+string(state), now, news{Count: len(h.Locations)}, h.To)
}

func (r *Room) recordHandOver(ctx context.Context, tx *db.Tx, by party.Actor, c Case, id HandOverID, kind string, now time.Time, data news, to party.ID) error {
	_, err := r.Feed.Record(ctx, tx, feed.Event{
		Kind: kind, Object: "handover", ObjectID: string(id), Ref: c.Ref, Party: string(by.Party), Person: string(by.Person),
		Audience: []string{string(c.Party), string(to)}, Data: data, At: now,
	})
	return err
}

const handOverColumns = `h.id, h.dossier_id, c.ref, h.case_id, h.party_id, h.to_party, h.state, h.person_id, h.at, h.answered_at,
	h.new_case_id, h.reasons, h.note_sealed, h.answer_sealed`

// handOver returns a hand-over without its dossier, texts still sealed.
func (r *Room) handOver(ctx context.Context, q db.Reader, id HandOverID, lock string) (HandedOn, error) {
	h, err := db.One(ctx, q, r.scanHandOver, `
		SELECT `+handOverColumns+` FROM handovers h JOIN cases c ON c.id = h.case_id WHERE h.id = $1`+lock, id)
	if errors.Is(err, db.ErrAbsent) {
		err = fault.Hidden("handover")
	}
	return h, err
}

func (r *Room) scanHandOver(row db.Row) (HandedOn, error) {
	var h HandedOn
	err := row.Scan(&h.ID, &h.Dossier, &h.Ref, &h.caseID, &h.Party, &h.To, &h.State, &h.Person, db.Time(&h.At), db.Time(&h.AnswerAt),
		db.Text(&h.NewCase), db.ListInto(&h.Reasons), &h.note, &h.answer)
	return h, err
}

// fillHandOver opens texts, locations and manifest of a hand-over.
func (r *Room) fillHandOver(ctx context.Context, q db.Reader, h *HandedOn) error {
	c, err := hide(db.One(ctx, q, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, h.caseID))
	if err != nil {
		return err
	}
	note, err := r.unseal(c, "handover", string(h.ID), h.note)
	if err != nil {
		return err
	}
	answer, err := r.unseal(c, "handover-answer", string(h.ID), h.answer)
	if err != nil {
		return err
	}
	h.Note, h.Answer = string(note), string(answer)
	d, err := r.Dossier(ctx, q, h.Dossier)
	if err != nil {
		return err
	}
	h.Evidence, h.Files, h.Assessment = d.Document.Evidence, d.Files, &d.Document.Assessment
	h.Locations, err = r.Reports.Locations(ctx, q, d.Locations)
	return err
}

// blind hides the sender's assessment from a receiver that has not made its
// own yet.
func (r *Room) blind(ctx context.Context, q db.Reader, by party.Actor, h *HandedOn) error {
	if by.Party != h.To {
		return nil
	}
	done := false
	if h.NewCase != "" {
		c, err := hide(db.One(ctx, q, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, h.NewCase))
		if err != nil {
			return err
		}
		done = c.Complete
	}
	if !done {
		h.Assessment = nil
	}
	return nil
}

// GetHandOver returns a hand-over to its sender, its receiver or oversight.
func (r *Room) GetHandOver(ctx context.Context, by party.Actor, id HandOverID) (HandedOn, error) {
	h, err := r.handOver(ctx, r.DB, id, "")
	if err != nil {
		return h, err
	}
	if err := auth.May(by, auth.CaseRead, h.Object()); err != nil {
		return HandedOn{}, err
	}
	if err := r.fillHandOver(ctx, r.DB, &h); err != nil {
		return HandedOn{}, err
	}
	return h, r.blind(ctx, r.DB, by, &h)
}

// HandOvers returns the hand-overs that the actor may read, those that their
// party made or received or, for oversight, all: the newest first, without texts
// and dossiers; the cursor of the next page is "" at the end.
func (r *Room) HandOvers(ctx context.Context, by party.Actor, state HandOverState, cursor HandOverID, limit int) ([]HandedOn, HandOverID, error) {
	if err := auth.May(by, auth.CaseRead, auth.Object{What: "handover", Owner: by.Party}); err != nil {
		return nil, "", err
	}
	everybodys := auth.May(by, auth.CaseRead, auth.Object{What: "handover"}) == nil
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	all, err := db.All(ctx, r.DB, r.scanHandOver, `
		SELECT `+handOverColumns+` FROM handovers h JOIN cases c ON c.id = h.case_id
		WHERE ($5 OR h.to_party = $1 OR h.party_id = $1) AND ($2 = '' OR h.state = $2) AND ($3 = '' OR h.id < $3)
		ORDER BY h.id DESC LIMIT $4`, by.Party, string(state), string(cursor), limit+1, everybodys)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], all[limit-1].ID, nil
}

// viewHandOvers adds the hand-overs of a case to its view.
func (r *Room) viewHandOvers(ctx context.Context, by party.Actor, v *View) error {
	all, err := db.All(ctx, r.DB, r.scanHandOver, `
		SELECT `+handOverColumns+` FROM handovers h JOIN cases c ON c.id = h.case_id WHERE h.case_id = $1 OR h.id = $2 ORDER BY h.id`,
		v.Case.ID, string(v.Case.HandedFrom))
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := r.fillHandOver(ctx, r.DB, &h); err != nil {
			return err
		}
		if h.caseID == v.Case.ID {
			v.HandOvers = append(v.HandOvers, h)
			continue
		}
		if err := r.blind(ctx, r.DB, by, &h); err != nil {
			return err
		}
		v.From = &h
	}
	return nil
}
