package demo

import (
	"context"
	"errors"
	"time"

	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// ago begins a story that ends that long before the present, however long it
// takes to tell.
func (w *world) ago(name string, n int, ends time.Duration, tell func(*story)) *story {
	s := w.new(name, n, time.Time{})
	tell(s)
	var length time.Duration
	for _, sc := range s.scenes {
		length += sc.after
	}
	s.begins = w.now.Add(-ends - length)
	return s
}

// present is what is going on now: every state of a case and of a notice, a
// share of it in percent, or all.
func (w *world) present(share int) []*story {
	var out []*story
	many := func(name string, count int, from, to time.Duration, tell func(*story)) {
		count = max(1, count*share/100)
		for i := range count {
			step := time.Duration(0)
			if count > 1 {
				step = (to - from) * time.Duration(i) / time.Duration(count-1)
			}
			out = append(out, w.ago(name, i, from+step, tell))
		}
	}
	h, m := time.Hour, time.Minute
	many("in the queue", 30, 3*m, 9*h, func(s *story) { s.waiting(1) })
	many("in the queue, reported by many", 4, 11*m, 60*m, func(s *story) { s.waiting(6 + s.rng.IntN(9)) })
	many("somebody will be hurt soon", 1, 38*m, 38*m, (*story).heeded)
	many("in the partner's queue", 5, 20*m, 20*h, func(s *story) { s.meridia().waiting(1) })
	many("in the European queue", 3, 20*m, 5*h, func(s *story) { s.aurelia().waiting(1) })
	many("being assessed", 7, 2*m, 20*m, (*story).assessing)
	many("awaits a second opinion", 2, 6*m, 15*m, (*story).opinion)
	many("held", 2, 25*m, 25*m, (*story).held)
	many("offered to the authority", 2, 30*m, 50*m, func(s *story) { s.aurelia().told().then(h, s.handOver) })
	many("proposed", 6, 4*m, 50*m, (*story).proposed)
	for i := range 3 { // two or more make a batch
		out = append(out, w.ago("proposed, alike", i, time.Duration(6+9*i)*m, (*story).alike))
	}
	many("proposed by the partner", 2, 10*m, 40*m, func(s *story) { s.meridia().proposedReferral() })
	many("sent back to its analyst", 2, 15*m, 15*m, (*story).backAtDesk)
	many("approved", 4, 6*m, 50*m, (*story).approved)
	many("on its way", 3, 2*m, 14*m, func(s *story) { s.sentNow(s.deadline()) })
	many("clock runs", 8, 12*m, 170*m, func(s *story) { s.receivedNow(240) })
	many("long clock runs", 3, 2*h, 9*h, func(s *story) { s.receivedNow(1440) })
	many("answered", 5, 20*m, 4*h, (*story).answeredNow)
	many("paused", 2, 35*m, 60*m, (*story).pausedNow)
	many("some answered", 3, 30*m, 80*m, (*story).partlyNow)
	many("overdue", 3, 20*m, 6*h, (*story).overdueNow)
	many("unreceived", 1, 2*h, 2*h, func(s *story) { s.sentNow(240).passes(40 * m) })
	many("service to be deemed", 1, 10*m, 10*m, (*story).deemable)
	many("referral open", 9, 30*m, 60*h, func(s *story) { s.referralNow() })
	many("partner's referral open", 2, 3*h, 20*h, func(s *story) { s.meridia().referralNow(); s.officer = s.cast.people["surya"] })
	many("European clock runs", 2, 12*m, 30*m, func(s *story) { s.europeanNow().then(8*m, s.receive) })
	many("European order that nobody receives", 1, 3*h, 3*h, func(s *story) { s.europeanNow().passes(40 * m).passes(50 * m) })
	return out
}

func (s *story) waiting(n int) {
	s.reported(n, pick(s.rng, 1, 1, 1, 2, 4))
	if s.rng.IntN(3) == 0 {
		s.then(2*time.Minute, func(ctx context.Context) error {
			return s.Report.Write(ctx, s.receipts[0].Code, "Saya menemukan salinan lain di akun yang sama.", nil)
		})
	}
}

// heeded: the reporter says that somebody will be hurt soon, and an analyst
// looks two minutes later.
func (s *story) heeded() {
	s.soon = true
	s.reported(1, 1).then(2*time.Minute, func(ctx context.Context) error {
		if err := s.find(ctx); err != nil {
			return err
		}
		call, called, err := s.Casework.CallOf(ctx, s.DB, s.caseID)
		if err != nil || !called {
			return errors.Join(err, errors.New("nobody was called"))
		}
		_, err = s.Casework.Heed(ctx, s.analyst.Actor, call)
		return err
	})
}

func (s *story) assessing() {
	s.told().then(s.between(20*time.Minute, 2*time.Hour), func(ctx context.Context) error {
		if err := s.take(ctx); err != nil {
			return err
		}
		if err := s.evidence(ctx); err != nil {
			return err
		}
		if err := s.assess(ctx, begun(s.theme, s.rng)); err != nil {
			return err
		}
		return s.Report.Reply(ctx, s.analyst.Actor, s.receipts[0].ReportID, pick(s.rng, replies...))
	})
}

// opinion: a purpose test is unsure, so a colleague is asked.
func (s *story) opinion() {
	s.told().then(time.Hour, func(ctx context.Context) error {
		if err := s.take(ctx); err != nil {
			return err
		}
		if err := s.evidence(ctx); err != nil {
			return err
		}
		a := assessment(s.theme, string(notes.RemovalOrder), s.binding, s.rng)
		a.PurposeTests = tests(notes.PurposeJournalism, notes.Unsure)
		if err := s.assess(ctx, a); err != nil {
			return err
		}
		return s.Casework.AskOpinion(ctx, s.analyst.Actor, s.caseID, s.second.Person)
	})
}

func (s *story) held() {
	s.calm().told().then(time.Hour, func(ctx context.Context) error {
		if err := s.take(ctx); err != nil {
			return err
		}
		return s.Casework.Hold(ctx, s.analyst.Actor, s.caseID, "partner-inquiry", 48*time.Hour)
	})
}

// calm keeps threats to life out of a story: those are never held.
func (s *story) calm() *story {
	for s.theme.category == report.Threat {
		s.theme = themes[s.rng.IntN(len(themes))]
	}
	return s
}

func (s *story) proposed() {
	s.registered().told().then(s.between(40*time.Minute, 2*time.Hour), s.propose(notes.RemovalOrder, s.deadline(), notice.DraftInput{}))
}

// alike is a proposal that one signature may approve with others like it.
func (s *story) alike() {
	s.theme, s.analyst, s.second = themes[1], s.cast.people["ratna"], s.cast.people["dimas"]
	s.settle(place{"ruangsuara", []string{"https://ruangsuara.example/v/%s"}})
	s.told().then(s.between(40*time.Minute, 2*time.Hour), s.propose(notes.RemovalOrder, 1440, notice.DraftInput{}))
}

func (s *story) proposedReferral() {
	s.registered().told().then(s.between(40*time.Minute, 2*time.Hour), s.propose(notes.Referral, 0, notice.DraftInput{}))
}

func (s *story) backAtDesk() {
	s.proposed()
	s.then(20*time.Minute, s.sendBack)
}

func (s *story) approved() {
	s.proposed()
	s.then(s.between(8*time.Minute, 25*time.Minute), s.approve)
}

func (s *story) sentNow(minutes int) *story {
	return s.registered().told().
		then(s.between(20*time.Minute, 2*time.Hour), s.propose(notes.RemovalOrder, minutes, notice.DraftInput{})).
		then(s.between(6*time.Minute, 20*time.Minute), s.approve).
		then(s.between(6*time.Minute, 20*time.Minute), s.issue)
}

func (s *story) receivedNow(minutes int) *story {
	return s.sentNow(minutes).then(s.between(4*time.Minute, 20*time.Minute), s.receive)
}

func (s *story) answeredNow() {
	s.receivedNow(240).then(s.between(10*time.Minute, time.Hour), s.answer(notes.Removed, notes.Refused))
}

func (s *story) pausedNow() {
	s.receivedNow(240).then(25*time.Minute, s.answer(notes.Clarify, "")).
		says(4*time.Minute, s.platform, asks[s.rng.IntN(len(asks))])
}

// partlyNow: several links, the first answered, and a conversation about the rest.
func (s *story) partlyNow() {
	s.settle(on("ruangsuara"))
	s.reported(4, 5).
		then(time.Hour, s.propose(notes.RemovalOrder, 240, notice.DraftInput{})).
		then(12*time.Minute, s.approve).
		then(14*time.Minute, s.issue).
		then(6*time.Minute, s.receive).
		then(12*time.Minute, s.answerOne(1, notes.Removed)).
		then(4*time.Minute, s.answerOne(2, notes.Refused)).
		says(3*time.Minute, s.platform, "Two of the links show the same video. We are checking the others.").
		says(9*time.Minute, s.officer, "Terima kasih. Tautan keempat adalah salinan dengan judul lain.")
}

func (s *story) overdueNow() {
	s.receivedNow(240).passes(130 * time.Minute).passes(115 * time.Minute)
}

func (s *story) referralNow() *story {
	return s.referral().then(s.between(10*time.Minute, 40*time.Minute), func(ctx context.Context) error {
		if s.rng.IntN(2) == 0 {
			return nil // delivered, not yet confirmed
		}
		return s.receive(ctx)
	})
}

// deemable: nobody at the platform takes it, and two people of the authority
// are about to record deemed service, with evidence of two ways.
func (s *story) deemable() {
	s.settle(on("berkas"))
	s.reported(2, 2)
	s.then(time.Hour, s.propose(notes.RemovalOrder, 240, notice.DraftInput{})).
		then(20*time.Minute, s.approve).
		then(20*time.Minute, s.issue).
		passes(time.Hour).passes(26*time.Hour).
		then(24*time.Hour, func(ctx context.Context) error {
			return s.Notice.ServeOnPaper(ctx, s.officer.Actor, s.notice.ID, notice.Service{
				Text: "Diserahkan oleh kurir kepada penerima tamu di alamat yang terdaftar; tanda terima terlampir.",
			})
		}).
		then(7*24*time.Hour, func(ctx context.Context) error {
			return s.Notice.ProposeDeemed(ctx, s.officer.Actor, s.notice.ID, notice.Evidence{
				Methods: []string{"portal", "paper"}, Text: "Portal sejak hari pertama, surat diserahkan tanpa jawaban.",
			})
		})
}

func (s *story) europeanNow() *story {
	s.aurelia()
	return s.settle(on("kabarkita")).told().
		then(time.Hour, s.handOver).
		then(30*time.Minute, s.accepted).
		then(30*time.Minute, s.propose(notes.RemovalOrder, 60, notice.DraftInput{Emergency: emergency})).
		then(8*time.Minute, s.approve).
		then(8*time.Minute, s.issue)
}
