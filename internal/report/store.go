package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
)

const reportColumns = `r.id, r.party_id, r.ref, r.key, r.channel, r.category, r.lang, r.description, r.contact, r.contact_for, r.received_at, r.soon, r.from_party, r.bulk`

// row is a report as stored.
type row struct {
	Facts
	key         vault.WrappedKey // nil once erased
	description []byte
	contact     []byte
	contactFor  string
}

func scanRow(from db.Row) (row, error) {
	var r row
	var key []byte
	err := from.Scan(&r.ID, &r.Party, &r.Ref, &key, &r.Channel, &r.Category, &r.Lang, &r.description, &r.contact, &r.contactFor, db.Time(&r.ReceivedAt), &r.Soon, db.Text(&r.From), &r.Bulk)
	r.key = key
	return r, err
}

// byReceipt returns the report of a parsed code. An erased report has no
// receipt, so that a right code is looked up as a wrong one is.
func (r *Room) byReceipt(ctx context.Context, q db.Reader, code string) (row, error) {
	return r.oneByReceipt(ctx, q, code, "")
}

// lockByReceipt is byReceipt, holding the row until the transaction ends.
func (r *Room) lockByReceipt(ctx context.Context, tx *db.Tx, code string) (row, error) {
	return r.oneByReceipt(ctx, tx, code, " FOR UPDATE")
}

func (r *Room) oneByReceipt(ctx context.Context, q db.Reader, code, lock string) (row, error) {
	found, err := db.One(ctx, q, scanRow, `SELECT `+reportColumns+` FROM reports r WHERE r.receipt_mac = $1`+lock, r.receiptMAC(code))
	if errors.Is(err, db.ErrAbsent) {
		return row{}, noReceipt()
	}
	return found, err
}

func byID(ctx context.Context, q db.Reader, id ID) (row, error) {
	return oneByID(ctx, q, id, "")
}

func lockByID(ctx context.Context, tx *db.Tx, id ID) (row, error) {
	return oneByID(ctx, tx, id, " FOR UPDATE")
}

func oneByID(ctx context.Context, q db.Reader, id ID, lock string) (row, error) {
	found, err := db.One(ctx, q, scanRow, `SELECT `+reportColumns+` FROM reports r WHERE r.id = $1`+lock, id)
	if errors.Is(err, db.ErrAbsent) {
		return row{}, fault.Hidden("report")
	}
	return found, err
}

func loadFacts(ctx context.Context, q db.Reader, id ID) (Facts, error) {
	all, err := factsOf(ctx, q, []ID{id})
	if err != nil {
		return Facts{}, err
	}
	f, ok := all[id]
	if !ok {
		return Facts{}, fault.Hidden("report")
	}
	return f, nil
}

func factsOf(ctx context.Context, q db.Reader, ids []ID) (map[ID]Facts, error) {
	out := make(map[ID]Facts, len(ids))
	_, err := db.AllIn(ctx, q, func(row db.Row) (none struct{}, err error) {
		var f Facts
		var marks []byte
		err = row.Scan(&f.ID, &f.Party, &f.Ref, &f.Channel, &f.Category, &f.Lang, db.Time(&f.ReceivedAt), &f.Soon, db.Text(&f.From), &f.Bulk, &marks)
		f.Marks = readMarks(marks)
		out[f.ID] = f
		return none, err
	}, func(in string) string {
		return `SELECT id, party_id, ref, channel, category, lang, received_at, soon, from_party, bulk, marks FROM reports WHERE id IN (` + in + `)`
	}, ids)
	if err != nil {
		return nil, err
	}
	_, err = db.AllIn(ctx, q, func(row db.Row) (none struct{}, err error) {
		var id ID
		var at LocationID
		var wording []byte
		err = row.Scan(&id, &at, &wording)
		f := out[id]
		if len(f.Locations) == 0 {
			f.Wording = wording
		}
		f.Locations = append(f.Locations, at)
		out[id] = f
		return none, err
	}, func(in string) string {
		return `SELECT report_id, location_id, wording FROM report_locations WHERE report_id IN (` + in + `) ORDER BY report_id, n`
	}, ids)
	if err != nil {
		return nil, err
	}
	_, err = db.AllIn(ctx, q, func(row db.Row) (none struct{}, err error) {
		var id ID
		var n int
		err = row.Scan(&id, &n)
		f := out[id]
		f.Files = n
		out[id] = f
		return none, err
	}, func(in string) string {
		return `SELECT report_id, count(*) FROM report_files WHERE report_id IN (` + in + `) GROUP BY report_id`
	}, ids)
	return out, err
}

func locationIDs(ctx context.Context, q db.Reader, id ID) ([]LocationID, error) {
	return db.All(ctx, q, db.Scalar[LocationID], `SELECT location_id FROM report_locations WHERE report_id = $1 ORDER BY n`, id)
}

func countLocations(ctx context.Context, q db.Reader, id ID) (int, error) {
	n, err := db.Value[int64](ctx, q, `SELECT count(*) FROM report_locations WHERE report_id = $1`, id)
	return int(n), err
}

// fileTotals returns how many files a report has, and their bytes.
func fileTotals(ctx context.Context, q db.Reader, id ID) (n int, size int64, err error) {
	t, err := db.One(ctx, q, func(row db.Row) ([2]int64, error) {
		var t [2]int64
		return t, row.Scan(&t[0], &t[1])
	}, `SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM report_files WHERE report_id = $1`, id)
	return int(t[0]), t[1], err
}

// sealedFile is a file as stored.
type sealedFile struct {
	id     FileID
	report ID
	sealed []byte
}

func scanFile(row db.Row) (sealedFile, error) {
	var f sealedFile
	return f, row.Scan(&f.id, &f.report, &f.sealed)
}

// open unseals what a file is and where it lies.
func (s sealedFile) open(key vault.Key) (file, error) {
	var f file
	plain, err := vault.Unseal(key, s.sealed, fileAAD(s.report, s.id))
	if err != nil {
		return f, fmt.Errorf("open file %s: %w", s.id, err)
	}
	return f, json.Unmarshal(plain, &f)
}

func filesOf(ctx context.Context, q db.Reader, key vault.Key, id ID) ([]File, error) {
	rows, err := db.All(ctx, q, scanFile, `SELECT id, report_id, sealed FROM report_files WHERE report_id = $1 ORDER BY n, id`, id)
	if err != nil {
		return nil, err
	}
	out := make([]File, 0, len(rows))
	for _, row := range rows {
		f, err := row.open(key)
		if err != nil {
			return nil, err
		}
		out = append(out, f.File)
	}
	return out, nil
}

// A Side is who wrote a message.
type Side string

// The sides.
const (
	Reporter Side = "reporter"
	Staff    Side = "agency"
)

// A Message is one of the thread between a reporter and the agency.
type Message struct {
	ID     string
	Side   Side
	Person party.PersonID // of the agency; "" for the reporter, and for whoever reads by receipt
	Text   string
	At     time.Time
}

func messageAAD(report ID, id string) string { return "report/" + string(report) + "/message/" + id }

func insertMessage(ctx context.Context, tx *db.Tx, key vault.Key, report ID, m Message) error {
	_, err := tx.Exec(ctx, `INSERT INTO report_messages (id, report_id, side, person_id, sealed, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		m.ID, report, m.Side, db.OrNull(m.Person), vault.Seal(key, []byte(m.Text), messageAAD(report, m.ID)), db.Micros(m.At))
	return err
}

func messagesOf(ctx context.Context, q db.Reader, key vault.Key, id ID) ([]Message, error) {
	type sealedMessage struct {
		Message
		sealed []byte
	}
	rows, err := db.All(ctx, q, func(row db.Row) (sealedMessage, error) {
		var m sealedMessage
		return m, row.Scan(&m.ID, &m.Side, db.Text(&m.Person), &m.sealed, db.Time(&m.At))
	}, `SELECT id, side, person_id, sealed, at FROM report_messages WHERE report_id = $1 ORDER BY at, id`, id)
	if err != nil {
		return nil, err
	}
	out := make([]Message, 0, len(rows))
	for _, m := range rows {
		text, err := vault.Unseal(key, m.sealed, messageAAD(id, m.ID))
		if err != nil {
			return nil, fmt.Errorf("open message %s: %w", m.ID, err)
		}
		m.Text = string(text)
		out = append(out, m.Message)
	}
	return out, nil
}

// EraseTx erases reports: their keys, and with them every text, file and
// message; the receipts work no more. What remains is plain: reference,
// channel, times, steps. The caller says when the law wants it. The blobs lie
// on, unreadable, until the sweep of those that no room names.
func (r *Room) EraseTx(ctx context.Context, tx *db.Tx, ids []ID, now time.Time) error {
	for _, id := range ids {
		found, err := lockByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(found.key) == 0 {
			continue
		}
		for _, q := range []string{
			`DELETE FROM report_files WHERE report_id = $1`,
			`DELETE FROM report_messages WHERE report_id = $1`,
			`UPDATE report_locations SET wording = NULL WHERE report_id = $1`,
		} {
			if _, err := tx.Exec(ctx, q, id); err != nil {
				return fmt.Errorf("erase report %s: %w", id, err)
			}
		}
		if _, err := tx.Exec(ctx, `
			UPDATE reports SET receipt_mac = NULL, key = NULL, description = NULL, contact = NULL, contact_for = '', marks = NULL, erased_at = $2
			WHERE id = $1`, id, db.Micros(now)); err != nil {
			return fmt.Errorf("erase report %s: %w", id, err)
		}
		if _, err := r.feed.Record(ctx, tx, feed.Event{
			Kind: EventErased, Object: "report", ObjectID: string(id), Ref: found.Ref, Audience: []string{found.Party}, At: now,
		}); err != nil {
			return err
		}
	}
	return nil
}

// Blobs returns which of the vault's blobs, by name, belong to reports. What is
// no room's is left over from a crash or an erasure.
func (r *Room) Blobs(ctx context.Context, q db.Reader, names []string) ([]string, error) {
	return db.AllIn(ctx, q, db.Scalar[string], func(in string) string { return `SELECT blob_name FROM report_files WHERE blob_name IN (` + in + `)` }, names)
}
