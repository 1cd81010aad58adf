package app_test

// This file is compiled in the tree of an earlier version, beside its own tests
// of this package: see upgrade_test.go of the present one.

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// task is what the present version asks of the earlier one.
type task struct{ DB, Data, Hook, Out string }

func readTask(t *testing.T) (w task) {
	t.Helper()
	file := os.Getenv("TANGKAL_TEST_UPGRADE")
	if file == "" {
		t.Skip("run by the test of an upgrade")
	}
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &w)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestUpgradeFill leaves work in every state: a notice that was answered, one
// whose message the platform does not take, one that waits for its approver, and
// a report that nobody has looked at.
func TestUpgradeFill(t *testing.T) {
	w := readTask(t)
	x := exchangetest.StartOn(t, w.DB, clock.System{}, func(c *app.Config) { c.Data = w.Data })
	people := map[string]any{}
	for _, name := range []string{"analyst", "approver", "officer", "platform"} {
		p := clientOf(t, x, name).Person
		people[name] = map[string]any{"Person": p.Person, "Code": p.Code, "Party": p.Party, "Key": p.Key, "Private": p.Private, "APIKey": p.APIKey}
	}
	var hook struct {
		PublicKey string `json:"public_key"`
	}
	clientOf(t, x, "platform").inBrowser(t).must(t, "POST", "/webhooks", map[string]any{"url": w.Hook, "label": "upgrade", "events": []string{"notice.*"}}, &hook)

	answered := inIndonesia(t, x).told(t, 1)
	answered.sent(t)
	answered.platform.must(t, "POST", "/notices/"+answered.id+"/receive", map[string]any{}, nil)
	row := map[string]any{"n": 1, "answer": "removed", "at": clock.System{}.Now().UTC().Format("2006-01-02T15:04:05Z07:00"), "basis": "this-order"}
	answered.platform.must(t, "POST", "/notices/"+answered.id+"/answers", map[string]any{"rows": []any{row}}, nil)
	counts(t, x, "SELECT count(*) FROM deliveries WHERE state = 'waiting'", "every message to arrive", func(n int64) bool { return n == 0 })

	proposed := inIndonesia(t, x)
	proposed.report(t, 3)
	proposed.draft(t)
	proposed.analyst.sign(t, "propose", proposed.id)
	reported := inIndonesia(t, x)
	reported.report(t, 4)

	res, err := http.Post(w.Hook+"/refuse", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	refused := inIndonesia(t, x).told(t, 2)
	refused.sent(t)
	counts(t, x, "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND attempts > 0", "a message to be refused", func(n int64) bool { return n > 0 })
	counts(t, x, "SELECT count(*) FROM feed_pending", "the record to be whole", func(n int64) bool { return n == 0 })

	stories := map[string]any{}
	for name, s := range map[string]*story{"answered": answered, "refused": refused, "proposed": proposed, "reported": reported} {
		stories[name] = map[string]any{"Link": s.link, "Receipt": s.receipt, "Case": s.caseID, "ID": s.id, "Ref": s.ref}
	}
	raw, err := json.Marshal(map[string]any{"Config": x.Config, "URL": x.URL, "People": people, "Public": hook.PublicKey, "Stories": stories})
	if err == nil {
		err = os.WriteFile(w.Out, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func counts(t *testing.T, x *exchangetest.Exchange, query, what string, enough func(int64) bool) {
	t.Helper()
	eventually(t, what, func() bool {
		n, err := db.Value[int64](t.Context(), x.App.DB, query)
		if err != nil {
			t.Fatal(err)
		}
		return enough(n)
	})
}

// TestUpgradeRefused starts the earlier version on data of the present one, and
// says what it says.
func TestUpgradeRefused(t *testing.T) {
	w := readTask(t)
	var had struct{ Config app.Config }
	raw, err := os.ReadFile(w.Out)
	if err == nil {
		err = json.Unmarshal(raw, &had)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), had.Config, clock.System{}, slog.New(slog.DiscardHandler))
	if err == nil {
		a.Close()
		t.Fatal("it started")
	}
	fmt.Println("REFUSED:", err)
}
