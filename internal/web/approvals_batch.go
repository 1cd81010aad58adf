package web

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// batchRoutes are the pages of several like notices that one signature approves.
func (s *Server) batchRoutes() []Route {
	return []Route{
		{"POST /approvals/batches", auth.NoticeApprove, s.drawBatch},
		{"GET /approvals/batches/{id}", auth.NoticeApprove, s.batch},
		{"POST /approvals/batches/{id}/open", auth.NoticeApprove, s.openBatch},
		{"POST /approvals/batches/{id}/without", auth.NoticeApprove, s.leaveOut},
		{"POST /approvals/batches/{id}/approve", auth.NoticeApprove, s.approveBatch},
	}
}

// A BatchCard is, in the list of what waits, several notices that may be taken
// together: offered, or drawn already.
type BatchCard struct {
	Href     string // of a batch that was drawn; "" while it is offered
	Current  bool
	Title    string
	Platform string
	Grounds  []components.Ground
	Age      string
	IDs      []string // of the notices that are offered
	Offer    string   // words of the button that draws
	Lines    []BatchLine
	Sum      string // drawn ones opened, of all
	Next     string // what is to be done
	Ready    bool   // all that were drawn have been opened
}

// A BatchLine is one notice of a batch.
type BatchLine struct {
	N       int
	Ref     string
	Href    string // of its dossier, within the batch
	Open    string // address that opens it by POST; "" once it is open
	Leave   string // address that draws again without it; "" where that cannot be
	Links   string
	Sampled bool
	Opened  bool
	Next    bool // the keyboard opens this one
}

// A BatchPane is one batch with its notices and the form that signs them.
type BatchPane struct {
	ID    string
	Card  BatchCard
	Chip  components.Chip
	Lines []BatchLine
	Sign  *StepSign
	Lock  string // why it cannot be signed now
	Ended string // what has ended it
	Void  string
	Error string
}

// A BatchBar stands over a dossier that is read as part of a batch.
type BatchBar struct {
	Href string // of the batch
	Text string
	Open string // address that opens the next drawn one; "" when all are open
	N    int
	Key  bool // its shortcut goes on: every item of this dossier was opened
}

// drawBatch: POST /approvals/batches with the notices that are taken together.
func (s *Server) drawBatch(w http.ResponseWriter, r *http.Request) error {
	if err := batchForm(w, r); err != nil {
		return err
	}
	var ids []notice.ID
	for _, id := range r.PostForm["notice"] {
		ids = append(ids, notice.ID(id))
	}
	b, err := s.Notice.Draw(r.Context(), actorOf(r.Context()), ids)
	if err != nil {
		return err
	}
	return seeOther(w, r, batchHref(b.ID))
}

func batchForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "public.form.kind").Because(err)
	}
	return nil
}

func batchHref(id notice.BatchID) string { return "/approvals/batches/" + string(id) }

// batch: GET /approvals/batches/{id}.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) error {
	pg, err := s.batchPage(r, nil)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, approvalsView(pg))
}

// openBatch: POST /approvals/batches/{id}/open records that the n-th dossier is
// opened, and shows it.
func (s *Server) openBatch(w http.ResponseWriter, r *http.Request) error {
	if err := batchForm(w, r); err != nil {
		return err
	}
	id := notice.BatchID(r.PathValue("id"))
	of, err := s.Notice.Opened(r.Context(), actorOf(r.Context()), id, placeIn(r))
	if err != nil {
		return s.batchAgain(w, r, err)
	}
	return seeOther(w, r, inBatch(of, id))
}

// placeIn is the place of a notice that a form names, 0 for none.
func placeIn(r *http.Request) int {
	n, err := strconv.Atoi(r.PostForm.Get("n"))
	if err != nil {
		return 0
	}
	return n
}

// inBatch is the dossier of a notice as a part of the batch.
func inBatch(id notice.ID, batch notice.BatchID) string {
	return "/approvals/" + string(id) + "?batch=" + string(batch)
}

// leaveOut: POST /approvals/batches/{id}/without draws again without the n-th.
func (s *Server) leaveOut(w http.ResponseWriter, r *http.Request) error {
	if err := batchForm(w, r); err != nil {
		return err
	}
	b, err := s.Notice.Without(r.Context(), actorOf(r.Context()), notice.BatchID(r.PathValue("id")), placeIn(r))
	if err != nil {
		return s.batchAgain(w, r, err)
	}
	return seeOther(w, r, batchHref(b.ID))
}

// approveBatch: POST /approvals/batches/{id}/approve takes the signature over
// the batch's digest.
func (s *Server) approveBatch(w http.ResponseWriter, r *http.Request) error {
	sig, err := s.formSig(w, r)
	var b notice.Batch
	if err == nil {
		b, err = s.Notice.ApproveBatch(r.Context(), actorOf(r.Context()), notice.BatchID(r.PathValue("id")), sig)
	}
	if err != nil {
		return s.batchAgain(w, r, err)
	}
	return seeOther(w, r, batchHref(b.ID)+"?done=approve")
}

// batchAgain shows the batch as it stands now, with what was not right.
func (s *Server) batchAgain(w http.ResponseWriter, r *http.Request, err error) error {
	f, ok := fault.As(err)
	if !ok || f.Kind == fault.NotFound || f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return err
	}
	pg, err := s.batchPage(r, f)
	if err != nil {
		return err
	}
	return s.render(w, r, statusOf(f.Kind), approvalsView(pg))
}

func (s *Server) batchPage(r *http.Request, said *fault.Error) (ApprovalsPage, error) {
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	var pg ApprovalsPage
	b, err := s.Notice.Batch(ctx, by, notice.BatchID(r.PathValue("id")))
	if err != nil {
		return pg, err
	}
	waiting, err := s.Notice.Approvals(ctx, by)
	if err != nil {
		return pg, err
	}
	crumbs := []components.Crumb{{Label: p.T("order.approvals"), Href: "/approvals"}, {Label: p.T("order.batch")}}
	if pg.ConsolePage, err = s.console(r, "approvals", p.T("order.batch"), crumbs...); err != nil {
		return pg, err
	}
	pg.Path = batchHref(b.ID)
	if err := s.approvalRows(ctx, &pg, by, waiting, ""); err != nil {
		return pg, err
	}
	if pg.Batches, err = s.batchCards(ctx, pg.ConsolePage, by, waiting, b.ID); err != nil {
		return pg, err
	}
	pg.Empty, pg.Toast = nothingWaits(p), orderToast(p, r.URL.Query())
	pane, err := s.batchPane(ctx, pg.ConsolePage, by, b)
	if err != nil {
		return pg, err
	}
	if said != nil {
		pane.Error, pg.Failed = p.Fault(said), true
	}
	pg.Batch = &pane
	return pg, nil
}

// batchCards are the batches that the actor has drawn and not signed, and the
// like notices from which they may draw.
func (s *Server) batchCards(ctx context.Context, c components.ConsolePage, by party.Actor, waiting []notice.Waiting, current notice.BatchID) ([]BatchCard, error) {
	open, err := s.Notice.Batches(ctx, by)
	if err != nil {
		return nil, err
	}
	var out []BatchCard
	in := map[notice.ID]bool{}
	for _, b := range open {
		card, err := s.batchCard(ctx, c, b)
		if err != nil {
			return nil, err
		}
		card.Current = b.ID == current
		for _, it := range b.Items {
			in[it.Notice] = true
		}
		out = append(out, card)
	}
	for _, g := range s.Notice.Groups(waiting) {
		if !slices.ContainsFunc(g.Notices, func(w notice.Waiting) bool { return !in[w.ID] }) {
			continue
		}
		first := g.Notices[0]
		card := batchWords(c, first.Kind, len(g.Notices), first.Grounds)
		card.Platform, card.Age = first.AddresseeName, c.P.T("order.waiting", "Span", c.P.Span(c.Now.Sub(first.Since)))
		card.Offer = c.P.N("order.batch.draw", g.Sample)
		for _, w := range g.Notices {
			card.IDs = append(card.IDs, string(w.ID))
		}
		out = append(out, card)
	}
	return out, nil
}

func batchWords(c components.ConsolePage, kind notes.NoticeKind, n int, grounds []notes.Ground) BatchCard {
	card := BatchCard{Title: c.P.N("order.batch."+string(kind), n)}
	for _, g := range grounds {
		card.Grounds = append(card.Grounds, components.GroundOf(string(g)))
	}
	return card
}

// batchCard tells of a batch that was drawn.
func (s *Server) batchCard(ctx context.Context, c components.ConsolePage, b notice.Batch) (BatchCard, error) {
	p := c.P
	card := batchWords(c, b.Document.Kind, len(b.Items), b.Document.Grounds)
	to, err := party.Get(ctx, s.DB, party.ID(b.Document.Addressee))
	if err != nil {
		return card, err
	}
	card.Href, card.Platform = batchHref(b.ID), to.Name
	card.Age = p.T("order.batch.drawn", "Span", p.Span(c.Now.Sub(b.DrawnAt)))
	for _, l := range batchLines(p, b) {
		if l.Sampled {
			card.Lines = append(card.Lines, l)
		}
	}
	left := b.Unopened()
	card.Ready = left == 0
	card.Sum = p.Number(int64(len(card.Lines)-left)) + " / " + p.Number(int64(len(card.Lines)))
	card.Next = p.T("order.batch.sign", "N", len(b.Items))
	if left > 0 {
		card.Next = p.N("order.batch.left", left, "All", len(b.Items))
	}
	return card, nil
}

func batchLines(p *i18n.Printer, b notice.Batch) []BatchLine {
	next := slices.IndexFunc(b.Items, func(it notice.BatchItem) bool { return it.Sampled && it.OpenedAt.IsZero() })
	var out []BatchLine
	for i, it := range b.Items {
		l := BatchLine{
			N: it.N, Ref: it.Ref, Href: inBatch(it.Notice, b.ID), Links: p.N("order.batch.links", it.Links), Sampled: it.Sampled,
			Opened: !it.OpenedAt.IsZero(), Next: i == next,
		}
		if b.State == notice.BatchDrawn && !l.Opened {
			l.Open = batchHref(b.ID) + "/open"
		}
		if b.State == notice.BatchDrawn && len(b.Items) > 2 {
			l.Leave = batchHref(b.ID) + "/without"
		}
		out = append(out, l)
	}
	return out
}

// batchPane is the batch with what is signed.
func (s *Server) batchPane(ctx context.Context, c components.ConsolePage, by party.Actor, b notice.Batch) (BatchPane, error) {
	p := c.P
	card, err := s.batchCard(ctx, c, b)
	pane := BatchPane{ID: string(b.ID), Card: card, Lines: batchLines(p, b), Void: p.T("order.batch.void")}
	if err != nil {
		return pane, err
	}
	at := p.When(cmp.Or(b.DoneAt, b.DrawnAt), c.Now, zoneOf(c.Zone))
	switch b.State {
	case notice.BatchApproved:
		pane.Chip = components.Chip{State: components.StateIssued, Icon: "check", Label: p.T("order.batch.chip.approved", "At", at)}
		pane.Ended = p.T("order.batch.done", "N", len(b.Items))
	case notice.BatchEnded:
		pane.Chip = components.Chip{State: components.StateDraft, Icon: "octagon-x", Label: p.T("order.batch.chip.ended", "At", at)}
		pane.Ended = p.T("notice.batch-" + b.Why)
	case notice.BatchDrawn:
		pane.Chip = components.Chip{State: components.StatePending, Icon: "dices", Label: p.T("order.batch.chip.drawn", "At", at)}
		if n := b.Unopened(); n > 0 {
			pane.Lock = p.N("order.batch.lock", n)
			return pane, nil
		}
		pane.Sign, err = s.batchSign(ctx, c, by, b)
	}
	return pane, err
}

// batchSign is the form over the batch's digest.
func (s *Server) batchSign(ctx context.Context, c components.ConsolePage, by party.Actor, b notice.Batch) (*StepSign, error) {
	p := c.P
	form, device, err := s.signForm(ctx, p, by, b.Digest)
	if err != nil {
		return nil, err
	}
	digest := base64.StdEncoding.EncodeToString(b.Digest[:])
	return &StepSign{
		Action: batchHref(b.ID) + "/approve", Title: p.T("order.sign.title"), Text: p.T("order.batch.text", "N", len(b.Items), "Drawn", len(b.Document.Sample)),
		Digest: digest[:4] + "·" + digest[4:8] + "·" + digest[8:12], Full: digest, Key: cmp.Or(device, p.T("order.key.none")),
		Submit: p.T("order.batch.sign", "N", len(b.Items)), Form: form, ByKey: true, Void: p.T("order.batch.void"),
	}, nil
}

// batchBar is what stands over the dossier of v while its reader has a batch
// open that holds it; nil otherwise.
func (s *Server) batchBar(ctx context.Context, c components.ConsolePage, by party.Actor, v notice.View, id notice.BatchID, unread int) (*BatchBar, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // it is read by itself
	}
	b, err := s.Notice.Batch(ctx, by, id)
	if fault.Of(err) == fault.NotFound {
		return nil, nil //nolint:nilnil // an address that somebody typed
	}
	if err != nil || b.State != notice.BatchDrawn || !slices.ContainsFunc(b.Items, func(it notice.BatchItem) bool { return it.Notice == v.ID }) {
		return nil, err
	}
	bar := &BatchBar{Href: batchHref(id), Text: c.P.T("order.batch.bar", "N", len(b.Items)), Key: unread == 0}
	for _, it := range b.Items {
		if it.Sampled && it.OpenedAt.IsZero() {
			bar.Open, bar.N = batchHref(id)+"/open", it.N
			break
		}
	}
	return bar, nil
}

// batchNote tells whoever comes after the approval that it was one of several.
func (t orderTeller) batchNote() (components.Note, bool) {
	for _, c := range t.v.Chain {
		if c.Batch == 0 || !t.inside() {
			continue
		}
		key := "order.note.batch.unopened"
		if c.BatchOpened {
			key = "order.note.batch.opened"
		}
		return components.Note{Tone: components.TonePlain, Icon: "layers", Strong: t.P.T("order.note.batch", "N", c.Batch), Text: t.P.T(key, "Drawn", c.BatchSample)}, true
	}
	return components.Note{}, false
}
