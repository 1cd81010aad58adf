package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"

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
	out := s.wants(t, exitFailed, []string{"broken.png: The picture is too damaged to be read.", "1 files could not be hashed whole"},
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
	s.wants(t, 0, []string{md5 + `"a\nb\x1b[31m.txt"`, md5 + "p\xe9.txt\n"}, "hash", "--type", "md5", ".")
	s.wants(t, 0, []string{`"path":"p\ufffd.txt","path_base64":"cOkudHh0"`}, "hash", "--json", "p\xe9.txt")
	s.wants(t, 0, []string{"\tlink.jpg\n", "tangkal: link.jpg: The picture is damaged"}, "hash", "--type", "pdq", "link.jpg")
}

func TestBenchHash(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.wants(t, 0, []string{"pdq 512x512 pixels", "pdq 4000x3000 jpeg", "sha256 1 MiB", "median of 1 rounds"},
		"bench", "hash", "--rounds", "1", "--each", "1ms")
}
