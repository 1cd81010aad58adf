package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// pictures are files of every kind that the command meets.
func pictures(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{
		"note.txt":   "not a picture",
		"broken.png": "\x89PNG\r\n\x1a\nand then nothing",
		"empty":      "",
	}
	for i := range 30 {
		size := 40 + 7*i
		var b bytes.Buffer
		if err := png.Encode(&b, synthetic.Photo(size, size)); err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("p%02d.png", i)] = b.String()
	}
	files["photo.jpg"] = string(synthetic.JPEG(640, 480))
	return files
}

func TestHashOfADirectory(t *testing.T) {
	t.Parallel()
	files := pictures(t)
	s := open(t, files)
	out := s.wants(t, exitFailed, []string{"broken.png: The picture is too damaged to be read.", "1 file could not be hashed whole"},
		"hash", "--json", "--variants", ".")
	var paths []string
	for line := range strings.Lines(out) {
		var h hashed
		if !strings.HasPrefix(line, "{") {
			continue // standard error
		}
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		paths = append(paths, h.Path)
		content := files[h.Path]
		sum := sha256.Sum256([]byte(content))
		if h.SHA256 != hex.EncodeToString(sum[:]) || h.Size != int64(len(content)) || len(h.MD5) != 32 || len(h.SHA1) != 40 {
			t.Errorf("%s: %+v", h.Path, h)
		}
		var hasher pdq.Hasher
		r, err := hasher.Decode([]byte(content))
		if err != nil {
			if h.PDQ != nil {
				t.Errorf("%s has a PDQ hash", h.Path)
			}
			continue
		}
		if h.PDQ == nil || h.PDQ.Hash != r.Hash || h.PDQ.Quality != r.Quality || h.PDQ.Variants["rotate-90"] != r.Variants()[pdq.Rotate90] {
			t.Errorf("%s: %+v, want %v", h.Path, h.PDQ, r.Hash)
		}
	}
	if len(paths) != len(files) || !slices.IsSorted(paths) {
		t.Errorf("%d files in the order %v", len(paths), paths)
	}
}

func TestHashAsLines(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"note.txt": "abc"})
	s.wants(t, 0, []string{"md5\t900150983cd24fb0d6963f7d28e17f72\t-\tnote.txt", "!pdq", "!sha1"}, "hash", "--type", "md5", "note.txt")
	s.wants(t, exitFailed, []string{"nowhere: no such file"}, "hash", "nowhere", "note.txt")
	s.wants(t, exitUsage, []string{"--type"}, "hash", "--type", "crc", "note.txt")
}

// Names that would break lines, act on a terminal or not go into JSON; links
// keep the name by which they were given; a damaged picture is said to be one.
func TestHashOfUnfriendlyNames(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{
		"a\nb\x1b[31m.txt": "abc", "p\xe9.txt": "abc", "cut.jpg": string(synthetic.JPEG(200, 200)[:4000]),
	})
	if err := os.Symlink("cut.jpg", s.dir+"/link.jpg"); err != nil {
		t.Fatal(err)
	}
	const md5 = "md5\t900150983cd24fb0d6963f7d28e17f72\t-\t"
	s.wants(t, 0, []string{md5 + `"a\nb\x1b[31m.txt"`, md5 + `"p\xe9.txt"` + "\n"}, "hash", "--type", "md5", ".")
	s.wants(t, 0, []string{`"path":"p\ufffd.txt","path_base64":"cOkudHh0"`}, "hash", "--json", "p\xe9.txt")
	s.wants(t, 0, []string{"\tlink.jpg\n", "tangkal: link.jpg: The picture is damaged"}, "hash", "--type", "pdq", "link.jpg")
}

// What shows nothing or turns the order of letters is quoted, and so is what
// looks quoted.
func TestNamesAreShownAsTheyAre(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"foto saya é.jpg": "foto saya é.jpg",
		"gpj.\u202eexe":   `"gpj.\u202eexe"`,
		"a\u200bb":        `"a\u200bb"`,
		"p\xe9":           `"p\xe9"`,
		`"a"`:             `"\"a\""`,
	} {
		if got := shown(path); got != want {
			t.Errorf("%q is shown as %s, want %s", path, got, want)
		}
	}
}

// A link to a directory is followed wherever it leads, and what lies there is
// called by the link's name.
func TestHashOfLinksToDirectories(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"note.txt": "abc"})
	if err := os.Mkdir(s.dir+"/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"here": ".", "sub/up": "..", "whole": s.dir, "slash": "/"} {
		if err := os.Symlink(to, s.dir+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	const md5 = "md5\t900150983cd24fb0d6963f7d28e17f72\t-\t"
	for _, link := range []string{"here", "here/", "sub/up", "whole"} {
		s.wants(t, 0, []string{md5 + strings.TrimSuffix(link, "/") + "/note.txt\n"}, "hash", "--type", "md5", link)
	}
	stop := errors.New("one is enough")
	c := hashCmd{Paths: []rawPath{rawPath(s.dir + "/slash")}}
	err := c.walk(func(path string, _ error) error {
		if _, err := os.Lstat(path); err != nil || !strings.HasPrefix(path, s.dir+"/slash/") {
			t.Errorf("%s: %v", path, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("nothing is found at the root: %v", err)
	}
}

func TestHashRefusesJobsWithoutBound(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"note.txt": "BM is a car"})
	s.wants(t, exitUsage, []string{"--jobs 1025"}, "hash", "--jobs", "1025", "note.txt")
	s.wants(t, exitUsage, []string{"--jobs -1"}, "hash", "--jobs=-1", "note.txt")
	s.wants(t, 0, []string{"note.txt", "!pdq", "!damaged"}, "hash", "--jobs", "1024", "note.txt")
}

func TestHashRefusesVariantsItWouldNotShow(t *testing.T) {
	t.Parallel()
	s := open(t, map[string]string{"note.txt": "BM is a car"})
	s.wants(t, exitUsage, []string{"--variants", "--json"}, "hash", "--variants", "note.txt")
	s.wants(t, exitUsage, []string{"--type"}, "hash", "--type", "", "note.txt")
	s.wants(t, exitUsage, []string{"--variants", "pdq"}, "hash", "--variants", "--json", "--type", "md5", "note.txt")
	s.wants(t, 0, []string{"note.txt"}, "hash", "--variants", "--json", "note.txt")
}

// Workers share the memory for files and pixels: one that finds none waits, and
// what was taken is given back.
func TestHashWaitsForMemory(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/a.jpg"
	if err := os.WriteFile(file, synthetic.JPEG(640, 480), 0o600); err != nil {
		t.Fatal(err)
	}
	c, none := &hashCmd{Type: []string{"pdq"}}, semaphore.NewWeighted(1)
	for name, shared := range map[string]*budget{
		"files": {none, semaphore.NewWeighted(pixelsBudget)}, "pixels": {semaphore.NewWeighted(filesBudget), none},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if h := newFileHasher(c, shared).hash(ctx, file, nil); h.PDQ != nil || h.Error != context.DeadlineExceeded.Error() {
			t.Errorf("without memory for %s: %+v", name, h)
		}
		cancel()
	}
	shared := newBudget()
	f := newFileHasher(c, shared)
	for range 2 {
		if h := f.hash(t.Context(), file, nil); h.PDQ == nil {
			t.Errorf("%+v", h)
		}
	}
	if !shared.files.TryAcquire(filesBudget) || !shared.pixels.TryAcquire(pixelsBudget) {
		t.Error("memory is not given back")
	}
}

// A command that is told to stop says so, how far it came, and by its code.
func TestInterruptedCommandsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"hash", "."}, {"bench", "hash", "--each", "1h"}, {"bench", "search", "--each", "1h"}} {
		var said strings.Builder
		if code := run(ctx, args, io.Discard, &said); code != exitInterrupted || !strings.HasPrefix(said.String(), "tangkal: interrupted: ") {
			t.Errorf("%v: exit code %d, %q", args, code, said.String())
		}
	}
}

func TestBenchHash(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, 0, []string{"pdq 512x512 pixels", "pdq 4000x3000 jpeg", "sha256 1 MiB", "rounds: 1"},
		"bench", "hash", "--rounds", "1", "--each", "1ms")
	s.wants(t, exitUsage, []string{"--rounds 0"}, "bench", "hash", "--rounds", "0")
	s.wants(t, exitUsage, []string{"--each -1s"}, "bench", "search", "--each=-1s")
}
