// Package axetest checks pages for accessibility with axe-core, in a real
// browser: every rule of WCAG 2.0 to 2.2, levels A and AA, that a machine can
// decide.
package axetest

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1 (MPL-2.0), handed to the page by the browser's
// debugger: the page's own policy would not load it.
//
//go:embed testdata/axe.min.js
var axe string

// run returns the findings as plain values.
const run = `axe.run(document, {
	runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"],
	resultTypes: ["violations"],
}).then((found) => found.violations.map((v) => ({
	rule: v.id, help: v.help,
	where: v.nodes.map((n) => n.target.join(" ") + ": " + n.html.slice(0, 160) + " (" + n.any.concat(n.all, n.none).map((c) => c.message).join("; ") + ")"),
})))`

// A Finding is a rule that a page breaks.
type Finding struct {
	Rule  string   `json:"rule"` // axe-core's name of it
	Help  string   `json:"help"` // what it asks for
	Where []string `json:"where"`
}

// String says the finding in some lines.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s\n\t%s", f.Rule, f.Help, strings.Join(f.Where, "\n\t"))
}

// findFor bounds one look at a page, also on a machine that is busy.
const findFor = 3 * time.Minute

// Find checks the page that ctx, a chromedp tab with scripts, shows.
func Find(ctx context.Context) ([]Finding, error) {
	ctx, stop := context.WithTimeout(ctx, findFor)
	defer stop()
	var found []Finding
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	err := chromedp.Run(ctx, chromedp.Evaluate(axe+"; true", nil), chromedp.Evaluate(run, &found, await))
	if err != nil {
		return nil, fmt.Errorf("run axe-core: %w", err)
	}
	return found, nil
}

// Check opens url in the tab of ctx, or takes the page that it shows if url is
// "", and fails the test for every finding.
func Check(t testing.TB, ctx context.Context, url string) { //nolint:revive // the test comes first, as in all our helpers
	t.Helper()
	shown, stop := context.WithTimeout(ctx, findFor)
	defer stop()
	if url != "" {
		if err := chromedp.Run(shown, chromedp.Navigate(url)); err != nil {
			t.Fatalf("open %s: %v", url, err)
		}
	} else if err := chromedp.Run(shown, chromedp.Location(&url)); err != nil {
		t.Fatal(err)
	}
	found, err := Find(ctx)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	for _, f := range found {
		t.Errorf("%s: %s", url, f)
	}
}
