package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// An AnswerInput is what a platform says in one call about items of one notice.
type AnswerInput struct {
	Rows              []notes.Row
	Channel           notes.Channel // "" is the portal
	PlatformReference string
	UTCOffset         string

	// Document is the canonical answer that Sig signs, where the platform
	// signs. It replaces Rows, and one bad row refuses it whole.
	Document []byte
	Sig      *Sig

	ready *call // the rows' document, checked beforehand; nil if it was not
}

// A RowReport says what became of one row.
type RowReport struct {
	Row     int    // from 1, in the order given
	Ref     string // of the notice
	N       int    // number of the item
	OK      bool
	Changed bool         // false when the same was answered before
	Problem *fault.Error // why not; its Field points into the row
}

// An AnswerResult says what became of a call.
type AnswerResult struct {
	Notice Notice
	Rows   []RowReport
}

// Answer takes answers for items of one notice, row by row: what is right
// counts, what is not is reported. The same answer again changes nothing;
// another one is a new version, and the older stays on record. A late answer is
// welcome. An answer to a notice that was not yet received is its receipt too.
func (r *Room) Answer(ctx context.Context, by party.Actor, id ID, in AnswerInput) (AnswerResult, error) {
	var out AnswerResult
	if len(in.Rows) > maxRows {
		return out, fault.New(fault.Invalid, "notice.too-many-rows", "Max", maxRows).At("/rows")
	}
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		n, err := r.at(ctx, tx, by, id, EventAnswer)
		if err != nil {
			return err
		}
		call := &call{room: r, tx: tx, by: by, n: n, now: now, in: in}
		if err := call.begin(ctx); err != nil {
			return err
		}
		rows := in.Rows
		if in.Document != nil {
			rows = call.doc.Rows
		}
		out.Rows = nil
		if err := call.find(ctx, rows); err != nil {
			return err
		}
		for i, row := range rows {
			rep, err := call.row(ctx, i, row)
			if err != nil {
				return err
			}
			if rep.Problem != nil && in.Document != nil {
				return rep.Problem.At(fmt.Sprintf("/document/rows/%d%s", i, rep.Problem.Field))
			}
			rep.Row = i + 1
			out.Rows = append(out.Rows, rep)
		}
		err = call.end(ctx)
		out.Notice = call.n
		return err
	})
	return out, err
}

// call is one call of answers to one notice, in one transaction under the
// notice's row lock.
type call struct {
	room *Room
	tx   *db.Tx
	by   party.Actor
	n    Notice
	now  time.Time
	in   AnswerInput

	pack     policy.Pack
	instance reference.Instance
	doc      notes.Answer // the platform's own, or what is gathered for ours
	canon    []byte       // of the platform's own
	ours     []byte       // of ours, if every row of the call stands in it
	parts    [][]byte     // of each row in ours, in the order given
	sound    bool         // the rows are right together, so each is by itself
	items    map[int]Item // those that the rows are about, as they were
	id       string
	changed  []accepted
	pauses   int
	size     int
}

// accepted is a row that counts.
type accepted struct {
	item  Item
	row   notes.Row
	canon []byte
}

// begin receives the notice if need be, and reads the platform's own document.
func (c *call) begin(ctx context.Context) error {
	var err error
	if c.pack, err = c.room.pack(c.n); err != nil {
		return err
	}
	if c.instance, err = reference.Of(ctx, c.tx); err != nil {
		return err
	}
	if c.n.ReceivedAt.IsZero() {
		if err := c.room.receive(ctx, c.tx, c.by, &c.n, ReceiptInput{Channel: c.in.Channel}, c.now); err != nil {
			return err
		}
	}
	c.id = db.NewID()
	if c.in.Document == nil {
		if c.in.Sig != nil {
			return fault.New(fault.Invalid, "fault.required").At("/document")
		}
		if !c.adopt() {
			c.together()
		}
		return nil
	}
	if c.canon, err = valid(notes.KindAnswer, json.RawMessage(c.in.Document)); err != nil {
		return err
	}
	if err := json.Unmarshal(c.canon, &c.doc); err != nil {
		return err
	}
	var bad fault.Checker
	for at, v := range map[string][2]string{
		"/document/reference": {c.n.Ref, c.doc.Reference}, "/document/notice": {notes.Hex(c.n.Digest), c.doc.Notice},
		"/document/party": {string(c.by.Party), c.doc.Party},
	} {
		if v[0] != v[1] {
			bad.Add(at, "notice.document", "Want", v[0])
		}
	}
	c.id, c.sound = c.doc.ID, true
	return bad.Err()
}

// adopt takes over what was checked of the rows beforehand, unless it rests on a
// notice that is another by now.
func (c *call) adopt() bool {
	k := c.in.ready
	if k == nil || k.n.Ref != c.n.Ref || k.n.Digest != c.n.Digest || !k.n.ReceivedAt.Equal(c.n.ReceivedAt) || k.instance.Code != c.instance.Code {
		return false
	}
	c.id, c.ours, c.parts, c.sound = k.id, k.ours, k.parts, k.sound
	return true
}

// together checks the rows at once, as the document they will stand in: one
// document costs far less than one for each row. If any is wrong, judge says
// which.
func (c *call) together() {
	order := make([]int, len(c.in.Rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return byNumber(c.in.Rows[a], c.in.Rows[b]) })
	rows := make([]notes.Row, len(order))
	for at, i := range order {
		rows[at] = c.in.Rows[i]
	}
	canon, err := valid(notes.KindAnswer, c.document(rows))
	if err != nil {
		return
	}
	// The rows of a canonical document are canonical.
	var parts struct{ Rows []json.RawMessage }
	if err := json.Unmarshal(canon, &parts); err != nil || len(parts.Rows) != len(order) {
		return
	}
	c.ours, c.sound, c.parts = canon, true, make([][]byte, len(order))
	for at, i := range order {
		c.parts[i] = parts.Rows[at]
	}
}

func byNumber(a, b notes.Row) int { return a.N - b.N }

// find reads the items that rows are about.
func (c *call) find(ctx context.Context, rows []notes.Row) (err error) {
	numbers := make([]int, len(rows))
	for i, row := range rows {
		numbers[i] = row.N
	}
	c.items, err = itemsNumbered(ctx, c.tx, c.n.ID, numbers)
	return err
}

// row judges the i-th row and applies it. Its error is ours; what is wrong with
// the row stands in the report.
func (c *call) row(ctx context.Context, i int, row notes.Row) (RowReport, error) {
	rep := RowReport{Ref: c.n.Ref, N: row.N}
	canon, problem := c.judge(i, row)
	if problem == nil {
		item, known := c.items[row.N]
		if !known {
			problem = fault.New(fault.Invalid, "notice.no-item", "N", row.N, "Count", c.n.ItemCount).At("/n")
		} else {
			var err error
			rep.Changed, err = c.apply(ctx, item, row, canon)
			if f, ok := fault.As(err); ok && f.Kind != fault.Unavailable {
				problem = f
			} else if err != nil {
				return rep, err
			}
		}
	}
	rep.Problem, rep.OK = problem, problem == nil
	return rep, nil
}

// judge checks the i-th row by itself, as the answer document it will stand in.
func (c *call) judge(i int, row notes.Row) ([]byte, *fault.Error) {
	if !c.sound {
		if _, err := valid(notes.KindAnswer, c.document([]notes.Row{row})); err != nil {
			f, ok := fault.As(err)
			if !ok {
				return nil, fault.New(fault.Invalid, "notice.not-canonical", "Kind", "answer").Because(err)
			}
			return nil, withoutPrefix(f, "/rows/0")
		}
	}
	if row.At.After(c.now.Add(clockSkew)) {
		return nil, fault.New(fault.Invalid, "notice.answer-future", "At", row.At.Format(time.RFC3339)).At("/at")
	}
	if c.parts != nil {
		return c.parts[i], nil
	}
	canon, err := notes.Canonical(row)
	if err != nil {
		return nil, fault.New(fault.Invalid, "notice.not-canonical", "Kind", "answer").Because(err)
	}
	return canon, nil
}

// withoutPrefix points each part of a fault into the row alone.
func withoutPrefix(f *fault.Error, prefix string) *fault.Error {
	out := *f
	out.Parts = nil
	for _, p := range f.Parts {
		part := *p
		if rest, ok := bytes.CutPrefix([]byte(p.Field), []byte(prefix)); ok {
			part.Field = string(rest)
		}
		out.Parts = append(out.Parts, &part)
	}
	if len(out.Parts) == 1 {
		return out.Parts[0]
	}
	return &out
}

// document is the answer that this program writes for rows.
func (c *call) document(rows []notes.Row) notes.Answer {
	return notes.Answer{
		V: notes.Version, Instance: c.instance.Code, ID: c.id, Reference: c.n.Ref, Notice: notes.Hex(c.n.Digest), Party: string(c.by.Party),
		PlatformReference: c.in.PlatformReference, ReceivedAt: notes.At(c.n.ReceivedAt), UTCOffset: c.in.UTCOffset, Rows: rows,
	}
}

// apply changes the item. It reports false when the same was said before.
func (c *call) apply(ctx context.Context, item Item, row notes.Row, canon []byte) (bool, error) {
	if c.changedNow(item.N) {
		return false, fault.New(fault.Conflict, "notice.item-twice", "N", item.N).At("/n")
	}
	if row.Answer.Pauses() {
		return c.pause(ctx, item, row, canon)
	}
	same, err := c.same(ctx, item, canon)
	if err != nil || same && item.State != Pending {
		return false, err
	}
	t, err := step(itemTable, "item", item.State, EventAnswer)
	if err != nil {
		return false, err
	}
	if item.State == Paused {
		if err := c.room.endPause(ctx, c.tx, c.n, item.N, c.by, "", c.now); err != nil {
			return false, err
		}
	}
	item.State, item.Answer, item.AnsweredAt, item.VerifiedAt = t.To, row.Answer, c.now, time.Time{}
	return true, c.keep(ctx, item, row, canon)
}

func (c *call) changedNow(n int) bool {
	return slices.ContainsFunc(c.changed, func(a accepted) bool { return a.item.N == n })
}

// same reports whether canon is what the item's last answer says already.
func (c *call) same(ctx context.Context, item Item, canon []byte) (bool, error) {
	if item.Answers == 0 {
		return false, nil
	}
	last, err := db.Value[[]byte](ctx, c.tx, `SELECT row_mac FROM notice_item_answers WHERE notice_id = $1 AND n = $2 AND version = $3`,
		c.n.ID, item.N, item.Answers)
	return err == nil && bytes.Equal(last, c.room.answerMAC(c.n, canon)), err
}

// answerMAC tells equal answers from others without opening them.
func (r *Room) answerMAC(n Notice, canon []byte) []byte {
	return r.Vault.MAC("notice-answer", append([]byte(n.ID+"|"), canon...))
}

// keep stores the item and remembers its row for the call's document.
func (c *call) keep(ctx context.Context, item Item, row notes.Row, canon []byte) error {
	item.Answers++
	c.changed = append(c.changed, accepted{item, row, canon})
	c.size += len(canon)
	return saveItem(ctx, c.tx, c.n.ID, item)
}

// end stores the call's document, its rows, and what follows for the notice.
func (c *call) end(ctx context.Context) error {
	if len(c.changed) == 0 {
		return nil
	}
	if err := c.store(ctx); err != nil {
		return err
	}
	counts := map[notes.AnswerKind]int{}
	basis := map[notes.Basis]int{}
	for _, a := range c.changed {
		counts[a.row.Answer]++
		if a.row.Basis != "" {
			basis[a.row.Basis]++
		}
	}
	answers := len(c.changed) - c.pauses
	if answers > 0 {
		c.n.AnsweredAt = c.now
		if err := c.room.tellReporters(ctx, c.tx, c.n, report.StepAnswered, c.now, map[string]string{"Answer": string(most(counts))}); err != nil {
			return err
		}
	}
	if err := c.room.refresh(ctx, c.tx, &c.n, c.now); err != nil {
		return err
	}
	data := map[string]any{"answer": c.id, "rows": len(c.changed), "by_answer": counts, "by_basis": basis}
	if c.pauses > 0 {
		if err := c.room.record(ctx, c.tx, c.by, "notice.paused", c.n, data, c.now); err != nil {
			return err
		}
	}
	if answers > 0 {
		if err := c.room.record(ctx, c.tx, c.by, "notice.answered", c.n, data, c.now); err != nil {
			return err
		}
	}
	return c.room.closeIfDone(ctx, c.tx, c.by, &c.n, c.now)
}

// most returns the answer that most rows gave, pauses aside.
func most(counts map[notes.AnswerKind]int) notes.AnswerKind {
	var best notes.AnswerKind
	for k, n := range counts {
		if !k.Pauses() && (best == "" || n > counts[best] || n == counts[best] && k < best) {
			best = k
		}
	}
	return best
}

func (c *call) store(ctx context.Context) error {
	canon := c.canon
	if canon == nil && len(c.changed) == len(c.in.Rows) {
		canon = c.ours
	}
	if canon == nil {
		rows := make([]notes.Row, 0, len(c.changed))
		for _, a := range c.changed {
			rows = append(rows, a.row)
		}
		slices.SortFunc(rows, byNumber)
		var err error
		if canon, err = valid(notes.KindAnswer, c.document(rows)); err != nil {
			return err
		}
	}
	digest := notes.Digest(notes.KindAnswer, canon)
	s, err := c.room.countersign(ctx, c.tx, c.by, c.n, digest, c.in.Sig, c.now)
	if err != nil {
		return err
	}
	sealed, err := c.room.close(c.n, canon, "answer")
	if err != nil {
		return err
	}
	added, err := c.tx.Exec(ctx, `
		INSERT INTO notice_answers (id, notice_id, document_sealed, digest, party_id, person_id, channel, key_id, method, value, seal_key, seal, at,
			rp_id, origin, client_data, authenticator_data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`,
		c.id, c.n.ID, sealed, digest[:], c.by.Party, c.by.Person, channel(c.in.Channel), db.OrNull(s.key), db.OrNull(s.method),
		bytesOrNull(s.value), s.sealKey, s.seal, db.Micros(c.now),
		db.OrNull(s.rpID), db.OrNull(s.origin), bytesOrNull(s.clientData), bytesOrNull(s.authenticatorData))
	if err != nil {
		return err
	}
	if added == 0 {
		return fault.New(fault.Conflict, "notice.answer-id", "ID", c.id).At("/document/id")
	}
	for _, a := range c.changed {
		if err := c.storeRow(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) storeRow(ctx context.Context, a accepted) error {
	sealed, err := c.room.close(c.n, a.canon, "row")
	if err != nil {
		return err
	}
	late := !a.item.DueAt.IsZero() && c.now.After(a.item.DueAt) && !a.row.Answer.Pauses()
	var done time.Time
	if !a.row.At.IsZero() {
		done = a.row.At.Time
	}
	return c.tx.Send(ctx, `
		INSERT INTO notice_item_answers (notice_id, n, version, answer_id, answer, basis, row_sealed, row_mac, done_at, at, late)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		c.n.ID, a.item.N, a.item.Answers, c.id, a.row.Answer, a.row.Basis, sealed, c.room.answerMAC(c.n, a.canon),
		db.MicrosOrNull(done), db.Micros(c.now), late)
}

// refresh recomputes what the notice's row says of its items, and stores it.
func (r *Room) refresh(ctx context.Context, tx *db.Tx, n *Notice, now time.Time) error {
	var due time.Time
	_, err := db.One(ctx, tx, func(row db.Row) (struct{}, error) {
		return struct{}{}, row.Scan(db.Time(&due), &n.Awaits)
	}, `
		SELECT (SELECT min(due_at) FROM notice_items WHERE notice_id = $1 AND state = 'pending'),
			EXISTS (SELECT 1 FROM notice_items WHERE notice_id = $1 AND state = 'pending')`, n.ID)
	if err != nil {
		return err
	}
	n.DueAt = due
	if due.IsZero() || !due.Before(now) {
		n.OverdueAt = time.Time{}
	}
	return save(ctx, tx, *n)
}

// closeIfDone closes a notice whose last item is done: verified, or for a
// referral, which asks for nothing more, answered.
func (r *Room) closeIfDone(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, now time.Time) error {
	if n.Life != Open {
		return nil
	}
	for _, state := range stillOpen(n.Kind) {
		open, err := db.Value[bool](ctx, tx, `SELECT EXISTS (SELECT 1 FROM notice_items WHERE notice_id = $1 AND state = $2)`, n.ID, state)
		if err != nil || open {
			return err
		}
	}
	all, err := items(ctx, tx, n.ID)
	if err != nil {
		return err
	}
	return r.finish(ctx, tx, by, n, outcome(all), now)
}

// stillOpen are the states of an item that a notice of this kind waits for.
func stillOpen(kind notes.NoticeKind) []ItemState {
	if kind == notes.Referral {
		return []ItemState{Pending, Paused}
	}
	return []ItemState{Answered, Pending, Paused}
}

// actedOn are the answers by which the platform did something.
var actedOn = []notes.AnswerKind{
	notes.Removed, notes.Disabled, notes.Restricted, notes.AccountSuspended, notes.Labelled, notes.StreamEnded, notes.GoneBefore,
}

// goneAway returns the locations of a notice that, as the platform says, cannot
// be seen any more: what is labelled or restricted still can.
func goneAway(ctx context.Context, q db.Reader, id ID) ([]report.LocationID, error) {
	return db.AllIn(ctx, q, db.Scalar[report.LocationID], func(in string) string {
		return `SELECT DISTINCT location_id FROM notice_items WHERE notice_id = $1 AND answer IN (` + in + `)`
	}, []notes.AnswerKind{notes.Removed, notes.Disabled, notes.AccountSuspended, notes.StreamEnded, notes.GoneBefore}, id)
}

func outcome(all []Item) Outcome {
	done := 0
	for _, i := range all {
		if slices.Contains(actedOn, i.Answer) {
			done++
		}
	}
	switch done {
	case len(all):
		return OutcomeComplied
	case 0:
		return OutcomeRefused
	default:
		return OutcomePartly
	}
}

// finish closes the notice and its dossier, and tells the reporters.
func (r *Room) finish(ctx context.Context, tx *db.Tx, by party.Actor, n *Notice, how Outcome, now time.Time) error {
	if _, err := n.check(EventClose); err != nil {
		return err
	}
	n.Life, n.Outcome, n.ClosedAt = Closed, how, now
	if err := save(ctx, tx, *n); err != nil {
		return err
	}
	dossier, err := r.Cases.Dossier(ctx, tx, n.DossierID)
	if err != nil {
		return err
	}
	if dossier.State == casework.Settled {
		gone, err := goneAway(ctx, tx, n.ID)
		if err != nil {
			return err
		}
		if err := r.Cases.FinishTx(ctx, tx, n.DossierID, string(how), gone, now); err != nil {
			return err
		}
	}
	told := "acted"
	if how == OutcomeRefused || how == OutcomeExpired {
		told = "not-acted"
	}
	if err := r.tellReporters(ctx, tx, *n, report.StepClosed, now, map[string]string{"Outcome": told}); err != nil {
		return err
	}
	return r.record(ctx, tx, by, "notice.closed", *n, map[string]any{"outcome": how}, now)
}
