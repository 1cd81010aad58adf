package report_test

import (
	"context"
	"crypto/rand"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/scaletest"
)

// guess returns a receipt code that nobody was given, spelled as one is printed:
// what reading another spelling takes would be measured, too.
func guess() string {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	raw := make([]byte, 16)
	rand.Read(raw) //nolint:errcheck // never fails
	for i := range raw {
		raw[i] = letters[raw[i]%32]
	}
	s := string(raw)
	return "TGK-" + s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
}

// The drill of threat-model T02: a million random codes open nothing, and the
// time of an answer does not tell a wrong code from one that was right for a
// report that is erased.
func TestDrillReceipts(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	var gone []string
	for range 50 {
		r := h.submit(t, good())
		gone = append(gone, r.Code)
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			return h.EraseTx(ctx, tx, []report.ID{r.ReportID}, h.clock.Now())
		})
		h.submit(t, good())
	}
	n := scaletest.Of(1_000_000)
	for range n {
		if code := guess(); !fault.Is(second(h.Status(t.Context(), code)), "report.no-receipt") {
			t.Fatalf("%s opens something", code)
		}
	}
	pairs := scaletest.Of(10_000)
	var wrong, erased []time.Duration
	timed := func(code string) time.Duration {
		begun := time.Now()
		if err := second(h.Status(t.Context(), code)); !fault.Is(err, "report.no-receipt") {
			t.Fatalf("%s: %v", code, err)
		}
		return time.Since(begun)
	}
	for i := range pairs {
		if i%2 == 0 { // neither is always the second
			wrong, erased = append(wrong, timed(guess())), append(erased, timed(gone[i%len(gone)]))
		} else {
			erased, wrong = append(erased, timed(gone[i%len(gone)])), append(wrong, timed(guess()))
		}
	}
	z := rankSum(wrong, erased)
	slices.Sort(wrong)
	slices.Sort(erased)
	t.Logf("%d random codes: 0 open anything; over %d pairs a wrong code takes %v in the middle, one of an erased report %v; z = %.2f (significant at p = 0.01 from 2.58)",
		n, pairs, wrong[pairs/2], erased[pairs/2], z)
	if math.Abs(z) > 6 { // by chance once in 500 million; a look more than one path takes shows far beyond
		t.Errorf("the time of an answer tells an erased report from none: z = %.2f", z)
	}
	// The measure sees a difference where there is one: half as long again among
	// thousands, five times as long among a hundred on a machine that is busy.
	more := wrong[pairs/2] / 2
	if pairs < 1000 {
		more *= 10
	}
	slower := make([]time.Duration, len(wrong))
	for i, d := range wrong {
		slower[i] = d + more
	}
	if z := rankSum(wrong, slower); pairs >= 100 && math.Abs(z) < 6 {
		t.Errorf("%v more is not seen: z = %.2f", more, z)
	}
}

func second[T any](_ T, err error) error { return err }

// rankSum compares two samples of equal size without asking how they are
// distributed (Mann and Whitney 1947), as a standard normal z.
func rankSum(a, b []time.Duration) float64 {
	type one struct {
		d     time.Duration
		first bool
	}
	var all []one
	for i := range a {
		all = append(all, one{a[i], true}, one{b[i], false})
	}
	slices.SortFunc(all, func(x, y one) int { return int(x.d - y.d) })
	sum := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].d == all[i].d {
			j++
		}
		for _, o := range all[i:j] {
			if o.first {
				sum += float64(i+j+1) / 2 // the middle rank of equals
			}
		}
		i = j
	}
	n := float64(len(a))
	return (sum - n*(2*n+1)/2) / math.Sqrt(n*n*(2*n+1)/12)
}
