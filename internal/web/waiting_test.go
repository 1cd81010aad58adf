package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/web/browsertest"
	"github.com/tangkal/tangkal/notes"
)

// letter is one that announced n and that the platform's mail server refused.
func (e *orderHouse) letter(t *testing.T, n notice.Notice) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	refused := make(chan struct{})
	m := mail.New(mail.Deps{
		DB: e.App.DB, Feed: e.App.Feed, Clock: e.App.Clock, MAC: e.App.Vault.MAC, Log: slog.New(slog.DiscardHandler), Bounces: "bounces@tangkal.example",
		Send: func(context.Context, mail.Message) mail.Result {
			defer close(refused)
			return mail.Result{Final: true, Code: 550, Error: "550 5.1.1"}
		},
	})
	must(t, e.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return m.Write(ctx, tx, mail.Letter{
			Once: "test", Purpose: "notice.issued", Party: n.Addressee, Owner: n.Issuer, Object: "notice", ObjectID: string(n.ID), Ref: n.Ref,
			Address: "gone@ruangsuara.example", Subject: "S", Text: "T",
		})
	}))
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	<-refused
	stop() // the attempt in flight is finished
	must(t, <-done)
	all, err := mail.About(t.Context(), e.App.DB, "notice", string(n.ID))
	must(t, err)
	return all[len(all)-1].ID
}

// What waits stands on one page with a badge in the rail, and a letter that came
// back stays there until somebody says that the platform was reached otherwise.
func TestWhatWaitsStandsOnOnePage(t *testing.T) {
	h := startOrders(t)
	n := h.sent(t, notes.RemovalOrder, "https://ruangsuara.example/v/84qe-90t")
	id := h.letter(t, n)
	status, page := get(t, h.Exchange, "officer", "/waiting?lang=en")
	if status != http.StatusOK || !strings.Contains(page, "one letter came back") || !strings.Contains(page, "gone@ruangsuara.example") || !strings.Contains(page, n.Ref) {
		t.Fatalf("%d\n%s", status, page)
	}
	if _, home := get(t, h.Exchange, "officer", "/orders?lang=en"); !strings.Contains(home, `href="/waiting"`) {
		t.Error("the rail does not lead there")
	}
	if _, page := get(t, h.Exchange, "same-officer", "/waiting?lang=en"); strings.Contains(page, n.Ref) || !strings.Contains(page, "Nothing waits for you") {
		t.Error("another authority sees it")
	}
	if status, _ := post(t, h.Exchange, "same-officer", "/waiting/letters/"+id+"/reached", nil); status != http.StatusNotFound {
		t.Errorf("another authority settles it: %d", status)
	}
	if _, page := get(t, h.Exchange, "platform", "/waiting?lang=en"); !strings.Contains(page, "one notice to confirm receipt of") {
		t.Error("the platform is not told of its notice")
	}
	if status, page := post(t, h.Exchange, "officer", "/waiting/letters/"+id+"/reached", nil); status != http.StatusOK || strings.Contains(page, "gone@ruangsuara.example") {
		t.Errorf("it stays: %d", status)
	}
	if _, page := get(t, h.Exchange, "analyst", "/waiting?lang=id"); !strings.Contains(page, "Menunggu Anda") {
		t.Error("the page does not speak Indonesian")
	}
}

// What a person is told by mail is their own to say.
func TestAPersonChoosesWhatTheyAreToldByMail(t *testing.T) {
	h := startOrders(t)
	analyst := h.As(t, "analyst")
	for _, c := range []struct {
		form   url.Values
		status int
		want   tell.Wish
	}{
		{url.Values{"daily": {"7"}}, http.StatusOK, tell.Wish{Daily: 7}},
		{url.Values{"urgent": {"on"}, "daily": {""}}, http.StatusOK, tell.Wish{Urgent: true, Daily: tell.NoDaily}},
		{url.Values{"urgent": {"on"}, "daily": {"24"}}, http.StatusUnprocessableEntity, tell.Wish{Urgent: true, Daily: tell.NoDaily}},
		{url.Values{"daily": {"soon"}}, http.StatusUnprocessableEntity, tell.Wish{Urgent: true, Daily: tell.NoDaily}},
		{url.Values{}, http.StatusUnprocessableEntity, tell.Wish{Urgent: true, Daily: tell.NoDaily}},
		{url.Values{"daily": {""}}, http.StatusOK, tell.Wish{Daily: tell.NoDaily}},
	} {
		if status, _ := post(t, h.Exchange, "analyst", "/profile/mail", c.form); status != c.status {
			t.Errorf("%v: %d", c.form, status)
		}
		if got, err := tell.WishOf(t.Context(), h.App.DB, analyst.Person); err != nil || got != c.want {
			t.Errorf("%v: %+v (%v), want %+v", c.form, got, err, c.want)
		}
	}
}

// Both pages fit a desk and a phone, in light and dark.
func TestWhatWaitsFitsEveryScreen(t *testing.T) {
	h := startOrders(t)
	n := h.sent(t, notes.RemovalOrder, "https://ruangsuara.example/v/84qe-90t")
	h.letter(t, n)
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, func(c *app.Config) {
		c.SMTP, c.SMTPTLS, c.MailFrom = "127.0.0.1:9", "none", "tangkal@tangkal.example" // nobody listens
	})
	for name, v := range map[string]browsertest.View{"desk": {}, "phone": {Phone: true, Dark: true, Lang: "en"}} {
		p := browsertest.Open(t, v)
		for _, one := range []struct {
			x         *exchangetest.Exchange
			who, path string
		}{{h.Exchange, "officer", "/waiting"}, {x, "analyst", "/profile"}} {
			p.Bring(one.x.As(t, one.who).Browser.Jar, one.x.URL)
			p.Go(one.x.URL + one.path)
			p.Shot("waiting-" + one.who + "-" + name)
			if wide := p.Overflow(); wide > 0 {
				t.Errorf("%s, %s: %d pixels too wide", one.path, name, wide)
			}
		}
	}
}
