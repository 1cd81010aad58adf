package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/outbox"
)

// What a killed server had claimed goes out seconds later, under its own id.
func TestAMessageClaimedByAKilledServerIsSentSoon(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := start(t, d)
		r := newReceiver(t)
		e, _ := x.endpoint(t, r.URL)
		x.record(t, "notice.sent", x.admin.Party)
		if took, err := x.box.Claim(t.Context(), e.ID); err != nil || !took {
			t.Fatalf("nothing to claim: %v", err)
		}
		if took, err := x.box.Claim(t.Context(), e.ID); err != nil || took {
			t.Fatalf("claimed twice: %v", err)
		}
		x.clock.Advance(x.box.ClaimFor())
		x.run(t)
		all, err := x.box.Deliveries(t.Context(), x.admin, e.ID, 0, 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d deliveries, %v", len(all), err)
		}
		if m := r.wait(t); m.ID != all[0].ID {
			t.Errorf("sent as %s, want %s", m.ID, all[0].ID)
		}
		want := 5 * time.Second
		if d.Dialect() == db.Postgres { // where another node may be at it, for longer than any attempt takes
			want = 30 * time.Second
		}
		if got := x.box.ClaimFor(); got != want {
			t.Errorf("a killed server's messages wait %s, want %s", got, want)
		}
	})
}

// An attempt that takes its time keeps its claim: no other node sends the
// message meanwhile, however long that is.
func TestASlowAttemptKeepsItsClaim(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { // elsewhere a claim is longer than any attempt
		d := dbtest.SQLite(t)
		x := start(t, d)
		e, _ := x.endpoint(t, "http://127.0.0.1:1/in")
		begun, done := make(chan struct{}), make(chan struct{})
		x.box.Send = func(context.Context, outbox.Message) outbox.Result {
			close(begun)
			<-done
			return outbox.Result{Status: 200}
		}
		x.box.RenewEvery(time.Millisecond)
		other := outbox.New(x.box.Deps)
		x.record(t, "notice.sent", x.admin.Party)
		x.run(t)
		t.Cleanup(func() { close(done) }) // before the sender is waited for
		<-begun
		for range 3 {
			x.clock.Advance(x.box.ClaimFor() - time.Second)
			now := db.Micros(x.clock.Now())
			for renewed := int64(0); renewed == 0; {
				var err error
				if renewed, err = db.Value[int64](t.Context(), d, `SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND next_at > $2`, e.ID, now+1_000_000); err != nil {
					t.Fatal(err)
				}
			}
			if took, err := other.Claim(t.Context(), e.ID); err != nil || took {
				t.Fatalf("another node took it too: %v", err)
			}
		}
	})
}
