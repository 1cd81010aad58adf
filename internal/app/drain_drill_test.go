package app_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
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
					d.awaitReady(t)
					d.acks.await(t, d.acks.count()+20)
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

// The drill sees it when a server waits for nobody as it stops.
func TestDrillDrainFindsRequestsCutOff(t *testing.T) {
	t.Parallel()
	d := newDrill(t, sqliteURL(t), false, func(o *order) { o.App.DrainFor = time.Nanosecond })
	d.start(t)
	d.awaitReady(t)
	d.drain(t, 0)
	cut := 0
	for _, f := range d.strange.list() {
		if strings.HasPrefix(f, "a report that was begun before the stop") {
			cut++
		}
	}
	if cut != halvesAtStop {
		t.Errorf("%d requests were cut off, and the drill finds %q", halvesAtStop, d.strange.list())
	}
}

// drain tells a server that is ready to stop while requests are half sent and a
// page listens, and returns after how long it was gone. Whoever is not served to
// the end is noted as strange.
func (d *drill) drain(t *testing.T, round int) time.Duration {
	t.Helper()
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
			receipt, ref, err := h.finish()
			if err != nil {
				d.strange.add("a report that was begun before the stop: %v", err)
				return
			}
			d.acks.add("reported", receipt, ref)
		})
	}
	finished.Wait()
	if said, err := io.ReadAll(stream); err != nil {
		d.strange.add("a page that listened was cut off: %v after %q", err, said)
	}
	d.gone(t)
	if log := d.child.said(t); strings.Contains(log, "cut off") {
		d.strange.add("the server cut somebody off: %s", log)
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
func (h *half) finish() (receipt, ref string, err error) {
	defer h.conn.Close()
	if _, err := io.WriteString(h.conn, h.rest); err != nil {
		return "", "", err
	}
	res, err := http.ReadResponse(h.in, nil)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	var got struct{ Receipt, Ref string }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusCreated || got.Receipt == "" {
		return "", "", fmt.Errorf("%s, %+v: %w", res.Status, got, cmp.Or(err, errors.New("no receipt")))
	}
	return got.Receipt, got.Ref, nil
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
