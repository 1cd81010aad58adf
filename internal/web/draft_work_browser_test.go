package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/notes"
)

// goesAllTheSame answers the browser's question before a page is left over
// what is not saved.
func goesAllTheSame(p *browsertest.Page) {
	chromedp.ListenTarget(p.Context, func(ev any) {
		if _, ok := ev.(*page.EventJavascriptDialogOpening); ok {
			go func() { _ = chromedp.Run(p.Context, page.HandleJavaScriptDialog(true)) }()
		}
	})
}

// ticks chooses radio buttons of a form by their names and values, as a press
// does, without what a browser takes for a person's.
func ticks(form string, values map[string]string) chromedp.Action {
	raw, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return chromedp.Evaluate(`(() => {
		for (const [name, value] of Object.entries(`+string(raw)+`)) {
			const f = [...document.querySelector("`+form+`").elements].find((f) => f.name === name && f.value === value);
			f.checked = true;
			f.dispatchEvent(new Event("change", { bubbles: true }));
		}
	})()`, nil)
}

// ticked returns which value of a name is chosen, "" for none.
func ticked(p *browsertest.Page, form, name string) (value string) {
	p.Run(chromedp.Evaluate(`[...document.querySelector("`+form+`").elements].find((f) => f.name === "`+name+`" && f.checked)?.value ?? ""`, &value))
	return value
}

// TestAPlatformsAnswersSurviveTheTab chooses answers and goes away: they are
// offered again, filled in when asked for, and gone once they are on record.
func TestAPlatformsAnswersSurviveTheTab(t *testing.T) {
	t.Parallel()
	m := openMailroom(t)
	v := m.sends(t, notes.RemovalOrder, "ruangsuara", 2)
	m.receives(t, v.ID)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(m.who.Browser.Jar, m.URL)
	goesAllTheSame(p)
	open := chromedp.Tasks{chromedp.Navigate(m.URL + "/inbox/" + string(v.ID)), arrives(`document.querySelector("#answers")?.dataset.drafting === "yes"`)}
	p.Run(open, ticks("#answers", map[string]string{"1.answer": "removed", "2.answer": "refused", "basis": "this-order"}), typed(`[name="2.refused.explanation"]`, "Liputan berita."),
		open, chromedp.WaitVisible("[data-draft-offer]", chromedp.ByQuery))
	if got := ticked(p, "#answers", "1.answer"); got != "" {
		t.Errorf("filled in unasked: %s", got)
	}
	p.Shot("ops6-draft-answers")
	var why string
	p.Run(chromedp.Click("[data-draft-restore]", chromedp.ByQuery), chromedp.Value(`[name="2.refused.explanation"]`, &why, chromedp.ByQuery))
	if one, two, basis := ticked(p, "#answers", "1.answer"), ticked(p, "#answers", "2.answer"), ticked(p, "#answers", "basis"); one != "removed" || two != "refused" || basis != "this-order" || why != "Liputan berita." {
		t.Errorf("restored %q, %q, %q, %q", one, two, basis, why)
	}
	if drafts(p) == "" {
		t.Error("the draft ended before anything was sent")
	}
	p.Run(ticks("#answers", map[string]string{"2.refused.ground": "true-purpose"}), chromedp.Click(`[form="answers"][type="submit"]`, chromedp.ByQuery),
		arrives(`document.querySelector("[data-toast]") !== null`))
	if got := drafts(p); got != "" {
		t.Errorf("after answering there is %s", got)
	}
	for _, it := range m.items(t, v.ID) {
		if len(it.History) != 1 {
			t.Errorf("item %d has %d answers", it.N, len(it.History))
		}
	}
	if said := p.Complaints(); len(said) > 0 {
		t.Errorf("the page complained: %q", said)
	}
}

// TestASecondOpinionSurvivesTheTab does the same with what a colleague was
// asked for.
func TestASecondOpinionSurvivesTheTab(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d, other := at(t, x, "analyst"), at(t, x, "second-analyst")
	c := d.reported(t, aPost)
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	d.post(t, path+"/assess", with(complete("removal-order"), "p-art", "unsure"))
	d.post(t, path+"/opinion/ask", url.Values{"person": {string(other.Person.Person)}}).want(t, http.StatusOK)
	p := browsertest.Open(t, browsertest.View{})
	p.Bring(other.Browser.Jar, x.URL)
	goesAllTheSame(p)
	form := `form[action*='/opinion']`
	open := chromedp.Tasks{chromedp.Navigate(x.URL + path), arrives(`document.querySelector("` + form + `")?.dataset.drafting === "yes"`)}
	p.Run(open, typed("#reasons", "Bukan seni, menurut saya."), ticks(form, map[string]string{"p-art": "no"}), open, chromedp.WaitVisible("[data-draft-offer]", chromedp.ByQuery))
	p.Shot("ops6-draft-opinion")
	var reasons string
	read := chromedp.Value("#reasons", &reasons, chromedp.ByQuery)
	if p.Run(read); reasons != "" || ticked(p, form, "p-art") != "" {
		t.Errorf("filled in unasked: %q", reasons)
	}
	if p.Run(chromedp.Click("[data-draft-restore]", chromedp.ByQuery), read); reasons != "Bukan seni, menurut saya." || ticked(p, form, "p-art") != "no" {
		t.Errorf("restored %q and %q", reasons, ticked(p, form, "p-art"))
	}
	if p.Run(open, chromedp.WaitVisible("[data-draft-offer]", chromedp.ByQuery), chromedp.Click("[data-draft-discard]", chromedp.ByQuery)); drafts(p) != "" {
		t.Errorf("after discarding there is %s", drafts(p))
	}
}
