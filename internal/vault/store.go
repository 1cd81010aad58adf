package vault

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// A Digest is a SHA-256 (FIPS 180-4).
type Digest [sha256.Size]byte

// String returns d as 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes d as String does.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// ParseDigest reads 64 lower-case hexadecimal digits.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(d) || strings.ToLower(s) != s {
		return Digest{}, fmt.Errorf("parse digest: want %d lower-case hexadecimal digits", 2*len(d))
	}
	return Digest(raw), nil
}

// Stat describes one stored object.
type Stat struct {
	Name    Digest    // SHA-256 of the stored, encrypted bytes
	Size    int64     // stored bytes
	ModTime time.Time // when it was stored, UTC
}

// Store keeps encrypted objects that never change, each under the SHA-256 of
// its own bytes. A name therefore says nothing about the plaintext: the same
// picture in two cases has two names, and whoever holds the disk can neither
// tell that they are equal nor look for a known picture. In return anybody can
// check an object against its name without a key.
//
// Missing objects are fs.ErrNotExist. Implementations may be used by any
// number of goroutines.
type Store interface {
	// Put stores what write writes. Nothing is visible unless write returned
	// nil and all of it is durable.
	Put(ctx context.Context, write func(io.Writer) error) (Stat, error)
	// Open reads an object as it is; the caller verifies and closes it.
	Open(ctx context.Context, name Digest) (io.ReadCloser, error)
	// Stat describes an object without reading it.
	Stat(ctx context.Context, name Digest) (Stat, error)
	// Delete removes an object; removing an absent one is no error.
	Delete(ctx context.Context, name Digest) error
	// Walk calls visit for every object, in order of name, until visit fails.
	Walk(ctx context.Context, visit func(Stat) error) error
}

// tempPrefix marks unfinished objects, which lie beside the 256 directories of
// finished ones, in the same file system, so that a rename moves them.
const tempPrefix = ".tmp-"

// FileStore is a Store in a directory: object abcd... is the file ab/cd....
type FileStore struct {
	dir  string
	disk disk
}

// disk is what a write asks of the operating system, in the order of use. It
// exists so that tests can fail each step.
type disk interface {
	Create(name string) (diskFile, error) // must not exist yet; mode 0600
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(name string) error
}

// diskFile is an object being written.
type diskFile interface {
	io.WriteCloser
	Sync() error
}

// OpenFileStore opens the store in dir and creates what is missing of it, for
// its owner only.
func OpenFileStore(dir string) (*FileStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	for i := range 256 {
		err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	s := &FileStore{dir: dir, disk: osDisk{}}
	if err := s.disk.SyncDir(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

func (s *FileStore) path(name Digest) string {
	hexName := name.String()
	return filepath.Join(s.dir, hexName[:2], hexName[2:])
}

// Put implements Store: temporary file, fsync, rename, fsync of the directory.
// Whatever the disk refuses (full, quota, short write, failed sync) is
// Unavailable; an error of write that the disk did not cause is returned as is.
func (s *FileStore) Put(ctx context.Context, write func(io.Writer) error) (Stat, error) {
	temp := filepath.Join(s.dir, tempPrefix+rand.Text())
	file, err := s.disk.Create(temp)
	if err != nil {
		return Stat{}, diskFault(err)
	}
	w := &objectWriter{file: file, sum: sha256.New()}
	if err := s.fill(ctx, w, write); err != nil {
		// What cannot be removed now is swept later.
		_ = s.disk.Remove(temp)
		return Stat{}, err
	}
	stat := Stat{Name: Digest(w.sum.Sum(nil)), Size: w.size}
	final := s.path(stat.Name)
	if err := s.disk.Rename(temp, final); err != nil {
		_ = s.disk.Remove(temp)
		return Stat{}, diskFault(err)
	}
	if err := s.disk.SyncDir(filepath.Dir(final)); err != nil {
		// Whole, but perhaps gone after a power cut: not acknowledged.
		_ = s.disk.Remove(final)
		return Stat{}, diskFault(err)
	}
	return stat, nil
}

// fill lets write fill the file, then syncs and closes it.
func (s *FileStore) fill(ctx context.Context, w *objectWriter, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(w, 128<<10)
	err := write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		w.fail(w.file.Sync())
	}
	w.fail(w.file.Close())
	if w.err != nil {
		return diskFault(w.err)
	}
	return err
}

// objectWriter hashes what goes to the disk and remembers the disk's first
// error, so that it is not taken for one of the source.
type objectWriter struct {
	file diskFile
	sum  hash.Hash
	size int64
	err  error
}

func (w *objectWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *objectWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.sum.Write(p[:n])
	w.size += int64(n)
	w.fail(err)
	return n, err
}

func diskFault(cause error) error {
	return fault.New(fault.Unavailable, "vault.unavailable").Because(cause)
}

// Open implements Store.
func (s *FileStore) Open(_ context.Context, name Digest) (io.ReadCloser, error) {
	return os.Open(s.path(name))
}

// Stat implements Store.
func (s *FileStore) Stat(_ context.Context, name Digest) (Stat, error) {
	info, err := os.Stat(s.path(name))
	if err != nil {
		return Stat{}, err
	}
	return Stat{Name: name, Size: info.Size(), ModTime: info.ModTime().UTC()}, nil
}

// Delete implements Store. The removal is durable when Delete returns.
func (s *FileStore) Delete(_ context.Context, name Digest) error {
	path := s.path(name)
	err := s.disk.Remove(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return diskFault(err)
	}
	if err := s.disk.SyncDir(filepath.Dir(path)); err != nil {
		return diskFault(err)
	}
	return nil
}

// Walk implements Store. Files whose names are no digests are passed over.
func (s *FileStore) Walk(ctx context.Context, visit func(Stat) error) error {
	return filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := ParseDigest(filepath.Base(filepath.Dir(path)) + entry.Name())
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // a foreign file is not ours to judge
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		return visit(Stat{Name: name, Size: info.Size(), ModTime: info.ModTime().UTC()})
	})
}

// leftoverAge is how long an unfinished object may lie unchanged before it is
// taken for one that a crash left behind.
const leftoverAge = time.Hour

// Sweep removes unfinished objects that nobody has written to for an hour
// before now, and returns how many.
func (s *FileStore) Sweep(now time.Time) (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("sweep store: %w", err)
	}
	removed := 0
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tempPrefix) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // finished meanwhile
		}
		if err != nil {
			return removed, fmt.Errorf("sweep store: %w", err)
		}
		if now.Sub(info.ModTime()) <= leftoverAge {
			continue
		}
		if err := s.disk.Remove(filepath.Join(s.dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("sweep store: %w", err)
		}
		removed++
	}
	return removed, nil
}

// osDisk is the disk of the operating system.
type osDisk struct{}

func (osDisk) Create(name string) (diskFile, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}
func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) Remove(name string) error     { return os.Remove(name) }

func (osDisk) SyncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
