package app_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// BenchmarkApprovedToDelivered is how long it takes from the last signature
// that an order needs, as the officer's program sends it, to the arrival of
// the signed webhook at the platform's own server: the request with its
// commit, the place in the feed, the dispatcher's check of the whole chain, a
// place once more, and the delivery. Everything before the last signature is
// not measured.
func BenchmarkApprovedToDelivered(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			at := "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
			if dialect == "postgres" {
				at = dbtest.PostgresURL(b)
			}
			x := exchangetest.StartOn(b, at, clock.System{})
			h := newHook(b, clientOf(b, x, "platform"), "notice.sent")
			var t times
			b.ResetTimer()
			b.StopTimer()
			begin := time.Now()
			for n := range b.N {
				s := inIndonesia(b, x)
				s.report(b, n)
				s.draft(b)
				s.analyst.sign(b, "propose", s.id)
				s.approver.sign(b, "approve", s.id)
				settled(b, x)
				last := s.officer.signed(b, s.id)
				b.StartTimer()
				from := time.Now()
				s.officer.must(b, "POST", "/notices/"+s.id+"/issue", last, nil)
				m := h.wait(b, "notice.sent")
				t.add(m.at.Sub(from))
				b.StopTimer()
				if m.Reference != s.ref {
					b.Fatalf("%s was told, want %s", m.Reference, s.ref)
				}
			}
			t.report(b, "notices", time.Since(begin))
		})
	}
}
