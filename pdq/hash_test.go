package pdq_test

import (
	"encoding/json"
	"errors"
	"math/bits"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/pdq"
)

func anyHash(t *rapid.T, name string) (h pdq.Hash) {
	copy(h[:], rapid.SliceOfN(rapid.Byte(), pdq.Size, pdq.Size).Draw(t, name))
	return h
}

func TestTextComesBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHash(t, "hash")
		for _, text := range []string{h.String(), strings.ToUpper(h.String())} {
			if got, err := pdq.Parse(text); err != nil || got != h {
				t.Fatalf("%s: %v, %v", text, got, err)
			}
		}
		raw, err := json.Marshal(h)
		var back pdq.Hash
		if err != nil || json.Unmarshal(raw, &back) != nil || back != h {
			t.Fatalf("as JSON %s: %v, %v", raw, back, err)
		}
	})
}

func TestWhatIsNoHashIsRefused(t *testing.T) {
	good := strings.Repeat("0f", pdq.Size)
	for _, text := range []string{"", good[1:], good + "0", good[1:] + "g", " " + good[1:], strings.Repeat("0", 65)} {
		_, err := pdq.Parse(text)
		var refusal *pdq.Error
		if !errors.As(err, &refusal) || refusal.Reason != pdq.BadHash {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDistanceIsAMetric, and counts bits.
func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyHash(t, "a"), anyHash(t, "b"), anyHash(t, "c")
		want := 0
		for i := range a {
			want += bits.OnesCount8(a[i] ^ b[i])
		}
		ab := pdq.Distance(a, b)
		if ab != want || ab != pdq.Distance(b, a) {
			t.Fatalf("%d and %d, want %d", ab, pdq.Distance(b, a), want)
		}
		if pdq.Distance(a, a) != 0 || ab > pdq.Distance(a, c)+pdq.Distance(c, b) {
			t.Fatal("not a metric")
		}
	})
}
