package notice

import (
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// What awaits a platform's answer is counted along its own index: not by a look
// at every order of the platform that is open.
func TestWhatAwaitsAnAnswerHasItsIndex(t *testing.T) {
	steps, err := db.All(t.Context(), dbtest.SQLite(t), func(row db.Row) (step string, err error) {
		var id, parent, unused int
		return step, row.Scan(&id, &parent, &unused, &step)
	}, "EXPLAIN QUERY PLAN "+selectAwaiting, "p")
	if err != nil {
		t.Fatal(err)
	}
	if plan := strings.Join(steps, "; "); !strings.Contains(plan, "INDEX notices_awaiting (addressee=? AND life=? AND awaits=?)") {
		t.Error(plan)
	}
}
