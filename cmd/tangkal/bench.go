package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
)

// benchCmd measures the engine.
type benchCmd struct {
	Hash   benchHashCmd   `cmd:"" help:"PDQ of pixels and files, and the exact hashes."`
	Search benchSearchCmd `cmd:"" help:"Every hash within a distance, among many."`
}

// Help says what to expect.
func (benchCmd) Help() string {
	return `Measures what this machine does, on data made on the spot: nothing is read, written or sent. "hash" takes some 10 seconds, "search" about a minute
and 0.5 GB. Close what else is running: each row shows the median of all rounds and, in brackets, the least and the most.
How the figures compare with other programs: docs/performance.md.`
}

// measuring is what all measurements share.
type measuring struct {
	Rounds int           `help:"How often everything is measured; the median is shown." default:"5"`
	Each   time.Duration `help:"How long one measurement takes at least." default:"200ms"`
	JSON   bool          `name:"json" help:"As JSON, times in nanoseconds."`
}

// Validate refuses what would measure nothing.
func (m *measuring) Validate() error {
	switch {
	case m.Rounds < 1:
		return fmt.Errorf("--rounds %d: give 1 or more", m.Rounds)
	case m.Each < 0:
		return fmt.Errorf("--each %s: give a time such as 200ms", m.Each)
	}
	return nil
}

// A trial is one thing to be measured.
type trial struct {
	name  string
	bytes int // of input in one run, 0 if that says nothing
	run   func()
}

// A measured trial has the time of one run, of each round.
type measured struct {
	Name   string        `json:"name"`
	Median time.Duration `json:"median_ns"`
	Least  time.Duration `json:"min_ns"`
	Most   time.Duration `json:"max_ns"`
	Rate   float64       `json:"bytes_per_second,omitempty"` // of the median
}

// measure runs the trials in turn, as often as there are rounds, so that what
// disturbs the machine disturbs all of them.
func (m *measuring) measure(ctx context.Context, trials []trial) ([]measured, error) {
	times := make([][]time.Duration, len(trials))
	for range m.Rounds {
		for i, t := range trials {
			times[i] = append(times[i], m.once(ctx, t.run))
			if ctx.Err() != nil {
				return nil, interruptedError{"nothing was measured to its end"}
			}
		}
	}
	out := make([]measured, len(trials))
	for i, t := range trials {
		slices.Sort(times[i])
		d := times[i]
		out[i] = measured{Name: t.name, Median: d[len(d)/2], Least: d[0], Most: d[len(d)-1]}
		if t.bytes > 0 {
			out[i].Rate = float64(t.bytes) / out[i].Median.Seconds()
		}
	}
	return out, nil
}

// once returns the mean time of as many runs as fit.
func (m *measuring) once(ctx context.Context, run func()) time.Duration {
	var c clock.System
	from := c.Now()
	for n := 1; ; n++ {
		run()
		if took := c.Now().Sub(from); took >= m.Each || ctx.Err() != nil {
			return took / time.Duration(n)
		}
	}
}

// report prints a table that says on what machine it was made.
func (m *measuring) report(sh *shell, instructions string, rows []measured) error {
	b := thisBuild()
	if m.JSON {
		return json.NewEncoder(sh.stdout).Encode(struct {
			Build        build      `json:"build"`
			Processors   int        `json:"processors"`
			Instructions string     `json:"instructions"`
			Results      []measured `json:"results"`
		}{b, runtime.NumCPU(), instructions, rows})
	}
	fmt.Fprintf(sh.stdout, "%s %s, %d processors, instructions: %s; median [least - most], rounds: %d\n\n",
		b.Go, b.System, runtime.NumCPU(), instructions, m.Rounds)
	w := tabwriter.NewWriter(sh.stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		rate := ""
		if r.Rate > 0 {
			rate = fmt.Sprintf("%.0f MB/s", r.Rate/1e6)
		}
		fmt.Fprintf(w, "%s\t%s\t[%s - %s]\t%s\n", r.Name, brief(r.Median), brief(r.Least), brief(r.Most), rate)
	}
	return w.Flush()
}

// brief shows three digits.
func brief(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d >= 100*time.Microsecond:
		return fmt.Sprintf("%.3f ms", float64(d)/1e6)
	default:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	}
}
