package app_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// clients is how many send at once in the measurements of intake.
const clients = 16

// times are how long requests took.
type times struct {
	mu  sync.Mutex
	all []time.Duration // guarded by mu
}

func (t *times) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
}

// report gives the rate over the whole and the percentiles of one request.
func (t *times) report(b *testing.B, what string, took time.Duration) {
	slices.Sort(t.all)
	at := func(p float64) float64 { return float64(t.all[int(p*float64(len(t.all)-1))].Microseconds()) / 1000 }
	b.ReportMetric(float64(len(t.all))/took.Seconds(), what+"/s")
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// share runs do b.N times by so many clients at once.
func share(b *testing.B, do func(client, n int) error) (*times, time.Duration) {
	b.Helper()
	var t times
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	begin := time.Now()
	for c := range clients {
		group.Go(func() {
			for {
				n := int(next.Add(1))
				if n > b.N {
					return
				}
				from := time.Now()
				if err := do(c, n); err != nil {
					b.Error(err)
					return
				}
				t.add(time.Since(from))
			}
		})
	}
	group.Wait()
	took := time.Since(begin)
	b.StopTimer()
	return &t, took
}

// BenchmarkIntake sends reports by the API and by the public form from 16
// clients on connections of their own, and then waits until each stands in a
// case. What was answered was on disk. cpu-ms is the processor time that this
// process spent on one report until its case was there: the client's, the
// server's and the sequencer's, on SQLite the database's too.
func BenchmarkIntake(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		for _, way := range []string{"api", "form"} {
			b.Run(dialect+"/"+way, func(b *testing.B) { benchmarkIntake(b, dialect, way) })
		}
	}
}

func benchmarkIntake(b *testing.B, dialect, way string) {
	at := "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
	if dialect == "postgres" {
		at = dbtest.PostgresURL(b)
	}
	x := exchangetest.StartOn(b, at, clock.System{})
	address := strings.TrimPrefix(x.Config.Listen, "http://")
	var lines [clients]*line
	for i := range lines {
		lines[i] = dial(b, address)
	}
	spent := processorTime(b)
	t, took := share(b, func(client, n int) error {
		if way == "api" {
			return lines[client].ask(http.StatusCreated, "POST", "/api/v1/reports", "application/json", fmt.Sprintf(
				`{"locations":["https://ruangsuara.example/v/%d"],"category":"unsure","description":"Seen on the feed, number %d."}`, n, n))
		}
		return lines[client].ask(http.StatusOK, "POST", "/report", "application/x-www-form-urlencoded", url.Values{
			"url": {fmt.Sprintf("https://ruangsuara.example/v/%d", n)}, "category": {"unsure"}, "reply": {"id"},
			"description": {fmt.Sprintf("Seen on the feed, number %d.", n)},
		}.Encode())
	})
	from := time.Now()
	settled(b, x)
	spent = processorTime(b) - spent
	t.report(b, "reports", took)
	b.ReportMetric(float64(time.Since(from).Milliseconds()), "lag-ms")
	b.ReportMetric(float64(spent.Microseconds())/1000/float64(b.N), "cpu-ms")
}

// settled waits until every entry has its place.
func settled(b *testing.B, x *exchangetest.Exchange) {
	b.Helper()
	wake, stop := x.App.Feed.Sequenced().Listen()
	defer stop()
	for {
		n, err := db.Value[int64](b.Context(), x.App.DB, `SELECT count(*) FROM feed_pending`)
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return
		}
		select {
		case <-wake:
		case <-time.After(time.Second):
		}
	}
}

// A line is one kept connection of a client that costs as little as it can: it
// shares the processors with what is measured.
type line struct {
	conn net.Conn
	in   *bufio.Reader
	host string
}

func dial(b *testing.B, address string) *line {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() }) //nolint:errcheck // nothing is on its way
	return &line{conn, bufio.NewReader(conn), address}
}

func (l *line) ask(want int, method, path, media, body string) error {
	if _, err := fmt.Fprintf(l.conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nAccept-Language: id\r\nContent-Length: %d\r\n\r\n%s",
		method, path, l.host, media, len(body), body); err != nil {
		return err
	}
	resp, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, answer)
	}
	return err
}

// bareRow is what one report leaves in the database, as a single table.
const bareTable = `CREATE TABLE bare (id TEXT PRIMARY KEY, mac %s UNIQUE, ref TEXT UNIQUE, body %s NOT NULL)`

// BenchmarkIntakeBare is the same load on the database alone: 16 writers, each
// report a transaction of its own with the six rows that a report is, by the
// same drivers and under the same durability.
func BenchmarkIntakeBare(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		d, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
		if err != nil {
			b.Fatal(err)
		}
		defer d.Close() //nolint:errcheck // the measurement is over
		d.SetMaxOpenConns(1)
		if _, err := d.ExecContext(b.Context(), fmt.Sprintf(bareTable, "BLOB", "BLOB")); err != nil {
			b.Fatal(err)
		}
		body := make([]byte, 200)
		t, took := share(b, func(_, _ int) error {
			tx, err := d.BeginTx(b.Context(), nil)
			if err != nil {
				return err
			}
			for range 6 {
				id := db.NewID()
				if _, err := tx.ExecContext(b.Context(), `INSERT INTO bare VALUES (?, ?, ?, ?)`, id, []byte(id), id, body); err != nil {
					return err
				}
			}
			return tx.Commit()
		})
		t.report(b, "reports", took)
	})
	b.Run("postgres", func(b *testing.B) {
		cfg, err := pgxpool.ParseConfig(dbtest.PostgresURL(b))
		if err != nil {
			b.Fatal(err)
		}
		cfg.MaxConns = clients
		pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer pool.Close()
		if _, err := pool.Exec(b.Context(), fmt.Sprintf(bareTable, "BYTEA", "BYTEA")); err != nil {
			b.Fatal(err)
		}
		body := make([]byte, 200)
		t, took := share(b, func(_, _ int) error {
			tx, err := pool.Begin(b.Context())
			if err != nil {
				return err
			}
			defer tx.Rollback(context.WithoutCancel(b.Context())) //nolint:errcheck // after a commit it says so
			for range 6 {
				id := db.NewID()
				if _, err := tx.Exec(b.Context(), `INSERT INTO bare VALUES ($1, $2, $3, $4)`, id, []byte(id), id, body); err != nil {
					return err
				}
			}
			return tx.Commit(b.Context())
		})
		t.report(b, "reports", took)
	})
}
