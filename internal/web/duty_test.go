package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/web/browsertest"
)

// An administrator sets who is on duty on the page; everybody of the
// organisation sees it, and nobody else.
func TestARotaIsSetOnThePage(t *testing.T) {
	x := exchangetest.Start(t)
	approver := x.Cast(t, "approver")
	if status, page := get(t, x, "approver", "/organisation/duty?lang=en"); status != http.StatusOK || !strings.Contains(page, "Nobody is on duty") || strings.Contains(page, `action="/organisation/duty"`) {
		t.Errorf("an approver: %d, or may change it", status)
	}
	form := url.Values{"role": {"approver"}, "person": {string(approver.Person)}, "deputy": {""}, "from": {"00:00"}, "to": {"00:00"}, "day": {"0", "1", "2", "3", "4", "5", "6"}}
	wrong := url.Values{"role": {"approver"}, "person": {string(approver.Person)}, "deputy": {string(approver.Person)}, "from": {"25:00"}, "to": {"08:00"}}
	if status, page := post(t, x, "agency-admin", "/organisation/duty?lang=en", wrong); status != http.StatusUnprocessableEntity || strings.Count(page, `href="#`) < 3 || !strings.Contains(page, `value="08:00"`) {
		t.Errorf("a wrong form: %d, or its faults are not named", status)
	}
	if status, _ := post(t, x, "approver", "/organisation/duty", form); status != http.StatusNotFound {
		t.Errorf("an approver sets it: %d", status)
	}
	if status, page := post(t, x, "agency-admin", "/organisation/duty?lang=en", form); status != http.StatusOK || strings.Count(page, "Approver</b>") != 8 {
		t.Errorf("%d, %d lines", status, strings.Count(page, "Approver</b>"))
	}
	_, page := get(t, x, "approver", "/organisation/duty?lang=id")
	if !strings.Contains(page, "Sedang piket") || strings.Contains(page, "Tidak ada yang piket") {
		t.Error("the approver is not on duty now")
	}
	if _, page := get(t, x, "officer", "/organisation/duty?lang=en"); strings.Contains(page, "Approver</b>") {
		t.Error("another organisation sees it")
	}
	for name, v := range map[string]browsertest.View{"desk": {}, "phone": {Phone: true, Dark: true}} {
		p := browsertest.Open(t, v)
		p.Bring(x.As(t, "agency-admin").Browser.Jar, x.URL)
		p.Go(x.URL + "/organisation/duty")
		p.Shot("duty-" + name)
		if wide := p.Overflow(); wide > 0 {
			t.Errorf("%s: %d pixels too wide", name, wide)
		}
	}
	_, page = get(t, x, "agency-admin", "/organisation/duty?lang=en")
	remove := regexp.MustCompile(`/organisation/duty/[0-9a-f-]+/remove`).FindString(page)
	if status, page := post(t, x, "agency-admin", remove, nil); status != http.StatusOK || strings.Contains(page, remove) {
		t.Errorf("removed: %d, or it stays", status)
	}
}
