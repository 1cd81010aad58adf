package duty_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
)

func TestAShiftStandsAtItsHours(t *testing.T) {
	jakarta, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	day := duty.Shift{Role: party.Approver, Weekday: time.Monday, From: 8 * 60, To: 16 * 60}
	night := duty.Shift{Role: party.Approver, Weekday: time.Saturday, From: 22 * 60, To: 6 * 60}
	whole := duty.Shift{Role: party.Approver, Weekday: time.Wednesday}
	for _, c := range []struct {
		shift duty.Shift
		at    string // in Jakarta; 2026-11-23 is a Monday
		want  bool
	}{
		{day, "2026-11-23 08:00", true},
		{day, "2026-11-23 15:59", true},
		{day, "2026-11-23 16:00", false},
		{day, "2026-11-23 07:59", false},
		{day, "2026-11-24 09:00", false},
		{day, "2026-11-30 09:00", true},
		{night, "2026-11-28 22:00", true},
		{night, "2026-11-29 05:59", true},
		{night, "2026-11-29 06:00", false},
		{night, "2026-11-28 05:00", false},
		{night, "2026-11-29 23:00", false},
		{whole, "2026-11-25 00:00", true},
		{whole, "2026-11-25 23:59", true},
		{whole, "2026-11-26 00:00", false},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, jakarta)
		if err != nil {
			t.Fatal(err)
		}
		got := len(duty.On([]duty.Shift{c.shift}, party.Approver, at.UTC(), jakarta)) == 1
		if got != c.want {
			t.Errorf("%s %d–%d at %s: %v", c.shift.Weekday, c.shift.From, c.shift.To, c.at, got)
		}
		if len(duty.On([]duty.Shift{c.shift}, party.Officer, at.UTC(), jakarta)) != 0 {
			t.Error("it stands for another role")
		}
	}
}

// An organisation's administrator sets shifts of its own people, and a row that
// this program did not write calls nobody.
func TestARotaIsTheOrganisationsOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		at := clock.NewManual(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC))
		rota := duty.New(d, feed.New(d, at, slog.New(slog.DiscardHandler)), at)
		admin, first, second := join(t, d, "a", party.Admin), join(t, d, "a", party.Approver), join(t, d, "a", party.Approver)
		other := join(t, d, "b", party.Admin, party.Approver)
		good := duty.Plan{Role: party.Approver, Weekdays: []time.Weekday{time.Monday, time.Tuesday}, From: 480, To: 960, Person: first.Person, Deputy: second.Person}
		for name, bad := range map[string]func(*duty.Plan){
			"role":       func(p *duty.Plan) { p.Role = party.Admin },
			"no day":     func(p *duty.Plan) { p.Weekdays = nil },
			"day":        func(p *duty.Plan) { p.Weekdays = []time.Weekday{7} },
			"hour":       func(p *duty.Plan) { p.To = 1440 },
			"same":       func(p *duty.Plan) { p.Deputy = p.Person },
			"nobody":     func(p *duty.Plan) { p.Person = "" },
			"stranger":   func(p *duty.Plan) { p.Deputy = other.Person },
			"not theirs": func(p *duty.Plan) { p.Person = admin.Person },
		} {
			p := good
			bad(&p)
			if err := rota.Add(t.Context(), admin, p); fault.Of(err) != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := rota.Add(t.Context(), first, good); fault.Of(err) != fault.Denied {
			t.Errorf("an approver sets shifts: %v", err)
		}
		if err := rota.Add(t.Context(), admin, good); err != nil {
			t.Fatal(err)
		}
		shifts := of(t, d, admin.Party)
		if len(shifts) != 2 || shifts[0].Person != first.Person || shifts[1].Weekday != time.Tuesday {
			t.Fatalf("shifts: %+v", shifts)
		}
		if err := rota.Remove(t.Context(), other, shifts[0].ID); fault.Of(err) != fault.NotFound {
			t.Errorf("another organisation removes it: %v", err)
		}
		sql(t, d, `UPDATE duty_shifts SET person_id = $2 WHERE id = $1`, shifts[0].ID, string(second.Person))
		if left := of(t, d, admin.Party); len(left) != 1 || left[0].ID != shifts[1].ID {
			t.Errorf("an altered shift stands: %+v", left)
		}
		if err := rota.Remove(t.Context(), admin, shifts[1].ID); err != nil {
			t.Fatal(err)
		}
		if left := of(t, d, admin.Party); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}

func of(t *testing.T, d *db.DB, id party.ID) []duty.Shift {
	t.Helper()
	all, err := duty.Of(t.Context(), d, id)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sql(t *testing.T, d *db.DB, text string, args ...any) {
	t.Helper()
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, text, args...); return err }); err != nil {
		t.Fatal(err)
	}
}

// join adds a person to the organisation with that code.
func join(t *testing.T, d *db.DB, code string, roles ...party.Role) party.Actor {
	t.Helper()
	var by party.Actor
	err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		org, err := party.ByCode(ctx, tx, "org-"+code)
		if fault.Of(err) == fault.NotFound {
			org, err = party.Add(ctx, tx, party.Party{Code: "org-" + code, Kind: party.Agency, Name: code, Zone: "Asia/Jakarta"}, now)
		}
		if err != nil {
			return err
		}
		people, err := party.People(ctx, tx, org.ID)
		if err != nil {
			return err
		}
		p, err := party.AddPerson(ctx, tx, party.Person{
			Party: org.ID, Name: fmt.Sprint("P", len(people)), Email: fmt.Sprintf("p%d@%s.example", len(people), code), Roles: slices.Clone(roles), Lang: "id", Zone: "Asia/Jakarta",
		}, now)
		if err != nil {
			return err
		}
		by, err = auth.ActorFor(ctx, tx, p.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return by
}
