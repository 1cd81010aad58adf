package api

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
)

func TestTwoHundredRepeatsHaveOneEffect(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		bima := h.people["bima"]
		key := header("Idempotency-Key", "satu-kali")
		body := map[string]any{"url": "https://hooks.tangkal.example/in"}
		replies := make([]reply, 200)
		var wg sync.WaitGroup
		for i := range replies {
			wg.Go(func() { replies[i] = bima.do(t, "POST", "/webhooks", body, key) })
		}
		wg.Wait()
		first := ""
		for _, r := range replies {
			switch r.StatusCode {
			case http.StatusCreated:
				if first == "" {
					first = string(r.body)
				}
				if string(r.body) != first {
					t.Errorf("two answers: %s and %s", first, r.body)
				}
			case http.StatusConflict:
				r.problem(t, http.StatusConflict, "api.idempotency-busy")
			default:
				t.Errorf("status %d: %s", r.StatusCode, r.body)
			}
		}
		again := bima.do(t, "POST", "/webhooks", body, key).want(t, http.StatusCreated, nil)
		if string(again.body) != first || again.Header.Get(headerReplayed) != "true" {
			t.Errorf("a repeat answers %s (replayed %q), want %s", again.body, again.Header.Get(headerReplayed), first)
		}
		var all list[WebhookBody]
		bima.do(t, "GET", "/webhooks", nil).want(t, 200, &all)
		if len(all.Items) != 1 {
			t.Errorf("%d webhooks, want 1", len(all.Items))
		}
		plain, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM idempotency_keys WHERE body = $1`, again.body)
		check(t, err)
		if plain != 0 {
			t.Error("an answer with a secret is kept in plain")
		}
	})
}

// A server that was killed leaves reservations: one without effect is free at
// once (on PostgreSQL, where another node may hold it, after its lease), one
// whose effect is there is not carried out again.
func TestAKeyReservedAtAKillIsFree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		bima := h.people["bima"]
		left := func(key string, status int, ago time.Duration) {
			t.Helper()
			check(t, d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO idempotency_keys (party_id, key, body_hash, status, headers, body, at) VALUES ($1, $2, $3, $4, '{}', $3, $5)`,
					bima.actor.Party, key, []byte{}, status, db.Micros(h.Clock.Now().Add(-ago)))
				return err
			}))
		}
		body := map[string]any{"url": "https://hooks.tangkal.example/in"}
		left("before-the-start", reserved, time.Second)
		first := bima.do(t, "POST", "/webhooks", body, header("Idempotency-Key", "before-the-start"))
		if d.Dialect() == db.SQLite {
			first.want(t, 201, nil)
		} else {
			first.problem(t, 409, "api.idempotency-busy")
		}
		left("lease-over", reserved, leaseFor+time.Second)
		bima.do(t, "POST", "/webhooks", body, header("Idempotency-Key", "lease-over")).want(t, 201, nil)
		left("answer-lost", effected, leaseFor+time.Second)
		bima.do(t, "POST", "/webhooks", body, header("Idempotency-Key", "answer-lost")).problem(t, 409, "api.idempotency-lost")
		left("at-work", effected, 0)
		bima.do(t, "POST", "/webhooks", body, header("Idempotency-Key", "at-work")).problem(t, 409, "api.idempotency-busy")
	})
}

// Whoever lost their reservation meanwhile writes nothing.
func TestAnEffectNeedsItsReservation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := &server{Deps: Deps{DB: d, Clock: h.Clock}}
		now := h.Clock.Now()
		mine, _, err := s.reserve(t.Context(), "scope", "key", now)
		if check(t, err); !mine {
			t.Fatal("a free key is taken")
		}
		write := func(at time.Time) error {
			ctx := db.Riding(t.Context(), func(ctx context.Context, tx *db.Tx) error { return s.effect(ctx, tx, "scope", "key", at) })
			return d.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO reference_numbers (series, year, last) VALUES ('XX', $1, 1)`, at.UnixMicro()%1000)
				return err
			})
		}
		if err := write(now.Add(-time.Minute)); !fault.Is(err, "api.idempotency-busy") {
			t.Errorf("another's reservation: %v", err)
		}
		check(t, write(now))
		if n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM reference_numbers WHERE series = 'XX'`); err != nil || n != 1 {
			t.Errorf("%d effects, %v; want one", n, err)
		}
		if _, k, err := s.reserve(t.Context(), "scope", "key", now.Add(time.Second)); err != nil || k.status != effected {
			t.Errorf("the reservation stands at %d, %v; want %d", k.status, err, effected)
		}
	})
}

func TestAKeyIsOnesOwnAndForOneRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		bima, mika := h.people["bima"], h.people["mika"]
		key := header("Idempotency-Key", "k1")
		body := map[string]any{"url": "https://hooks.tangkal.example/in"}
		bima.do(t, "POST", "/webhooks", body, key).want(t, 201, nil)
		bima.do(t, "POST", "/webhooks", map[string]any{"url": "https://hooks.tangkal.example/other"}, key).problem(t, 422, "api.idempotency-other")
		bima.do(t, "POST", "/keys", map[string]any{"label": "a", "scopes": []string{"read"}}, key).problem(t, 422, "api.idempotency-other")
		h.people["ratna"].do(t, "POST", "/people/me/breaks", nil, key).problem(t, 422, "api.idempotency-other")
		// The same request to another address, and by a colleague, is another one:
		// nobody gets the answer that another was given.
		ratna, pause := h.people["ratna"], header("Idempotency-Key", "istirahat")
		ratna.do(t, "POST", "/people/me/breaks", nil, pause).want(t, 204, nil)
		ratna.do(t, "POST", "/people/me/breaks", nil, pause).want(t, 204, nil)
		ratna.do(t, "POST", "/cases/x/release", nil, pause).problem(t, 422, "api.idempotency-other")
		h.people["dimas"].do(t, "POST", "/people/me/breaks", nil, pause).problem(t, 422, "api.idempotency-other")
		if r := mika.do(t, "POST", "/webhooks", body, key).want(t, 201, nil); r.Header.Get(headerReplayed) != "" {
			t.Error("another organisation got the answer of the first")
		}
		// A refused request frees its key.
		bima.do(t, "POST", "/webhooks", map[string]any{"url": "http://x"}, header("Idempotency-Key", "k2")).problem(t, 422, "")
		bima.do(t, "POST", "/webhooks", body, header("Idempotency-Key", "k2")).want(t, 201, nil)
		bima.do(t, "POST", "/webhooks", body, header("Idempotency-Key", "with space")).problem(t, 400, "api.idempotency-key")
	})
}

func TestARepeatedUploadIsOneCapture(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		_, id := h.reported(t)
		ratna := h.people["ratna"]
		ratna.do(t, "POST", "/cases/"+id+"/take", nil).want(t, 200, nil)
		key := header("Idempotency-Key", "unggah")
		send := func(content string) reply {
			body, kind := form(t, "capture", captureBody{}, content) // each with a boundary of its own
			return ratna.do(t, "POST", "/cases/"+id+"/captures", body, kind, key)
		}
		first := send("bukti rekaan").want(t, 201, nil)
		if again := send("bukti rekaan").want(t, 201, nil); string(again.body) != string(first.body) || again.Header.Get(headerReplayed) != "true" {
			t.Errorf("the repeat answers %s, want %s replayed", again.body, first.body)
		}
		send("bukti lain").problem(t, 422, "api.idempotency-other")
		var v caseView
		ratna.do(t, "GET", "/cases/"+id, nil).want(t, 200, &v)
		if len(v.CaptureList) != 1 {
			t.Errorf("%d captures, want 1", len(v.CaptureList))
		}
	})
}

func TestOneTokenIsOneReport(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		var token tokenBody
		h.public.do(t, "POST", "/reports/tokens", nil).want(t, 201, &token)
		body := submitBody{Locations: []string{"https://ruangsuara.example/v/1"}, Category: "unsure"}
		receipts := make([]receiptBody, 50)
		var wg sync.WaitGroup
		for i := range receipts {
			wg.Go(func() {
				h.public.do(t, "POST", "/reports", body, header("Idempotency-Key", token.Token)).want(t, 201, &receipts[i])
			})
		}
		wg.Wait()
		for _, r := range receipts {
			if r != receipts[0] {
				t.Errorf("two receipts: %v and %v", receipts[0], r)
			}
		}
		if n := h.rows(t)["reports"]; n != 1 {
			t.Errorf("%d reports, want 1", n)
		}
		h.public.do(t, "POST", "/reports", body, header("Idempotency-Key", "guessed")).problem(t, 422, "fault.input")

		// By receipt, too, a message is written once.
		key, who := header("Idempotency-Key", "pesan"), header("Receipt", receipts[0].Receipt)
		for range 3 {
			h.public.do(t, "POST", "/receipts/messages", textBody{"Tambahan."}, key, who).want(t, 201, nil)
		}
		var s statusBody
		h.public.do(t, "GET", "/receipts", nil, who).want(t, 200, &s)
		if len(s.Messages) != 1 {
			t.Errorf("%d messages, want 1", len(s.Messages))
		}
	})
}
