// Package vault keeps evidence and sealed text: encrypted under a key per
// case, durable before it is acknowledged, and verified whenever it is read
// (threat-model T30, T31, T33).
//
// Files are age-encrypted blobs in a Store, small texts are sealed in place for
// a column of the caller's table, and a reporter's contact is sealed to a
// recipient whose private key this process need not hold. Each case has its own
// Key. The vault wraps it under the instance key and gives the result to the
// caller; when the caller destroys it, everything under it is erased.
//
// The instance key lies in a file outside the database. It also keys the MACs
// by which receipts and locations are looked up, so that a stolen database
// answers no guess.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/dustin/go-humanize"

	"github.com/tangkal/tangkal/internal/fault"
)

// ErrDamaged tells that something sealed does not open or is not what was
// sealed: changed, cut, exchanged, or under another key. It is never shown as
// evidence, and not a fault: it goes to the log, for somebody has to look.
var ErrDamaged = errors.New("damaged, or sealed under another key")

// Config says where a Vault keeps its things.
type Config struct {
	// Dir is the directory of the blobs; it is created for its owner only.
	Dir string
	// KeyFile is the path of the instance key. On the first run, while nothing
	// has been sealed, a new one is made with mode 0600.
	KeyFile string
	// Mark is what Vault.Mark said when the database was founded, kept with the
	// rows. With it nothing is made anew: a vault whose file system is not
	// mounted, and a key that is lost, are told from a first start. "" is a
	// first start.
	Mark string
	// Room, if set, says why no more may be written now, nil if more may. It is
	// asked before a blob and again for each roomEvery bytes of it.
	Room func() error
}

// roomEvery is how many bytes of a blob are written between two looks at the
// room that is left.
const roomEvery = 4 << 20

// Validate names every fault of c at once.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("vault: Dir is missing"))
	}
	if c.KeyFile == "" {
		errs = append(errs, errors.New("vault: KeyFile is missing"))
	}
	return errors.Join(errs...)
}

// A Vault seals and opens. Any number of goroutines may share it.
type Vault struct {
	store  Store
	master master
	dir    string
	room   func() error // see Config.Room
}

// Open opens the vault in c, or creates it. It refuses a key file that others
// can read, one that is missing although something has been sealed, one that
// belongs to another vault, and a vault that is not the one of c.Mark.
func Open(c Config) (*Vault, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	check := filepath.Join(c.Dir, checkName)
	if err := c.marked(check); err != nil {
		return nil, err
	}
	store, err := OpenFileStore(c.Dir)
	if err != nil {
		return nil, err
	}
	m, err := openMaster(c.KeyFile, check)
	if err != nil {
		return nil, err
	}
	return &Vault{store: store, master: m, dir: c.Dir, room: c.Room}, nil
}

// checkName is the file in the vault by which it knows its key.
const checkName = "key-check"

// marked tells whether the vault is the one that the database knows, before
// anything is made in its place.
func (c Config) marked(check string) error {
	if c.Mark == "" {
		return nil
	}
	got, err := os.ReadFile(check)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no vault at %s, though the database has sealed things in it: mount its file system, or bring it back from a backup", c.Dir)
	case err != nil:
		return fmt.Errorf("open the vault: %w", err)
	case strings.TrimSpace(string(got)) != c.Mark:
		return fmt.Errorf("the vault at %s belongs to another database than this one: check --data and --db", c.Dir)
	}
	return nil
}

// Mark returns what tells this vault and its key from every other, for the
// database to keep: see Config.Mark. It reveals nothing of the key.
func (v *Vault) Mark() string { return v.master.mark() }

// Probe reports why the vault could not take or give files now, nil if it can:
// it reads its mark, and writes a small file durably and removes it again.
func (v *Vault) Probe() error {
	got, err := os.ReadFile(filepath.Join(v.dir, checkName))
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(got)) != v.Mark() {
		return fmt.Errorf("the vault at %s is gone or another: %w", v.dir, ErrDamaged)
	}
	if err != nil {
		return fmt.Errorf("probe the vault: %w", err)
	}
	name := filepath.Join(v.dir, tempPrefix+"probe-"+rand.Text())
	file, err := osDisk{}.Create(name)
	if err != nil {
		return fmt.Errorf("probe the vault: %w", err)
	}
	_, err = file.Write([]byte("probe"))
	if err := errors.Join(err, file.Sync(), file.Close(), os.Remove(name)); err != nil {
		return fmt.Errorf("probe the vault: %w", err)
	}
	return nil
}

// NewKey makes the key of a new case, and its wrapped form to be stored.
func (v *Vault) NewKey() (Key, WrappedKey, error) {
	k := newKey()
	return k, v.master.wrap(k), nil
}

// Unwrap opens a stored key, or returns ErrDamaged.
func (v *Vault) Unwrap(w WrappedKey) (Key, error) { return v.master.unwrap(w) }

// MAC returns the 32-byte HMAC-SHA-256 of data under a key derived from the
// instance key for purpose, as "receipt" or "location". Purposes never share
// values. Compare with hmac.Equal.
func (v *Vault) MAC(purpose string, data []byte) []byte { return v.master.mac(purpose, data) }

// A Ref finds a blob and says what it must hold. The caller stores it beside
// the wrapped key; SHA256 says what the content is, so whoever may not know the
// content may not see it.
type Ref struct {
	SHA256     Digest // of the plaintext, taken on arrival
	Size       int64  // bytes of plaintext
	Stored     Digest // of the encrypted bytes, and their name in the store
	StoredSize int64  // encrypted bytes
}

// Put encrypts what r gives, up to limit bytes, and stores it. When it returns
// a Ref, the blob is durable; otherwise nothing is visible. Too much is
// Invalid with code "vault.too-large", a disk that refuses is Unavailable, and
// r's own error is returned wrapped. The same content put twice makes two
// blobs: names tell nothing about content, see Store.
func (v *Vault) Put(ctx context.Context, key Key, r io.Reader, limit int64) (Ref, error) {
	identity, err := key.identity()
	if err != nil {
		return Ref{}, fmt.Errorf("put blob: %w", errors.Join(err, ErrDamaged))
	}
	src := &source{ctx: ctx, r: r, limit: limit, sum: sha256.New(), room: v.room}
	stat, err := v.store.Put(ctx, func(w io.Writer) error {
		sealed, err := age.Encrypt(w, identity.Recipient())
		if err != nil {
			return err
		}
		if _, err := io.Copy(sealed, src); err != nil {
			return err
		}
		return sealed.Close()
	})
	if src.err != nil {
		return Ref{}, fmt.Errorf("put blob: %w", src.err)
	}
	if err != nil {
		return Ref{}, fmt.Errorf("put blob: %w", err)
	}
	return Ref{
		SHA256: Digest(src.sum.Sum(nil)), Size: src.size,
		Stored: stat.Name, StoredSize: stat.Size,
	}, nil
}

// source hashes and bounds what is read, and remembers the reader's error.
type source struct {
	ctx   context.Context
	r     io.Reader
	limit int64
	sum   hash.Hash
	size  int64
	err   error

	room  func() error // nil: there is always room
	asked int64        // size at which room is asked again
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	if s.room != nil && s.size >= s.asked {
		s.asked = s.size + roomEvery
		if s.err = s.room(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.r.Read(p)
	s.size += int64(n)
	if s.size > s.limit {
		s.err = tooLarge(s.limit)
		return 0, s.err
	}
	s.sum.Write(p[:n])
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func tooLarge(limit int64) error {
	return fault.New(fault.Invalid, "vault.too-large",
		"Limit", humanize.IBytes(uint64(max(limit, 0))), "Bytes", limit)
}

// Open reads the blob of ref. Every read is authenticated, so changed bytes are
// never given out; but only at the end is it known that all is there and that
// it is this blob and no other. The last Read returns ErrDamaged instead of
// io.EOF if it is not. Whoever acts on the beginning calls Verify first, or
// uses ReadAll. The caller closes the reader.
func (v *Vault) Open(ctx context.Context, key Key, ref Ref) (io.ReadCloser, error) {
	identity, err := key.identity()
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", ref.Stored, errors.Join(err, ErrDamaged))
	}
	file, err := v.store.Open(ctx, ref.Stored)
	if errors.Is(err, fs.ErrNotExist) {
		// The row says that it was stored, so its absence is damage too.
		return nil, fmt.Errorf("open blob %s: absent: %w", ref.Stored, ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", ref.Stored, diskFault(err))
	}
	b := &blob{ref: ref, file: file, sum: sha256.New()}
	plain, err := age.Decrypt(&diskReader{b}, identity)
	if err != nil {
		return nil, errors.Join(b.fail(err), file.Close())
	}
	b.plain = plain
	return b, nil
}

// blob is an open blob: plaintext comes out, and is compared with ref.
type blob struct {
	ref   Ref
	file  io.ReadCloser
	plain io.Reader
	sum   hash.Hash
	size  int64
	disk  error // the disk's own error, which is not damage
	err   error // how it ended
}

// fail sorts why decryption stopped.
func (b *blob) fail(err error) error {
	if b.disk != nil {
		return fmt.Errorf("read blob %s: %w", b.ref.Stored, diskFault(b.disk))
	}
	return fmt.Errorf("read blob %s: %w (%v)", b.ref.Stored, ErrDamaged, err) //nolint:errorlint // age's reason is detail
}

func (b *blob) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.plain.Read(p)
	b.sum.Write(p[:n])
	b.size += int64(n)
	switch {
	case err == io.EOF && b.size == b.ref.Size && Digest(b.sum.Sum(nil)) == b.ref.SHA256:
		b.err = io.EOF
	case err == io.EOF:
		b.err = b.fail(errors.New("other content than was stored"))
	case err != nil:
		b.err = b.fail(err)
	case b.size > b.ref.Size:
		b.err = b.fail(errors.New("longer than was stored"))
		return 0, b.err
	}
	return n, b.err
}

// Close closes the blob; it verifies nothing.
func (b *blob) Close() error { return b.file.Close() }

// diskReader reads a blob's file and remembers the disk's errors.
type diskReader struct{ b *blob }

func (d *diskReader) Read(p []byte) (int, error) {
	n, err := d.b.file.Read(p)
	if err != nil && err != io.EOF {
		d.b.disk = err
	}
	return n, err
}

// ReadAll returns the whole blob of ref, verified. A blob beyond limit bytes is
// Invalid with code "vault.too-large", before anything is read.
func (v *Vault) ReadAll(ctx context.Context, key Key, ref Ref, limit int64) ([]byte, error) {
	if ref.Size > limit {
		return nil, tooLarge(limit)
	}
	r, err := v.Open(ctx, key, ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out bytes.Buffer
	out.Grow(int(ref.Size) + bytes.MinRead)
	if _, err := out.ReadFrom(r); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Verify reads the whole blob of ref and gives nothing out. It costs one
// sequential read and decryption.
func (v *Vault) Verify(ctx context.Context, key Key, ref Ref) error {
	r, err := v.Open(ctx, key, ref)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// Delete removes the blob of ref, durably. Removing an absent one is no error.
func (v *Vault) Delete(ctx context.Context, ref Ref) error {
	if err := v.store.Delete(ctx, ref.Stored); err != nil {
		return fmt.Errorf("delete blob %s: %w", ref.Stored, err)
	}
	return nil
}

// Walk calls visit for every blob, in order of name.
func (v *Vault) Walk(ctx context.Context, visit func(Stat) error) error {
	return v.store.Walk(ctx, visit)
}

// Scrub reads every blob and compares it with its name, which needs no key. It
// calls report for each that is damaged or unreadable, and returns how many
// blobs it read. Report's error, like a cancelled ctx, ends it.
func (v *Vault) Scrub(ctx context.Context, report func(Stat, error) error) (int, error) {
	n := 0
	err := v.store.Walk(ctx, func(s Stat) error {
		n++
		err := v.scrubOne(ctx, s.Name)
		if err == nil || errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		return report(s, err)
	})
	if err != nil {
		return n, fmt.Errorf("scrub vault: %w", err)
	}
	return n, nil
}

func (v *Vault) scrubOne(ctx context.Context, name Digest) error {
	file, err := v.store.Open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if Digest(sum.Sum(nil)) != name {
		return ErrDamaged
	}
	return nil
}

// Sweep removes what crashes left unfinished more than an hour before now, and
// returns how many. Run it hourly.
func (v *Vault) Sweep(now time.Time) (int, error) {
	if s, ok := v.store.(interface {
		Sweep(now time.Time) (int, error)
	}); ok {
		return s.Sweep(now)
	}
	return 0, nil
}
