package demo

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/notes"
)

// history is what came to its end in the ninety days: a share of it in percent,
// or all.
func (w *world) history(share int) []*story {
	var out []*story
	for _, part := range []struct {
		name  string
		count int
		tell  func(*story)
	}{
		{"closed without a notice", 212, (*story).closed},
		{"order carried out", 58, (*story).complied},
		{"referral acted on", 40, (*story).referred},
		{"order carried out late", 9, (*story).late},
		{"order carried out in part", 10, (*story).partly},
		{"order refused", 6, (*story).refused},
		{"referral refused", 10, (*story).declined},
		{"referral never answered", 6, (*story).silent},
		{"returned once", 6, (*story).returned},
		{"withdrawn", 4, (*story).withdrawn},
		{"asked back", 8, (*story).clarified},
		{"content back again", 4, (*story).reuploaded},
		{"a partner's referral", 12, (*story).partner},
		{"handed over, order of one organisation", 9, (*story).european},
		{"hand-over sent back", 3, (*story).sentBack},
	} {
		count := max(1, part.count*share/100)
		for i := range count {
			s := w.new(part.name, i, time.Time{})
			s.begins = w.morning(s)
			part.tell(s)
			out = append(out, s)
		}
	}
	return out
}

// first is the first notice of each issuer, on the first day: an organisation's
// sealing key is made with it, and seals nothing older.
func (w *world) first() []*story {
	var out []*story
	for name, tell := range map[string]func(*story){
		"first order": (*story).complied, "first referral": (*story).referred,
		"first referral of a partner": (*story).partner, "first European order": (*story).european,
	} {
		s := w.new(name, 0, w.begin.Add(time.Hour))
		tell(s)
		out = append(out, s)
	}
	rota := w.new("rota", 0, w.begin.Add(time.Hour))
	rota.then(0, rota.onDuty)
	return append(out, rota)
}

// onDuty sets who is on duty in the agency, day and night.
func (s *story) onDuty(ctx context.Context) error {
	person := func(short string) party.PersonID { return s.cast.people[short].Person }
	week := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}
	for _, p := range []duty.Plan{
		{Role: party.Analyst, From: 7 * 60, To: 19 * 60, Person: person("ratna"), Deputy: person("dimas")},
		{Role: party.Analyst, From: 19 * 60, To: 7 * 60, Person: person("dimas"), Deputy: person("ratna")},
		{Role: party.Approver, From: 7 * 60, To: 19 * 60, Person: person("sari"), Deputy: person("bima")},
		{Role: party.Approver, From: 19 * 60, To: 7 * 60, Person: person("bima"), Deputy: person("sari")},
	} {
		p.Weekdays = week
		if err := s.Duty.Add(ctx, s.cast.Actor("bima"), p); err != nil {
			return err
		}
	}
	return nil
}

// morning returns a time at work between the first day and two days ago. The
// last weeks are busier than the first.
func (w *world) morning(s *story) time.Time {
	days := Days - 3
	day := max(s.rng.IntN(days), s.rng.IntN(days))
	begin := w.begin.AddDate(0, 0, day).Truncate(24 * time.Hour)
	return begin.Add(time.Hour + time.Duration(s.rng.IntN(9*60))*time.Minute) // 08:00 to 17:00 in Jakarta
}

// reach adds who reported it: mostly one, now and then many, and how many links.
func (s *story) told() *story {
	reporters := 1
	switch s.rng.IntN(12) {
	case 0, 1:
		reporters = 2
	case 2:
		reporters = 3 + s.rng.IntN(3)
	}
	return s.reported(reporters, pick(s.rng, 1, 1, 1, 2, 3))
}

func (s *story) closed() {
	reason := pick(s.rng, "no-ground", "no-ground", "true-purpose", "true-purpose", "not-enough", "not-enough", "gone", "not-public", "not-necessary", "duplicate")
	s.told().then(s.between(20*time.Minute, 5*time.Hour), s.take)
	if reason == "true-purpose" {
		purpose := pick(s.rng, notes.Purposes()...)
		s.then(s.between(15*time.Minute, 40*time.Minute), func(ctx context.Context) error {
			return s.assess(ctx, lawful(s.theme, purpose, s.rng))
		})
	}
	s.then(s.between(15*time.Minute, 40*time.Minute), func(ctx context.Context) error {
		_, err := s.Casework.Close(ctx, s.analyst.Actor, []casework.ID{s.caseID}, casework.CloseInput{Reason: reason})
		return err
	})
}

// registered moves the story to a platform that can be sent a notice.
func (s *story) registered() *story {
	for s.platform == nil {
		s.settle(somewhere(s.rng))
	}
	return s
}

// ordered tells the way of an order until it has left, and been received.
func (s *story) ordered(minutes int) *story {
	s.sent(minutes)
	return s.then(s.between(15*time.Minute, 25*time.Minute), s.receive)
}

func (s *story) sent(minutes int) *story {
	return s.registered().told().
		then(s.between(20*time.Minute, 3*time.Hour), s.propose(notes.RemovalOrder, minutes, notice.DraftInput{})).
		then(s.between(15*time.Minute, 40*time.Minute), s.approve).
		then(s.between(15*time.Minute, 60*time.Minute), s.issue)
}

func (s *story) deadline() int { return pick(s.rng, 240, 240, 1440) }

func (s *story) complied() {
	kind := pick(s.rng, notes.Removed, notes.Removed, notes.Removed, notes.AccountSuspended, notes.Disabled)
	s.ordered(s.deadline()).
		then(s.between(15*time.Minute, 150*time.Minute), s.answer(kind, "")).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.analyst))
}

func (s *story) late() {
	s.ordered(240).passes(130*time.Minute).passes(130*time.Minute).
		then(s.between(time.Hour, 9*time.Hour), s.answer(notes.Removed, "")).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.analyst))
}

func (s *story) partly() {
	s.registered()
	s.reported(1+s.rng.IntN(3), 2+s.rng.IntN(4)).
		then(s.between(time.Hour, 3*time.Hour), s.propose(notes.RemovalOrder, s.deadline(), notice.DraftInput{})).
		then(s.between(15*time.Minute, 40*time.Minute), s.approve).
		then(s.between(15*time.Minute, 60*time.Minute), s.issue).
		then(s.between(15*time.Minute, 25*time.Minute), s.receive).
		then(s.between(30*time.Minute, 150*time.Minute), s.answer(notes.Removed, notes.Refused)).
		says(20*time.Minute, s.platform, pick(s.rng, thanks...)).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.analyst))
}

func (s *story) refused() {
	s.ordered(s.deadline()).
		then(s.between(30*time.Minute, 150*time.Minute), s.answer(notes.Refused, "")).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.officer))
}

// referral tells the way of a voluntary referral, which the agency issues
// itself.
func (s *story) referral() *story {
	s.registered()
	s.officer = s.cast.people["nia"]
	return s.told().
		then(s.between(20*time.Minute, 4*time.Hour), s.propose(notes.Referral, 0, notice.DraftInput{})).
		then(s.between(15*time.Minute, 40*time.Minute), s.approve).
		then(s.between(15*time.Minute, 60*time.Minute), s.issue)
}

func (s *story) referred() {
	kind := pick(s.rng, notes.Removed, notes.Removed, notes.AccountSuspended, notes.GoneBefore)
	s.referral().then(s.between(20*time.Minute, 20*time.Hour), s.answer(kind, ""))
}

func (s *story) declined() {
	s.referral().then(s.between(2*time.Hour, 30*time.Hour), s.answer(notes.Refused, ""))
}

func (s *story) silent() {
	s.begins = s.begin.Add(time.Duration(s.rng.IntN(40*24)) * time.Hour)
	s.referral().then(30*time.Minute, s.receive).passes(30*24*time.Hour + 2*time.Hour)
}

// returned: the approver sends it back once, and a better version goes out.
func (s *story) returned() {
	s.registered().told().
		then(s.between(time.Hour, 3*time.Hour), s.propose(notes.RemovalOrder, 240, notice.DraftInput{})).
		then(s.between(15*time.Minute, 40*time.Minute), s.sendBack).
		then(s.between(30*time.Minute, 90*time.Minute), s.again).
		then(s.between(15*time.Minute, 40*time.Minute), s.approve).
		then(s.between(15*time.Minute, 60*time.Minute), s.issue).
		then(s.between(15*time.Minute, 25*time.Minute), s.receive).
		then(s.between(30*time.Minute, 150*time.Minute), s.answer(notes.Removed, "")).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.analyst))
}

func (s *story) sendBack(ctx context.Context) error {
	_, err := s.Notice.Return(ctx, s.approver.Actor, s.notice.ID, notice.ReturnInput{
		Reasons: []string{"lighter-measure"}, Text: "Tulis mengapa rujukan sukarela tidak cukup.",
	})
	return err
}

// again redrafts what was sent back.
func (s *story) again(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	if err := s.assess(ctx, assessment(s.theme, string(notes.RemovalOrder), s.binding, s.rng)); err != nil {
		return err
	}
	n, err := s.Notice.Redraft(ctx, s.analyst.Actor, s.notice.ID, notice.DraftInput{DeadlineMinutes: s.notice.DeadlineMinutes})
	if err != nil {
		return err
	}
	s.notice, err = s.Notice.Propose(ctx, s.analyst.Actor, n.ID, s.analyst.sign(n))
	return err
}

func (s *story) withdrawn() {
	s.ordered(1440).then(s.between(time.Hour, 5*time.Hour), func(ctx context.Context) error {
		_, err := s.Notice.Withdraw(ctx, s.officer.Actor, s.notice.ID, "Konten ternyata salinan berita; perintah kami tarik.")
		return err
	})
}

// clarified: the platform asks, the clock stops, the authority answers.
func (s *story) clarified() {
	s.ordered(240).
		then(s.between(20*time.Minute, 60*time.Minute), s.answer(notes.Clarify, "")).
		then(s.between(30*time.Minute, 2*time.Hour), s.resolve).
		then(s.between(30*time.Minute, 2*time.Hour), s.answer(notes.Removed, "")).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.officer))
}

func (s *story) resolve(ctx context.Context) error {
	for n := 1; n <= s.notice.ItemCount; n++ {
		_, err := s.Notice.ResolvePause(ctx, s.officer.Actor, s.notice.ID, notice.ResolveInput{
			Item: n, How: notice.Resolve, Text: "Video ketiga dalam daftar itu, yang berdurasi dua menit.",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reuploaded: it was removed, and came back.
func (s *story) reuploaded() {
	s.ordered(240).
		then(s.between(15*time.Minute, 150*time.Minute), s.answer(notes.Removed, "")).
		then(s.between(2*time.Hour, 20*time.Hour), s.verify(s.analyst)).
		then(s.between(24*time.Hour, 40*time.Hour), func(ctx context.Context) error {
			_, err := s.Notice.Reopen(ctx, s.officer.Actor, s.notice.ID, 1, "Konten yang sama tampak lagi pada tautan ini.")
			return err
		}).
		then(s.between(20*time.Minute, 2*time.Hour), s.answerOne(1, notes.Removed)).
		then(s.between(2*time.Hour, 10*time.Hour), func(ctx context.Context) error {
			_, err := s.Notice.Verify(ctx, s.officer.Actor, s.notice.ID, []int{1})
			return err
		})
}

func (s *story) answerOne(n int, kind notes.AnswerKind) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		out, err := s.Notice.Answer(ctx, s.platform.Actor, s.notice.ID, notice.AnswerInput{Rows: []notes.Row{s.row(n, kind)}})
		if err == nil && out.Rows[0].Problem != nil {
			return out.Rows[0].Problem
		}
		return err
	}
}

// meridia makes it a story of the unit that proposes, approves and issues its
// referrals itself.
func (s *story) meridia() *story {
	s.agency = "meridia-cyber"
	s.analyst, s.second = s.cast.people["aria"], s.cast.people["kwan"]
	s.approver = s.cast.people["kwan"]
	return s
}

func (s *story) partner() {
	s.meridia().referral()
	s.officer = s.cast.people["surya"]
	s.then(s.between(time.Hour, 20*time.Hour), s.answer(pick(s.rng, notes.Removed, notes.Removed, notes.Refused), ""))
}

// aurelia makes it a story of the European unit, whose authority decides.
func (s *story) aurelia() *story {
	s.agency, s.analyst = "aurelia-referral", s.cast.people["elin"]
	return s.settle(on(pick(s.rng, "kabarkita", "kabarkita", "ruangsuara")))
}

// handOver: the unit assesses, and offers the case to the authority.
func (s *story) handOver(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	if err := s.evidence(ctx); err != nil {
		return err
	}
	if err := s.assess(ctx, assessment(s.theme, casework.MeasureHandOver, "en", s.rng)); err != nil {
		return err
	}
	var err error
	s.handover, err = s.Casework.HandOver(ctx, s.analyst.Actor, s.caseID, casework.HandOverInput{
		To: s.cast.orgs["home-authority"].ID, Note: "Please decide: the platform's main establishment is in a Member State.",
	})
	return err
}

// accepted: the authority takes it over, with people of its own from here on.
func (s *story) accepted(ctx context.Context) error {
	s.analyst, s.approver, s.officer, s.binding = s.cast.people["jonas"], s.cast.people["maud"], s.cast.people["pieter"], "en"
	var err error
	s.caseID, err = s.Casework.AcceptHandOver(ctx, s.analyst.Actor, s.handover, casework.HandOverAnswer{})
	return err
}

const emergency = "The content was being shared on the day of a public event."

func (s *story) european() {
	s.aurelia().told().
		then(s.between(time.Hour, 4*time.Hour), s.handOver).
		then(s.between(30*time.Minute, 3*time.Hour), s.accepted).
		then(s.between(30*time.Minute, 3*time.Hour), s.propose(notes.RemovalOrder, 60, notice.DraftInput{Emergency: emergency})).
		then(s.between(15*time.Minute, 30*time.Minute), s.approve).
		then(s.between(15*time.Minute, 30*time.Minute), s.issue).
		then(15*time.Minute, s.receive).
		then(s.between(15*time.Minute, 45*time.Minute), s.answer(notes.Removed, "")).
		then(s.between(2*time.Hour, 20*time.Hour), func(ctx context.Context) error { return s.verify(s.officer)(ctx) })
}

func (s *story) sentBack() {
	s.aurelia().told().
		then(s.between(time.Hour, 4*time.Hour), s.handOver).
		then(s.between(time.Hour, 5*time.Hour), func(ctx context.Context) error {
			return s.Casework.ReturnHandOver(ctx, s.actor("pieter"), s.handover, casework.HandOverAnswer{
				Reasons: []string{"not-competent"}, Text: "The platform has its main establishment outside of the Union.",
			})
		}).
		then(s.between(time.Hour, 3*time.Hour), func(ctx context.Context) error {
			_, err := s.Casework.Close(ctx, s.analyst.Actor, []casework.ID{s.caseID}, casework.CloseInput{Reason: "other-jurisdiction"})
			return err
		})
}
