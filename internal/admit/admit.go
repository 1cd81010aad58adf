// Package admit keeps one crowd from shutting out the others (threat-model
// T03).
//
// Requests are of a class, and each class has its own places to work and its
// own short queue: a flood of reports fills the places of reports, and answers
// find theirs free. What does not fit is refused at once, with a time after
// which to try again. Before a request takes a place its body is gathered, so
// that whoever sends slowly waits alone; one that is at work while a large body
// still comes gives its place back where others wait and it comes slowly. Where
// the disk is nearly full, only what must go on goes on. Public reports cost work or a wait while many come:
// see Toll.
package admit

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// A Class is what a request is for, as far as its share of the machine goes.
type Class string

// The classes.
const (
	Answers  Class = "answers"  // platforms confirm, answer and appeal; orders are withdrawn
	Staff    Class = "staff"    // people who are signed in
	Machines Class = "machines" // programs with a key
	Reading  Class = "reading"  // the public reads, and people sign in
	Reports  Class = "reports"  // the public writes texts
	Uploads  Class = "uploads"  // the public sends more than a text
	Lane     Class = "lane"     // reports that have waited for their turn
	Streams  Class = "streams"  // pages that are told what happens
)

// Classes lists the classes, the most precious first.
func Classes() []Class {
	return []Class{Answers, Staff, Machines, Reading, Reports, Uploads, Lane, Streams}
}

// Limits are the bounds of one class.
type Limits struct {
	Workers int           // requests at work at once
	Queue   int           // requests that wait for a place
	Wait    time.Duration // the longest wait, and when a refused one may come again
	Body    int64         // bytes of bodies that are being gathered, together
}

// Default returns limits for two cores: what works at once shares them, and
// nobody waits for longer than a page may take.
func Default() map[Class]Limits {
	return map[Class]Limits{
		Answers:  {Workers: 64, Queue: 1024, Wait: 10 * time.Second, Body: 64 << 20},
		Staff:    {Workers: 48, Queue: 512, Wait: 5 * time.Second, Body: 32 << 20},
		Machines: {Workers: 48, Queue: 512, Wait: 5 * time.Second, Body: 32 << 20},
		Reading:  {Workers: 32, Queue: 256, Wait: 3 * time.Second, Body: 8 << 20},
		Reports:  {Workers: 32, Queue: 256, Wait: 3 * time.Second, Body: 32 << 20},
		Uploads:  {Workers: 32, Queue: 16, Wait: 3 * time.Second},
		Lane:     {Workers: 16, Queue: 1024, Wait: 20 * time.Second, Body: 16 << 20},
		Streams:  {Workers: 4096, Wait: 10 * time.Second},
	}
}

// A Gate lets requests in, class by class. It is safe for concurrent use; a nil
// Gate lets everybody in.
type Gate struct {
	pools map[Class]*pool
	disk  *Disk
}

// pool is the places of one class.
type pool struct {
	Limits
	places  chan struct{} // one for each request at work
	waiting atomic.Int64
	bodies  atomic.Int64 // bytes that are being gathered
	refused atomic.Int64
	senders senders // at work, and still sending
}

// New returns a gate with these limits; a class that is not among them has the
// default's. Disk may be nil: then its fill holds nobody off.
func New(limits map[Class]Limits, disk *Disk) *Gate {
	g := &Gate{pools: map[Class]*pool{}, disk: disk}
	for class, l := range Default() {
		if own, ok := limits[class]; ok {
			l = own
		}
		g.pools[class] = &pool{Limits: l, places: make(chan struct{}, l.Workers)}
	}
	return g
}

// Enter waits for a place of the class and returns what gives it back. An
// Unavailable fault says that there is none, or that the caller left.
func (g *Gate) Enter(ctx context.Context, class Class) (leave func(), err error) {
	p := g.pools[class]
	leave = func() { <-p.places }
	select {
	case p.places <- struct{}{}:
		return leave, nil
	default:
	}
	if p.waiting.Add(1) > int64(p.Queue) {
		p.waiting.Add(-1)
		return nil, p.full()
	}
	defer p.waiting.Add(-1)
	patience, again := time.NewTimer(p.Wait), time.NewTicker(hurryEvery)
	defer patience.Stop()
	defer again.Stop()
	for {
		p.senders.hurry()
		select {
		case p.places <- struct{}{}:
			return leave, nil
		case <-again.C:
			continue
		case <-patience.C:
		case <-ctx.Done():
		}
		return nil, p.full()
	}
}

// full is what a request hears for which there is no place.
func (p *pool) full() error {
	p.refused.Add(1)
	e := fault.New(fault.Unavailable, "admit.full")
	e.RetryAfter = p.Wait
	return e
}

// Around holds next to the places of a class. Refuse says an error to the
// caller.
func (g *Gate) Around(class Class, refuse func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	if g == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		class := class
		if err := g.disk.allows(class, r.Method); err != nil {
			refuse(w, r, err)
			return
		}
		r, whole, done := g.pools[class].gather(r)
		defer done()
		if class == Reports && !whole {
			class = Uploads
		}
		leave, err := g.Enter(r.Context(), class)
		if err != nil {
			refuse(w, r, err)
			return
		}
		defer leave()
		if !whole {
			defer g.pools[class].senders.add(w, r, g.pools[class].full)()
		}
		next.ServeHTTP(w, r)
	})
}

// A Stat is how full a class is.
type Stat struct {
	Class   Class
	Places  int   // requests that may be at work
	Busy    int   // requests at work
	Waiting int   // and in the queue
	Refused int64 // since the start
}

// Stats returns how full each class is, in the order of Classes.
func (g *Gate) Stats() []Stat {
	out := make([]Stat, 0, len(g.pools))
	for _, class := range Classes() {
		p := g.pools[class]
		out = append(out, Stat{class, p.Workers, len(p.places), int(p.waiting.Load()), p.refused.Load()})
	}
	return out
}
