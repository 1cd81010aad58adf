package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/tangkal/tangkal/internal/meter"
)

// openMeter opens the listener of the numbers, if there is to be one.
func (a *App) openMeter(ctx context.Context) (err error) {
	if a.Config.Metrics == "" {
		return nil
	}
	var lc net.ListenConfig
	if a.metrics, err = lc.Listen(ctx, "tcp", a.Config.Metrics); err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	a.Meter = meter.New(thisBuild())
	a.readLoad()
	a.readRows()
	return nil
}

// MetricsAddress returns where the numbers are told, "" if nowhere.
func (a *App) MetricsAddress() string {
	if a.metrics == nil {
		return ""
	}
	return a.metrics.Addr().String()
}

// serveMetrics tells the numbers until ctx ends.
func (a *App) serveMetrics(ctx context.Context) error {
	if a.metrics == nil {
		return nil
	}
	server := &http.Server{Handler: a.Meter.Handler(), ReadHeaderTimeout: headerFor, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // Serve returns then
	defer stop()
	a.Log.InfoContext(ctx, "metrics", "address", a.MetricsAddress())
	if err := server.Serve(a.metrics); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// thisBuild says which program runs.
func thisBuild() meter.Build {
	b := meter.Build{Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}

// readLoad tells what the process knows without asking the database.
func (a *App) readLoad() {
	read := func(f meter.Family, read func(meter.Add)) {
		a.Meter.Read(f, func(_ context.Context, add meter.Add) { read(add) })
	}
	read(meter.Family{Name: "places", Help: "Requests of a class at work, or waiting for a place.", Labels: []string{"class", "state"}}, func(add meter.Add) {
		for _, s := range a.Gate.Stats() {
			add(float64(s.Busy), string(s.Class), "busy")
			add(float64(s.Waiting), string(s.Class), "waiting")
		}
	})
	read(meter.Family{Name: "places_limit", Help: "Places that a class has.", Labels: []string{"class"}}, func(add meter.Add) {
		for _, s := range a.Gate.Stats() {
			add(float64(s.Places), string(s.Class))
		}
	})
	read(meter.Family{Name: "refused_total", Help: "Requests for which their class had no place.", Kind: meter.Counter, Labels: []string{"class"}}, func(add meter.Add) {
		for _, s := range a.Gate.Stats() {
			add(float64(s.Refused), string(s.Class))
		}
	})
	read(meter.Family{Name: "feed_stuck", Help: "1 while a subscription fails and nothing leaves."}, func(add meter.Add) { add(oneIf(a.Feed.Stuck() != "")) })
	a.readDatabase(read)
	a.readCage(read)
	read(meter.Family{Name: "disk_free_bytes", Help: "Bytes free on the fullest of the disks in use."}, func(add meter.Add) {
		if free, err := a.Disk.Left(); err == nil {
			add(float64(free))
		}
	})
	read(meter.Family{Name: "disk_mark_bytes", Help: "Bytes free below which files, or nearly all writes, are refused.", Labels: []string{"refuses"}}, func(add meter.Add) {
		add(float64(a.Disk.Soft), "files")
		add(float64(a.Disk.Hard), "all")
	})
}

func (a *App) readDatabase(read func(meter.Family, func(meter.Add))) {
	read(meter.Family{Name: "db_connections", Help: "Connections to the database.", Labels: []string{"pool", "state"}}, func(add meter.Add) {
		for _, p := range a.DB.Pools() {
			add(float64(p.Busy), p.Name, "busy")
			add(float64(p.Idle), p.Name, "idle")
		}
	})
	read(meter.Family{Name: "db_connections_limit", Help: "Connections that there may be.", Labels: []string{"pool"}}, func(add meter.Add) {
		for _, p := range a.DB.Pools() {
			add(float64(p.Max), p.Name)
		}
	})
	read(meter.Family{Name: "db_writes_waiting", Help: "Transactions in front of SQLite's writer."}, func(add meter.Add) {
		n := 0
		for _, p := range a.DB.Pools() {
			n += p.Waiting
		}
		add(float64(n))
	})
	read(meter.Family{Name: "db_waited_total", Help: "Callers who found no idle connection.", Kind: meter.Counter, Labels: []string{"pool"}}, func(add meter.Add) {
		for _, p := range a.DB.Pools() {
			add(float64(p.Waited), p.Name)
		}
	})
}

func (a *App) readCage(read func(meter.Family, func(meter.Add))) {
	read(meter.Family{Name: "cage_caged", Help: "1 while every outside picture is opened in a cage that holds, 0 else."}, func(add meter.Add) { add(oneIf(a.Cage.Status().Caged)) })
	read(meter.Family{Name: "cage_workers", Help: "Workers that open pictures, and files that wait for one.", Labels: []string{"state"}}, func(add meter.Add) {
		l := a.Cage.Load()
		add(float64(l.Busy), "busy")
		add(float64(l.Workers-l.Busy), "free")
		add(float64(l.Waiting), "waiting")
	})
	read(meter.Family{Name: "cage_files_total", Help: "Files given to workers, by what came of them.", Kind: meter.Counter, Labels: []string{"outcome"}}, func(add meter.Add) {
		l := a.Cage.Load()
		add(float64(l.Given), "shown")
		add(float64(l.Refused), "refused")
		add(float64(l.Failed), "failed")
	})
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
