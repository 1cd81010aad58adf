package pdq_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/pdq"
)

// An answer is what the reference implementation says of a file.
type answer struct {
	file          string
	width, height int
	hash          pdq.Hash
	quality       int
	fullDistance  int // how far the hash is when hashed at full resolution; -1 if not told
}

// answers reads expected.csv of a directory.
func answers(t testing.TB, dir string) []answer {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "expected.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []answer
	for _, l := range lines[1:] {
		a := answer{file: filepath.Join(dir, l[0]), fullDistance: -1}
		for i, to := range map[int]*int{1: &a.width, 2: &a.height, 4: &a.quality, 5: &a.fullDistance} {
			if i < len(l) {
				if *to, err = strconv.Atoi(l[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if a.hash, err = pdq.Parse(l[3]); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// shared returns the directory of reference pictures that are not part of the
// project: $TANGKAL_TESTDATA, or testdata beside the repository's neighbour
// "shared".
func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TANGKAL_TESTDATA")
	if dir == "" {
		dir = "../../shared/testdata"
	}
	dir = filepath.Join(dir, "pdq")
	if _, err := os.Stat(filepath.Join(dir, "expected.csv")); err != nil {
		t.Skip("no reference pictures; give their directory as TANGKAL_TESTDATA")
	}
	return dir
}

func hashed(t testing.TB, h *pdq.Hasher, file string) pdq.Result {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return r
}

// TestEqualPixelsGiveTheReferenceHash: where no decoder and no reduction can
// differ, hash and quality are the reference's to the bit.
func TestEqualPixelsGiveTheReferenceHash(t *testing.T) {
	var h pdq.Hasher
	for _, a := range answers(t, "testdata/synthetic") {
		exactly(t, &h, a)
	}
}

func exactly(t *testing.T, h *pdq.Hasher, a answer) {
	t.Helper()
	r := hashed(t, h, a.file)
	if r.Width != a.width || r.Height != a.height {
		t.Errorf("%s: %dx%d, want %dx%d", a.file, r.Width, r.Height, a.width, a.height)
	}
	if r.Hash != a.hash || r.Quality != a.quality {
		t.Errorf("%s: hash %v quality %d,\nwant %v quality %d (distance %d)", a.file, r.Hash, r.Quality, a.hash, a.quality, pdq.Distance(r.Hash, a.hash))
	}
}

func TestReferencePictures(t *testing.T) {
	var h pdq.Hasher
	full := pdq.Hasher{FullResolution: true}
	n, sum, worst := 0, 0, 0
	for _, a := range answers(t, shared(t)) {
		if strings.HasSuffix(a.file, ".png") {
			exactly(t, &h, a)
			if f := hashed(t, &full, a.file); pdq.Distance(f.Hash, a.hash) != a.fullDistance {
				t.Errorf("%s: at full resolution %d bits off, want %d", a.file, pdq.Distance(f.Hash, a.hash), a.fullDistance)
			}
			continue
		}
		r := hashed(t, &h, a.file)
		d := pdq.Distance(r.Hash, a.hash)
		t.Log(a.file, d, r.Quality-a.quality)
		if a.quality >= 80 && d > 10 {
			t.Errorf("%s: %d bits off", a.file, d)
		}
		n, sum, worst = n+1, sum+d, max(worst, d)
	}
	if sum > 2*n {
		t.Errorf("%d JPEGs are %d bits off in all; at most 2 a picture wanted", n, sum)
	}
	t.Logf("%d JPEGs: mean distance %.2f, worst %d", n, float64(sum)/float64(n), worst)
}
