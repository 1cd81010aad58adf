// Package app is the wiring: it opens every part of the running system in
// order, runs them in one group, and closes them in reverse.
package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/admit"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/deliver"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/fetch"
	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/job"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/meter"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
	"github.com/tangkal/tangkal/internal/tell"
	"github.com/tangkal/tangkal/internal/trace"
	"github.com/tangkal/tangkal/internal/vault"
)

// An App is an opened instance: its ground and its rooms. It does nothing by
// itself until Run.
type App struct {
	Config    Config
	Log       *slog.Logger
	Clock     clock.Clock
	DB        *db.DB
	Disk      *admit.Disk
	Gate      *admit.Gate
	Toll      *admit.Toll
	Vault     *vault.Vault
	Feed      *feed.Feed
	Packs     *policy.Set
	Platforms *canonical.Platforms
	Auth      *auth.Auth
	Sessions  *auth.Sessions
	Passkeys  *auth.Passkeys
	Provider  *auth.Provider // nil without one
	Fetch     *fetch.Client
	Cage      *cage.Cage
	Outbox    *outbox.Outbox
	Mail      *mail.Mail
	Jobs      *job.Queue
	Search    *search.Index
	Report    *report.Room
	Casework  *casework.Room
	Flagger   *flagger.Room
	Notice    *notice.Room
	Tell      *tell.Teller
	Duty      *duty.Rota
	Meter     *meter.Meter  // nil without Config.Metrics
	Trace     *trace.Tracer // nil without Config.Traces

	// Prelude, if set, runs while the server answers already and before anything
	// else works: the demonstration makes its data in it.
	Prelude func(ctx context.Context) error
	// Around, if set, stands around every request.
	Around func(http.Handler) http.Handler

	pair     *tls.Certificate // what is served; nil behind a proxy
	health   *health
	metrics  net.Listener // nil without Config.Metrics
	rows     *alteredRows
	stopping chan struct{} // closed when the server begins to stop
}

// Open opens an instance: database, migrations, vault, packs, rooms. Close
// gives everything back.
func Open(ctx context.Context, c Config, at clock.Clock, log *slog.Logger) (_ *App, err error) {
	c.complete()
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	a := &App{Config: c, Log: log, Clock: at, stopping: make(chan struct{})}
	a.rows = &alteredRows{log: log, known: map[string]bool{}}
	a.health = &health{app: a, since: map[string]time.Time{}}
	var words sync.WaitGroup // read while the database is opened
	words.Go(i18n.Load)
	defer words.Wait()
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	for _, step := range []func(context.Context) error{a.openTrace, a.openCertificate, a.openData, a.openRules, a.openGround, a.openRooms, a.openMeter} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Close ends the worker that waits, and closes the database after the writes in
// flight.
func (a *App) Close() {
	if a.metrics != nil {
		a.metrics.Close() //nolint:errcheck // closed by its server already, or nothing was served
	}
	if a.Cage != nil {
		a.Cage.Close()
	}
	if a.DB != nil {
		a.DB.Close()
	}
	a.Trace.Close()
}

// openData opens what holds data: directory, database with its schema, vault.
func (a *App) openData(ctx context.Context) (err error) {
	c := a.Config
	if err := c.makeData(); err != nil {
		return err
	}
	if a.DB, err = db.Open(ctx, c.DB); err != nil {
		return err
	}
	if err := a.DB.Hold("serve"); err != nil {
		return err
	}
	if a.Trace != nil {
		a.DB.Watch(a.Trace.Statement)
	}
	if _, err := a.DB.Migrate(ctx); err != nil {
		return err
	}
	if err := job.Migrate(ctx, a.DB); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	if err := a.openGate(); err != nil {
		return err
	}
	vc := c.vault()
	vc.Room = a.Disk.Files
	if vc.Mark, err = reference.Mark(ctx, a.DB); err != nil {
		return err
	}
	if a.Vault, err = vault.Open(vc); err != nil {
		return err
	}
	a.Toll = admit.NewToll(admit.TollOptions{MAC: a.Vault.MAC, Clock: a.Clock, Quiet: a.Config.QuietRate})
	a.DB.SealWith(a.Vault.MAC, a.rows.note)
	if err := a.Vault.Once(party.SealOnce, func() error { return party.SealOld(ctx, a.DB) }); err != nil {
		return err
	}
	return a.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := reference.Found(ctx, tx, c.InstanceCode, c.InstanceName, a.Clock.Now()); err != nil {
			return err
		}
		return reference.SetMark(ctx, tx, a.Vault.Mark())
	})
}

// openGate makes what lets requests in, and what says that the disk is full.
func (a *App) openGate() (err error) {
	a.Disk = &admit.Disk{Free: a.freeSpace}
	if a.Disk.Soft, a.Disk.Hard, err = a.Config.spare(); err != nil {
		return err
	}
	a.Gate = admit.New(a.Config.Places, a.Disk)
	return nil
}

// openCertificate reads the certificate that is served until the stop.
func (a *App) openCertificate(context.Context) error {
	c := a.Config
	if c.TLSCert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return fmt.Errorf("tls-cert and tls-key: %w", err)
	}
	a.pair = &pair
	return nil
}

// openRules reads the data that rules are written in.
func (a *App) openRules(context.Context) (err error) {
	if a.Packs, err = a.Config.packs(); err != nil {
		return err
	}
	a.Platforms, err = a.Config.platforms()
	return err
}

// fetching is how the program asks others: webhooks have all the time for an
// answer that an attempt has.
func (c Config) fetching(now clock.Clock) fetch.Config {
	return fetch.Config{
		UserAgent: "Tangkal (+" + c.PublicURL + ")", AllowHTTP: true, HeaderTimeout: outbox.SendTimeout,
		AllowPrefixes: c.AllowPrefixes, Ports: c.AllowPorts, Clock: now,
	}
}

// openGround makes the mechanisms that know no room.
func (a *App) openGround(ctx context.Context) (err error) {
	c := a.Config
	a.Feed = feed.New(a.DB, a.Clock, a.Log)
	a.Auth = auth.New(a.DB, a.Feed, a.Clock, a.Vault.MAC)
	a.Sessions = a.Auth.NewSessions(c.secure())
	if a.Passkeys, err = a.Auth.NewPasskeys(c.PublicURL, c.InstanceName); err != nil {
		return err
	}
	if err = a.openProvider(); err != nil {
		return err
	}
	if a.Fetch, err = fetch.New(c.fetching(a.Clock)); err != nil {
		return err
	}
	a.Cage = cage.New(cage.Config{Worker: cage.Self(), Uncaged: c.Uncaged, Log: a.Log})
	a.Outbox = outbox.New(outbox.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Vault: a.Vault, Log: a.Log,
		Send: a.tracedHook(deliver.Webhook(a.Fetch.HTTP())), BaseURL: c.PublicURL, AllowHTTP: c.Demo,
		Concerned: a.concerned,
	})
	a.Duty = duty.New(a.DB, a.Feed, a.Clock)
	if err := a.openMail(); err != nil {
		return err
	}
	if err := a.Vault.Once("outbox-macs", func() error { return a.Outbox.SealOld(ctx) }); err != nil {
		return err
	}
	return a.Vault.Once("api-key-macs", func() error { return a.Auth.SealOldKeys(ctx) })
}

// openRooms makes the rooms in the order the work flows, and subscribes each
// to the feed.
func (a *App) openRooms(ctx context.Context) (err error) {
	var recipients vault.Recipients
	if file := a.Config.Recipients; file != "" {
		if recipients, err = vault.ReadRecipients(file); err != nil {
			return err
		}
	}
	a.Report = report.New(report.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Vault: a.Vault, Packs: a.Packs, Platforms: a.Platforms,
		Contact: recipients, Jurisdiction: a.Config.Jurisdiction,
	})
	a.Search = search.New(a.Vault.MAC)
	a.Casework = casework.New(casework.Deps{
		Search: a.Search, DB: a.DB, Feed: a.Feed, Clock: a.Clock, Vault: a.Vault, Packs: a.Packs, Reports: a.Report, Fetch: a.Fetch,
		Enqueue: func(ctx context.Context, tx *db.Tx, id casework.CaptureID) error {
			return a.Jobs.Enqueue(ctx, tx, jobCapture, string(id))
		},
	})
	a.Flagger = flagger.New(flagger.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Vault: a.Vault, Reports: a.Report, Cases: a.Casework, Search: a.Search, Cage: a.Cage, Spare: a.Disk.Work,
		Enqueue: func(ctx context.Context, tx *db.Tx, id flagger.ID) error {
			return a.Jobs.Enqueue(ctx, tx, jobList, string(id))
		},
		EnqueueBack: func(ctx context.Context, tx *db.Tx, id flagger.ID) error {
			return a.Jobs.Enqueue(ctx, tx, jobListBack, string(id))
		},
	})
	a.Notice = notice.New(notice.Deps{
		Search: a.Search, DB: a.DB, Feed: a.Feed, Clock: a.Clock, Vault: a.Vault, Packs: a.Packs, Reports: a.Report, Cases: a.Casework, Log: a.Log,
		Announce: func(ctx context.Context, tx *db.Tx, to party.ID, m notice.Announcement) error {
			return a.Tell.Announce(ctx, tx, to, m)
		},
	})
	a.Tell = tell.New(tell.Deps{
		DB: a.DB, Feed: a.Feed, Clock: a.Clock, Log: a.Log, Auth: a.Auth, Mail: a.Mail, Outbox: a.Outbox, Cases: a.Casework, Notice: a.Notice, Heed: a.Config.HeedWithin,
		Instance: a.Config.InstanceName, BaseURL: a.Config.PublicURL,
	})
	if err := errors.Join(a.Notice.SealOldKeys(ctx), a.Notice.SealOldDeemed(ctx)); err != nil {
		return err
	}
	a.Feed.Subscribe(a.Casework.OnReport())
	for _, s := range slices.Concat(a.Notice.Subscriptions(), a.Tell.Subscriptions()) {
		a.Feed.Subscribe(s)
	}
	a.Feed.Subscribe(a.Outbox.Subscription())
	a.Jobs, err = job.New(a.DB, a.Log, a.works(), a.sweeps())
	return err
}

// concerned narrows what leaves about notices to whom the room itself says that
// they concern: an entry alone is no proof of that.
func (a *App) concerned(ctx context.Context, tx *db.Tx, e feed.Entry) ([]string, error) {
	if e.Object != "notice" {
		return e.Audience, nil
	}
	return a.Notice.Concerned(ctx, tx, e)
}

// reindex makes what was stored before there was a search be found, once, while
// everything else works.
func (a *App) reindex(ctx context.Context) error {
	const atOnce = 50 // the writer is given back in between
	err := a.Vault.Once("search-beginnings", func() error {
		for after, err := a.Casework.Reindex(ctx, "", atOnce); ; after, err = a.Casework.Reindex(ctx, after, atOnce) {
			if err != nil {
				return err
			}
			if after == "" {
				break
			}
		}
		for after, err := a.Notice.Reindex(ctx, "", atOnce); ; after, err = a.Notice.Reindex(ctx, after, atOnce) {
			if err != nil || after == "" {
				return err
			}
		}
	})
	if err == nil {
		err = a.Vault.Once("search-objects", func() error {
			begun := a.Clock.Now()
			a.Log.InfoContext(ctx, "older texts are spelled anew for the search; until then it does not find them")
			defer func() { a.Log.InfoContext(ctx, "older texts are spelled anew", "took", a.Clock.Now().Sub(begun)) }()
			for after, err := a.Search.Renew(ctx, a.DB, -1, atOnce); ; after, err = a.Search.Renew(ctx, a.DB, after, atOnce) {
				if err != nil || after == 0 {
					return err
				}
			}
		})
	}
	if err != nil && ctx.Err() == nil {
		// What is new is found; the rest after the next start.
		a.Log.ErrorContext(ctx, "the index of what was there before is not complete", "error", err)
	}
	return nil
}

// The kinds of job.
const (
	jobCapture  = "capture"
	jobList     = "list"
	jobListBack = "list-back"
)

// works are the jobs of the rooms.
func (a *App) works() []job.Work {
	return []job.Work{{
		Kind: jobCapture, Timeout: 3 * time.Minute, Attempts: 5,
		Do: func(ctx context.Context, id string) (err error) {
			ctx, end := a.Trace.Begin(ctx, "job "+jobCapture)
			defer func() { end(err != nil) }()
			if err := a.Disk.Files(); err != nil {
				return err // tried again later
			}
			return a.Casework.DoCapture(ctx, casework.CaptureID(id))
		},
	}, a.listWork(jobList), a.listWork(jobListBack)}
}

// listWork is the job that goes on with a list, or with taking it back.
func (a *App) listWork(kind string) job.Work {
	return job.Work{
		Kind: kind, Timeout: 15 * time.Minute, Attempts: 20,
		Do: func(ctx context.Context, id string) (err error) {
			ctx, end := a.Trace.Begin(ctx, "job "+kind)
			defer func() { end(err != nil) }()
			return a.Flagger.Work(ctx, flagger.ID(id))
		},
	}
}

// sweeps look for what falls due.
func (a *App) sweeps() []job.Sweep {
	return []job.Sweep{
		{Name: "notices", Every: time.Second, Do: func(ctx context.Context) error { return a.Notice.Sweep(ctx, a.Clock.Now()) }},
		{Name: "cases", Every: time.Minute, Do: func(ctx context.Context) error {
			_, err := a.Casework.Sweep(ctx, a.Clock.Now(), 500)
			return err
		}},
		{Name: "duty", Every: 10 * time.Second, Do: a.Tell.Calls},
		{Name: "urgent-calls", Every: 10 * time.Second, Do: a.Tell.Urgent},
		{Name: "digests", Every: time.Minute, Do: a.Tell.Digests},
		{Name: "captures", Every: time.Minute, Do: a.enqueueCaptures},
		{Name: "lists", Every: time.Minute, Do: a.enqueueLists},
		{Name: "old-lists", Every: time.Hour, Do: a.Flagger.Sweep},
		{Name: "tickets", Every: time.Hour, Do: func(ctx context.Context) error { return a.Toll.Sweep(ctx, a.DB) }},
		{Name: "recoveries", Every: time.Minute, Do: a.Auth.SweepRecoveries},
		{Name: "sessions", Every: time.Hour, Do: a.Auth.SweepSessions},
		{Name: "deliveries", Every: time.Hour, Do: a.Outbox.Purge},
		{Name: "vault", Every: time.Hour, Do: func(context.Context) error {
			_, err := a.Vault.Sweep(time.Now()) //nolint:forbidigo // a duration of the machine, or the age of files that it dated
			return err
		}},
		{Name: "orphans", Every: 24 * time.Hour, Do: a.CollectBlobs},
	}
}

// orphanGrace is for how long no row may have named a file of the vault before
// it goes: longer than the slowest upload lasts that is let in (500 MiB at 2 KiB
// a second, 71 hours), and than anybody needs to notice the wrong database.
const orphanGrace = 7 * 24 * time.Hour

// A keeper is a room that puts files into the vault, and says which are its.
type keeper interface {
	Blobs(ctx context.Context, q db.Reader, names []string) ([]string, error)
}

func (a *App) keepers() []keeper { return []keeper{a.Report, a.Casework, a.Flagger, a.Notice} }

// CollectBlobs removes files of the vault that have belonged to nothing for a
// week: what a crash left before its commit, and what an erasure let go. Every
// room that puts files there is asked.
func (a *App) CollectBlobs(ctx context.Context) error {
	named := func(ctx context.Context, names []string) ([]string, error) {
		var all []string
		for _, k := range a.keepers() {
			some, err := k.Blobs(ctx, a.DB, names)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		return all, nil
	}
	n, err := a.Vault.Collect(ctx, a.Clock.Now(), orphanGrace, named)
	if n > 0 {
		a.Log.InfoContext(ctx, "files without a row were removed from the vault", "files", n)
	}
	return err
}

// enqueueCaptures asks again for captures whose job was lost.
func (a *App) enqueueCaptures(ctx context.Context) error {
	ids, err := a.Casework.PendingCaptures(ctx, 100)
	if err != nil || len(ids) == 0 {
		return err
	}
	return a.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, id := range ids {
			if err := a.Jobs.Enqueue(ctx, tx, jobCapture, string(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// enqueueLists asks again for lists whose job was lost.
func (a *App) enqueueLists(ctx context.Context) error {
	running, err := a.Flagger.Running(ctx)
	if err != nil {
		return err
	}
	undoing, err := a.Flagger.Undoing(ctx)
	if err != nil || len(running)+len(undoing) == 0 {
		return err
	}
	return a.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		for kind, ids := range map[string][]flagger.ID{jobList: running, jobListBack: undoing} {
			for _, id := range ids {
				if err := a.Jobs.Enqueue(ctx, tx, kind, string(id)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

const (
	// drainFor is how long requests in flight usually may take to finish at a stop.
	drainFor = 15 * time.Second
	// headerFor closes connections that send their header byte by byte.
	headerFor = 10 * time.Second
)

// Run serves on l and works until ctx ends or a part fails; when one fails,
// all stop, and the error says which.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	handler, err := a.Handler()
	if err != nil {
		return err
	}
	if a.Around != nil {
		handler = a.Around(handler)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if a.Prelude != nil {
			if err := a.Prelude(ctx); err != nil {
				return err
			}
		}
		return a.work(ctx)
	})
	server := &http.Server{
		Handler: a.Config.pace().keep(handler), ReadHeaderTimeout: cmp.Or(a.Config.SlowFor, headerFor), IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug), // callers' broken handshakes; panics are logged by logbook
		// A request in flight may finish after ctx has ended; event streams
		// never finish by themselves and are told.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	server.RegisterOnShutdown(func() { close(a.stopping) })
	group.Go(func() error {
		err := a.serve(server, l)
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	})
	group.Go(func() error {
		<-ctx.Done()
		a.Log.InfoContext(ctx, "stopping: requests in flight are finished", "within", a.Config.DrainFor.String())
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Config.DrainFor)
		defer cancel()
		if err := server.Shutdown(stop); err != nil {
			a.Log.WarnContext(ctx, "requests were cut off: their callers have no answer, and nothing unanswered was acknowledged", "after", a.Config.DrainFor.String())
			return server.Close()
		}
		return nil
	})
	a.Log.InfoContext(ctx, "serving", "address", l.Addr().String(), "database", string(a.DB.Dialect()), "tls", a.pair != nil)
	err = group.Wait()
	a.Log.InfoContext(context.WithoutCancel(ctx), "stopped", "error", err)
	return err
}

// work runs everything that acts without being asked, until ctx ends.
func (a *App) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, run := range map[string]func(context.Context) error{
		"feed": a.Feed.Run, "relay": a.Feed.Relay, "outbox": a.Outbox.Run, "mail": a.Mail.Run, "notices": a.Notice.Run, "jobs": a.Jobs.Run,
		"search": a.reindex, "health": a.health.run, "cage": a.Cage.Run, "metrics": a.serveMetrics,
	} {
		group.Go(func() error {
			if err := run(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (a *App) serve(server *http.Server, l net.Listener) error {
	if a.pair != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*a.pair}, MinVersion: tls.VersionTLS12}
		return server.ServeTLS(l, "", "")
	}
	return server.Serve(l)
}
