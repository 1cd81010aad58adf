package db

import (
	"context"
	"time"
)

// A Watch is told of each statement when it has ended, and of each transaction
// as Transaction: from when it was asked for until it was answered.
type Watch func(ctx context.Context, text string, begun time.Time, took time.Duration, err error)

// Transaction stands for the text of a whole one, the wait for its turn and its
// commit included.
const Transaction = "transaction"

// Watch lets w see every statement from now on. It is called before the database
// is used.
func (d *DB) Watch(w Watch) { d.watch = w }

// ended tells that something ended that began at begun.
func (w Watch) ended(ctx context.Context, text string, begun time.Time, err error) {
	if w != nil {
		w(ctx, text, begun, time.Since(begun), err)
	}
}

// now is the machine's time if anybody watches.
func (w Watch) now() (t time.Time) {
	if w != nil {
		t = time.Now() //nolint:forbidigo // a duration of the machine
	}
	return t
}

// rows are told of when they are closed: a query is answered row by row.
func (w Watch) rows(ctx context.Context, text string, begun time.Time, rows Rows, err error) (Rows, error) {
	if w == nil {
		return rows, err
	}
	if err != nil {
		w.ended(ctx, text, begun, err)
		return nil, err
	}
	return &watched{rows, func() { w.ended(ctx, text, begun, rows.Err()) }}, nil
}

type watched struct {
	Rows
	closed func()
}

// Close ends the query.
func (r *watched) Close() {
	r.Rows.Close()
	if r.closed != nil {
		r.closed()
		r.closed = nil
	}
}
