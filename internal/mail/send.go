package mail

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
)

const (
	// senders is how many letters are on their way at once.
	senders = 4
	// sweepEvery is the safety net under the wake-ups.
	sweepEvery = time.Second
	// giveUpAfter is how long the mail server is tried: RFC 5321, section
	// 4.5.4.1, "at least 4-5 days".
	giveUpAfter = 5 * 24 * time.Hour
	// sendTimeout bounds one attempt.
	sendTimeout = time.Minute
	// stuckAfter is how long a letter may wait before the operator is told.
	stuckAfter = 15 * time.Minute
)

// waits is the wait after each failed attempt in a row, the last one again and
// again: a clock of an hour may hang on the letter.
var waits = []time.Duration{15 * time.Second, time.Minute, 3 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

// backoff returns when to try again after the n-th attempt in a row failed, or
// false to give up. jitter is in [0, 1) and spreads the herd by up to a tenth.
func backoff(n int, age time.Duration, jitter float64) (time.Duration, bool) {
	if age > giveUpAfter {
		return 0, false
	}
	wait := waits[min(max(n, 1), len(waits))-1]
	return wait + time.Duration(jitter*float64(wait)/10), true
}

// Run sends what is due until ctx ends, and waits for the attempts in flight.
func (m *Mail) Run(ctx context.Context) error {
	if !m.Enabled() {
		<-ctx.Done()
		return nil
	}
	wake, stop := m.due.Listen()
	defer stop()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		var group sync.WaitGroup
		for range senders {
			group.Go(func() {
				if err := m.serve(ctx); err != nil && ctx.Err() == nil {
					m.Log.ErrorContext(ctx, "mail", "error", err)
				}
			})
		}
		group.Wait()
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-ticker.C:
		}
	}
}

// serve sends due letters, one after the other, until none is due or the server
// does not take one for a reason of its own.
func (m *Mail) serve(ctx context.Context) error {
	for ctx.Err() == nil {
		now := m.Clock.Now()
		l, err := m.claim(ctx, now)
		if err != nil || l == nil {
			return err
		}
		if l.State == GivenUp {
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, sendTimeout)
		result := m.Send(attempt, Message{ID: l.ID, ReturnPath: m.ReturnPath(l.ID), To: l.Address, Subject: l.Subject, Text: l.Text, At: l.CreatedAt})
		cancel()
		if ctx.Err() != nil && !result.OK {
			return m.putBack(context.WithoutCancel(ctx), *l, now) // we broke it off
		}
		if err := m.finish(context.WithoutCancel(ctx), *l, result); err != nil {
			return err
		}
		if !result.OK && !result.Final {
			return nil
		}
	}
	return nil
}

// claim takes the next due letter, nil if none is due. The claim pushes the
// row's next try past the attempt's own time limit: another node does not send
// it meanwhile, and a crash brings it back. A letter that was altered is given
// up instead.
func (m *Mail) claim(ctx context.Context, now time.Time) (*Letter, error) {
	var out *Letter
	err := m.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		out = nil
		l, err := db.One(ctx, tx, scan, `
			SELECT `+columns+` FROM mails WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED`, db.Micros(now))
		if errors.Is(err, db.ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		out = &l
		if !genuine(tx, l) {
			l.State = GivenUp
			return m.giveUpAltered(ctx, tx, l, now)
		}
		l.Attempts++
		_, err = tx.Exec(ctx, `UPDATE mails SET attempts = attempts + 1, next_at = $2 WHERE id = $1`, l.ID, db.Micros(now.Add(2*sendTimeout)))
		return err
	})
	return out, err
}

// altered is the last error of a letter whose row was not written by this
// program.
const altered = "altered"

func (m *Mail) giveUpAltered(ctx context.Context, tx *db.Tx, l Letter, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE mails SET state = 'given-up', done_at = $2, last_error = $3 WHERE id = $1`, l.ID, db.Micros(now), altered); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		m.Log.ErrorContext(ctx, "a letter was not sent: its row was written by something else than this program", "mail", l.ID)
	})
	_, err := m.Feed.Record(ctx, tx, feed.Event{Kind: "mail.altered", Object: "mail", ObjectID: l.ID, At: now})
	return err
}

// putBack takes back a claim whose attempt was broken off by our own stop.
func (m *Mail) putBack(ctx context.Context, l Letter, now time.Time) error {
	return m.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE mails SET attempts = attempts - 1, next_at = $2 WHERE id = $1 AND state = 'waiting' AND attempts = $3`,
			l.ID, db.Micros(now), l.Attempts)
		return err
	})
}

// finish records an attempt and what follows from it, in one transaction.
func (m *Mail) finish(ctx context.Context, l Letter, r Result) error {
	now := m.Clock.Now()
	return m.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		switch {
		case r.OK:
			return m.end(ctx, tx, l, Taken, r, now)
		case r.Final:
			return m.end(ctx, tx, l, Returned, r, now)
		}
		wait, again := backoff(l.Attempts, now.Sub(l.CreatedAt), rand.Float64()) //nolint:gosec // spreads load, guards nothing
		if !again {
			return m.end(ctx, tx, l, GivenUp, r, now)
		}
		_, err := tx.Exec(ctx, `UPDATE mails SET next_at = $2, last_code = $3, last_error = $4 WHERE id = $1 AND state = 'waiting'`,
			l.ID, db.Micros(now.Add(wait)), r.Code, r.Error)
		return err
	})
}

// end takes a waiting letter to its end and tells later rooms. What did not
// arrive is a task for its owner from now on.
func (m *Mail) end(ctx context.Context, tx *db.Tx, l Letter, to State, r Result, now time.Time) error {
	var back time.Time
	if to != Taken {
		back = now
	}
	n, err := tx.Exec(ctx, `
		UPDATE mails SET state = $2, done_at = $3, last_code = $4, last_error = $5, returned_at = $6 WHERE id = $1 AND state = 'waiting'`,
		l.ID, string(to), db.Micros(now), r.Code, r.Error, db.MicrosOrNull(back))
	if err != nil || n == 0 {
		return err
	}
	return m.news(ctx, tx, l, "mail."+string(to), now)
}

// news tells later rooms what became of a letter, and its owner if it is a task
// now. Who it went to stands in the row alone.
func (m *Mail) news(ctx context.Context, tx *db.Tx, l Letter, kind string, now time.Time) error {
	e := feed.Event{Kind: kind, Object: l.Object, ObjectID: l.ObjectID, Ref: l.Ref, At: now, Data: map[string]any{"mail": l.ID, "purpose": l.Purpose}}
	if e.Object == "" {
		e.Object, e.ObjectID = "mail", l.ID
	}
	if kind != "mail."+string(Taken) {
		e.Audience = []string{string(l.Owner)}
	}
	_, err := m.Feed.Record(ctx, tx, e)
	return err
}

// Stuck returns how many letters have waited longer than the mail server should
// need, and what it said last.
func (m *Mail) Stuck(ctx context.Context) (n int64, why string, err error) {
	if !m.Enabled() {
		return 0, "", nil
	}
	late := db.Micros(m.Clock.Now().Add(-stuckAfter))
	n, err = db.Value[int64](ctx, m.DB, `SELECT count(*) FROM mails WHERE state = 'waiting' AND created_at < $1`, late)
	if err != nil || n == 0 {
		return n, "", err
	}
	why, err = db.Value[string](ctx, m.DB, `SELECT last_error FROM mails WHERE state = 'waiting' AND created_at < $1 ORDER BY created_at DESC, id LIMIT 1`, late)
	return n, why, err
}
