package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/scaletest"
	"github.com/tangkal/tangkal/internal/vault"
)

// slow opens n connections that never send what they promise: half headers and
// half bodies of reports, in turns.
func slow(t *testing.T, x *exchangetest.Exchange, n int) (all []net.Conn) {
	t.Helper()
	for i := range n {
		conn, err := net.Dial("tcp", x.Config.Listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		begin := "POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		if i%2 > 0 {
			begin += "Content-Length: 60000\r\n\r\nurl="
		}
		if _, err := io.WriteString(conn, begin); err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	return all
}

// held counts the connections that the server has not closed within a time,
// those of half headers and those of half bodies.
func held(t *testing.T, all []net.Conn, within time.Duration) (headers, bodies int) {
	t.Helper()
	until := time.Now().Add(within)
	for i, conn := range all {
		if err := conn.SetReadDeadline(until); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		switch _, err := io.Copy(io.Discard, conn); {
		case !errors.As(err, &timeout) || !timeout.Timeout():
		case i%2 > 0:
			bodies++
		default:
			headers++
		}
	}
	return headers, bodies
}

// honest sends n reports and as many other requests, and returns how long each
// took, and the first that was not served.
func honest(t *testing.T, x *exchangetest.Exchange, n int) (took []time.Duration, refused string) {
	t.Helper()
	for i := range n {
		form, _ := aReport(fmt.Sprintf("https://ruangsuara.example/v/%d", 700_000+i))
		for _, ask := range []func() said{
			func() said { return say(t, "POST", x.URL+"/report", form, "Content-Type", formType) },
			func() said { return say(t, "GET", x.URL+"/livez", "") },
			func() said {
				return say(t, "GET", x.URL+"/api/v1/inbox", "", "Authorization", "Bearer "+x.Cast(t, "platform").APIKey)
			},
		} {
			begun := time.Now()
			if got := ask(); got.status != http.StatusOK && refused == "" {
				refused = fmt.Sprintf("%d %s", got.status, got.body)
			}
			took = append(took, time.Since(begun))
		}
	}
	return took, refused
}

// slowForShort is how slow a client may be while the drill is short.
const slowForShort = 5 * time.Second

// slowFor is that, and while the drill is whole what the product usually bears.
func slowFor() time.Duration {
	if scaletest.Percent() == 100 {
		return 0
	}
	return slowForShort
}

// The drill of threat-model T03 and goal G14: two thousand connections that
// send next to nothing leave honest ones as quick as they were, and are closed,
// whether their header or their body does not come.
func TestDrillSlowClients(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(c *app.Config) { c.SlowFor = slowFor() })
	before, _ := honest(t, x, 20)
	n := max(scaletest.Of(2000), 200)
	begun := time.Now()
	all := slow(t, x, n)
	after, refused := honest(t, x, 20)
	if refused != "" {
		t.Errorf("beside %d slow connections an honest request got %s", n, refused)
	}
	scaletest.Within(t, "an honest request alone", 200*time.Millisecond, before...)
	scaletest.Within(t, fmt.Sprintf("an honest request beside %d slow connections", n), 200*time.Millisecond, after...)
	if headers, bodies := held(t, all, 2*patience); headers+bodies > 0 {
		t.Errorf("%d headers and %d bodies that do not come hold their connections for %v", headers, bodies, time.Since(begun))
	}
	t.Logf("%d half headers and half bodies were closed within %v", n, time.Since(begun).Round(time.Second))
}

// The drill sees it when nothing bounds how long a header and a body may take.
func TestDrillSlowClientsFindsConnectionsHeld(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(c *app.Config) { c.SlowFor = time.Hour })
	all := slow(t, x, 10)
	if headers, bodies := held(t, all, slowForShort+time.Second); headers != 5 || bodies != 5 {
		t.Errorf("nothing bounds the slow ones, and %d headers and %d bodies of 5 each are held", headers, bodies)
	}
}

// Bodies that are too large to be gathered take places, and give them back when
// others wait: forty that stop in the middle do not shut uploads out.
func TestDrillSlowClientsWithLargeBodies(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(*app.Config) {})
	for range 40 {
		conn, err := net.Dial("tcp", x.Config.Listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6000000\r\n\r\nurl="+strings.Repeat("a", 70_000)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the slow ones to take every place of uploads", func() bool { return x.App.Gate.Stats()[5].Busy >= x.App.Gate.Stats()[5].Places })
	form, _ := aReport("https://ruangsuara.example/v/800001")
	form += "&description=" + strings.Repeat("+", 100_000) // is cut at its ends, and arrives whole
	begun, tries := time.Now(), 1
	for ; ; tries++ {
		got := say(t, "POST", x.URL+"/report", form, "Content-Type", formType)
		if got.status == http.StatusOK {
			break
		}
		if got.status != http.StatusServiceUnavailable || time.Since(begun) > 2*patience {
			t.Fatalf("after %v: %d %.300s", time.Since(begun), got.status, got.body)
		}
	}
	t.Logf("beside 40 large bodies that stopped, a report of 100 kB was taken after %v, at the %d. try", time.Since(begun).Round(time.Millisecond), tries)
}

// Without bodies gathered before a place is taken, slow ones shut reports out.
func TestDrillSlowClientsFindsPlacesHeldBySlowBodies(t *testing.T) {
	t.Parallel()
	ungathered := admit.Limits{Workers: 32, Wait: 10 * time.Millisecond}
	x := exchangetest.StartWith(t, func(c *app.Config) {
		c.Places = map[admit.Class]admit.Limits{admit.Reports: ungathered, admit.Uploads: ungathered}
	})
	slow(t, x, 100)
	eventually(t, "the slow ones to take every place of uploads", func() bool { return x.App.Gate.Stats()[5].Busy >= ungathered.Workers })
	if _, refused := honest(t, x, 1); refused == "" {
		t.Error("slow bodies hold every place, and nobody is refused")
	}
}

// repeats sends the same request n times, sixty-four at once, each again while
// it is told that it comes too often or too early, and returns the answers.
func repeats(t *testing.T, n int, ask func() (reply, error)) map[string]int {
	t.Helper()
	answers := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, 64)
	for range n {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			for t.Context().Err() == nil {
				r, err := ask()
				if err != nil {
					t.Error(err)
					return
				}
				if r.status == http.StatusServiceUnavailable || r.status == http.StatusConflict && bytes.Contains(r.body, []byte("idempotency-busy")) {
					continue
				}
				mu.Lock()
				answers[fmt.Sprintf("%d %s", r.status, r.body)]++
				mu.Unlock()
				return
			}
		})
	}
	all.Wait()
	return answers
}

// The drill of goal G6: ten thousand repeats at once of one report, and of one
// write with an Idempotency-Key, have one effect each and one answer; another
// request under the same key is refused.
func TestDrillDuplicate(t *testing.T) {
	t.Parallel()
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		n := max(scaletest.Of(10_000), 200)
		for _, f := range duplicates(t, x, n) {
			t.Error(f)
		}
		t.Logf("%d repeats of a report and of a write with a key: one effect each", n)
	})
}

// The drill sees it when a server minds no keys.
func TestDrillDuplicateFindsKeysThatNobodyMinds(t *testing.T) {
	t.Parallel()
	x := exchangetest.Prepare(t, sqliteURL(t))
	x.Serve(t, func(a *app.App) {
		a.Around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del("Idempotency-Key")
				next.ServeHTTP(w, r)
			})
		}
	})
	if found := duplicates(t, x, 5); len(found) != 4 { // the messages that are too many have the same empty answer
		t.Errorf("nobody minds keys, and of four faults the drill finds %q", found)
	}
}

// duplicates sends a report and a message n times each under one key, and a
// third thing under the same, and returns what should not have come of it.
func duplicates(t *testing.T, x *exchangetest.Exchange, n int) (found []string) {
	t.Helper()
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	nobody, analyst := clientOf(t, x, ""), clientOf(t, x, "analyst")
	var made struct{ Token string }
	nobody.must(t, "POST", "/reports/tokens", nil, &made)
	_, body := aReport("https://ruangsuara.example/v/1")
	answers := repeats(t, n, func() (reply, error) {
		return nobody.ask(t.Context(), "POST", "/reports", json.RawMessage(body), "Idempotency-Key: "+made.Token)
	})
	if len(answers) != 1 {
		add("%d repeats of one report got %d different answers: %.300v", n, len(answers), answers)
	}
	if got := rows(t, x, "reports"); got != 1 {
		add("%d repeats of one report made %d", n, got)
	}
	id, err := db.Value[string](t.Context(), x.App.DB, `SELECT id FROM reports LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) (reply, error) {
		return analyst.ask(t.Context(), "POST", "/reports/"+id+"/messages", map[string]any{"text": text}, "Idempotency-Key: one")
	}
	answers = repeats(t, n, func() (reply, error) { return write("Invented.") })
	if len(answers) != 1 {
		add("%d repeats with one key got %d different answers: %.300v", n, len(answers), answers)
	}
	if got := rows(t, x, "report_messages"); got != 1 {
		add("%d repeats with one key made %d messages", n, got)
	}
	if other, err := write("Another."); err != nil || other.status != http.StatusUnprocessableEntity {
		add("another request with the same key: %d %s, %v", other.status, other.body, err)
	}
	return found
}

func rows(t *testing.T, x *exchangetest.Exchange, table string) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), x.App.DB, `SELECT count(*) FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hostile returns an upload that no browser sends: a real one, spoilt at random.
func hostile(rng *rand.Rand) (head string, body []byte) {
	const boundary = "----tangkal"
	name := pick(rng, "a.png", "../../etc/passwd", "a.exe", strings.Repeat("n", 4000)+".png", "a\x00.png", "\"; filename=\"b.html", "a.svg", "")
	kind := pick(rng, "image/png", "text/html", "application/x-msdownload", "image/svg+xml", "multipart/mixed; boundary=x", strings.Repeat("x", 3000), "")
	content := pick(rng, "\x89PNG\r\n\x1a\n", "MZ\x90\x00", "GIF89a", "<script>1</script>", "PK\x03\x04", "\xff\xd8\xff\xe0", "--"+boundary, "") + strings.Repeat(pick(rng, "a", "\x00", "\r\n", "é"), rng.IntN(5000))
	var b bytes.Buffer
	part := func(header, text string) { fmt.Fprintf(&b, "--%s\r\n%s\r\n\r\n%s\r\n", boundary, header, text) }
	part(`Content-Disposition: form-data; name="url"`, "https://ruangsuara.example/v/"+fmt.Sprint(rng.IntN(1000)))
	part(`Content-Disposition: form-data; name="category"`, pick(rng, "unsure", "unsure", "none", strings.Repeat("c", 70_000)))
	for range pick(rng, 1, 1, 2, 12, 300) {
		part(fmt.Sprintf("Content-Disposition: form-data; name=\"files\"; filename=\"%s\"\r\nContent-Type: %s", name, kind), content)
	}
	if rng.IntN(4) == 0 {
		part(`Content-Disposition: form-data; name="description"`, "after the files")
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	body = b.Bytes()
	length := len(body)
	switch rng.IntN(5) {
	case 0:
		body = body[:rng.IntN(len(body))] // cut off
	case 1:
		length = rng.IntN(2 * length) // promises too little or too much
	case 2:
		body[rng.IntN(len(body))] ^= 1 << rng.IntN(8)
	}
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n",
		pick(rng, "/report", "/report", "/receipt/material", "/api/v1/reports"), pick(rng, boundary, boundary, boundary, "other", strings.Repeat("b", 80), ""), length), body
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// The drill of goal G15: ten thousand hostile uploads are each answered or cut
// off, none by a fault of ours, and leave no file that belongs to nothing.
func TestDrillBadUpload(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(*app.Config) {})
	for _, f := range badUploads(t, x, max(scaletest.Of(10_000), 200)) {
		t.Error(f)
	}
}

// The drill sees a server that keeps what comes before it has read it, halves of
// it too, and breaks down over it.
func TestDrillBadUploadFindsWhatIsKeptUnread(t *testing.T) {
	t.Parallel()
	x := exchangetest.Prepare(t, sqliteURL(t))
	x.Serve(t, func(a *app.App) {
		a.Around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					keepUnread(t, a, r)
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	})
	found := strings.Join(badUploads(t, x, 8), "\n")
	for _, want := range []string{"answered with 500", "belong to no report", "is left over"} {
		if !strings.Contains(found, want) {
			t.Errorf("a server keeps what it has not read, and the drill does not say that files %s: %s", want, found)
		}
	}
}

// keepUnread puts a body into the vault as it comes, and half of it beside.
func keepUnread(t *testing.T, a *app.App, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what there is of it
	key, _, err := a.Vault.NewKey()
	if err == nil {
		_, err = a.Vault.Put(context.WithoutCancel(r.Context()), key, bytes.NewReader(body), 1<<30)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(a.Config.Data, "vault", ".tmp-half"), body[:len(body)/2], 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

// badUploads sends about n hostile uploads, eight at once, and returns what
// should not have come of them.
func badUploads(t *testing.T, x *exchangetest.Exchange, n int) (found []string) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	statuses := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for range n / 8 {
				status := throw(t, x, rng)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for status := range statuses {
		if strings.HasPrefix(status, "5") && status != "503" {
			found = append(found, fmt.Sprintf("%d uploads were answered with %s", statuses[status], status))
		}
	}
	unowned, kept := unowned(t, x)
	t.Logf("%d hostile uploads: %v; %d files kept", n, statuses, kept)
	return append(found, unowned...)
}

// unowned returns the files of a vault that belong to nothing, and counts the
// whole ones.
func unowned(t *testing.T, x *exchangetest.Exchange) (found []string, kept int) {
	t.Helper()
	orphans := 0
	err := x.App.Vault.Walk(t.Context(), func(s vault.Stat) error {
		kept++
		has, err := x.App.Report.Blobs(t.Context(), x.App.DB, []string{s.Name.String()})
		if len(has) == 0 {
			orphans++
		}
		return err
	})
	if err != nil || orphans > 0 {
		found = append(found, fmt.Sprintf("%d of %d files belong to no report: %v", orphans, kept, err))
	}
	err = filepath.WalkDir(filepath.Join(x.Config.Data, "vault"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".tmp-") && !strings.Contains(path, "probe") {
			found = append(found, path+" is left over")
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a probe of the server's
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found, kept
}

// throw sends one hostile upload over a connection of its own, closes its side
// at the end, and returns the status of the answer, "cut" if there is none.
func throw(t *testing.T, x *exchangetest.Exchange, rng *rand.Rand) string {
	conn, err := (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "tcp", x.Config.Listen)
	if err != nil {
		t.Error(err)
		return "unreached"
	}
	defer conn.Close()
	head, body := hostile(rng)
	if _, err := io.WriteString(conn, head); err == nil {
		conn.Write(body) //nolint:errcheck // the server may have had enough
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.CloseWrite() //nolint:errcheck // it may have closed first
	}
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return "cut"
	}
	io.Copy(io.Discard, conn) //nolint:errcheck // what follows is looked at elsewhere
	return string(answer[len(answer)-3:])
}
