package static_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/web/static"
)

func get(t *testing.T, url string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestAVersionMayBeKeptAndAPlainNameIsAskedForAgain(t *testing.T) {
	url := static.URL("js/app.js")
	versioned := get(t, url)
	if got := versioned.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("%s: Cache-Control %q", url, got)
	}
	plain := get(t, "/static/js/app.js")
	if got := plain.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("without a version: Cache-Control %q", got)
	}
	again := get(t, "/static/js/app.js", "If-None-Match", plain.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again with its tag: status %d", again.StatusCode)
	}
	if got := get(t, "/static/js/app.js?v=000000000000").Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("with a stale version: Cache-Control %q", got)
	}
}

func TestPackedAndPlainAreTheSame(t *testing.T) {
	plain, err := io.ReadAll(get(t, static.URL("tangkal.css")).Body)
	if err != nil {
		t.Fatal(err)
	}
	packed := get(t, static.URL("tangkal.css"), "Accept-Encoding", "gzip, br")
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("Content-Encoding %q", packed.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || string(unpacked) != string(plain) {
		t.Errorf("%d bytes unpacked, %d plain, %v", len(unpacked), len(plain), err)
	}
}

func TestUnknownFilesAreNotFound(t *testing.T) {
	for _, path := range []string{"/static/", "/static/js", "/static/../static.go", "/static/static.go", "/static/js/none.js"} {
		if code := get(t, path).StatusCode; code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, code)
		}
	}
}

// homeBudget is what the public home may weigh without fonts, in bytes over
// the wire, its own markup aside.
const homeBudget = 56_000

func TestThePublicHomeIsLight(t *testing.T) {
	var sum int64
	for _, name := range []string{"tangkal.css", "icons.svg", "mark.svg", "js/theme.js", "js/app.js", "js/clocks.js", "js/forms.js", "js/trust.js", "js/words.js", "js/work.js", "js/hash.js"} {
		n, err := io.Copy(io.Discard, get(t, static.URL(name), "Accept-Encoding", "gzip").Body)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum > homeBudget {
		t.Errorf("the public home takes %d bytes, more than %d", sum, homeBudget)
	}
}

func TestThirdPartyFilesAreWhatTheLicenceListSays(t *testing.T) {
	list, err := os.ReadFile("LICENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*`([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(list), -1)
	if len(rows) < 10 {
		t.Fatalf("only %d files are listed", len(rows))
	}
	for _, row := range rows {
		b, err := os.ReadFile(row[1])
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:]); got != row[2] {
			t.Errorf("%s: sha256 %s, listed %s", row[1], got, row[2])
		}
	}
}

// Without script the root carries no .dark: every dark colour must stand for
// the device's preference too.
func TestTheDeviceMayChooseDarkWithoutScript(t *testing.T) {
	raw, err := os.ReadFile("tangkal.css")
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`--(?:canvas|ink|brand|rail|share-ink):#[0-9a-f]+`)
	rule := func(selector string) []string {
		var found []string
		for _, m := range regexp.MustCompile(`[{}]`+regexp.QuoteMeta(selector)+`\{([^{}]*)\}`).FindAllStringSubmatch(string(raw), -1) {
			found = append(found, token.FindAllString(m[1], -1)...)
		}
		return found
	}
	chosen, device := rule(".dark"), rule("html:not(.js)[data-theme=auto]")
	if len(chosen) < 5 || !slices.Equal(chosen, device) {
		t.Errorf("chosen dark is %v, the device's is %v", chosen, device)
	}
}
