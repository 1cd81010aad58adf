package dbtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
)

// A State is everything that a database holds: its rows by table, each row its
// values by column, spelled as SQL literals. Rows are in no order.
type State map[string][]map[string]string

// Dump reads a SQLite database whole, less the tables that work by themselves
// (the job queue's and the migrations'), those of skip, and notices.look_at, where
// the sweep notes beside everything else when it looks again.
func Dump(t testing.TB, d *db.DB, skip ...string) State {
	t.Helper()
	tables, err := db.All(t.Context(), d, db.Scalar[string], `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	state := State{}
	for _, table := range tables {
		if strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "sqlite_") || strings.HasPrefix(table, "goose_") || slices.Contains(skip, table) {
			continue
		}
		state[table] = rowsOf(t, d, table)
	}
	return state
}

func rowsOf(t testing.TB, d *db.DB, table string) []map[string]string {
	t.Helper()
	columns, err := db.All(t.Context(), d, db.Scalar[string], `SELECT name FROM pragma_table_info('`+table+`') WHERE name <> 'look_at'`)
	if err != nil {
		t.Fatal(err)
	}
	var object []string
	for _, c := range columns {
		object = append(object, fmt.Sprintf(`'%s', quote("%s")`, c, c))
	}
	rows, err := db.All(t.Context(), d, db.Scalar[string], `SELECT json_object(`+strings.Join(object, ", ")+`) FROM "`+table+`"`)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[string]string, 0, len(rows))
	for _, r := range rows {
		var row map[string]string
		if err := json.Unmarshal([]byte(r), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

// Texts returns the state as one line a row, "table: column=value …", sorted.
func (s State) Texts() []string {
	var out []string
	for table, rows := range s {
		for _, row := range rows {
			cells := make([]string, 0, len(row))
			for c, v := range row {
				cells = append(cells, c+"="+v)
			}
			slices.Sort(cells)
			out = append(out, table+": "+strings.Join(cells, " "))
		}
	}
	slices.Sort(out)
	return out
}

// Changed says in a few lines how two states differ, "" if they do not: "-" goes
// before rows that went, "+" before those that came. Of long rows it shows the
// beginning, and never compares within them: they have hundreds of kilobytes.
func Changed(before, after []string) string {
	var b strings.Builder
	shown := 0
	for mark, of := range map[string][2][]string{"-": {before, after}, "+": {after, before}} {
		for _, row := range of[0] {
			if _, there := slices.BinarySearch(of[1], row); there {
				continue
			}
			if shown++; shown <= 20 {
				fmt.Fprintf(&b, "%s %.300s\n", mark, row)
			}
		}
	}
	if shown > 20 {
		fmt.Fprintf(&b, "and %d more\n", shown-20)
	}
	if shown == 0 && len(before) != len(after) {
		fmt.Fprintf(&b, "%d rows, %d before\n", len(after), len(before))
	}
	return b.String()
}
