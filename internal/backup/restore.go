package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/vault"
)

// RestoreOptions are what the caller chooses of a restore.
type RestoreOptions struct {
	Identities []age.Identity // for a sealed backup
	Progress   Progress       // counts the bytes twice: verified, then restored
}

// A Restored says what came back.
type Restored struct {
	Manifest Manifest
	Held     int64 // webhook deliveries given up so that they are not sent again
}

// Restore brings a backup back onto a migrated database and a vault that are
// both empty. The file is read twice: first all of it is verified against its
// manifest, and nothing is changed unless it is whole.
func Restore(ctx context.Context, p Place, file string, o RestoreOptions) (Restored, error) {
	m, err := Verify(ctx, file, o)
	if err != nil {
		return Restored{}, err
	}
	in := &restorer{Place: p, m: m, o: o, file: file}
	if err := in.mayRestore(ctx); err != nil {
		return Restored{}, err
	}
	if err := in.vault(ctx); err != nil {
		return Restored{}, fmt.Errorf("restore the vault: %w", err)
	}
	if err := p.DB.Write(ctx, in.rows); err != nil {
		return Restored{}, fmt.Errorf("restore the database: %w", err)
	}
	return Restored{m, in.held}, nil
}

type restorer struct {
	Place
	m    Manifest
	o    RestoreOptions
	file string
	held int64
}

// mayRestore wants an empty place of the backup's own schema.
func (in *restorer) mayRestore(ctx context.Context) error {
	version, err := db.SchemaVersion(ctx, in.DB)
	if err != nil {
		return err
	}
	if version != in.m.Schema {
		return fmt.Errorf("the backup has schema %d and this program %d: restore it with the program that made it, then upgrade", in.m.Schema, version)
	}
	for _, table := range []string{"parties", "feed_entries", "feed_pending", "reports"} {
		n, err := db.Value[int64](ctx, in.DB, `SELECT count(*) FROM `+table)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("the database is not empty: %s has %d rows", table, n)
		}
	}
	check, err := os.ReadFile(filepath.Join(in.Vault.Dir, checkName))
	if err == nil && strings.TrimSpace(string(check)) != in.m.KeyCheck {
		return errors.New("the vault belongs to another instance key: restore into an empty directory")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// each calls visit for every entry, front to back.
func each(file string, identities []age.Identity, visit func(h *tar.Header, body io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	buffered := bufio.NewReader(f)
	var plain io.Reader = buffered
	if head, err := buffered.Peek(len(ageMark)); err == nil && string(head) == ageMark {
		if len(identities) == 0 {
			return ErrSealed
		}
		if plain, err = age.Decrypt(buffered, identities...); err != nil {
			return fmt.Errorf("open the sealed backup: %w", err)
		}
	}
	zipped, err := gzip.NewReader(plain)
	if err != nil {
		return fmt.Errorf("this is no backup: %w", err)
	}
	whole := marking{zipped}
	entries := tar.NewReader(whole)
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, whole) // what says that the file ends here stands behind the last entry
			return err
		}
		if err != nil && !errors.Is(err, errDamaged) {
			err = fmt.Errorf("%w: %w", errDamaged, err)
		}
		if err != nil {
			return err
		}
		if err := visit(h, entries); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

var errDamaged = errors.New("the backup is cut or damaged")

// marking says of every failure to read what it means.
type marking struct{ from io.Reader }

// Read reads on.
func (m marking) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return n, err
}

// maxManifest bounds the manifest in bytes.
const maxManifest = 4 << 20

// Verify reads a whole backup and returns its manifest if every table, row
// count and blob is what the manifest says.
func Verify(ctx context.Context, file string, o RestoreOptions) (Manifest, error) {
	var m Manifest
	found := Manifest{}
	key := false
	err := each(file, o.Identities, func(h *tar.Header, body io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Progress.add(h.Size)
		switch {
		case h.Name == manifestName:
			raw, err := io.ReadAll(io.LimitReader(body, maxManifest))
			if err != nil {
				return err
			}
			return json.Unmarshal(raw, &m)
		case h.Name == keyName:
			key = true
			return nil
		case strings.HasPrefix(h.Name, tablesDir):
			t := Table{Name: strings.TrimSuffix(strings.TrimPrefix(h.Name, tablesDir), ".jsonl")}
			var err error
			t.Rows, t.SHA256, err = measure(body)
			found.Tables = append(found.Tables, t)
			return err
		case strings.HasPrefix(h.Name, blobsDir):
			found.Blobs++
			found.BlobBytes += h.Size
			return checkBlob(h.Name, body)
		default:
			return errors.New("unknown entry")
		}
	})
	if err != nil {
		return m, err
	}
	return m, agree(m, found, key)
}

// measure counts lines and hashes them.
func measure(r io.Reader) (rows int64, sum string, err error) {
	hash := sha256.New()
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		hash.Write(buffer[:n]) //nolint:errcheck // a hash never fails
		rows += int64(bytes.Count(buffer[:n], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return rows, hex.EncodeToString(hash.Sum(nil)), nil
		}
		if err != nil {
			return rows, "", err
		}
	}
}

// checkBlob checks a blob against its name, which is its hash.
func checkBlob(name string, body io.Reader) error {
	_, sum, err := measure(body)
	if err == nil && sum != strings.TrimPrefix(name, blobsDir) {
		err = errors.New("its content is not what its name says")
	}
	return err
}

// agree compares what was found with what the manifest says.
func agree(m, found Manifest, key bool) error {
	switch {
	case m.Format == "":
		return errors.New("the backup has no manifest: it is cut or damaged")
	case m.Format != format:
		return fmt.Errorf("the backup has the form %q, this program reads %q", m.Format, format)
	case m.Blobs != found.Blobs || m.BlobBytes != found.BlobBytes:
		return fmt.Errorf("the manifest names %d blobs of %d bytes, the file has %d of %d", m.Blobs, m.BlobBytes, found.Blobs, found.BlobBytes)
	case m.WithKey != key:
		return errors.New("the manifest and the file disagree about the instance key")
	case len(m.Tables) != len(found.Tables):
		return fmt.Errorf("the manifest names %d tables, the file has %d", len(m.Tables), len(found.Tables))
	}
	for i, t := range m.Tables {
		f := found.Tables[i]
		if f.Name != t.Name || f.Rows != t.Rows || f.SHA256 != t.SHA256 {
			return fmt.Errorf("table %s is not what the manifest says", t.Name)
		}
	}
	return nil
}

// vault puts the blobs back, and the key if it is inside. What lies there
// already under its own hash is the same.
func (in *restorer) vault(ctx context.Context) error {
	store, err := vault.OpenFileStore(in.Vault.Dir)
	if err != nil {
		return err
	}
	err = each(in.file, in.o.Identities, func(h *tar.Header, body io.Reader) error {
		switch {
		case h.Name == keyName:
			return putKey(in.Vault.KeyFile, body)
		case !strings.HasPrefix(h.Name, blobsDir):
			return nil
		}
		stat, err := store.Put(ctx, func(w io.Writer) error {
			_, err := io.Copy(w, body) //nolint:gosec // measured by Verify
			return err
		})
		if err == nil && stat.Name.String() != strings.TrimPrefix(h.Name, blobsDir) {
			err = errors.New("its content is not what its name says")
		}
		in.o.Progress.add(h.Size)
		return err
	})
	if err != nil {
		return err
	}
	if err := vault.MarkDone(in.Vault.Dir, in.m.Done...); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(in.Vault.Dir, checkName), []byte(in.m.KeyCheck+"\n"), 0o600)
}

// putKey writes the instance key where none is.
func putKey(name string, body io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(body, 1<<16))
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(name); err == nil {
		if bytes.Equal(old, raw) {
			return nil
		}
		return errors.New("another instance key lies there already")
	}
	return os.WriteFile(name, raw, 0o600)
}

// rows puts every row back, in one transaction.
func (in *restorer) rows(ctx context.Context, tx *db.Tx) error {
	all, err := db.Tables(ctx, tx)
	if err != nil {
		return err
	}
	for _, t := range slices.Backward(kept(all)) { // what migrations put there
		if _, err := tx.Exec(ctx, `DELETE FROM "`+t.Name+`"`); err != nil {
			return err
		}
	}
	err = each(in.file, in.o.Identities, func(h *tar.Header, body io.Reader) error {
		if !strings.HasPrefix(h.Name, tablesDir) {
			return nil
		}
		i := slices.IndexFunc(in.m.Tables, func(t Table) bool { return tablesDir+t.Name+".jsonl" == h.Name })
		if !slices.ContainsFunc(all, func(t db.Table) bool { return t.Name == in.m.Tables[i].Name }) {
			return errors.New("this program has no such table")
		}
		in.o.Progress.add(h.Size)
		return load(ctx, tx, in.m.Tables[i], body)
	})
	if err != nil {
		return err
	}
	return in.settle(ctx, tx)
}

// maxLine bounds one row in bytes.
const maxLine = 256 << 20

// perInsert is how many values one statement carries: under the limits of both
// databases (SQLite 32,766 and PostgreSQL 65,535).
const perInsert = 4_000

// load inserts the rows of one table.
func load(ctx context.Context, tx *db.Tx, t Table, body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	width := len(t.Columns)
	var values []any
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, insert(t, len(values)/width), values...)
		values = values[:0]
		return err
	}
	var n int64
	for lines.Scan() {
		row, err := decode(lines.Bytes())
		if err == nil && len(row) != width {
			err = fmt.Errorf("%d values, want %d", len(row), width)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		values = append(values, row...)
		n++
		if len(values)+width > perInsert {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(lines.Err(), flush()); err != nil {
		return err
	}
	got, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM "`+t.Name+`"`)
	if err == nil && got != t.Rows {
		err = fmt.Errorf("%d rows came back, want %d", got, t.Rows)
	}
	return err
}

// insert writes the statement for n rows.
func insert(t Table, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `INSERT INTO "%s" ("%s") VALUES `, t.Name, strings.Join(t.Columns, `", "`))
	for i := range n {
		for j := range t.Columns {
			sep := ", "
			switch {
			case j == 0 && i == 0:
				sep = "("
			case j == 0:
				sep = "), ("
			}
			fmt.Fprintf(&b, "%s$%d", sep, i*len(t.Columns)+j+1)
		}
	}
	b.WriteString(")")
	return b.String()
}

// settle gives up what waited to be sent, and puts the restore on record.
func (in *restorer) settle(ctx context.Context, tx *db.Tx) error {
	now := in.Clock.Now()
	var err error
	in.held, err = tx.Exec(ctx, `UPDATE deliveries SET state = $1, done_at = $2, last_error = $3 WHERE state = $4`,
		string(outbox.GivenUp), db.Micros(now), Reason, string(outbox.Waiting))
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, `UPDATE endpoint_replays SET done_at = $1 WHERE done_at IS NULL`, db.Micros(now)); err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, `UPDATE mails SET state = $1, done_at = $2, last_error = $3 WHERE state = $4`,
		string(mail.GivenUp), db.Micros(now), Reason, string(mail.Waiting)); err != nil {
		return err
	}
	_, err = feed.New(in.DB, in.Clock, nil).Record(ctx, tx, feed.Event{
		Kind: "instance.restored", Object: "instance", ObjectID: in.m.Instance, At: now,
		Data: map[string]any{"backup_of": in.m.CreatedAt, "rows": in.m.Rows(), "blobs": in.m.Blobs, "held": in.held},
	})
	return err
}
