package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/exchangetest"
)

func TestOneSaysWhatOneIsNotGiven(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	if next := d.post(t, "/triage/next", nil); !strings.Contains(next.body, "Tidak ada yang menunggu Anda sekarang.") || strings.Contains(next.body, "yang Anda hindari") {
		t.Errorf("with an empty queue next leads to %s", next.url)
	}
	c := d.reported(t, "https://ruangsuara.example/v/1") // of recruitment
	saved := d.post(t, "/profile/topics", url.Values{"topic": {"recruitment"}})
	if saved.status != http.StatusOK || !strings.Contains(saved.body, `value="recruitment" checked`) || strings.Contains(saved.body, `value="threat" checked`) {
		t.Errorf("the profile after saving: %d", saved.status)
	}
	if next := d.post(t, "/triage/next", nil); next.url.Path != "/triage" || !strings.Contains(next.body, "bertopik yang Anda hindari") || !strings.Contains(next.body, "topik yang Anda hindari") || !strings.Contains(next.body, `href="/triage?who=free"`) {
		t.Errorf("next leads to %s", next.url)
	}
	if queue := at(t, x, "second-analyst").get(t, "/triage"); strings.Contains(queue.body, "topik yang Anda hindari") {
		t.Error("a colleague is told what somebody avoids")
	}
	d.post(t, "/profile/topics", url.Values{"topic": {"sports"}}).want(t, http.StatusUnprocessableEntity)
	d.post(t, "/profile/topics", nil).want(t, http.StatusOK)
	if next := d.post(t, "/triage/next", nil); next.url.Path != "/cases/"+string(c.ID) {
		t.Errorf("next leads to %s", next.url)
	}
	if mine := at(t, x, "platform").get(t, "/profile"); strings.Contains(mine.body, "/profile/topics") {
		t.Error("who is given no cases is asked what they avoid")
	}
}

func TestAPictureSeenBeforeStaysCovered(t *testing.T) {
	t.Parallel()
	x := exchangetest.Start(t)
	d := at(t, x, "analyst")
	img, shown := picture(t), `<img class="media`
	var path string
	var first string
	for i, link := range []string{"https://ruangsuara.example/v/1", "https://ruangsuara.example/v/2"} {
		c := d.reported(t, link)
		path = "/cases/" + string(c.ID)
		d.post(t, path+"/take", nil)
		d.uploads(t, path+"/captures", img).want(t, http.StatusOK)
		if i == 0 {
			first = c.Ref
			if page := d.get(t, path); !strings.Contains(page.body, shown) || strings.Contains(page.body, "sudah pernah ditampilkan") {
				t.Error("what is new is not shown to its holder")
			}
		}
	}
	page := d.get(t, path)
	if strings.Contains(page.body, shown) || !strings.Contains(page.body, "sudah pernah ditampilkan kepada Anda pada "+first) {
		t.Error("the same picture is shown with another case")
	}
	_, rest, ok := strings.Cut(page.body, `href="`+path+`?media=`)
	id, _, _ := strings.Cut(rest, `"`)
	if asked := d.get(t, path+"?media="+id); !ok || !strings.Contains(asked.body, shown) {
		t.Error("nor is it when asked for")
	}
}
