// Package backup writes a whole instance into one file while it works, and
// brings it back onto an empty place.
//
// The file is a tar of gzip, or that sealed with age. It holds every row of
// the program's tables as JSON, in an order in which they can be inserted, all
// of one snapshot; every sealed blob of the vault; and a manifest with the
// counts and hashes of both, written last. It is the same for SQLite and
// PostgreSQL, so that what was backed up from one can be restored to the other.
//
// What is sealed stays sealed: without the instance key nobody can read it, and
// the key is in the file only if asked for. Sign-in sessions and unanswered
// challenges are left out, for they must not come back to life; jobs are,
// because their sweeps find the work again.
//
// Restoring verifies the file first and changes nothing unless all of it is
// whole. Webhook deliveries that waited when the backup was made are given up
// with the reason "restored": they may have been made since, and no old message
// is sent again. Receivers catch up by reading the feed by cursor.
package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/vault"
)

// format names the file's form; another form gets another number.
const format = "tangkal-backup/1"

// Reason is what stands in a delivery that a restore gave up.
const Reason = "restored"

// Names of the entries.
const (
	manifestName = "manifest.json"
	keyName      = "instance.key"
	checkName    = "key-check" // of the vault, tells its key from another's
	tablesDir    = "tables/"
	blobsDir     = "blobs/"
)

// omitted are tables that no backup holds.
var omitted = []string{"sessions", "challenges"}

// A Manifest says what a backup holds.
type Manifest struct {
	Format    string    `json:"format"`
	CreatedAt time.Time `json:"created_at"`
	Instance  string    `json:"instance"` // its code
	Database  string    `json:"database"` // sqlite or postgres
	Schema    int64     `json:"schema"`   // number of the last migration
	Tables    []Table   `json:"tables"`
	Blobs     int       `json:"blobs"`
	BlobBytes int64     `json:"blob_bytes"`
	WithKey   bool      `json:"with_key"` // the instance key is inside
	KeyCheck  string    `json:"key_check,omitempty"`
	Done      []string  `json:"done,omitempty"` // steps that ran once over these rows: see vault.Once
}

// A Table is one table of a backup.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	SHA256  string   `json:"sha256"` // of its entry, hex
}

// Rows returns how many rows the backup holds.
func (m Manifest) Rows() int64 {
	var n int64
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// A Place is where an instance keeps its things.
type Place struct {
	DB    *db.DB
	Vault vault.Config
	Clock clock.Clock
}

// Progress is told how many bytes of rows and blobs are done.
type Progress func(bytes int64)

func (p Progress) add(n int64) {
	if p != nil {
		p(n)
	}
}

// cell is one value of a row: a number, text, true, false or null as JSON has
// them, and bytes as {"b": base64}.
func encode(row []any) ([]byte, error) {
	for i, v := range row {
		if b, ok := v.([]byte); ok {
			row[i] = blob{append([]byte{}, b...)} // SQLite gives no bytes as nil; they are not an absent value
		}
	}
	raw, err := json.Marshal(row)
	return append(raw, '\n'), err
}

type blob struct {
	B []byte `json:"b"`
}

func decode(line []byte) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var row []any
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	for i, v := range row {
		switch v := v.(type) {
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return nil, err
			}
			row[i] = n
		case map[string]any:
			raw, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			var b blob
			if err := json.Unmarshal(raw, &b); err != nil {
				return nil, err
			}
			row[i] = append([]byte{}, b.B...)
		}
	}
	return row, nil
}

// kept returns the tables that go into a backup.
func kept(all []db.Table) []db.Table {
	return slices.DeleteFunc(all, func(t db.Table) bool { return slices.Contains(omitted, t.Name) })
}

// seal returns where to write so that only the recipients can read it; without
// any, w as it is.
func seal(w io.Writer, to []age.Recipient) (io.WriteCloser, error) {
	if len(to) == 0 {
		return open{w}, nil
	}
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, fmt.Errorf("seal the backup: %w", err)
	}
	return sealed, nil
}

// open is a writer that needs no closing.
type open struct{ io.Writer }

// Close does nothing.
func (open) Close() error { return nil }

// ageMark is how a file sealed with age begins.
const ageMark = "age-encryption.org/v1\n"

// ErrSealed tells that a backup is sealed and no identity was given.
var ErrSealed = errors.New("the backup is sealed: give the private key it was sealed for")
