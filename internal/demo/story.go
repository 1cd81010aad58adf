package demo

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// A scene is one moment of a story.
type scene struct {
	after time.Duration // since the scene before
	play  func(ctx context.Context) error
	sweep bool // look afterwards for what time alone has done
}

// A story is what becomes of one case, told scene by scene.
type story struct {
	*world
	name   string
	rng    *rand.Rand
	begins time.Time
	scenes []scene
	next   int // scene to come
	at     time.Time

	theme   theme
	place   place
	binding string // language that binds

	analyst, second, approver, officer *Person // of the deciding party; officer issues
	platform                           *Person
	agency                             string // code reporters choose, "" for the pack's default
	soon                               bool   // reporters say that somebody will be hurt soon

	links    []string
	receipts []report.Receipt
	caseID   casework.ID
	notice   notice.Notice
	handover casework.HandOverID
}

// new begins a story of the Indonesian agency.
func (w *world) new(name string, n int, begins time.Time) *story {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", name, n)
	rng := rand.New(rand.NewPCG(w.seed, h.Sum64())) //nolint:gosec // a story, not a secret
	s := &story{world: w, name: fmt.Sprintf("%s %d", name, n), rng: rng, begins: begins, binding: "id"}
	s.theme = themes[rng.IntN(len(themes))]
	for s.theme.tier == notes.TierThreatToLife && rng.IntN(4) > 0 { // rare
		s.theme = themes[rng.IntN(len(themes))]
	}
	s.settle(somewhere(rng))
	s.analyst, s.second = w.cast.people["ratna"], w.cast.people["dimas"]
	if rng.IntN(2) == 0 {
		s.analyst, s.second = s.second, s.analyst
	}
	s.approver, s.officer = w.cast.people[pick(rng, "sari", "bima")], w.cast.people[pick(rng, "bagus", "bagus", "rina")]
	return s
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// desks are who answers at each platform.
var desks = map[string][]string{
	"ruangsuara": {"mika", "ines", "joko"}, "kabarkita": {"lina"}, "pesanku": {"yoga"}, "berkas": {"nadia"}, "forumraya": {"tono"},
}

// settle sets where the story's content is.
func (s *story) settle(p place) *story {
	s.place, s.platform = p, nil
	if desk := desks[p.platform]; desk != nil {
		s.platform = s.cast.people[pick(s.rng, desk...)]
	}
	return s
}

// then adds a scene.
func (s *story) then(after time.Duration, play func(ctx context.Context) error) *story {
	s.scenes = append(s.scenes, scene{after: after, play: play})
	return s
}

// passes adds a scene in which only time acts.
func (s *story) passes(after time.Duration) *story {
	s.scenes = append(s.scenes, scene{after: after, play: func(context.Context) error { return nil }, sweep: true})
	return s
}

// between returns a random duration of whole minutes.
func (s *story) between(from, to time.Duration) time.Duration {
	return from + time.Duration(s.rng.Int64N(int64((to-from)/time.Minute)+1))*time.Minute
}

// queue orders stories by their next scene.
type queue []*story

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*story)) } //nolint:forcetypeassert // ours
func (q *queue) Pop() any {
	old := *q
	s := old[len(old)-1]
	*q = old[:len(old)-1]
	return s
}

// A tick is how much time is told at once: scenes of one tick are played side
// by side, so that their writes share commits.
const (
	oldTick  = 15 * time.Minute
	lastTick = time.Minute
	lastDays = 24 * time.Hour // told in short ticks
	atOnce   = 6
)

// tell plays stories in the order of time, from the first day on.
func (w *world) tell(ctx context.Context, stories []*story) error {
	q := make(queue, 0, len(stories))
	for _, s := range stories {
		s.at = s.begins.Add(s.scenes[0].after)
		q = append(q, s)
	}
	heap.Init(&q)
	w.Clock.rewind(w.begin)
	for q.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := w.tick(ctx, &q)
		if err != nil {
			return err
		}
		w.told(n)
	}
	return nil
}

// tick plays every scene that falls into the next stretch of time, while no
// visitor acts. What visitors have done since the last one is settled first, at
// the machine's time.
func (w *world) tick(ctx context.Context, q *queue) (int, error) {
	w.Clock.hush()
	defer w.Clock.present()
	if err := w.settleAll(ctx, false); err != nil {
		return 0, err
	}
	from := (*q)[0].at
	length := oldTick
	if from.After(w.now.Add(-lastDays)) {
		length = lastTick
	}
	end := from.Add(length)
	var now []*story
	for q.Len() > 0 && (*q)[0].at.Before(end) {
		now = append(now, heap.Pop(q).(*story)) //nolint:forcetypeassert // ours
	}
	w.Clock.stand(from, length/time.Duration(12*len(now)+40))
	if err := w.play(ctx, now); err != nil {
		return 0, err
	}
	for _, s := range now {
		if s.next++; s.next < len(s.scenes) {
			s.at = s.at.Add(s.scenes[s.next].after)
			if s.at.Before(end) {
				s.at = end
			}
			heap.Push(q, s)
		}
	}
	return len(now), nil
}

// play plays the next scene of each story, side by side.
func (w *world) play(ctx context.Context, now []*story) error {
	sweep := false
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, s := range now {
		sc := s.scenes[s.next]
		sweep = sweep || sc.sweep
		g.Go(func() error {
			if err := sc.play(gctx); err != nil {
				return fmt.Errorf("%s, scene %d: %w", s.name, s.next, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return w.settleAll(ctx, sweep)
}

// settleAll lets follow what follows: entries get their place, issued notices
// leave, and what fell due is put on record.
func (w *world) settleAll(ctx context.Context, sweep bool) error {
	if err := w.drain(ctx); err != nil {
		return err
	}
	sent, err := w.Notice.Dispatch(ctx)
	if err != nil {
		return err
	}
	if sweep {
		if err := w.Notice.Sweep(ctx, w.Clock.peek()); err != nil {
			return err
		}
	}
	if sent > 0 || sweep {
		return w.drain(ctx)
	}
	return nil
}

// drain gives every entry its place. Another node may be at it too.
func (w *world) drain(ctx context.Context) error {
	for {
		if _, err := w.Feed.Drain(ctx); err != nil {
			return err
		}
		left, err := db.Value[int64](ctx, w.DB, `SELECT count(*) FROM feed_pending`)
		if err != nil || left == 0 {
			return err
		}
	}
}

// reported adds a scene in which n reporters tell of the same links, and one in
// which the case they made is found.
func (s *story) reported(n, links int) *story {
	for range max(1, links) {
		s.links = append(s.links, s.place.link(s.rng))
	}
	return s.then(0, func(ctx context.Context) error {
		for i := range n {
			if err := s.submit(ctx, i); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *story) submit(ctx context.Context, i int) error {
	channel := pick(s.rng, report.Web, report.Web, report.Web, report.Web, report.Mail, report.Partner, report.API, report.Match)
	in := report.Submission{
		Channel: channel, Locations: s.links, Category: s.theme.category, Lang: i18n.Lang(pick(s.rng, "id", "id", "id", "en")),
		Description: s.theme.tell[(i+s.rng.IntN(len(s.theme.tell)))%len(s.theme.tell)], Agency: s.agency, Soon: s.soon,
	}
	if i > 0 && len(s.links) > 1 {
		in.Locations = s.links[:1+s.rng.IntN(len(s.links))]
	}
	if channel == report.Web && s.rng.IntN(4) == 0 {
		in.Files = []report.Upload{{Name: "tangkapan-layar.png", MediaType: "image/png", Content: bytes.NewReader(picture(s.rng.IntN(pictures), fmt.Sprint(s.name, " reported ", i)))}}
	}
	r, err := s.Report.Submit(ctx, in)
	s.receipts = append(s.receipts, r)
	return err
}

// find learns which case the report became.
func (s *story) find(ctx context.Context) error {
	if s.caseID != "" {
		return nil
	}
	cases, err := s.Casework.OfReport(ctx, s.analyst.Actor, s.receipts[0].ReportID)
	if err != nil {
		return err
	}
	if len(cases) == 0 {
		return errors.New("the report is in no case")
	}
	s.caseID = cases[0].ID
	return nil
}

// take finds the case and takes it.
func (s *story) take(ctx context.Context) error {
	if err := s.find(ctx); err != nil {
		return err
	}
	_, err := s.Casework.Take(ctx, s.analyst.Actor, s.caseID)
	return err
}

// evidence adds a capture, or now and then the reason why there is none.
func (s *story) evidence(ctx context.Context) error {
	if s.rng.IntN(6) == 0 {
		return s.Casework.NoCaptureReason(ctx, s.analyst.Actor, s.caseID, "Tautan hanya terbuka bagi anggota; isi dinilai dari berkas pelapor.")
	}
	_, err := s.Casework.AddCapture(ctx, s.analyst.Actor, s.caseID, "", []casework.Upload{{
		Name: "tangkapan.png", MediaType: "image/png", Content: bytes.NewReader(picture(s.rng.IntN(pictures), s.name)),
	}})
	return err
}

func (s *story) assess(ctx context.Context, a casework.Assessment) error {
	view, err := s.Casework.CaseTx(ctx, s.DB, s.caseID)
	if err != nil {
		return err
	}
	_, err = s.Casework.Assess(ctx, s.analyst.Actor, s.caseID, view.Assessed, a)
	return err
}

// propose does the analyst's whole work on one case: take, capture, assess,
// draft and sign.
func (s *story) propose(kind notes.NoticeKind, minutes int, in notice.DraftInput) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := s.take(ctx); err != nil {
			return err
		}
		if err := s.evidence(ctx); err != nil {
			return err
		}
		if err := s.assess(ctx, assessment(s.theme, string(kind), s.binding, s.rng)); err != nil {
			return err
		}
		in.CaseID, in.Kind, in.DeadlineMinutes = s.caseID, kind, minutes
		n, err := s.Notice.Draft(ctx, s.analyst.Actor, in)
		if err != nil {
			return err
		}
		s.notice, err = s.Notice.Propose(ctx, s.analyst.Actor, n.ID, s.analyst.sign(n))
		return err
	}
}

func (s *story) approve(ctx context.Context) error {
	n, err := s.Notice.Approve(ctx, s.approver.Actor, s.notice.ID, s.approver.sign(s.notice))
	s.notice = n
	if err != nil || n.Life == notice.Approved {
		return err
	}
	other := s.cast.people["sari"] // a wide target wants a further approver
	if other == s.approver {
		other = s.cast.people["bima"]
	}
	s.notice, err = s.Notice.Approve(ctx, other.Actor, n.ID, other.sign(n))
	return err
}

func (s *story) issue(ctx context.Context) error {
	n, err := s.Notice.Issue(ctx, s.officer.Actor, s.notice.ID, s.officer.sign(s.notice))
	s.notice = n
	return err
}

func (s *story) receive(ctx context.Context) error {
	_, err := s.Notice.Receive(ctx, s.platform.Actor, s.notice.ID, notice.ReceiptInput{})
	return err
}

// answer gives the same kind of answer for every item, but for the last of
// several, which gets last if that is not "".
func (s *story) answer(kind, last notes.AnswerKind) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		var rows []notes.Row
		for n := 1; n <= s.notice.ItemCount; n++ {
			k := kind
			if n > 1 && n == s.notice.ItemCount && last != "" {
				k = last
			}
			rows = append(rows, s.row(n, k))
		}
		out, err := s.Notice.Answer(ctx, s.platform.Actor, s.notice.ID, notice.AnswerInput{Rows: rows})
		if err != nil {
			return err
		}
		for _, r := range out.Rows {
			if r.Problem != nil {
				return r.Problem
			}
		}
		return nil
	}
}

// row is an answer with what its kind needs.
func (s *story) row(n int, kind notes.AnswerKind) notes.Row {
	now := s.Clock.peek().Truncate(time.Second)
	r := notes.Row{N: n, Answer: kind}
	switch kind { //nolint:exhaustive // the other cases fall to what stands around the switch
	case notes.Removed, notes.AccountSuspended:
		r.At, r.Basis = notes.At(now), notes.BasisThisOrder
		if s.notice.Kind == notes.Referral || s.rng.IntN(3) == 0 {
			r.Basis = notes.BasisOwnTerms
		}
		r.PreservedUntil = notes.At(now.AddDate(0, 6, 0))
	case notes.Disabled:
		r.At, r.Basis, r.Where = notes.At(now), notes.BasisThisOrder, []string{"ID"}
	case notes.Refused:
		r.Ground, r.Explanation = notes.TruePurpose, "The video is a news report: it shows a short part with its source and an editor's comment."
	case notes.Clarify:
		r.Question = pick(s.rng, asks...)
	case notes.Challenged:
		no := false
		r.Court, r.Suspensive = "District Court of Contoh", &no
	}
	return r
}

// verify checks every answer.
func (s *story) verify(by *Person) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		var all []int
		for n := 1; n <= s.notice.ItemCount; n++ {
			all = append(all, n)
		}
		_, err := s.Notice.Verify(ctx, by.Actor, s.notice.ID, all)
		return err
	}
}

// says adds a scene in which somebody writes into the notice's conversation.
func (s *story) says(after time.Duration, who *Person, text string) *story {
	return s.then(after, func(ctx context.Context) error { return s.Notice.Write(ctx, who.Actor, s.notice.ID, text) })
}

// actor is a shorthand.
func (s *story) actor(short string) party.Actor { return s.cast.people[short].Actor }
