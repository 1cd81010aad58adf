// Package meter gives the numbers of a running instance to the operator's
// Prometheus: what is asked of it and how long that takes, what waits, and how
// much is left.
//
// Numbers are open to whoever can reach the listener, and are kept for years by
// others. So no label ever comes from outside: routes are the program's own
// patterns, everything else is one of a few words of its own. Nobody can be
// found in them, and no sender can make them many (threats T03, T18).
package meter

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tangkal/tangkal/internal/logbook"
)

// Prefix begins the name of every metric that is the program's own.
const Prefix = "tangkal_"

// maxRoutes bounds how many routes are told apart: several times as many as
// there are. What comes after is "other".
const maxRoutes = 1000

// none stands where a request has no route or no class.
const none = "none"

// A Meter counts. It is safe for concurrent use.
type Meter struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	open     prometheus.Gauge

	mu     sync.Mutex
	routes map[string]bool // seen; guarded by mu
}

// Build says which program counts.
type Build struct{ Version, Commit, Go string }

// New returns a meter that counts nothing yet but the process itself.
func New(b Build) *Meter {
	m := &Meter{
		registry: prometheus.NewRegistry(), routes: map[string]bool{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: Prefix + "requests_total", Help: "Requests answered, by route, by whose places they took, and by status.",
		}, []string{"route", "class", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: Prefix + "request_seconds", Help: "How long requests took, event streams apart.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .15, .25, .5, 1, 2.5, 10},
		}, []string{"route"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{Name: Prefix + "requests_open", Help: "Requests in progress, event streams included."}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: Prefix + "build_info", Help: "1; its labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.took, m.open, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch counts a request.
func (m *Meter) Watch(ctx context.Context, _ bool) (context.Context, func(logbook.Served)) {
	m.open.Inc()
	return ctx, func(s logbook.Served) {
		m.open.Dec()
		route, class := m.route(s.Route), s.Class
		if class == "" {
			class = none
		}
		m.requests.WithLabelValues(route, class, status(s.Status)).Inc()
		if class != streams {
			m.took.WithLabelValues(route).Observe(s.Took.Seconds())
		}
	}
}

// streams is the class of requests that last as long as a page is open.
const streams = "streams"

// route is the label of a pattern.
func (m *Meter) route(pattern string) string {
	if pattern == "" {
		return none
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.routes[pattern] {
		if len(m.routes) >= maxRoutes {
			return "other"
		}
		m.routes[pattern] = true
	}
	return pattern
}

// status is the label of an answer.
func status(code int) string {
	if http.StatusText(code) == "" && code != 499 { // 499: its sender left
		return "other"
	}
	return strconv.Itoa(code)
}

// A Kind tells what can be done with a number.
type Kind int

// The kinds.
const (
	Gauge   Kind = iota // goes up and down
	Counter             // goes up only, from the start of the process
)

// A Family is one metric: a number for each combination of its labels' values,
// which are few and the program's own. Its name is without Prefix.
type Family struct {
	Name, Help string
	Kind       Kind
	Labels     []string
}

// Add says one number of a family, with its labels' values in their order.
type Add func(value float64, labels ...string)

// Read makes a family part of what is told: at each look, read is asked for its
// numbers. What it does not add is not told then. It panics if the family's name
// is taken.
func (m *Meter) Read(f Family, read func(ctx context.Context, add Add)) {
	m.registry.MustRegister(&family{Family: f, read: read, desc: prometheus.NewDesc(Prefix+f.Name, f.Help, f.Labels, nil)})
}

// lookWithin bounds one look at a family.
const lookWithin = 3 * time.Second

type family struct {
	Family
	read func(context.Context, Add)
	desc *prometheus.Desc
}

// Describe sends the family's description.
func (f *family) Describe(to chan<- *prometheus.Desc) { to <- f.desc }

// Collect sends the family's numbers.
func (f *family) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), lookWithin)
	defer cancel()
	kind := prometheus.GaugeValue
	if f.Kind == Counter {
		kind = prometheus.CounterValue
	}
	f.read(ctx, func(value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(f.desc, kind, value, labels...)
	})
}

// Handler answers GET /metrics in Prometheus's text format (version 0.0.4) or
// OpenMetrics, as asked.
func (m *Meter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second, ErrorHandling: promhttp.ContinueOnError,
	}))
	return mux
}
