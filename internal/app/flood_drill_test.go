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
	"path/filepath"
	"slices"
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
// half bodies of reports.
func slow(t *testing.T, x *exchangetest.Exchange, n int) (headers []net.Conn) {
	t.Helper()
	for i := range n {
		conn, err := net.Dial("tcp", x.Config.Listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		begin := "POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		if i%2 == 0 {
			headers = append(headers, conn)
		} else {
			begin += "Content-Length: 60000\r\n\r\nurl="
		}
		if _, err := io.WriteString(conn, begin); err != nil {
			t.Fatal(err)
		}
	}
	return headers
}

// honest sends n reports and as many other requests, and returns how long each
// took, the shortest first, and the first that was not served.
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
	slices.Sort(took)
	return took, refused
}

// The drill of threat-model T03 and goal G14: two thousand connections that
// send next to nothing leave honest ones as quick as they were, and are closed.
func TestDrillSlowClients(t *testing.T) {
	t.Parallel()
	x := exchangetest.StartWith(t, func(*app.Config) {})
	before, _ := honest(t, x, 20)
	n := max(scaletest.Of(2000), 200)
	headers := slow(t, x, n)
	after, refused := honest(t, x, 20)
	if refused != "" {
		t.Errorf("beside %d slow connections an honest request got %s", n, refused)
	}
	t.Logf("%d slow connections: an honest request takes %v in the middle and %v at most; without them %v and %v",
		n, after[len(after)/2], after[len(after)-1], before[len(before)/2], before[len(before)-1])
	begun := time.Now()
	for _, conn := range headers {
		if err := conn.SetReadDeadline(begun.Add(2 * patience)); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if _, err := io.Copy(io.Discard, conn); errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatalf("a header that does not come holds its connection for %v", time.Since(begun))
		}
	}
	t.Logf("%d half headers were closed within %v", len(headers), time.Since(begun).Round(time.Second))
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
		nobody, analyst := clientOf(t, x, ""), clientOf(t, x, "analyst")
		var made struct{ Token string }
		nobody.must(t, "POST", "/reports/tokens", nil, &made)
		_, body := aReport("https://ruangsuara.example/v/1")
		n := max(scaletest.Of(10_000), 200)
		answers := repeats(t, n, func() (reply, error) {
			return nobody.ask(t.Context(), "POST", "/reports", json.RawMessage(body), "Idempotency-Key: "+made.Token)
		})
		if len(answers) != 1 {
			t.Errorf("%d repeats of one report got %d different answers: %.300v", n, len(answers), answers)
		}
		if got := rows(t, x, "reports"); got != 1 {
			t.Errorf("%d repeats of one report made %d", n, got)
		}
		id, err := db.Value[string](t.Context(), x.App.DB, `SELECT id FROM reports LIMIT 1`)
		if err != nil {
			t.Fatal(err)
		}
		reply_ := func(text string) (reply, error) {
			return analyst.ask(t.Context(), "POST", "/reports/"+id+"/messages", map[string]any{"text": text}, "Idempotency-Key: one")
		}
		answers = repeats(t, n, func() (reply, error) { return reply_("Invented.") })
		if got := rows(t, x, "report_messages"); got != 1 || len(answers) != 1 {
			t.Errorf("%d repeats with one key made %d messages, with %d different answers: %.300v", n, got, len(answers), answers)
		}
		if other, err := reply_("Another."); err != nil || other.status != http.StatusUnprocessableEntity {
			t.Errorf("another request with the same key: %d %s, %v", other.status, other.body, err)
		}
		t.Logf("%d repeats of a report and of a write with a key: one effect each", n)
	})
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
	n := max(scaletest.Of(10_000), 200)
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
			t.Errorf("%d uploads were answered with %s", statuses[status], status)
		}
	}
	orphans, kept := 0, 0
	err := x.App.Vault.Walk(t.Context(), func(s vault.Stat) error {
		kept++
		has, err := x.App.Report.HasBlob(t.Context(), x.App.DB, s.Name)
		if !has {
			orphans++
		}
		return err
	})
	if err != nil || orphans > 0 {
		t.Errorf("%d of %d files belong to no report: %v", orphans, kept, err)
	}
	err = filepath.WalkDir(filepath.Join(x.Config.Data, "vault"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".tmp-") && !strings.Contains(path, "probe") {
			t.Errorf("%s is left over", path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a probe of the server's
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d hostile uploads: %v; %d files kept, 0 without a report", n, statuses, kept)
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
