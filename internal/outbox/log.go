package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// Why there was no answer, or none that counts, in a word that the owner of
// the endpoint is told: Result.Error and Attempt.Error. None tells an address
// of ours, nor what an answer said.
const (
	NameNotFound      = "name-not-found"     // the address's host has no address in the DNS
	ConnectionRefused = "connection-refused" // nobody listens at its port
	Certificate       = "certificate"        // its certificate is not valid for its name, now
	NotTLS            = "not-tls"            // it does not speak TLS
	TimedOut          = "timeout"            // no answer in time
	BrokenOff         = "broken-off"         // the connection ended before an answer
	AddressRefused    = "address-refused"    // we do not go there: an inside address, or another port
	Unreachable       = "unreachable"        // anything else between here and there
)

// Failures are the names of everything that keeps an answer away.
func Failures() []string {
	return []string{NameNotFound, ConnectionRefused, Certificate, NotTLS, TimedOut, BrokenOff, AddressRefused, Unreachable}
}

// KeepLog is how long deliveries that are over are kept, with their attempts.
const KeepLog = 90 * 24 * time.Hour

// purgePage is how many rows one transaction of Purge deletes.
const purgePage = 500

// A LogEntry is one attempt in the log of an endpoint. It holds nothing of what
// was sent but its envelope.
type LogEntry struct {
	Attempt
	Message string // identifier of the message: its webhook-id
	Seq     int64  // place of its entry in the feed
	Type    string
	Ref     string
	State   State // what the message is now
	Repeat  bool  // the receiver had taken it before: somebody had it sent again
}

// OK reports whether the receiver took the message.
func (l LogEntry) OK() bool { return Result{Status: l.Status}.OK() }

// A Cursor is a place in an endpoint's log; the zero value is its end. As text
// it is "microseconds.message.attempt", empty for the zero value.
type Cursor struct {
	at      int64
	message string
	n       int
}

// ParseCursor reads a cursor's text. The fault is Invalid.
func ParseCursor(s string) (c Cursor, err error) {
	if s == "" {
		return c, nil
	}
	parts := strings.Split(s, ".")
	if len(parts) == 3 {
		at, atErr := strconv.ParseInt(parts[0], 10, 64)
		n, nErr := strconv.Atoi(parts[2])
		if errors.Join(atErr, nErr) == nil && at > 0 {
			return Cursor{at, parts[1], n}, nil
		}
	}
	return c, fault.New(fault.Invalid, "api.cursor").At("query:/cursor")
}

// String is the cursor's text.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return fmt.Sprintf("%d.%s.%d", c.at, c.message, c.n)
}

// History returns at most n attempts for one endpoint of by's party, the newest
// first, from before on, and the cursor of those that follow; empty at the end.
// It costs one walk along an index.
func (o *Outbox) History(ctx context.Context, by party.Actor, endpoint string, before Cursor, n int) ([]LogEntry, Cursor, error) {
	if _, err := o.Endpoint(ctx, by, endpoint); err != nil {
		return nil, Cursor{}, err
	}
	if before.at == 0 {
		before.at = 1 << 62
	}
	rows, err := db.All(ctx, o.DB, scanLog, `
		SELECT `+logColumns+` FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id
		WHERE a.endpoint_id = $1 AND d.party_id = $2 AND (a.at, a.delivery_id, a.n) < ($3, $4, $5)
		ORDER BY a.at DESC, a.delivery_id DESC, a.n DESC LIMIT $6`, endpoint, by.Party, before.at, before.message, before.n, n+1)
	if err != nil || len(rows) <= n {
		return rows, Cursor{}, err
	}
	last := rows[n-1]
	return rows[:n], Cursor{db.Micros(last.At), last.Message, last.N}, nil
}

const logColumns = `a.n, a.at, a.status, a.error, a.took_ms, d.id, d.seq, d.type, d.ref, d.state, COALESCE(d.accepted_at, 4611686018427387904) < a.at`

func scanLog(row db.Row) (LogEntry, error) {
	var l LogEntry
	err := row.Scan(&l.N, db.Time(&l.At), &l.Status, &l.Error, &l.TookMS, &l.Message, &l.Seq, &l.Type, &l.Ref, &l.State, &l.Repeat)
	return l, err
}

// Purge deletes the deliveries that were over longer than KeepLog ago, with
// their attempts. What waits stays.
func (o *Outbox) Purge(ctx context.Context) error {
	before := db.Micros(o.Clock.Now().Add(-KeepLog))
	for {
		gone := int64(0)
		err := o.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			old, err := db.All(ctx, tx, db.Scalar[string], `SELECT id FROM deliveries WHERE state <> 'waiting' AND done_at < $1 ORDER BY done_at LIMIT $2`, before, purgePage)
			if err != nil || len(old) == 0 {
				return err
			}
			gone = int64(len(old))
			for _, id := range old {
				if err := tx.Send(ctx, `DELETE FROM delivery_attempts WHERE delivery_id = $1`, id); err != nil {
					return err
				}
				if err := tx.Send(ctx, `DELETE FROM deliveries WHERE id = $1`, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || gone < purgePage {
			return err
		}
	}
}
