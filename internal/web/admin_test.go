package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/pagetest"
)

// get returns a page as a person sees it, checked.
func get(t *testing.T, x *exchangetest.Exchange, who, path string) (int, string) {
	t.Helper()
	resp, err := x.As(t, who).Browser.Get(x.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	pagetest.Check(t, who+" "+path, string(b))
	return resp.StatusCode, string(b)
}

// post sends a form as a person does and returns the page that follows.
func post(t *testing.T, x *exchangetest.Exchange, who, path string, form url.Values) (int, string) {
	t.Helper()
	resp, err := x.As(t, who).Browser.PostForm(x.URL+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	pagetest.Check(t, who+" POST "+path, string(b))
	return resp.StatusCode, string(b)
}

func TestAnErrorLeavesPeopleWhereTheyWork(t *testing.T) {
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		for path, who := range map[string]string{"/orders/00000000-0000-4000-8000-000000000000": "analyst", "/triage": "platform"} {
			for _, lang := range []string{"id", "en"} {
				status, page := get(t, x, who, path+"?lang="+lang)
				if status != http.StatusNotFound || !strings.Contains(page, `class="rail"`) || !strings.Contains(page, `action="/sign-out"`) {
					t.Errorf("%s, %s: %d, or without the console's frame", path, who, status)
				}
			}
		}
		resp, err := http.Get(x.URL + "/no-such-page")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read to its end below
		page, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusNotFound || strings.Contains(string(page), `class="rail"`) {
			t.Errorf("a stranger's error: %d, %v, or with the console's frame", resp.StatusCode, err)
		}
	})
}

var secretText = regexp.MustCompile(`data-secret>([^<]+)<`)

func TestAnAdministratorInvitesGivesKeysAndEndsAccess(t *testing.T) {
	exchangetest.Each(t, func(t *testing.T, x *exchangetest.Exchange) {
		const admin = "agency-admin"
		status, page := post(t, x, admin, "/organisation/people?lang=en", url.Values{"name": {""}, "email": {"nobody"}})
		for _, want := range []string{"“Roles” is still missing.", "“nobody” is not an e-mail address.", "invite-roles"} {
			if status != http.StatusUnprocessableEntity || !strings.Contains(page, want) {
				t.Errorf("a wrong invitation: %d, want %q on the page", status, want)
			}
		}
		_, page = post(t, x, admin, "/organisation/people?lang=en", url.Values{"name": {"Hadi P."}, "email": {"hadi@tangkal.example"}, "roles": {"analyst"}})
		m := secretText.FindStringSubmatch(page)
		if m == nil || !strings.Contains(m[1], "/invitation/tgi_") {
			t.Fatalf("no invitation on the page: %v", m)
		}
		if _, again := get(t, x, admin, "/organisation"); strings.Contains(again, m[1]) || !strings.Contains(again, "Hadi P.") {
			t.Error("the invitation is shown again, or the invited person is not")
		}

		_, page = post(t, x, admin, "/organisation/keys?lang=en", url.Values{"label": {"case system"}, "person": {string(x.As(t, "analyst").Person)}})
		m = secretText.FindStringSubmatch(page)
		if m == nil {
			t.Fatal("no API key on the page")
		}
		key, err := x.App.Auth.FromAPIKey(t.Context(), m[1], false)
		if err != nil || key.Person != x.As(t, "analyst").Person {
			t.Errorf("the key acts as %q: %v", key.Person, err)
		}
		colleague := x.As(t, "second-analyst")
		if status, _ := post(t, x, admin, "/organisation/people/"+string(colleague.Person)+"/deactivate", nil); status != http.StatusOK {
			t.Errorf("deactivate: %d", status)
		}
		if resp, err := colleague.Browser.Get(x.URL + "/organisation"); err != nil || resp.Request.URL.Path != "/sign-in" { //nolint:bodyclose // the test is over with it
			t.Errorf("a deactivated person got %v, %v", resp.Request.URL, err)
		}
		comes(t, x, "the entry in the record", func() bool {
			_, page := get(t, x, admin, "/organisation/record?lang=en")
			return strings.Contains(page, "person.deactivated")
		})
	})
}

func TestWebhooksAreAddedTestedAndRemovedOnThePage(t *testing.T) {
	x := exchangetest.Start(t)
	arrived := make(chan string, 4)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("webhook-signature")
	}))
	t.Cleanup(hook.Close)
	if status, page := post(t, x, "platform", "/organisation/webhooks?lang=en", url.Values{"url": {"ftp://x.example"}, "events": {"all"}}); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, "is not encrypted") || !strings.Contains(page, "is not an event type") || !strings.Contains(page, `value="ftp://x.example"`) {
		t.Errorf("a wrong webhook: %d", status)
	}
	_, page := post(t, x, "platform", "/organisation/webhooks?lang=en", url.Values{"url": {hook.URL}, "label": {"inbox"}})
	if m := secretText.FindStringSubmatch(page); m == nil || !strings.HasPrefix(m[1], "whsec_") {
		t.Fatalf("no secret on the page: %v", m)
	}
	id := regexp.MustCompile(`/organisation/webhooks/([^/]+)/test`).FindStringSubmatch(page)
	if id == nil {
		t.Fatal("no webhook on the page")
	}
	post(t, x, "platform", "/organisation/webhooks/"+id[1]+"/test", nil)
	if signature := <-arrived; !strings.Contains(signature, "v1a,") || !strings.Contains(signature, "v1,") {
		t.Errorf("signed %q", signature)
	}
	if resp, err := x.As(t, "other-platform").Browser.PostForm(x.URL+"/organisation/webhooks/"+id[1]+"/remove", nil); err != nil || resp.StatusCode != http.StatusNotFound { //nolint:bodyclose // the test is over with it
		t.Errorf("another platform removed it: %v, %v", resp.Status, err)
	}
	if _, page = post(t, x, "platform", "/organisation/webhooks/"+id[1]+"/remove", nil); strings.Contains(page, id[1]) {
		t.Error("it is still there")
	}
}

func TestEveryFigureOfAPackStandsOnItsPageWithSourceAndCheck(t *testing.T) {
	x := exchangetest.Start(t)
	for _, pack := range x.App.Packs.All() {
		for _, lang := range []string{"id", "en"} {
			status, page := get(t, x, "analyst", "/policy/"+pack.Code+"?lang="+lang)
			if status != http.StatusOK {
				t.Fatalf("%s: %d", pack.Code, status)
			}
			if current, _ := x.App.Packs.Current(pack.Code, x.Clock.Now()); current.Version != pack.Version {
				continue
			}
			for _, f := range pack.Figures() {
				if !strings.Contains(page, ">"+f.Key+"<") {
					t.Errorf("%s %d, %s: %s is not shown", pack.Code, pack.Version, lang, f.Key)
				}
			}
			if n := strings.Count(page, "#i-flag"); n < len(pack.Unverified()) {
				t.Errorf("%s: %d flags for %d unverified figures", pack.Code, n, len(pack.Unverified()))
			}
		}
	}
	if status, _ := get(t, x, "analyst", "/policy/id/compare?version=3"); status != http.StatusOK {
		t.Errorf("comparison: %d", status)
	}
	if status, _ := get(t, x, "analyst", "/policy/nowhere"); status != http.StatusNotFound {
		t.Errorf("an unknown pack: %d", status)
	}
}

func TestOnlyAnAdministratorReachesTheAdministration(t *testing.T) {
	x := exchangetest.Start(t)
	for _, path := range []string{"/organisation/people", "/organisation/keys", "/organisation/webhooks", "/organisation/parties"} {
		if status, _ := post(t, x, "analyst", path, url.Values{"name": {"x"}}); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	people, err := party.People(t.Context(), x.App.DB, x.As(t, "analyst").Party)
	if err != nil || len(people) != 4 {
		t.Errorf("%d people, %v", len(people), err)
	}
}
