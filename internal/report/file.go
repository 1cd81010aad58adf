package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/vault"
)

// An Upload is one file as it arrives. It is read once, front to back, and
// never held in memory whole.
type Upload struct {
	Name      string // as the sender calls it; directories are dropped
	MediaType string // as the sender claims; may be empty
	Content   io.Reader
}

// Uploads are files that become readable one after the other, as the parts of
// a request do. An error ends them.
type Uploads = iter.Seq2[Upload, error]

// A File is a file of a report.
type File struct {
	ID        FileID
	Name      string // as cleaned; may be empty
	MediaType string // found by us, not claimed
	Size      int64  // bytes
	SHA256    vault.Digest
	AddedAt   time.Time
}

// file is a File with where it lies. Its JSON is what is sealed: a digest
// would tell the holder of the database which known picture it is.
type file struct {
	File
	Ref vault.Ref
}

// uploads joins the files given and those that arrive.
func (s Submission) uploads() Uploads { return joined(s.Files, s.More) }

func joined(files []Upload, more Uploads) Uploads {
	return func(yield func(Upload, error) bool) {
		for _, u := range files {
			if !yield(u, nil) {
				return
			}
		}
		if more == nil {
			return
		}
		for u, err := range more {
			if !yield(u, err) {
				return
			}
		}
	}
}

// intake puts the files of one request into the vault.
type intake struct {
	room   *Room
	report ID
	key    vault.Key
	faults *fault.Checker
	count  int   // files of the report so far
	bytes  int64 // and their size
	stored []file
}

// take stores the uploads, each durable before it returns. What is wrong with
// them is added to the faults; from the first fault on nothing more is stored,
// only looked at. The error is a failure of reading or of storing.
func (in *intake) take(ctx context.Context, uploads Uploads, now time.Time) error {
	i := 0
	for u, err := range uploads {
		if err != nil {
			return fmt.Errorf("read file %d: %w", i, err)
		}
		if in.count >= MaxFiles {
			in.faults.Add("/files", "report.too-many-files", "Max", MaxFiles)
			return nil
		}
		if err := in.one(ctx, fmt.Sprintf("/files/%d", i), u, now); err != nil {
			return fmt.Errorf("take file %d: %w", i, err)
		}
		in.count++
		i++
	}
	return nil
}

// one checks and stores one upload.
func (in *intake) one(ctx context.Context, pointer string, u Upload, now time.Time) error {
	name := cleanName(u.Name)
	head := make([]byte, sniffLen)
	n, err := io.ReadFull(u.Content, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	t, bad := accept(name, u.MediaType, head[:n])
	if bad != nil {
		return in.faults.Join(pointer, bad)
	}
	body := io.MultiReader(bytes.NewReader(head[:n]), u.Content)
	limit := min(t.max, MaxTotalBytes-in.bytes)
	ref, err := in.put(ctx, body, limit)
	switch {
	case fault.Is(err, "vault.too-large") && limit < t.max:
		in.faults.Add("/files", "report.files-too-large", "Max", totalText)
		return nil
	case fault.Is(err, "vault.too-large"):
		in.faults.Add(pointer+"/content", "report.file-too-large", "Name", name, "Max", humanize.IBytes(uint64(t.max))) //nolint:gosec // a constant limit
		return nil
	case err != nil:
		return err
	}
	in.bytes += ref.Size
	if ref.Stored != (vault.Digest{}) {
		in.stored = append(in.stored, file{
			File: File{ID: FileID(db.NewID()), Name: name, MediaType: t.name, Size: ref.Size, SHA256: ref.SHA256, AddedAt: now},
			Ref:  ref,
		})
	}
	return nil
}

// totalText says MaxTotalBytes.
var totalText = humanize.IBytes(MaxTotalBytes)

// put stores body, or only measures it once the request is refused anyway.
func (in *intake) put(ctx context.Context, body io.Reader, limit int64) (vault.Ref, error) {
	if in.faults.Err() == nil {
		return in.room.vault.Put(ctx, in.key, body, limit)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(body, limit+1))
	if err == nil && n > limit {
		err = fault.New(fault.Invalid, "vault.too-large", "Limit", limit)
	}
	return vault.Ref{Size: n}, err
}

// discard removes what was stored for a request that came to nothing. A blob
// that cannot be removed now lies under a key that nobody kept, and a sweep of
// blobs without a row finds it.
func (in *intake) discard(ctx context.Context) {
	for _, f := range in.stored {
		_ = in.room.vault.Delete(context.WithoutCancel(ctx), f.Ref)
	}
	in.stored = nil
}

// insertFiles adds the files to the report, numbered after those it has.
func (in *intake) insertFiles(ctx context.Context, tx *db.Tx, from int) error {
	for i, f := range in.stored {
		plain, err := json.Marshal(f)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO report_files (id, report_id, n, mac, blob_name, size, sealed, added_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			f.ID, in.report, from+i, in.room.vault.MAC("file", f.Ref.SHA256[:]), f.Ref.Stored.String(), f.Ref.Size,
			vault.Seal(in.key, plain, fileAAD(in.report, f.ID)), db.Micros(f.AddedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

func fileAAD(report ID, id FileID) string { return "report/" + string(report) + "/file/" + string(id) }

// maxName is the length of a file name in bytes, as file systems have it.
const maxName = 255

// cleanName returns the last element of a path of any system, without
// characters that cannot be seen or that turn the direction of writing.
func cleanName(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = path.Base(strings.ReplaceAll(s, `\`, "/"))
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
	if strings.Trim(s, "./") == "" {
		return ""
	}
	if len(s) <= maxName {
		return s
	}
	ext := path.Ext(s)
	if len(ext) > 16 {
		ext = ""
	}
	cut := maxName - len(ext)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ext
}
