package notice

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/notes"
)

const (
	// maxRows bounds one call of answers (domain.md, Answers).
	maxRows = notes.MaxItems
	// batchRows and batchBytes bound what one transaction of a bulk call
	// takes, so that the writer is free in between and each signed answer
	// stays far below notes.MaxNoticeBytes.
	batchRows  = 200
	batchBytes = 256 << 10
)

// A BulkRow answers one item of any notice of the platform. The item is named
// by its number, or by its link where N is 0.
type BulkRow struct {
	Ref string // of the notice; may be "" when the link stands in one open notice only
	URL string
	notes.Row
}

// A Tally sums up a bulk call.
type Tally struct {
	Rows, OK, Changed, Problems int
}

// AnswerBulk takes at most 10,000 rows, judges each by itself and reports each
// to emit, in order, which runs beside rows. Rows come as a stream, and so do
// reports: nothing but two batches is held, one that is being stored and one that
// is read and checked meanwhile. A row that cannot be read is its own problem; an
// error of emit or of ours ends the call, and what was reported OK stays.
func (r *Room) AnswerBulk(ctx context.Context, by party.Actor, rows iter.Seq2[BulkRow, error], in AnswerInput, emit func(RowReport) error) (Tally, error) {
	if err := auth.May(by, auth.NoticeAnswer, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return Tally{}, err
	}
	k := &keeper{room: r, by: by, in: AnswerInput{Channel: in.Channel, UTCOffset: in.UTCOffset, PlatformReference: in.PlatformReference}, emit: emit}
	b := &bulk{room: r, by: by, in: k.in, refs: map[string]ID{}, known: map[ID]Notice{}, next: make(chan batch), ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		defer func() { // nobody above this goroutine would catch it
			if p := recover(); p != nil {
				k.err = fmt.Errorf("panic in a bulk call: %v\n%s", p, debug.Stack())
			}
		}()
		for x := range b.next {
			if k.err = k.keep(ctx, x); k.err != nil {
				return
			}
		}
	}()
	err := b.read(ctx, rows)
	close(b.next)
	<-b.ended
	if k.err != nil {
		return k.tally, k.err
	}
	return k.tally, err
}

// bulk is the reading half of a bulk call.
type bulk struct {
	room *Room
	by   party.Actor
	in   AnswerInput
	seen int

	refs  map[string]ID // notices that rows have named, so that a large one is not read once a row
	known map[ID]Notice // those that were received, without their bytes
	batch batch
	size  int

	next  chan batch    // to the keeper
	ended chan struct{} // closed when the keeper takes no more
}

// A batch is rows about one notice that are stored together, or one report of a
// row that means no item.
type batch struct {
	id     ID
	rows   []numbered
	ready  *call // the document checked beforehand; nil if it could not be
	report *RowReport
}

type numbered struct {
	at  int
	ref string
	row notes.Row
}

// errKeeper ends the reading: the keeper says why.
var errKeeper = errors.New("the keeper of a bulk call has ended")

func (b *bulk) read(ctx context.Context, rows iter.Seq2[BulkRow, error]) error {
	for row, err := range rows {
		b.seen++
		if b.seen > maxRows {
			return b.refuse(ctx, RowReport{Row: b.seen, Ref: row.Ref, Problem: fault.New(fault.Invalid, "notice.too-many-rows", "Max", maxRows)})
		}
		if err := b.add(ctx, row, err); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// add finds the row's notice and item, and puts the row into the batch.
func (b *bulk) add(ctx context.Context, row BulkRow, bad error) error {
	var id ID
	n := row.N
	err := bad
	if err == nil {
		id, n, err = b.find(ctx, row)
	}
	if err != nil {
		f, ok := fault.As(err)
		if !ok {
			return err
		}
		return b.refuse(ctx, RowReport{Row: b.seen, Ref: row.Ref, N: row.N, Problem: f})
	}
	row.N = n
	size := len(row.Explanation) + len(row.Question) + 200
	again := slices.ContainsFunc(b.batch.rows, func(x numbered) bool { return x.row.N == n })
	if again || id != b.batch.id || len(b.batch.rows) == batchRows || b.size+size > batchBytes {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.batch.id, b.size = id, b.size+size
	b.batch.rows = append(b.batch.rows, numbered{b.seen, row.Ref, row.Row})
	return nil
}

// find is the room's, once for each notice that rows name by its reference.
// That the notice is still there to be answered, each batch checks anew.
func (b *bulk) find(ctx context.Context, row BulkRow) (ID, int, error) {
	named := row.Ref != "" && row.N != 0
	if id, ok := b.refs[row.Ref]; ok && named {
		return id, row.N, nil
	}
	id, n, err := b.room.find(ctx, b.by, row)
	if err == nil && named {
		b.refs[row.Ref] = id
	}
	return id, n, err
}

// refuse reports a row that means no item, after those before it.
func (b *bulk) refuse(ctx context.Context, rep RowReport) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	return b.pass(batch{report: &rep})
}

// flush checks the batch and passes it on.
func (b *bulk) flush(ctx context.Context) error {
	full := b.batch
	b.batch, b.size = batch{}, 0
	if len(full.rows) == 0 {
		return nil
	}
	if err := b.prepare(ctx, &full); err != nil {
		return err
	}
	return b.pass(full)
}

func (b *bulk) pass(x batch) error {
	select {
	case b.next <- x:
		return nil
	case <-b.ended:
		return errKeeper
	}
}

// prepare checks a batch's rows while the batch before is being stored. The
// document rests on the notice as it is now; call.begin looks whether it still is.
func (b *bulk) prepare(ctx context.Context, x *batch) error {
	n, ok := b.known[x.id]
	if !ok {
		var err error
		if n, err = life(ctx, b.room.DB, x.id); err != nil {
			if _, ok := fault.As(err); ok {
				return nil // the keeper meets the same, and says it of each row
			}
			return err
		}
		if n.ReceivedAt.IsZero() {
			return nil // the first batch receives it
		}
		b.known[x.id] = n
	}
	instance, err := reference.Of(ctx, b.room.DB)
	if err != nil {
		return err
	}
	c := &call{room: b.room, by: b.by, n: n, in: x.input(b.in), instance: instance, id: db.NewID()}
	c.together()
	x.ready = c
	return nil
}

// input is what the room is told of a batch.
func (x batch) input(in AnswerInput) AnswerInput {
	for _, r := range x.rows {
		in.Rows = append(in.Rows, r.row)
	}
	in.ready = x.ready
	return in
}

// keeper is the writing half of a bulk call.
type keeper struct {
	room  *Room
	by    party.Actor
	in    AnswerInput
	emit  func(RowReport) error
	tally Tally
	err   error
}

// keep answers a batch in one transaction and reports its rows.
func (k *keeper) keep(ctx context.Context, x batch) error {
	if x.report != nil {
		return k.report(*x.report)
	}
	res, err := k.room.Answer(ctx, k.by, x.id, x.input(k.in))
	f, isFault := fault.As(err)
	if err != nil && (!isFault || f.Kind == fault.Unavailable) {
		return err
	}
	for i, r := range x.rows {
		rep := RowReport{Ref: r.ref, N: r.row.N, Problem: f}
		if err == nil {
			rep = res.Rows[i]
		}
		rep.Row = r.at
		if err := k.report(rep); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) report(rep RowReport) error {
	k.tally.Rows++
	switch {
	case rep.Problem != nil:
		k.tally.Problems++
	case rep.Changed:
		k.tally.Changed++
		k.tally.OK++
	default:
		k.tally.OK++
	}
	return k.emit(rep)
}

// find returns the notice and item that a row means, among those that were sent
// to the actor's platform.
func (r *Room) find(ctx context.Context, by party.Actor, row BulkRow) (ID, int, error) {
	if row.Ref != "" && row.N != 0 {
		n, err := lifeByRef(ctx, r.DB, row.Ref)
		if err == nil && (n.Addressee != by.Party || !r.sentRightly(n)) {
			err = fault.Hidden("notice")
		}
		return n.ID, row.N, at(err, "/reference")
	}
	if row.URL == "" {
		return "", 0, fault.New(fault.Invalid, "notice.row-names", "Row", row.N).At("/n")
	}
	where, err := r.Reports.FindLocation(ctx, r.DB, row.URL)
	if fault.Of(err) == fault.NotFound {
		err = fault.New(fault.NotFound, "notice.no-url")
	}
	if err != nil {
		return "", 0, at(err, "/url")
	}
	type hit struct {
		id ID
		n  int
	}
	hits, err := db.All(ctx, r.DB, func(row db.Row) (hit, error) {
		var h hit
		err := row.Scan(&h.id, &h.n)
		return h, err
	}, `
		SELECT i.notice_id, i.n FROM notice_items i JOIN notices n ON n.id = i.notice_id
		WHERE i.location_id = $1 AND n.addressee = $2 AND n.sent_mac IS NOT NULL AND ($3 = '' OR n.ref = $3) AND ($3 <> '' OR n.life = 'open')
		ORDER BY i.notice_id, i.n LIMIT 2`, where.ID, by.Party, row.Ref)
	switch {
	case err != nil:
		return "", 0, err
	case len(hits) == 0:
		return "", 0, fault.New(fault.NotFound, "notice.no-url").At("/url")
	case len(hits) > 1:
		return "", 0, fault.New(fault.Invalid, "notice.many-urls").At("/reference")
	}
	n, err := life(ctx, r.DB, hits[0].id)
	if err == nil && !r.sentRightly(n) {
		err = fault.New(fault.NotFound, "notice.no-url").At("/url")
	}
	return hits[0].id, hits[0].n, err
}

// at points a fault at an input.
func at(err error, pointer string) error {
	if f, ok := fault.As(err); ok {
		return f.At(pointer)
	}
	return err
}
