package app_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/scaletest"
)

// halvesAtStop is how many requests have sent half of their body when the server
// is told to stop.
const halvesAtStop = 8

// TestDrillDrain stops a serving process again and again under sixteen writers,
// as an operator does before an upgrade: what was begun is finished, what was
// acknowledged is there, nobody hears of a fault of the server's.
func TestDrillDrain(t *testing.T) {
	for _, on := range []struct {
		name string
		url  func(t *testing.T) string
	}{
		{"sqlite", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tangkal.db") }},
		{"postgres", func(t *testing.T) string { return dbtest.PostgresURL(t) }},
	} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, on.url(t), false, func(o *order) { o.App.DrainFor = patience }) // what is in hand is measured, not the machine
			n := max(scaletest.Of(20), 2)
			var took []time.Duration
			d.under(t, func() {
				for i := range n {
					took = append(took, d.drain(t, i))
					d.kills++ // a stop breaks one message off, too, which goes out again under the same id
					d.start(t)
				}
			})
			d.settle(t)
			for _, f := range d.audit(t) {
				t.Error(f)
			}
			slices.Sort(took)
			t.Logf("seed %d: %d stops, %d acknowledgements %v, gone after %v in the middle and %v at most",
				d.seed, n, d.acks.count(), d.acks.kinds(), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
		})
	}
}

// drain tells the server to stop while requests are half sent and a page
// listens, and returns after how long it was gone.
func (d *drill) drain(t *testing.T, round int) time.Duration {
	t.Helper()
	d.awaitReady(t)
	d.acks.await(t, d.acks.count()+20)
	stream := d.listen(t)
	halves := make([]*half, halvesAtStop)
	for i := range halves {
		halves[i] = d.half(t, 9_000_000+round*halvesAtStop+i)
	}
	begun := time.Now()
	if err := d.child.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody new to be let in", func() bool {
		c, err := net.Dial("tcp", d.x.Config.Listen)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	var finished sync.WaitGroup
	for _, h := range halves {
		finished.Go(func() {
			receipt, ref := h.finish(t)
			d.acks.add("reported", receipt, ref)
		})
	}
	finished.Wait()
	if said, err := io.ReadAll(stream); err != nil {
		t.Errorf("a page that listened was cut off: %v after %q", err, said)
	}
	d.gone(t)
	if log := d.child.said(t); strings.Contains(log, "cut off") {
		t.Errorf("the server cut somebody off:\n%s", log)
	}
	return time.Since(begun)
}

// gone waits until the server has ended well.
func (d *drill) gone(t *testing.T) {
	t.Helper()
	select {
	case <-d.child.done:
	case <-time.After(3 * patience):
		t.Fatal("the server did not stop at SIGTERM")
	}
	if !d.child.cmd.ProcessState.Success() {
		d.child.show(t)
		t.Fatalf("the server stopped with %v", d.child.cmd.ProcessState)
	}
}

// said is the server's log.
func (c *child) said(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(c.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// listen opens the stream of a page and returns what comes after its first word,
// which tells the browser when to come back.
func (d *drill) listen(t *testing.T) io.Reader {
	t.Helper()
	by := d.people["analyst"].inBrowser(t)
	by.http.Timeout = 0
	res, err := by.http.Get(d.x.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	r := bufio.NewReader(res.Body)
	if line, err := r.ReadString('\n'); err != nil || line != "retry: 3000\n" {
		t.Fatalf("a page is told %q: %v", line, err)
	}
	return r
}

// A half is a report of which the server has begun to read the body.
type half struct {
	conn net.Conn
	in   *bufio.Reader
	rest string
}

// half sends the header and half of the body of a report, and returns once the
// server has asked for the body.
func (d *drill) half(t *testing.T, n int) *half {
	t.Helper()
	conn, err := net.Dial("tcp", d.x.Config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	body := fmt.Sprintf(`{"locations":["https://ruangsuara.example/v/%d"],"category":"recruitment","agency":"%s","description":"Invented."}`, n, d.people["analyst"].Code)
	h := &half{conn, bufio.NewReader(conn), body[len(body)/2:]}
	host := strings.TrimPrefix(d.x.URL, "http://")
	fmt.Fprintf(conn, "POST /api/v1/reports HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", host, len(body))
	if line, err := h.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("half a report is answered %q: %v", line, err)
	}
	if _, err := h.in.Discard(len("\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	return h
}

// finish sends the rest and returns receipt and reference.
func (h *half) finish(t *testing.T) (receipt, ref string) {
	t.Helper()
	defer h.conn.Close()
	var got struct{ Receipt, Ref string }
	_, err := io.WriteString(h.conn, h.rest)
	var res *http.Response
	if err == nil {
		res, err = http.ReadResponse(h.in, nil)
	}
	if err == nil {
		defer res.Body.Close()
		err = json.NewDecoder(res.Body).Decode(&got)
	}
	if err != nil || res.StatusCode != http.StatusCreated || got.Receipt == "" {
		t.Errorf("a report that was begun before the stop: %+v %v", res, err)
	}
	return got.Receipt, got.Ref
}

// A request that never ends does not hold the stop up for ever, and the log says
// that somebody was cut off.
func TestAStopIsBounded(t *testing.T) {
	t.Parallel()
	d := newDrill(t, "sqlite:"+filepath.Join(t.TempDir(), "tangkal.db"), false)
	d.start(t)
	d.awaitReady(t)
	h := d.half(t, 1)
	if err := d.child.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.gone(t)
	if log := d.child.said(t); !strings.Contains(log, "cut off") {
		t.Errorf("the log does not say that somebody was cut off:\n%s", log)
	}
	if left, err := io.ReadAll(h.in); len(left) > 0 {
		t.Errorf("half a report is answered %q (%v)", left, err)
	}
}
