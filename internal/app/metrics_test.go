package app_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

// metered is a server that tells its numbers.
func metered(c *app.Config) { c.Metrics = "127.0.0.1:0" }

// A sample is one number that an instance tells.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

var (
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
)

// numbers reads what the instance tells Prometheus.
func numbers(t *testing.T, x *exchangetest.Exchange) []sample {
	t.Helper()
	res, err := http.Get("http://" + x.App.MetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s", res.Status)
	}
	var out []sample
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("not a sample: %q", line)
		}
		s := sample{name: m[1], labels: map[string]string{}}
		for _, p := range labelPair.FindAllStringSubmatch(m[2], -1) {
			s.labels[p[1]] = p[2]
		}
		if s.value, err = strconv.ParseFloat(m[3], 64); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// valueOf returns the number with these labels ("a=b"), -1 if there is none.
func valueOf(all []sample, name string, labels ...string) float64 {
	for _, s := range all {
		fits := s.name == name
		for _, l := range labels {
			k, v, _ := strings.Cut(l, "=")
			fits = fits && s.labels[k] == v
		}
		if fits {
			return s.value
		}
	}
	return -1
}

func TestNumbersTellWhatHappens(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/tangkal.db" },
		"postgres": func(t *testing.T) string { return dbtest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := exchangetest.StartOn(t, url(t), clock.System{}, metered)
			s := inIndonesia(t, x)
			s.report(t, 1)
			eventually(t, "the report to have its place, in the numbers too", func() bool {
				all := numbers(t, x)
				return valueOf(all, "tangkal_feed_pending") == 0 && valueOf(all, "tangkal_feed_entries") > 0
			})
			all := numbers(t, x)
			for _, want := range []struct {
				name   string
				labels []string
				value  float64
			}{
				{"tangkal_requests_total", []string{"route=POST /api/v1/reports", "class=reports", "status=201"}, 1},
				{"tangkal_request_seconds_count", []string{"route=POST /api/v1/reports"}, 1},
				{"tangkal_places_limit", []string{"class=answers"}, 64},
				{"tangkal_refused_total", []string{"class=reports"}, 0},
				{"tangkal_part", []string{"part=database"}, 0},
				{"tangkal_feed_stuck", nil, 0},
				{"tangkal_deliveries", []string{"state=waiting"}, 0},
				{"tangkal_clocks", []string{"state=overdue"}, 0},
				{"tangkal_jobs", []string{"state=discarded"}, 0},
				{"tangkal_build_info", nil, 1},
			} {
				if got := valueOf(all, want.name, want.labels...); got != want.value {
					t.Errorf("%s %v is %v, want %v", want.name, want.labels, got, want.value)
				}
			}
			if got := valueOf(all, "tangkal_disk_free_bytes"); got < 1<<20 {
				t.Errorf("%v bytes free", got)
			}
		})
	}
}

// Whoever finds no place is counted in the class they came for.
func TestNumbersTellWhoIsRefused(t *testing.T) {
	x := exchangetest.StartWith(t, func(c *app.Config) {
		metered(c)
		c.Places = map[admit.Class]admit.Limits{admit.Reading: {}}
	})
	if res, err := http.Get(x.URL + "/"); err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("a page without places: %v %v", res, err)
	}
	if got := valueOf(numbers(t, x), "tangkal_refused_total", "class=reading"); got != 1 {
		t.Errorf("%v refused, want 1", got)
	}
}

// Whoever asks leaves nothing of what they sent in the numbers, and cannot make
// them many: every label is a word of the program's.
func TestNoLabelComesFromOutside(t *testing.T) {
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, metered)
	const canary = "kenari"
	numbers(t, x)
	before := len(numbers(t, x))
	for i := range 60 {
		for _, path := range []string{"/%s-%d", "/api/v1/cases/%s-%d", "/api/v1/%s-%d", "/static/%s-%d", "/receipt/%s%d?q=%[1]s", "//%s/../%d", "/orders/%s-%d/"} {
			askAs(t, x, []string{"GET", "POST", "KENARI", "HEAD"}[i%4], fmt.Sprintf(path, canary, i), canary+strconv.Itoa(i)+".example")
		}
	}
	askAs(t, x, "CONNECT", "/api", canary)
	all := numbers(t, x)
	words := allowedWords()
	for _, s := range all {
		if !strings.HasPrefix(s.name, "tangkal_") {
			continue
		}
		for label, value := range s.labels {
			if strings.Contains(strings.ToLower(value), canary) {
				t.Errorf("%s: %s is %q", s.name, label, value)
			}
			allowed, known := words[label]
			if !known || !allowed.MatchString(value) {
				t.Errorf("%s: label %s is %q, which is no word of ours", s.name, label, value)
			}
		}
	}
	if grown := len(all) - before; grown > 400 {
		t.Errorf("420 requests made %d new series", grown)
	}
}

// allowedWords are the labels there may be, and what they may say.
func allowedWords() map[string]*regexp.Regexp {
	var classes []string
	for _, c := range admit.Classes() {
		classes = append(classes, string(c))
	}
	one := func(words ...string) *regexp.Regexp {
		return regexp.MustCompile(`^(` + strings.Join(words, "|") + `)$`)
	}
	return map[string]*regexp.Regexp{
		// A pattern of the mux: its parts in braces are names, not values.
		"route":  one(`none`, `/`, `/api/`, `(GET|POST|PUT|PATCH|DELETE) (/[a-z0-9.-]*|/\{[a-z]+(\.\.\.)?\})+(\{\$\})?`),
		"class":  one(append(classes, "none")...),
		"status": one(`[1-5][0-9][0-9]`),
		"state": one("busy", "idle", "free", "waiting", "given-up", "failing", "paused", "returned", "overdue", "unreceived", "running",
			"available", "retryable", "scheduled", "discarded"),
		"pool": one("writer", "readers", "all"), "outcome": one("shown", "refused", "failed"), "refuses": one("files", "all"),
		"part": one("database", "vault", "disk", "feed", "cage", "certificate", "clock", "rows", "mail"),
		"le":   one(`[0-9.]+`, `\+Inf`), "version": one(`.*`), "commit": one(`[0-9a-f]*`), "go": one(`go.*`),
	}
}

// askAs sends one request as it stands, past what a client would refuse.
func askAs(t *testing.T, x *exchangetest.Exchange, method, path, host string) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", x.Config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, path, host); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

func TestNumbersAreOnTheirOwnListenerOrNowhere(t *testing.T) {
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, metered)
	if res, err := http.Get(x.URL + "/metrics"); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("on the public listener: %v %v", res, err)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/readyz"} {
		if res, err := http.Get("http://" + x.App.MetricsAddress() + path); err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("%s beside the numbers: %v %v", path, res, err)
		}
	}
	if off := exchangetest.Start(t); off.App.MetricsAddress() != "" || off.App.Meter != nil {
		t.Error("numbers are told without being asked for")
	}
	taken := x.Config
	taken.Data, taken.DB, taken.Metrics = t.TempDir(), "", x.App.MetricsAddress()
	if a, err := app.Open(context.Background(), taken, clock.System{}, x.App.Log); err == nil {
		a.Close()
		t.Error("an address that is taken is no fault")
	}
}

// Every number that a rule or the page for operators names exists, with the
// labels it is asked for, and each of ours is explained there.
func TestAlertsAndDocsNameNumbersThatExist(t *testing.T) {
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, metered)
	http.Get(x.URL + "/")
	all := numbers(t, x)
	raw, err := os.ReadFile("../../deploy/prometheus-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(raw, &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 15 {
		t.Fatalf("%d groups", len(rules.Groups))
	}
	for _, r := range rules.Groups[0].Rules {
		if r.Alert == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["do"] == "" {
			t.Errorf("%+v: want name, severity, summary and what to do", r)
		}
		named := selector.FindAllStringSubmatch(r.Expr, -1)
		if len(named) == 0 {
			t.Errorf("%s asks for no number: %s", r.Alert, r.Expr)
		}
		for _, n := range named {
			if name := n[1]; name != "up" && !exists(all, name, n[2]) {
				t.Errorf("%s asks for %s{%s}, which nobody tells", r.Alert, name, n[2])
			}
		}
	}
	docs, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`tangkal_[a-z_]+`).FindAllString(string(docs), -1) {
		if !exists(all, name, "") && !exists(all, name+"_bucket", "") {
			t.Errorf("docs/operating.md names %s, which nobody tells", name)
		}
	}
	ours := map[string]bool{}
	for _, s := range all {
		if strings.HasPrefix(s.name, "tangkal_") {
			ours[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(s.name, "")] = true
		}
	}
	for name := range ours {
		if !regexp.MustCompile("`" + name + "[`{]").Match(docs) {
			t.Errorf("docs/operating.md does not explain %s", name)
		}
	}
}

// selector finds the numbers in an expression, and what is asked of their
// labels.
var selector = regexp.MustCompile(`\b((?:tangkal|go|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?`)

// exists reports whether a number of that name is told whose labels fit.
func exists(all []sample, name, matchers string) bool {
	want := regexp.MustCompile(`([a-z_]+)(=~|!=|=)"([^"]*)"`).FindAllStringSubmatch(matchers, -1)
	return slices.ContainsFunc(all, func(s sample) bool {
		if s.name != name {
			return false
		}
		for _, w := range want {
			value, has := s.labels[w[1]]
			if w[1] != "job" && (!has || w[2] == "=" && value != w[3]) { // Prometheus adds the job
				return false
			}
		}
		return true
	})
}

// What waits for a paused webhook waits for a person, a test that failed was
// given up by nobody, and what was asked for again waits since then.
func TestNumbersOfWebhooksAreOfWhatTheOperatorCanMend(t *testing.T) {
	x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, metered)
	admin := x.As(t, "platform")
	var ids []string
	for _, label := range []string{"well", "failing", "paused"} {
		e, _, err := x.App.Outbox.AddEndpoint(t.Context(), admin.Actor, "https://hooks.tangkal.example/"+label, label, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	now := x.Clock.Now()
	ago := func(d time.Duration) int64 { return db.Micros(now.Add(-d)) }
	err := x.App.DB.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE endpoints SET failing_since = $2 WHERE id <> $1`, ids[0], ago(time.Hour))
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE endpoints SET paused_at = $2 WHERE id = $1`, ids[2], ago(time.Minute))
		}
		for i, d := range []struct {
			endpoint, state string
			lane            int
			created, queued time.Duration
		}{
			{ids[0], "waiting", 2, 5 * 24 * time.Hour, 100 * time.Second},
			{ids[0], "waiting", 0, 3 * time.Hour, 3 * time.Hour},
			{ids[0], "given-up", 0, 3 * time.Hour, 3 * time.Hour},
			{ids[1], "given-up", 1, 4 * time.Hour, 4 * time.Hour},
			{ids[2], "waiting", 1, 2 * time.Hour, 2 * time.Hour},
		} {
			if err == nil {
				_, err = tx.Exec(ctx, `
					INSERT INTO deliveries (id, endpoint_id, party_id, seq, type, object, object_id, ref, body, state, attempts, next_at, created_at, queued_at, lane)
					VALUES ($1, $2, $3, $4, 'notice.sent', 'notice', 'n1', '', $5, $6, 0, $7, $8, $9, $10)`,
					fmt.Sprint("d", i), d.endpoint, admin.Party, 1_000_000+i, []byte{}, d.state, ago(-24*time.Hour), ago(d.created), ago(d.queued), d.lane)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := numbers(t, x)
	for _, want := range []struct {
		name, label string
		value       float64
	}{
		{"tangkal_deliveries", "state=waiting", 2},
		{"tangkal_deliveries", "state=given-up", 1},
		{"tangkal_endpoints", "state=failing", 1},
		{"tangkal_endpoints", "state=paused", 1},
	} {
		if got := valueOf(all, want.name, want.label); got != want.value {
			t.Errorf("%s %s is %v, want %v", want.name, want.label, got, want.value)
		}
	}
	if got := valueOf(all, "tangkal_deliveries_waiting_oldest_seconds"); got < 100 || got > 3600 {
		t.Errorf("the oldest message has waited for %v s, want somewhat over 100", got)
	}
}
