package main

import (
	"bytes"
	"context"
	"crypto/md5"  //nolint:gosec // banks exchange MD5
	"crypto/sha1" //nolint:gosec // and SHA-1
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/pdq"
)

// hashCmd prints the hashes of files.
type hashCmd struct {
	Paths    []rawPath `arg:"" name:"path" help:"Files and directories; directories with all below them."`
	Type     []string  `help:"Kinds of hash: ${enum}. Default: all." enum:"pdq,md5,sha1,sha256" default:"pdq,md5,sha1,sha256"`
	Variants bool      `help:"The PDQ hashes of all eight orientations; needs --json."`
	Full     bool      `help:"PDQ of every pixel, instead of first reducing to 512x512 as the reference's programs do."`
	Jobs     int       `help:"Files at a time, at most 1024; 0: one a processor." placeholder:"N"`
	JSON     bool      `name:"json" help:"One JSON object a line for each file."`
}

// rawPath is a path as it was given, in whatever encoding: the parser's own
// strings are Unicode.
type rawPath string

// Decode takes one argument.
func (p *rawPath) Decode(ctx *kong.DecodeContext) error {
	*p = rawPath(ctx.Scan.Pop().String())
	return nil
}

// Help shows by example.
func (hashCmd) Help() string {
	return `Examples:

  tangkal hash photo.jpg
  tangkal hash --type pdq ~/pictures > hashes.txt
  tangkal hash --json --variants evidence/ | jq -r 'select(.pdq.usable) | .pdq.hash'

Prints a line for each hash: kind, hash, quality (of PDQ, 0 to 100; - for the others), path. PDQ is there for JPEG, PNG, GIF,
WebP and BMP; a quality of 49 or less means that the hash says little and should not be used. Of pictures
of more than 256 MiB or 104 megapixels only the exact hashes are taken. Files come in the order of their names. Links are followed where they are named, and not below directories. Names with characters that do not print, that are not UTF-8
or begin with a quote are quoted; with --json, names that are not UTF-8 come also in Base64. What cannot be read is named on standard error, and the exit code is 1.`
}

// maxPicture is the largest file that is decoded; of larger ones only the exact
// hashes are taken.
const maxPicture = 256 << 20

// maxJobs bounds the files that are read at a time; each holds some memory.
const maxJobs = 1024

// hashed is what one file gave.
type hashed struct {
	Path   string     `json:"path"`
	Raw    []byte     `json:"path_base64,omitempty"` // the path where it is not UTF-8, which JSON cannot hold
	Size   int64      `json:"size"`
	PDQ    *hashedPDQ `json:"pdq,omitempty"`
	MD5    string     `json:"md5,omitempty"`
	SHA1   string     `json:"sha1,omitempty"`
	SHA256 string     `json:"sha256,omitempty"`
	Error  string     `json:"error,omitempty"` // why a hash is missing that should be there
}

type hashedPDQ struct {
	Hash     pdq.Hash            `json:"hash"`
	Quality  int                 `json:"quality"`
	Usable   bool                `json:"usable"`
	Format   string              `json:"format"`
	Width    int                 `json:"width"`
	Height   int                 `json:"height"`
	Partial  bool                `json:"partial,omitempty"`
	Variants map[string]pdq.Hash `json:"variants,omitempty"`
}

// Validate refuses what would be ignored.
func (c *hashCmd) Validate() error {
	switch {
	case c.Jobs < 0 || c.Jobs > maxJobs:
		return fmt.Errorf("--jobs %d: give 1 to %d, or 0 for one a processor", c.Jobs, maxJobs)
	case len(c.Type) == 0:
		return errors.New("--type: name at least one of pdq, md5, sha1, sha256")
	case c.Variants && !(c.JSON && slices.Contains(c.Type, "pdq")):
		return errors.New("--variants: the eight orientations are of PDQ, and only JSON has names for them: give --json too, and pdq among the types")
	}
	return nil
}

// hashJob is one file on its way from the walk to the output.
type hashJob struct {
	path string
	err  error // why a directory could not be listed
	done chan hashed
}

// Run hashes the files in parallel and prints in their order. What waits is
// bounded, so that memory does not grow with their number.
func (c *hashCmd) Run(sh *shell) error {
	jobs := c.Jobs
	if jobs == 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	work, order := make(chan hashJob), make(chan hashJob, 64*jobs)
	bar, shared := quietMeter(sh), newBudget()
	g, ctx := errgroup.WithContext(sh.ctx)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return c.walk(func(path string, err error) error {
			j := hashJob{path, err, make(chan hashed, 1)}
			for _, to := range []chan hashJob{order, work} {
				select {
				case to <- j:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	for range jobs {
		g.Go(func() error {
			f := newFileHasher(c, shared)
			for j := range work {
				h := f.hash(ctx, j.path, j.err)
				bar.add(h.Size)
				j.done <- h
			}
			return nil
		})
	}
	printed, failed := 0, 0
	g.Go(func() (err error) {
		printed, failed, err = c.printAll(ctx, sh, order)
		return err
	})
	err := g.Wait()
	bar.done()
	switch {
	case sh.ctx.Err() != nil:
		return interruptedError{fmt.Sprintf("%d files are done, the rest is not", printed)}
	case err == nil && failed == 1:
		return errors.New("1 file could not be hashed whole")
	case err == nil && failed > 0:
		return fmt.Errorf("%d files could not be hashed whole", failed)
	}
	return err
}

// printAll prints what the jobs give, in their order, and counts.
func (c *hashCmd) printAll(ctx context.Context, sh *shell, order <-chan hashJob) (printed, failed int, err error) {
	for j := range order {
		select {
		case h := <-j.done:
			if h.Error != "" {
				failed++
			}
			if err := c.print(sh, h); err != nil {
				return printed, failed, err
			}
			printed++
		case <-ctx.Done():
			return printed, failed, ctx.Err()
		}
	}
	return printed, failed, nil
}

// walk calls for every regular file, in the order of names, and with the error
// for what cannot be listed.
func (c *hashCmd) walk(file func(path string, err error) error) error {
	for _, given := range c.Paths {
		named, root := string(given), string(given)
		if info, err := os.Lstat(root); err == nil && info.Mode().Type() == fs.ModeSymlink {
			if at, err := filepath.EvalSymlinks(root); err == nil {
				root = at // a link that was named is followed
			}
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && (path != root || d.IsDir()) && !d.Type().IsRegular() {
				return nil
			}
			return file(beneath(named, root, path), err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// beneath returns the name of a path that was found below root, which was given
// under another name.
func beneath(named, root, path string) string {
	if named == root {
		return path
	}
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == "." {
		return named
	}
	return strings.TrimRight(named, string(filepath.Separator)) + string(filepath.Separator) + rel
}

// print writes what a file gave.
func (c *hashCmd) print(sh *shell, h hashed) error {
	path := shown(h.Path)
	if h.Error != "" {
		fmt.Fprintf(sh.stderr, "tangkal: %s: %s\n", path, h.Error)
	}
	if c.JSON {
		if !utf8.ValidString(h.Path) {
			h.Raw = []byte(h.Path)
		}
		return json.NewEncoder(sh.stdout).Encode(h)
	}
	var b bytes.Buffer
	if h.PDQ != nil {
		fmt.Fprintf(&b, "pdq\t%s\t%d\t%s\n", h.PDQ.Hash, h.PDQ.Quality, path)
		if h.PDQ.Partial {
			fmt.Fprintf(sh.stderr, "tangkal: %s: %s\n", path, i18n.For(language()).T("picture.partial"))
		}
	}
	for _, l := range [][2]string{{"md5", h.MD5}, {"sha1", h.SHA1}, {"sha256", h.SHA256}} {
		if l[1] != "" {
			fmt.Fprintf(&b, "%s\t%s\t-\t%s\n", l[0], l[1], path)
		}
	}
	_, err := sh.stdout.Write(b.Bytes())
	return err
}

// shown returns a path as one field of one line: quoted where it has characters
// that would break the line, act on a terminal or hide what is there, and where
// it looks as if it were quoted.
func shown(path string) string {
	hides := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.ContainsFunc(path, hides) || !utf8.ValidString(path) || strings.HasPrefix(path, `"`) {
		return strconv.Quote(path)
	}
	return path
}

// A fileHasher hashes one file after another in the same memory.
type fileHasher struct {
	wantPDQ  bool
	variants bool
	pdq      pdq.Hasher
	exact    map[string]hash.Hash
	chunk    []byte
	whole    bytes.Buffer
	shared   *budget
}

func newFileHasher(c *hashCmd, shared *budget) *fileHasher {
	f := &fileHasher{
		shared:  shared,
		wantPDQ: slices.Contains(c.Type, "pdq"), variants: c.Variants,
		exact: map[string]hash.Hash{}, chunk: make([]byte, 128<<10),
	}
	f.pdq.FullResolution = c.Full
	for name, make := range map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New} {
		if slices.Contains(c.Type, name) {
			f.exact[name] = make()
		}
	}
	return f
}

// errNotRegular is of pipes, sockets and devices, which have no end.
var errNotRegular = errors.New("not a regular file")

// hash reads the file once, if it was found without an error. Of a picture the
// bytes are kept for the decoder.
func (f *fileHasher) hash(ctx context.Context, path string, err error) hashed {
	h := hashed{Path: path}
	if err == nil {
		err = f.fill(ctx, &h)
	}
	if err != nil {
		h.Error = reason(err)
	}
	return h
}

func (f *fileHasher) fill(ctx context.Context, h *hashed) error {
	file, err := openToRead(h.Path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	n, err := io.ReadFull(file, f.chunk)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	picture := f.wantPDQ && pdq.Format(f.chunk[:n]) != ""
	room := int64(0)
	if picture {
		if size := max(info.Size(), int64(n)); size <= maxPicture {
			room = size
		}
		release, err := take(ctx, f.shared.files, room)
		if err != nil {
			return err
		}
		defer release()
	}
	if err := f.read(ctx, file, f.chunk[:n], room, h); err != nil {
		return err
	}
	for name, to := range map[string]*string{"md5": &h.MD5, "sha1": &h.SHA1, "sha256": &h.SHA256} {
		if sum, ok := f.exact[name]; ok {
			*to = hex.EncodeToString(sum.Sum(nil))
		}
	}
	if picture {
		defer f.forget()
		return f.perceptual(ctx, h, room)
	}
	return nil
}

// read passes the file, of which the first part was read, through the exact
// hashes, and keeps of it as much as there is room.
func (f *fileHasher) read(ctx context.Context, file io.Reader, part []byte, room int64, h *hashed) error {
	for _, sum := range f.exact {
		sum.Reset()
	}
	f.whole.Reset()
	f.whole.Grow(int(room))
	for len(part) > 0 {
		if h.Size += int64(len(part)); h.Size <= room {
			f.whole.Write(part)
		}
		for _, sum := range f.exact {
			sum.Write(part)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := io.ReadFull(file, f.chunk)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		part = f.chunk[:n]
	}
	return nil
}

// forget lets go of what one large picture took.
func (f *fileHasher) forget() {
	if f.whole.Cap() > keptBudget {
		f.whole = bytes.Buffer{}
	}
}

// perceptual hashes the picture in whole, when there is memory for its pixels.
func (f *fileHasher) perceptual(ctx context.Context, h *hashed, room int64) error {
	need := f.pdq.Memory(f.whole.Bytes())
	if h.Size > room || need > pixelsBudget { // a file that grows has no end either
		return &pdq.Error{Reason: pdq.TooLarge}
	}
	release, err := take(ctx, f.shared.pixels, need)
	if err != nil {
		return err
	}
	defer release()
	if need > keptBudget {
		defer func() { f.pdq = pdq.Hasher{FullResolution: f.pdq.FullResolution} }()
	}
	r, err := f.pdq.Decode(f.whole.Bytes())
	if err != nil {
		return err
	}
	h.PDQ = &hashedPDQ{
		Hash: r.Hash, Quality: r.Quality, Usable: r.Usable(), Format: r.Format, Width: r.Width, Height: r.Height, Partial: r.Partial,
	}
	if f.variants {
		h.PDQ.Variants = map[string]pdq.Hash{}
		for o, v := range r.Variants() {
			h.PDQ.Variants[pdq.Orientation(o).String()] = v //nolint:gosec // 0 to 7
		}
	}
	return nil
}

// reason says in the shell's language why a file gave no hash.
func reason(err error) string {
	var refused *pdq.Error
	if errors.As(err, &refused) {
		said := i18n.For(language()).T(string(refused.Reason))
		if refused.Reason == pdq.TooLarge {
			said += fmt.Sprintf(" (%d MiB, %d megapixels)", maxPicture>>20, pdq.DefaultMaxPixels/1_000_000)
		}
		return said
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error() // the path is said already
	}
	return err.Error()
}

// quietMeter is a meter where the output goes elsewhere than to the person who
// looks at it.
func quietMeter(sh *shell) bar {
	if isTerminal(sh.stdout) {
		return bar{}
	}
	return meter(sh, -1, "hashing")
}
