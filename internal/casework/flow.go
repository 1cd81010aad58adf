package casework

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

const (
	// flowHour is how long what comes is counted together.
	flowHour = time.Hour
	// wordsFrom is how many cases of nearly the same words in an hour are a burst.
	wordsFrom = 20
	// siteFrom is how many more than twice the most that ever came from a site in
	// an hour are one.
	siteFrom = 30
	// wordsGap is between two turns of what reads alike, if nothing else does.
	wordsGap = 30 * time.Minute
	// laneGap is the longest gap between two turns of a site.
	laneGap = 30 * time.Minute
	// watched is how long an agency's reports have to be known before anything
	// can be said of what is usual at a site.
	watched = 24 * time.Hour
	// newFor is how long a domain counts as new.
	newFor = 7 * 24 * time.Hour
)

// The first byte of a flow's mark says what it counts.
const (
	markParty   byte = 'a' // since when an agency's reports are counted
	markDomain  byte = 'd' // since when a domain is known
	markNew     byte = 'n' // domains that are new; then whether with words
	markLinks   byte = 'l' // a site, without words
	markSite    byte = 's' // a site, with words
	markWords   byte = 'w' // words
	marksOfSite      = 4   // marks that are looked up of a site at most
)

// A flow is how many cases of one mark an agency has opened.
type flow struct {
	party   party.ID
	mark    string
	n       int  // since from
	peak    int  // most in an hour, ever
	members []ID // the first of n
	lane    LaneID
	from    time.Time
	created time.Time
}

type flowKey struct {
	party party.ID
	mark  string
}

// flows are the flows and lanes that one sequencing transaction touches. The
// sequencer is one alone, so nobody else changes them meanwhile.
type flows struct {
	of    map[flowKey]*flow
	lanes map[LaneID]*Lane
	alike map[party.ID]int // lanes of words that run, by agency
}

// shared reports whether a report can be part of a burst: it comes from
// somebody who is not known, and its marks are at hand.
func shared(f report.Facts) bool { return f.Marks.Site != nil && !isKnown(f.Channel) && !f.Bulk }

// flowMarks are the marks that are looked up for a report.
func flowMarks(m report.Marks) []string {
	out := make([]string, 0, len(m.Words)+marksOfSite+1)
	for _, w := range m.Words {
		out = append(out, string(markWords)+string(w))
	}
	out = append(out, string(markParty), siteMark(m))
	if !m.Listed {
		out = append(out, string(markDomain)+string(m.Site), newMark(m))
	}
	return out
}

func siteMark(m report.Marks) string {
	if m.Bare {
		return string(markLinks) + string(m.Site)
	}
	return string(markSite) + string(m.Site)
}

func newMark(m report.Marks) string {
	if m.Bare {
		return string(markNew) + "-"
	}
	return string(markNew) + "+"
}

// readFlows reads what the reports of a transaction may touch.
func readFlows(ctx context.Context, tx *db.Tx, facts map[report.ID]report.Facts) (*flows, error) {
	fl := &flows{of: map[flowKey]*flow{}, lanes: map[LaneID]*Lane{}, alike: map[party.ID]int{}}
	wanted := map[party.ID][][]byte{}
	for _, f := range facts {
		if shared(f) {
			for _, m := range flowMarks(f.Marks) {
				wanted[party.ID(f.Party)] = append(wanted[party.ID(f.Party)], []byte(m))
			}
		}
	}
	var lanes []LaneID
	for of, marks := range wanted {
		slices.SortFunc(marks, slices.Compare)
		marks = slices.CompactFunc(marks, slices.Equal)
		got, err := db.AllIn(ctx, tx, scanFlow, func(in string) string {
			return `SELECT party_id, mark, n, peak, members, lane_id, from_at, created_at FROM case_flows WHERE party_id = $1 AND mark IN (` + in + `)`
		}, marks, of)
		if err != nil {
			return nil, err
		}
		for _, f := range got {
			fl.of[flowKey{f.party, f.mark}] = &f
			if f.lane != "" {
				lanes = append(lanes, f.lane)
			}
		}
	}
	slices.Sort(lanes)
	got, err := db.AllIn(ctx, tx, scanLane, func(in string) string {
		return `SELECT ` + laneColumns + ` FROM case_lanes WHERE id IN (` + in + `)`
	}, slices.Compact(lanes))
	for _, l := range got {
		fl.lanes[l.ID] = &l
	}
	return fl, err
}

func scanFlow(row db.Row) (flow, error) {
	var f flow
	var mark []byte
	err := row.Scan(&f.party, &mark, &f.n, &f.peak, db.ListInto(&f.members), db.Text(&f.lane), db.Time(&f.from), db.Time(&f.created))
	f.mark = string(mark)
	return f, err
}

// get returns a flow as it stands at now, a new one if it has not been seen.
func (fl *flows) get(of party.ID, mark string, now time.Time) *flow {
	key := flowKey{of, mark}
	f, ok := fl.of[key]
	if !ok {
		f = &flow{party: of, mark: mark, from: now, created: now}
		fl.of[key] = f
	}
	f.roll(now)
	return f
}

// enough is how many in an hour are a burst.
func (f *flow) enough() int {
	if f.mark[0] == markWords {
		return wordsFrom
	}
	return siteFrom + 2*f.peak
}

// roll begins a new hour when the last one is over. A burst ends with an hour
// that is none. What came in one does not count as usual, but by a quarter more
// than before, so that what really grows is learned.
func (f *flow) roll(now time.Time) {
	passed := now.Sub(f.from)
	if passed < flowHour {
		return
	}
	was := f.n
	switch {
	case f.lane == "":
		f.peak = max(was, f.peak-f.peak/168)
	case was < f.enough() || passed >= 2*flowHour:
		f.lane = ""
		fallthrough
	default:
		f.peak = max(f.peak, min(was, f.peak+f.peak/4+1))
	}
	f.n, f.members, f.from = 0, nil, now
}

// add counts a case; the first few are remembered until it is known whether
// they are a burst.
func (f *flow) add(c ID) {
	f.n++
	if c != "" && f.lane == "" && len(f.members) < siteFrom {
		f.members = append(f.members, c)
	}
}

func (f *flow) save(ctx context.Context, tx *db.Tx) error {
	return tx.Send(ctx, `
		INSERT INTO case_flows (party_id, mark, n, peak, members, lane_id, words, from_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (party_id, mark) DO UPDATE SET n = excluded.n, peak = excluded.peak, members = excluded.members, lane_id = excluded.lane_id, from_at = excluded.from_at`,
		f.party, []byte(f.mark), f.n, f.peak, db.List(f.members), db.OrNull(f.lane), f.mark[0] == markWords, db.Micros(f.from), db.Micros(f.created))
}

// count counts a report that opens a case, or joins one in a lane if c is "",
// and returns the burst that it is part of, nil if it is part of none. One that
// begins with it draws in what came before.
func (fl *flows) count(ctx context.Context, tx *db.Tx, r *Room, f report.Facts, c ID, now time.Time) (*Lane, error) {
	of := party.ID(f.Party)
	var words []*flow
	for _, w := range f.Marks.Words {
		words = append(words, fl.get(of, string(markWords)+string(w), now))
	}
	lane, err := fl.among(ctx, tx, r, words, f, c, now)
	if lane != nil || err != nil {
		return lane, err
	}
	site, err := fl.site(ctx, tx, f, now)
	if site == nil || err != nil {
		return nil, err
	}
	return fl.among(ctx, tx, r, []*flow{site}, f, c, now)
}

// site returns the flow of a report's site; nil where nothing can be said yet
// of what is usual.
func (fl *flows) site(ctx context.Context, tx *db.Tx, f report.Facts, now time.Time) (*flow, error) {
	of := party.ID(f.Party)
	since := fl.get(of, string(markParty), now)
	if since.created.Equal(now) {
		if err := since.save(ctx, tx); err != nil {
			return nil, err
		}
	}
	at := fl.get(of, siteMark(f.Marks), now)
	if !f.Marks.Listed {
		domain := fl.get(of, string(markDomain)+string(f.Marks.Site), now)
		if err := domain.save(ctx, tx); err != nil { // as long as it is reported
			return nil, err
		}
		if now.Sub(domain.created) < newFor {
			at = fl.get(of, newMark(f.Marks), now)
		}
	}
	if now.Sub(since.created) < watched { // learn what is usual
		at.add("")
		return nil, at.save(ctx, tx)
	}
	return at, nil
}

// among returns the lane of the first of some flows that runs; else it counts
// in each, and begins a lane if that is enough for one.
func (fl *flows) among(ctx context.Context, tx *db.Tx, r *Room, some []*flow, f report.Facts, c ID, now time.Time) (*Lane, error) {
	for _, w := range some {
		if l := fl.lanes[w.lane]; w.lane != "" && l != nil {
			w.add(c)
			gap, err := fl.gap(ctx, tx, w, l, now)
			l.gap = gap
			if err != nil {
				return nil, err
			}
			return l, w.save(ctx, tx)
		}
	}
	var begun *Lane
	for _, w := range some {
		w.add(c)
		if begun == nil && w.n >= w.enough() {
			l, err := fl.begin(ctx, tx, r, w, f, c, now)
			if err != nil {
				return nil, err
			}
			begun = l
		}
	}
	for _, w := range some {
		if begun != nil && 2*w.n >= w.enough() { // of the same burst
			w.lane, w.members = begun.ID, nil
		}
		if err := w.save(ctx, tx); err != nil {
			return nil, err
		}
	}
	return begun, nil
}

// begin makes a lane, and draws in those of the flow that came before c.
func (fl *flows) begin(ctx context.Context, tx *db.Tx, r *Room, w *flow, f report.Facts, c ID, now time.Time) (*Lane, error) {
	l := &Lane{ID: LaneID(db.NewID()), Party: w.party, Kind: laneKind(w.mark[0]), Began: w.from, Last: now, next: w.from}
	if l.Kind == LaneSite || l.Kind == LaneLinks {
		platform, err := r.platformOf(ctx, tx, f)
		if err != nil {
			return nil, err
		}
		l.Platform = platform
	}
	fl.lanes[l.ID] = l
	if _, ok := fl.alike[w.party]; ok && l.Kind == LaneWords {
		fl.alike[w.party]++
	}
	if err := tx.Send(ctx, `INSERT INTO case_lanes (`+laneColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		l.ID, l.Party, l.Kind, l.Platform, 0, db.Micros(l.next), db.Micros(l.Began), db.Micros(l.Last)); err != nil {
		return nil, err
	}
	var err error
	if l.gap, err = fl.gap(ctx, tx, w, l, now); err != nil {
		return nil, err
	}
	before := slices.DeleteFunc(slices.Clone(w.members), func(id ID) bool { return id == c })
	if err := r.drawIn(ctx, tx, l, before, now); err != nil {
		return nil, err
	}
	return l, l.save(ctx, tx)
}

// platformOf returns the key of the platform that a report points to first.
func (r *Room) platformOf(ctx context.Context, tx *db.Tx, f report.Facts) (string, error) {
	if !f.Marks.Listed || len(f.Locations) == 0 {
		return "", nil
	}
	ls, err := r.Reports.Places(ctx, tx, f.Locations[:1])
	if err != nil || len(ls) == 0 {
		return "", err
	}
	return ls[0].Platform, nil
}

func laneKind(mark byte) LaneKind {
	switch mark {
	case markWords:
		return LaneWords
	case markLinks:
		return LaneLinks
	case markNew:
		return LaneNew
	default:
		return LaneSite
	}
}

// gap is the time between two turns of a lane: for a site as many come up in an
// hour as came at most when nothing was wrong; what reads alike has no usual
// pace, and all such lanes of an agency share one.
func (fl *flows) gap(ctx context.Context, tx *db.Tx, w *flow, l *Lane, now time.Time) (time.Duration, error) {
	if l.Kind != LaneWords {
		return min(laneGap, flowHour/time.Duration(max(1, w.peak))), nil
	}
	if _, ok := fl.alike[w.party]; !ok {
		const most = 100
		n, err := db.Value[int64](ctx, tx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM case_lanes WHERE party_id = $1 AND kind = 'words' AND last_at > $2 LIMIT %d) AS found`, most),
			w.party, db.Micros(now.Add(-flowHour)))
		if err != nil {
			return 0, err
		}
		fl.alike[w.party] = int(n)
	}
	return wordsGap * time.Duration(max(1, fl.alike[w.party])), nil
}
