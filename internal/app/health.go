package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tangkal/tangkal/internal/db"
)

const (
	// healthFor is how long an answer holds: /readyz is open to anybody, and a
	// look costs a small write.
	healthFor = time.Second
	// healthEvery is how often the instance looks by itself, for the log.
	healthEvery = 10 * time.Second
	// healthWithin bounds one look.
	healthWithin = 3 * time.Second
	// feedLag is how long an entry may wait for its place.
	feedLag = time.Minute
	// clockLag is how far the clock may stand behind what has happened.
	clockLag = 2 * time.Minute
)

// A Level says how well a part works.
type Level string

// The levels of a part. Only Failing makes the instance not ready.
const (
	Fine    Level = "ok"
	Warning Level = "warning"
	Failing Level = "failing"
)

// A Part is one thing that an instance cannot work without, and how it is. It
// names no path and no address: anybody may ask. The log has the details.
type Part struct {
	Name  string `json:"name"`
	Level Level  `json:"level"`
	What  string `json:"what,omitempty"` // what is wrong, or what holds
	Do    string `json:"do,omitempty"`   // what to do about it

	why error // for the log
}

// A Health is how an instance is.
type Health struct {
	Ready bool   `json:"ready"`
	Parts []Part `json:"parts"`
}

// health looks after an App and remembers what it saw.
type health struct {
	app *App

	mu    sync.Mutex           // held during a look: one at a time
	at    time.Time            // of last
	last  Health               // guarded by mu
	since map[string]time.Time // when each part that is not fine began to be so
}

// look returns how the instance is, at most healthFor old, and logs what has
// changed since.
func (h *health) look(ctx context.Context) Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now() //nolint:forbidigo // the age of an answer, by the machine
	if h.last.Parts != nil && now.Sub(h.at) < healthFor {
		return h.last
	}
	// Whoever asks may leave; the answer is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthWithin)
	defer cancel()
	out := Health{Ready: true}
	for _, p := range h.app.parts(ctx) {
		out.Ready = out.Ready && p.Level != Failing
		out.Parts = append(out.Parts, p)
		h.note(ctx, p, now)
	}
	h.at, h.last = now, out
	return out
}

// note logs when a part begins to fail, and when it is well again.
func (h *health) note(ctx context.Context, p Part, now time.Time) {
	began, known := h.since[p.Name]
	switch {
	case p.Level == Fine && known:
		delete(h.since, p.Name)
		h.app.Log.InfoContext(ctx, "well again", "part", p.Name, "after", now.Sub(began).Round(time.Second).String())
	case p.Level == Fine:
	default:
		if !known {
			h.since[p.Name] = now
		}
		h.app.Log.WarnContext(ctx, "not well", "part", p.Name, "level", string(p.Level), "what", p.What, "do", p.Do, "error", fmt.Sprint(p.why))
	}
}

// run looks now and then until ctx ends, so that the log tells even if nobody
// asks.
func (h *health) run(ctx context.Context) error {
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	for {
		h.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// ready: GET /readyz says whether this node can do its work, part by part.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	h := a.health.look(r.Context())
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(h); err != nil {
		a.Log.DebugContext(r.Context(), "the reader went away", "error", err)
	}
}

// parts looks at everything; what needs the database is not asked for while it
// does not answer.
func (a *App) parts(ctx context.Context) []Part {
	database := a.databasePart(ctx)
	out := []Part{database, a.vaultPart(), a.diskPart(), a.cagePart()}
	if a.pair != nil {
		out = append(out, certificatePart(a.pair.Leaf, a.Clock.Now()))
	}
	if database.Level == Fine {
		out = append(out, a.feedPart(ctx), a.clockPart(ctx), a.rowsPart(ctx))
		if a.Mail.Enabled() {
			out = append(out, a.mailPart(ctx))
		}
	}
	return out
}

func (a *App) databasePart(ctx context.Context) Part {
	p := Part{Name: "database", Level: Fine}
	if p.why = a.DB.Ping(ctx); p.why != nil {
		p.Level, p.What = Failing, "does not answer"
		p.Do = "start it again; the instance goes on by itself, and what was acknowledged is in it"
	}
	return p
}

func (a *App) vaultPart() Part {
	p := Part{Name: "vault", Level: Fine}
	if p.why = a.Vault.Probe(); p.why != nil {
		p.Level, p.What = Failing, "cannot take or give files"
		p.Do = "look whether its file system is mounted, writable and not full; reports with files are refused meanwhile"
	}
	return p
}

// diskPart is the emptiest of the disks in use, beside the marks that the
// gate goes by.
func (a *App) diskPart() Part {
	p := Part{Name: "disk", Level: Fine}
	free, err := a.freeSpace()
	switch {
	case err != nil:
		p.Level, p.What, p.Do, p.why = Warning, "cannot be asked how full it is", "look at the data directory", err
		return p
	case free < a.Disk.Hard:
		p.Level, p.What = Failing, "is full: only answers, appeals and withdrawals are taken"
	case free < a.Disk.Soft:
		p.Level, p.What = Warning, "is nearly full: reports are taken without their files"
	default:
		return p
	}
	p.Do = "free or add space: what was refused is then taken again, and nothing that was acknowledged is lost"
	p.why = fmt.Errorf("%s free", humanize.IBytes(uint64(free))) //nolint:gosec // not negative
	return p
}

// freeSpace returns how many bytes are free on the emptiest of the disks in
// use.
func (a *App) freeSpace() (int64, error) {
	dirs := []string{a.Config.vault().Dir}
	if file, ok := strings.CutPrefix(a.Config.DB, "sqlite:"); ok {
		dirs = append(dirs, filepath.Dir(file))
	}
	least := int64(math.MaxInt64)
	for _, dir := range dirs {
		free, err := freeBytes(dir)
		if err != nil {
			return 0, err
		}
		least = min(least, free)
	}
	return least, nil
}

// cagePart says what locks the workers in that open pictures. Without a cage no
// picture is shown; everything else works.
func (a *App) cagePart() Part {
	s := a.Cage.Status()
	p := Part{Name: "cage", Level: Fine, What: s.String()}
	switch {
	case !s.Known, s.Caged && len(s.Gaps) == 0:
	case s.Caged:
		p.Level, p.Do = Warning, "pictures are still opened apart; a newer kernel, or Landlock in its list of modules, adds what is missing"
	case a.Config.Uncaged:
		p.Level, p.Do = Warning, "pictures are opened in the server itself, as --uncaged says: only for development"
	default:
		p.Level, p.Do = Warning, "no picture is shown, and every file is kept; run it on Linux (amd64 or arm64) with seccomp, and permit seccomp and prlimit64 where calls are filtered"
	}
	return p
}

func (a *App) feedPart(ctx context.Context) Part {
	p := Part{Name: "feed", Level: Fine}
	if why := a.Feed.Stuck(); why != "" {
		p.Level, p.What, p.why = Failing, "is stuck at an entry, and nothing leaves", fmt.Errorf("%s", why)
		p.Do = "read the log: it names the entry and the subscription that fails; nothing is lost, and the rest goes out when it is mended"
		return p
	}
	oldest, err := db.Value[int64](ctx, a.DB, `SELECT COALESCE(min(at), 0) FROM feed_pending`)
	if waits := a.Clock.Now().Sub(time.UnixMicro(oldest)); err == nil && oldest > 0 && waits > feedLag {
		p.Level, p.What = Warning, "is behind"
		p.Do = "usually load: it catches up by itself; if it goes on, look at the database's disk"
		p.why = fmt.Errorf("the oldest entry waits for %s", waits.Round(time.Second))
	}
	return p
}

// clockPart compares the clock with what has happened already: deadlines are
// counted in it, and a clock behind the feed is wrong for certain.
func (a *App) clockPart(ctx context.Context) Part {
	p := Part{Name: "clock", Level: Fine}
	last, err := db.Value[int64](ctx, a.DB, `SELECT COALESCE(max(sequenced_at), 0) FROM feed_entries WHERE seq = (SELECT seq FROM feed_head WHERE id = 1)`)
	if behind := time.UnixMicro(last).Sub(a.Clock.Now()); err == nil && behind > clockLag {
		p.Level, p.What = Warning, "stands before what has happened already"
		p.Do = "synchronise the machine's clock: deadlines and signatures are counted in it"
		p.why = fmt.Errorf("the last entry of the feed is from %s, which is %s ahead", time.UnixMicro(last).UTC().Format(time.RFC3339), behind.Round(time.Second))
	}
	return p
}
