package casework

import (
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// The queue is read along its index: no sorting, however many cases wait.
func TestTheQueueIsReadAlongItsIndex(t *testing.T) {
	d := dbtest.SQLite(t)
	for name, f := range map[string]struct {
		Filter
		index string
	}{
		"first page":    {Filter{}, "cases_waiting"},
		"a later page":  {Filter{Cursor: db.Mark{Key: 40, ID: "x"}.String()}, "cases_waiting"},
		"of a queue":    {Filter{Queue: "public"}, "cases_queue"},
		"of a platform": {Filter{Platform: "p"}, "cases_platform"},
		"of a lane":     {Filter{Lane: "l"}, "cases_lane"},
	} {
		query, args, err := f.query(analyst("a", "p1"), noon, 51)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := db.All(t.Context(), d, func(row db.Row) (string, error) {
			var id, parent, unused int
			var step string
			err := row.Scan(&id, &parent, &unused, &step)
			return step, err
		}, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(steps, "; "); !strings.Contains(plan, "INDEX "+f.index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", name, plan)
		}
	}
}
