package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tangkal/tangkal/internal/fault"
)

// Places returns n placeholders, the first of them $from: "$2, $3, $4".
func Places(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(from+i))
	}
	return b.String()
}

// inSizes are the lengths that an IN list has: few, so that the database meets
// few different statements and can keep each prepared. A shorter list of values
// is filled up with its last one.
var inSizes = []int{1, 10, 50, 200}

// AllIn is All over rows that a list of values names. The query's text is made
// for the placeholders of an IN list, which stand after those of args; a list
// of more than 200 values is asked in parts, so an order holds within each part
// only. No values, no rows. A value given twice may bring its rows twice.
func AllIn[T, V any](ctx context.Context, r Reader, scan func(Row) (T, error), query func(in string) string, values []V, args ...any) ([]T, error) {
	var all []T
	for part := range slices.Chunk(values, inSizes[len(inSizes)-1]) {
		size := inSizes[slices.IndexFunc(inSizes, func(n int) bool { return n >= len(part) })]
		bound := slices.Clone(args)
		for i := range size {
			bound = append(bound, part[min(i, len(part)-1)])
		}
		got, err := All(ctx, r, scan, query(Places(len(args)+1, size)), bound...)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	return all, nil
}

// List spells a list for a text column, as JSON; none is "[]".
func List[T any](v []T) string {
	if len(v) == 0 {
		return "[]"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("db: a list that no JSON can hold: %w", err)) // a type that no column was made for
	}
	return string(raw)
}

// ListInto returns a scan target that reads what List wrote. What was none is
// an empty list then.
func ListInto[T any](v *[]T) any { return &listColumn[T]{v} }

type listColumn[T any] struct{ v *[]T }

// Scan reads text or bytes.
func (l *listColumn[T]) Scan(src any) error {
	var raw []byte
	switch v := src.(type) {
	case string:
		raw = []byte(v)
	case []byte:
		raw = v
	default:
		return fmt.Errorf("scan list: got %T", src)
	}
	return json.Unmarshal(raw, l.v)
}

// A Mark is where a page of a list ended: what its last row is sorted by, and
// the row's identifier, which tells rows of equal keys apart. The next page
// begins behind it.
type Mark struct {
	Key int64
	ID  string
}

// String spells the mark as callers carry it, as "1763510400000000.0199…".
func (m Mark) String() string { return strconv.FormatInt(m.Key, 10) + "." + m.ID }

// ParseMark reads what String wrote. Anything else is an Invalid fault at
// /cursor: a list that began anew instead would never end for its caller.
func ParseMark(s string) (Mark, error) {
	key, id, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil || !ok || id == "" || len(id) > 64 {
		return Mark{}, fault.New(fault.Invalid, "db.cursor").At("/cursor")
	}
	return Mark{n, id}, nil
}
