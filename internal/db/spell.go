package db

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Spell returns one spelling of a row's values, for a MAC over them: each with
// its type and its length, so that no two rows are spelled alike. It takes
// text, bytes, integers, booleans and times; an absent value is nil, and the
// zero time is absent. Any other type is a bug that panics.
func Spell(values ...any) []byte {
	var out []byte
	put := func(kind byte, v []byte) {
		out = append(out, kind)
		out = binary.BigEndian.AppendUint64(out, uint64(len(v)))
		out = append(out, v...)
	}
	number := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) } //nolint:gosec // a spelling, not a number
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			put('0', nil)
		case string:
			put('s', []byte(v))
		case []byte:
			if v == nil {
				put('0', nil)
				continue
			}
			put('b', v)
		case int64:
			put('i', number(v))
		case bool:
			if v {
				put('t', nil)
			} else {
				put('f', nil)
			}
		case time.Time:
			if v.IsZero() {
				put('0', nil)
				continue
			}
			put('i', number(Micros(v)))
		default:
			panic(fmt.Sprintf("db: cannot spell a %T", v))
		}
	}
	return out
}
