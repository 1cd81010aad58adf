package backup

import (
	"archive/tar"
	"bufio"
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
	"time"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/vault"
)

// WriteOptions are what the caller chooses of a backup.
type WriteOptions struct {
	To       []age.Recipient // who alone can read it; none leaves it open
	WithKey  bool            // put the instance key inside
	Progress Progress        // may be nil
}

// Write writes a backup of the instance to w. The instance may go on working:
// the rows are those of one moment, and whatever they name in the vault was
// there before them.
func Write(ctx context.Context, p Place, w io.Writer, o WriteOptions) (Manifest, error) {
	sealed, err := seal(w, o.To)
	if err != nil {
		return Manifest{}, err
	}
	zipped := gzip.NewWriter(sealed)
	out := &writer{Place: p, o: o, tar: tar.NewWriter(zipped), m: Manifest{
		Format: format, CreatedAt: p.Clock.Now().Truncate(time.Second), Database: string(p.DB.Dialect()), WithKey: o.WithKey,
	}}
	if err := out.all(ctx); err != nil {
		return Manifest{}, err
	}
	return out.m, errors.Join(out.tar.Close(), zipped.Close(), sealed.Close())
}

type writer struct {
	Place
	o   WriteOptions
	m   Manifest
	tar *tar.Writer
}

func (w *writer) all(ctx context.Context) error {
	if err := w.DB.Snapshot(ctx, w.rows); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	if err := w.blobs(ctx); err != nil {
		return fmt.Errorf("back up the vault: %w", err)
	}
	if err := w.key(); err != nil {
		return fmt.Errorf("back up the key: %w", err)
	}
	raw, err := json.MarshalIndent(w.m, "", "  ")
	if err != nil {
		return err
	}
	return w.entry(manifestName, raw)
}

// entry adds a small file.
func (w *writer) entry(name string, raw []byte) error {
	if err := w.header(name, int64(len(raw))); err != nil {
		return err
	}
	_, err := w.tar.Write(raw)
	return err
}

func (w *writer) header(name string, size int64) error {
	return w.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: w.m.CreatedAt, Format: tar.FormatPAX})
}

// rows writes every table of one snapshot.
func (w *writer) rows(ctx context.Context, r db.Reader) error {
	instance, err := reference.Of(ctx, r)
	if err != nil && !errors.Is(err, db.ErrAbsent) {
		return err
	}
	w.m.Instance = instance.Code
	if w.m.Schema, err = db.SchemaVersion(ctx, r); err != nil {
		return err
	}
	all, err := db.Tables(ctx, r)
	if err != nil {
		return err
	}
	for _, t := range kept(all) {
		if err := w.table(ctx, r, t); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return nil
}

// table writes one table, by way of a file: a tar wants the size first.
func (w *writer) table(ctx context.Context, r db.Reader, t db.Table) error {
	temp, err := os.CreateTemp("", "tangkal-backup-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // temporary
	defer temp.Close()           //nolint:errcheck // read to its end below
	hash := sha256.New()
	buffer := bufio.NewWriter(io.MultiWriter(temp, hash))
	n, err := dump(ctx, r, t, buffer)
	if err := errors.Join(err, buffer.Flush()); err != nil {
		return err
	}
	size, err := temp.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := temp.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.header(tablesDir+t.Name+".jsonl", size); err != nil {
		return err
	}
	w.m.Tables = append(w.m.Tables, Table{t.Name, t.Columns, n, hex.EncodeToString(hash.Sum(nil))})
	_, err = io.Copy(w.tar, temp)
	w.o.Progress.add(size)
	return err
}

// dump writes the rows of a table as lines of JSON, in the order of its key.
func dump(ctx context.Context, r db.Reader, t db.Table, w io.Writer) (int64, error) {
	query := `SELECT "` + strings.Join(t.Columns, `", "`) + `" FROM "` + t.Name + `"`
	if len(t.Key) > 0 {
		query += ` ORDER BY "` + strings.Join(t.Key, `", "`) + `"`
	}
	rows, err := r.Query(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values := make([]any, len(t.Columns))
	into := make([]any, len(values))
	var n int64
	for rows.Next() {
		for i := range values {
			values[i], into[i] = nil, &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, v := range values {
			if s, ok := v.(string); ok && !utf8.ValidString(s) {
				return n, fmt.Errorf("row %d: column %s is not text", n, t.Columns[i])
			}
			if number, ok := v.(int64); ok && slices.Contains(t.Flags, t.Columns[i]) {
				values[i] = number != 0
			}
		}
		line, err := encode(values)
		if err != nil {
			return n, err
		}
		if _, err := w.Write(line); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// blobs writes every sealed object of the vault as it lies.
func (w *writer) blobs(ctx context.Context) error {
	store, err := vault.OpenFileStore(w.Vault.Dir)
	if err != nil {
		return err
	}
	return store.Walk(ctx, func(s vault.Stat) error {
		body, err := store.Open(ctx, s.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // erased meanwhile
		}
		if err != nil {
			return err
		}
		defer body.Close() //nolint:errcheck // only read
		if err := w.header(blobsDir+s.Name.String(), s.Size); err != nil {
			return err
		}
		if _, err := io.Copy(w.tar, body); err != nil {
			return fmt.Errorf("blob %s: %w", s.Name, err)
		}
		w.m.Blobs++
		w.m.BlobBytes += s.Size
		w.o.Progress.add(s.Size)
		return nil
	})
}

// key writes the mark of the instance key, and the key itself if asked for.
func (w *writer) key() error {
	check, err := os.ReadFile(filepath.Join(w.Vault.Dir, checkName))
	if err != nil {
		return err
	}
	w.m.KeyCheck = strings.TrimSpace(string(check))
	if w.m.Done, err = vault.Done(w.Vault.Dir); err != nil {
		return err
	}
	if !w.o.WithKey {
		return nil
	}
	raw, err := os.ReadFile(w.Vault.KeyFile)
	if err != nil {
		return err
	}
	return w.entry(keyName, raw)
}
