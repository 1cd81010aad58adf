package db_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
)

func TestALongListIsAskedWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const rows = 450
		if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for i := range rows {
				if err := put(ctx, tx, fmt.Sprintf("s%03d", i), i); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 2, 10, 11, 199, 200, 201, 450, 500} {
			var asked, want []string
			for i := range n {
				name := fmt.Sprintf("s%03d", i)
				asked = append(asked, name)
				if i < rows && i >= 5 {
					want = append(want, name)
				}
			}
			got, err := db.AllIn(t.Context(), d, db.Scalar[string], func(in string) string {
				return `SELECT series FROM reference_numbers WHERE last >= $1 AND year = $2 AND series IN (` + in + `)`
			}, asked, 5, 2026)
			slices.Sort(got)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%d names: %d rows, %v; want %d", n, len(got), err, len(want))
			}
		}
	})
}

func TestAListColumnReadsBackEqual(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, want := range [][]string{{}, {"a"}, {"", `"],[`, "ē, ü\n"}} {
			got := []string{"before"}
			_, err := db.One(t.Context(), d, func(row db.Row) (struct{}, error) {
				return struct{}{}, row.Scan(db.ListInto(&got))
			}, `SELECT CAST($1 AS TEXT)`, db.List(want))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%q: %v\n%s", want, err, diff)
			}
		}
		if got := db.List[string](nil); got != "[]" {
			t.Errorf("none is %q, want []", got)
		}
		var numbers []int
		if _, err := db.One(t.Context(), d, func(row db.Row) (struct{}, error) {
			return struct{}{}, row.Scan(db.ListInto(&numbers))
		}, `SELECT 'no list'`); err == nil {
			t.Error("what is no list was read")
		}
	})
}

func TestAMarkReadsBackEqualAndNothingElseIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := db.Mark{Key: rapid.Int64().Draw(t, "key"), ID: rapid.StringMatching(`[0-9a-f-]{1,36}`).Draw(t, "id")}
		if got, err := db.ParseMark(want.String()); err != nil || got != want {
			t.Fatalf("%s: %+v, %v", want, got, err)
		}
		any := rapid.String().Draw(t, "any")
		if got, err := db.ParseMark(any); err == nil && got.ID == "" || err != nil && !fault.Is(err, "db.cursor") {
			t.Fatalf("%q: %+v, %v", any, got, err)
		}
	})
	for _, bad := range []string{"", "x", "1", "1.", ".", ".a", "1e9.a", "9223372036854775808.a"} {
		if _, err := db.ParseMark(bad); !fault.Is(err, "db.cursor") {
			t.Errorf("%q is taken for a mark: %v", bad, err)
		}
	}
}
