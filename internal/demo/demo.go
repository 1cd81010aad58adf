// Package demo fills an instance with the demonstration's cast and ninety days
// of made-up work: about five hundred cases in every state, and the notices,
// answers and conversations that came of them.
//
// Nothing is written behind the rooms' backs. Each report, assessment,
// signature and answer goes through the rooms' public methods, by people with
// keys of their own, under a clock that is moved through the ninety days; what
// a visitor sees is what the program does. The private keys of these people
// live in the memory of this process only.
//
// Everything is synthetic: ".example" names, invented organisations and people,
// pictures drawn from gradients and noise.
package demo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/duty"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/report"
)

// Days is how far back the demonstration's history goes.
const Days = 90

// An Instance is what the demonstration works with: rooms whose clock is Clock,
// over an empty database, with nothing else running.
type Instance struct {
	DB       *db.DB
	Feed     *feed.Feed
	Auth     *auth.Auth
	Report   *report.Room
	Casework *casework.Room
	Notice   *notice.Room
	Duty     *duty.Rota
	Clock    *Clock
	Log      *slog.Logger
}

// A Plan says how much is told. Its zero value is the whole demonstration.
type Plan struct {
	Seed  uint64              // equal seeds tell equal stories; identifiers and keys differ
	Share int                 // percent of it, at least one of each kind; 0 means all
	Ready func()              // called once all that is going on now is there; may be nil
	Tick  func(done, all int) // called as the telling goes on; may be nil
}

// Tell tells what is going on now, and then the ninety days before it, in the
// order in which things happened. The whole costs some ten seconds, the present
// about two, so that a server may answer meanwhile if its requests go through
// Clock.Around; nothing else that acts by itself may run before Tell returns.
func Tell(ctx context.Context, in Instance, cast *Cast, p Plan) error {
	if p.Share <= 0 || p.Share > 100 {
		p.Share = 100
	}
	now := in.Clock.made
	w := &world{Instance: in, cast: cast, begin: now.AddDate(0, 0, -Days), now: now, seed: p.Seed}
	defer in.Clock.present()
	first, present, history := w.first(), w.present(p.Share), w.history(p.Share)
	w.count(p.Tick, first, present, history)
	for _, part := range [][]*story{first, present} {
		if err := w.tell(ctx, part); err != nil {
			return fmt.Errorf("tell the present: %w", err)
		}
	}
	if p.Ready != nil {
		p.Ready()
	}
	if err := w.tell(ctx, history); err != nil {
		return fmt.Errorf("tell the past: %w", err)
	}
	return nil
}

// world is what the stories share.
type world struct {
	Instance
	cast       *Cast
	begin, now time.Time
	seed       uint64
	told       func(scenes int)
}

// count prepares telling how far it is.
func (w *world) count(tick func(done, all int), parts ...[]*story) {
	done, all := 0, 0
	for _, part := range parts {
		for _, s := range part {
			all += len(s.scenes)
		}
	}
	w.told = func(scenes int) {
		if done += scenes; tick != nil {
			tick(done, all)
		}
	}
}
