package notice

import (
	"context"
	"iter"
	"slices"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
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
// to emit, in order. Rows come as a stream, and so do reports: nothing but one
// batch is held. A row that cannot be read is its own problem; an error of emit
// or of ours ends the call, and what was reported OK stays.
func (r *Room) AnswerBulk(ctx context.Context, by party.Actor, rows iter.Seq2[BulkRow, error], in AnswerInput, emit func(RowReport) error) (Tally, error) {
	if err := auth.May(by, auth.NoticeAnswer, auth.Object{What: "notice", Addressee: by.Party}); err != nil {
		return Tally{}, err
	}
	b := &bulk{room: r, by: by, in: AnswerInput{Channel: in.Channel, UTCOffset: in.UTCOffset, PlatformReference: in.PlatformReference}, emit: emit, refs: map[string]ID{}}
	for row, err := range rows {
		b.seen++
		if b.seen > maxRows {
			if err := b.flush(ctx); err != nil {
				return b.tally, err
			}
			return b.tally, b.report(RowReport{Row: b.seen, Ref: row.Ref, Problem: fault.New(fault.Invalid, "notice.too-many-rows", "Max", maxRows)})
		}
		if err := b.add(ctx, row, err); err != nil {
			return b.tally, err
		}
	}
	return b.tally, b.flush(ctx)
}

// bulk is one bulk call in progress.
type bulk struct {
	room  *Room
	by    party.Actor
	in    AnswerInput
	emit  func(RowReport) error
	tally Tally
	seen  int

	refs  map[string]ID // notices that rows have named, so that a large one is not read once a row
	id    ID            // notice of the batch
	batch []numbered
	size  int
}

type numbered struct {
	at  int
	ref string
	row notes.Row
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
		if err := b.flush(ctx); err != nil {
			return err
		}
		return b.report(RowReport{Row: b.seen, Ref: row.Ref, N: row.N, Problem: f})
	}
	row.N = n
	size := len(row.Explanation) + len(row.Question) + 200
	again := slices.ContainsFunc(b.batch, func(x numbered) bool { return x.row.N == n })
	if again || id != b.id || len(b.batch) == batchRows || b.size+size > batchBytes {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.id, b.size = id, b.size+size
	b.batch = append(b.batch, numbered{b.seen, row.Ref, row.Row})
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

// flush answers the batch in one transaction and reports its rows.
func (b *bulk) flush(ctx context.Context) error {
	if len(b.batch) == 0 {
		return nil
	}
	in := b.in
	for _, r := range b.batch {
		in.Rows = append(in.Rows, r.row)
	}
	res, err := b.room.Answer(ctx, b.by, b.id, in)
	f, isFault := fault.As(err)
	if err != nil && (!isFault || f.Kind == fault.Unavailable) {
		return err
	}
	batch := b.batch
	b.batch, b.size, b.id = nil, 0, ""
	for i, r := range batch {
		rep := RowReport{Ref: r.ref, N: r.row.N, Problem: f}
		if err == nil {
			rep = res.Rows[i]
		}
		rep.Row = r.at
		if err := b.report(rep); err != nil {
			return err
		}
	}
	return nil
}

func (b *bulk) report(rep RowReport) error {
	b.tally.Rows++
	switch {
	case rep.Problem != nil:
		b.tally.Problems++
	case rep.Changed:
		b.tally.Changed++
		b.tally.OK++
	default:
		b.tally.OK++
	}
	return b.emit(rep)
}

// find returns the notice and item that a row means, among those that were sent
// to the actor's platform.
func (r *Room) find(ctx context.Context, by party.Actor, row BulkRow) (ID, int, error) {
	if row.Ref != "" && row.N != 0 {
		n, err := byRef(ctx, r.DB, row.Ref)
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
	n, err := get(ctx, r.DB, hits[0].id)
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
