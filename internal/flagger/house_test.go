package flagger_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/vault"
)

// house is the room with those before it, an agency and two flaggers.
type house struct {
	*flagger.Room
	cases   *casework.Room
	reports *report.Room
	db      *db.DB
	feed    *feed.Feed
	clock   *clock.Manual
	vault   *vault.Vault
	asked   []flagger.ID // that Work be done
	back    []flagger.ID // that it take back

	analyst              party.Actor // of the agency
	lena, other, auditor party.Actor // of two flaggers and of oversight
	people               int
}

func start(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{db: d, clock: clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))}
	h.feed = feed.New(d, h.clock, slog.New(slog.DiscardHandler))
	var err error
	if h.vault, err = vault.Open(vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), KeyFile: filepath.Join(t.TempDir(), "instance.key")}); err != nil {
		t.Fatal(err)
	}
	must(t, d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return reference.Found(ctx, tx, "DEMO", "Demo", h.clock.Now())
	}))
	h.analyst = h.join(t, "tangkal-daring", party.Agency, party.Analyst)
	h.lena = h.join(t, "jaring-warga", party.Civil, party.Analyst)
	h.other = h.join(t, "aurelia", party.State, party.Liaison)
	h.auditor = h.join(t, "pengawas", party.Oversight, party.Auditor)
	platforms, err := canonical.Demo()
	must(t, err)
	h.reports = report.New(report.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: policy.Default(), Platforms: platforms})
	index := search.New(h.vault.MAC)
	h.cases = casework.New(casework.Deps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Packs: policy.Default(), Reports: h.reports})
	h.Room = flagger.New(flagger.Deps{
		DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault, Reports: h.reports, Cases: h.cases, Search: index, Cage: cage.New(cage.Config{Uncaged: true}),
		Enqueue:     func(_ context.Context, _ *db.Tx, id flagger.ID) error { h.asked = append(h.asked, id); return nil },
		EnqueueBack: func(_ context.Context, _ *db.Tx, id flagger.ID) error { h.back = append(h.back, id); return nil },
	})
	h.feed.Subscribe(h.cases.OnReport())
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// join makes an organisation and one person of it.
func (h *house) join(t testing.TB, code string, kind party.Kind, roles ...party.Role) party.Actor {
	t.Helper()
	h.people++
	var p party.Person
	must(t, h.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		org, err := party.Add(ctx, tx, party.Party{Code: code, Kind: kind, Name: "Organisasi " + code, Jurisdiction: "id", Zone: "Asia/Jakarta"}, h.clock.Now())
		if err != nil {
			return err
		}
		p, err = party.AddPerson(ctx, tx, party.Person{
			Party: org.ID, Name: fmt.Sprint("Orang ", h.people), Email: fmt.Sprintf("p%d@org.example", h.people), Roles: roles, Lang: "id", Zone: "Asia/Jakarta",
		}, h.clock.Now())
		return err
	}))
	a, err := auth.ActorFor(t.Context(), h.db, p.ID)
	must(t, err)
	h.clock.Advance(time.Second)
	return a
}

func (h *house) drain(t testing.TB) {
	t.Helper()
	for {
		n, err := h.feed.Drain(t.Context())
		must(t, err)
		if n == 0 {
			return
		}
	}
}

func (h *house) upload(t testing.TB, by party.Actor, text string) flagger.List {
	t.Helper()
	l, err := h.Upload(t.Context(), by, flagger.File{Kind: flagger.Reports, Name: "daftar.csv", Content: strings.NewReader(text), Lang: i18n.EN})
	must(t, err)
	return l
}

// send uploads a list, starts it and does its work.
func (h *house) send(t testing.TB, by party.Actor, text string) flagger.List {
	t.Helper()
	l := h.upload(t, by, text)
	must(t, h.Start(t.Context(), by, l.ID))
	must(t, h.Work(t.Context(), l.ID))
	h.drain(t)
	got, err := h.Get(t.Context(), by, l.ID)
	must(t, err)
	return got
}

func (h *house) look(t testing.TB, by party.Actor, id flagger.ID) flagger.View {
	t.Helper()
	v, err := h.Look(t.Context(), by, id, flagger.Choice{Limit: 200})
	must(t, err)
	return v
}

func (h *house) count(t testing.TB, query string, args ...any) int64 {
	t.Helper()
	n, err := db.Value[int64](t.Context(), h.db, query, args...)
	must(t, err)
	return n
}

// execute is one statement as a transaction.
func execute(query string, args ...any) func(context.Context, *db.Tx) error {
	return func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	}
}
