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
	Clock    *Clock
	Log      *slog.Logger
}

// A Plan says how much is told. Its zero value is the whole demonstration.
type Plan struct {
	Seed  uint64 // equal seeds tell equal stories; identifiers and keys differ
	Share int    // percent of it, at least one of each kind; 0 means all
	Tick  func(done, all int)
}

// Tell tells the ninety days up to the present, in the order in which things
// happened, and then gives the clock back to the machine. It costs some ten
// seconds, so that a server may answer meanwhile: whoever looks sees the
// exchange as it was on some earlier day, whole and true, and whoever acts does
// so on that day.
func Tell(ctx context.Context, in Instance, cast *Cast, p Plan) error {
	now := in.Clock.most
	w := &world{Instance: in, cast: cast, begin: now.AddDate(0, 0, -Days), now: now, seed: p.Seed}
	if p.Share <= 0 || p.Share > 100 {
		p.Share = 100
	}
	if err := w.tell(ctx, append(w.history(p.Share), w.present(p.Share)...), p.Tick); err != nil {
		return fmt.Errorf("tell the stories: %w", err)
	}
	in.Clock.Release()
	return nil
}

// world is what the stories share.
type world struct {
	Instance
	cast       *Cast
	begin, now time.Time
	seed       uint64
}
