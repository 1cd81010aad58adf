package db_test

import (
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/db"
)

// No two lists of values have one spelling, however they are cut.
func TestSpell(t *testing.T) {
	at := time.UnixMicro(7)
	all := [][]any{
		{},
		{nil},
		{""},
		{"", ""},
		{"a", "b"},
		{"ab"},
		{"ab", ""},
		{"", "ab"},
		{[]byte("ab")},
		{[]byte{}},
		{int64(0)},
		{int64(-1)},
		{true},
		{false},
		{at},
		{"a\x00b"},
		{"s\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"\xff"},
		{"\xfe"},
	}
	seen := map[string]int{}
	for i, values := range all {
		s := string(db.Spell(values...))
		if j, ok := seen[s]; ok {
			t.Errorf("%#v and %#v are spelled alike", all[j], values)
		}
		seen[s] = i
	}
	// What both databases give back for one thing is one spelling.
	for _, same := range [][2]any{{nil, []byte(nil)}, {nil, time.Time{}}, {at, at.UTC()}, {at, int64(7)}} {
		if string(db.Spell(same[0])) != string(db.Spell(same[1])) {
			t.Errorf("%#v and %#v are spelled differently", same[0], same[1])
		}
	}
}
