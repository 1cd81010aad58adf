package casework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/search"
)

// OnReport is the subscription that makes cases of reports: a report joins the
// case of its agency that shares a location, else it opens one. What was closed
// is opened again by a re-upload or a weighty report (domain.md, Case). Reports
// on one target thus fold into one case (threat-model T04).
func (r *Room) OnReport() feed.Subscription {
	return feed.Subscription{
		Name: "casework", Kinds: []string{report.EventReceived, report.EventAdded}, Ahead: r.inflow,
	}
}

// An inflow is what is known of the reports of one sequencing transaction. It
// is read together, because most reports are of something new: of these nothing
// more has to be asked.
type inflow struct {
	room   *Room
	facts  map[report.ID]report.Facts
	places map[report.LocationID]report.Location
	orgs   map[party.ID]party.Party
	joined map[report.ID]bool         // is part of a case
	named  map[report.LocationID]bool // stands in a case, of whichever party
	flows  *flows
}

// inflow reads ahead.
func (r *Room) inflow(ctx context.Context, tx *db.Tx, all []feed.Entry) (feed.Do, error) {
	in := inflow{
		room: r, places: map[report.LocationID]report.Location{}, orgs: map[party.ID]party.Party{},
		joined: map[report.ID]bool{}, named: map[report.LocationID]bool{},
	}
	ids := make([]report.ID, len(all))
	for i, e := range all {
		ids[i] = report.ID(e.ObjectID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var err error
	if in.facts, err = r.Reports.FactsOf(ctx, tx, ids); err != nil {
		return nil, err
	}
	var at []report.LocationID
	for _, f := range in.facts {
		at = append(at, f.Locations...)
		of := party.ID(f.Party)
		if _, ok := in.orgs[of]; ok {
			continue
		}
		if in.orgs[of], err = party.Get(ctx, tx, of); err != nil {
			return nil, err
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	ls, err := r.Reports.Places(ctx, tx, at)
	if err != nil {
		return nil, err
	}
	for _, l := range ls {
		in.places[l.ID] = l
	}
	if in.flows, err = readFlows(ctx, tx, in.facts); err != nil {
		return nil, err
	}
	return in.do, errors.Join(
		mark(ctx, tx, in.joined, ids, `SELECT report_id FROM case_reports WHERE report_id IN (%s)`),
		mark(ctx, tx, in.named, at, `SELECT DISTINCT location_id FROM case_locations WHERE location_id IN (%s)`),
	)
}

// mark notes which of the values a query finds.
func mark[T comparable](ctx context.Context, tx *db.Tx, into map[T]bool, values []T, query string) error {
	found, err := db.AllIn(ctx, tx, db.Scalar[T], func(in string) string { return fmt.Sprintf(query, in) }, values)
	for _, v := range found {
		into[v] = true
	}
	return err
}

// do puts a report, or what was added to it, where it belongs.
func (in inflow) do(ctx context.Context, tx *db.Tx, e feed.Entry) error {
	f, ok := in.facts[report.ID(e.ObjectID)]
	if !ok {
		return fmt.Errorf("facts of report %s: %w", e.ObjectID, fault.Hidden("report"))
	}
	var ls []report.Location
	known := in.joined[f.ID]
	for _, id := range f.Locations {
		known = known || in.named[id]
		if l, ok := in.places[id]; ok {
			ls = append(ls, l)
		}
	}
	in.joined[f.ID] = true
	for _, id := range f.Locations {
		in.named[id] = true // for the reports after it
	}
	if f.Marks.Site != nil {
		if err := in.room.Reports.ForgetMarksTx(ctx, tx, f.ID); err != nil {
			return err
		}
	}
	if !known {
		return in.open(ctx, tx, f, ls, e.At)
	}
	id, err := in.room.caseFor(ctx, tx, f)
	if errors.Is(err, db.ErrAbsent) { // it is another party's
		return in.open(ctx, tx, f, ls, e.At)
	}
	if err != nil {
		return err
	}
	c, err := load(ctx, tx, id)
	if err != nil {
		return err
	}
	alone, err := in.weighs(ctx, tx, c, f, e.At)
	if err != nil {
		return err
	}
	return in.room.fold(ctx, tx, c, f, ls, e, alone)
}

// weighs reports whether a report takes a case out of its lane: it comes from
// somebody who is known, or is no part of a burst itself.
func (in inflow) weighs(ctx context.Context, tx *db.Tx, c Case, f report.Facts, now time.Time) (bool, error) {
	if c.TurnAt.IsZero() || isKnown(f.Channel) {
		return isKnown(f.Channel), nil
	}
	if !shared(f) {
		return false, nil
	}
	l, err := in.flows.count(ctx, tx, in.room, f, "", now)
	return l == nil, err
}

// caseFor returns the case that a report belongs to: the one it is part of
// already, else one of the same agency that shares a location, open ones first,
// then the newest; never one whose every report was taken back, of which nobody
// has judged anything. CROSS JOIN is what SQLite takes for "this table first": on
// its own it would read every case of the agency.
func (r *Room) caseFor(ctx context.Context, tx *db.Tx, f report.Facts) (ID, error) {
	id, err := db.Value[ID](ctx, tx, `
		SELECT r.case_id FROM case_reports r CROSS JOIN cases c
		WHERE r.report_id = $1 AND c.id = r.case_id AND c.party_id = $2 ORDER BY r.joined_at LIMIT 1`, f.ID, f.Party)
	if !errors.Is(err, db.ErrAbsent) {
		return id, err
	}
	type hit struct {
		id   ID
		open bool
	}
	hits, err := db.AllIn(ctx, tx, func(row db.Row) (hit, error) {
		var h hit
		err := row.Scan(&h.id, &h.open)
		return h, err
	}, func(in string) string {
		return `SELECT c.id, c.state <> 'closed' FROM case_locations l CROSS JOIN cases c
			WHERE l.location_id IN (` + in + `) AND c.id = l.case_id AND c.party_id = $1 AND c.outcome <> '` + outcomeTakenBack + `'
			ORDER BY CASE WHEN c.state = 'closed' THEN 1 ELSE 0 END, c.id DESC LIMIT 1`
	}, f.Locations, f.Party)
	if err != nil {
		return "", err
	}
	if len(hits) == 0 {
		return "", db.ErrAbsent
	}
	// One a part of a long list: an open one, else that of the first part.
	if i := slices.IndexFunc(hits, func(h hit) bool { return h.open }); i > 0 {
		return hits[i].id, nil
	}
	return hits[0].id, nil
}

// life reports whether the reporter spoke of an attack to come.
func life(f report.Facts) bool { return f.Category == report.Threat }

// open makes a new case of a report. It reads nothing, but for a claim or a
// burst.
func (in inflow) open(ctx context.Context, tx *db.Tx, f report.Facts, ls []report.Location, now time.Time) error {
	r := in.room
	c, err := r.newCase(ctx, tx, in.orgs[party.ID(f.Party)], now)
	if err != nil {
		return err
	}
	if shared(f) {
		l, err := in.flows.count(ctx, tx, r, f, c.ID, now)
		if err != nil {
			return err
		}
		if l != nil {
			if err := l.enter(ctx, tx, &c, now); err != nil {
				return err
			}
		}
	}
	takeIn(&c, f)
	c.told(f)
	c.ReportCount, c.Voices, c.Bulk = 1, 1, f.Bulk
	if err := claim(ctx, tx, &c, f, now); err != nil {
		return err
	}
	if err := r.store(ctx, tx, &c, ls, now); err != nil {
		return err
	}
	if err := r.Search.Add(ctx, tx, reportDoc(c, f, now)); err != nil {
		return err
	}
	if err := addReport(ctx, tx, c, f, now); err != nil {
		return err
	}
	if err := hearFirst(ctx, tx, c, f, now); err != nil {
		return err
	}
	if err := r.call(ctx, tx, c, f, now); err != nil {
		return err
	}
	// The same step as when a report joins a case: a reporter must not learn
	// whether others reported before.
	if err := r.Reports.FirstStepTx(ctx, tx, f.ID, report.Step{Kind: report.StepJoined, At: now}); err != nil {
		return err
	}
	return r.record(ctx, tx, party.Actor{}, c, "case.opened", c.news(), now)
}

// newCase returns a case of a party, not stored yet.
func (r *Room) newCase(ctx context.Context, tx *db.Tx, of party.Party, now time.Time) (Case, error) {
	c := Case{ID: ID(db.NewID()), Party: of.ID, State: Open, Jurisdiction: strings.ToLower(of.Jurisdiction), OpenedAt: now, Version: 1}
	c.Deadline = now.Add(r.target(c, now))
	var err error
	if _, c.key, err = r.Vault.NewKey(); err != nil {
		return c, err
	}
	c.Ref, err = reference.Next(ctx, tx, reference.Case, now)
	return c, err
}

// store inserts a new case with its locations, each of them once.
func (r *Room) store(ctx context.Context, tx *db.Tx, c *Case, ls []report.Location, now time.Time) error {
	for i, l := range ls {
		c.hold(l, i+1)
	}
	r.rank(c, now)
	if err := insertCase(ctx, tx, *c); err != nil {
		return err
	}
	for i, l := range ls {
		if err := tx.Send(ctx, insertLocation, c.ID, l.ID, i+1, l.Platform, string(l.Kind), db.Micros(now)); err != nil {
			return err
		}
	}
	return r.Search.Add(ctx, tx, headDoc(*c))
}

func takeIn(c *Case, f report.Facts) {
	if !slices.Contains(c.Channels, string(f.Channel)) {
		c.Channels = append(c.Channels, string(f.Channel))
	}
	if !slices.Contains(c.Languages, string(f.Lang)) {
		c.Languages = append(c.Languages, string(f.Lang))
	}
	c.Heavy = c.Heavy || f.Files > 0
	c.urgent = c.urgent || life(f) && !f.Bulk
	c.Soon = c.Soon || f.Soon
}

// reportDoc makes a case found by the number of a report.
func reportDoc(c Case, f report.Facts, now time.Time) search.Doc {
	return doc(c, string(f.ID), now, "", c.Ref, f.Ref)
}

func addReport(ctx context.Context, tx *db.Tx, c Case, f report.Facts, now time.Time) error {
	return tx.Send(ctx, `INSERT INTO case_reports (report_id, case_id, channel, joined_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		f.ID, c.ID, string(f.Channel), db.Micros(now))
}

// burstOf is how many reports of one target in an hour look like a campaign.
const burstOf = 20

// markBurst flags a case that many reports joined within an hour. The flag
// stays: it is a hint for whoever assesses, and moves nothing.
func markBurst(ctx context.Context, tx *db.Tx, c *Case, now time.Time) error {
	n, err := db.Value[int64](ctx, tx, `
		SELECT count(*) FROM (SELECT 1 FROM case_reports WHERE case_id = $1 AND joined_at > $2 LIMIT $3) r`,
		c.ID, db.Micros(now.Add(-time.Hour)), burstOf)
	c.Burst = c.Burst || n >= burstOf
	return err
}

// fold adds a report, or what came after it, to a case; weighs takes the case
// out of its lane.
func (r *Room) fold(ctx context.Context, tx *db.Tx, c Case, f report.Facts, ls []report.Location, e feed.Entry, weighs bool) error {
	known, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM case_reports WHERE case_id = $1 AND report_id = $2`, c.ID, f.ID)
	if err != nil {
		return err
	}
	if known > 0 && e.Kind == report.EventReceived {
		return nil // this entry has been here before
	}
	now := e.At
	s := situation{Case: c, Now: now}
	t, err := next(s, Join, c.Object())
	if err != nil {
		return err
	}
	c, err = r.move(ctx, tx, s, t, func(c *Case, _ situation) (any, error) {
		takeIn(c, f)
		if isKnown(f.Channel) {
			c.told(f)
		}
		if err := claim(ctx, tx, c, f, now); err != nil {
			return nil, err
		}
		if known == 0 {
			if weighs {
				c.TurnAt = time.Time{}
			}
			c.Bulk = c.Bulk && f.Bulk
			c.ReportCount++
			if err := r.Search.Put(ctx, tx, reportDoc(*c, f, now)); err != nil {
				return nil, err
			}
			if err := addReport(ctx, tx, *c, f, now); err != nil {
				return nil, err
			}
			if err := markBurst(ctx, tx, c, now); err != nil {
				return nil, err
			}
			if err := r.hear(ctx, tx, c, f, now); err != nil {
				return nil, err
			}
			if err := r.call(ctx, tx, *c, f, now); err != nil {
				return nil, err
			}
			if err := r.Reports.StepTx(ctx, tx, []report.ID{f.ID}, report.Step{Kind: report.StepJoined, At: now}); err != nil {
				return nil, err
			}
		}
		n, had := c.news(), c.Platform
		n.Count = c.ReportCount
		if err := addLocations(ctx, tx, c, ls, now); err != nil || c.Platform == had {
			return n, err
		}
		return n, r.indexHead(ctx, tx, *c)
	})
	if err != nil || c.State != Closed {
		return err
	}
	gone, err := back(ctx, tx, c.ID, f)
	if err != nil {
		return err
	}
	why := weighty(f, known == 0, added(e), gone)
	if why == "" {
		return nil
	}
	if why == againUpload { // whether it is there, a person says now
		if err := setGone(ctx, tx, c.ID, f.Locations, nil); err != nil {
			return err
		}
	}
	return r.openAgain(ctx, tx, c, f, why, now)
}

// added reads from a report's event whether it brought files or locations.
func added(e feed.Entry) bool {
	var d struct {
		Locations int `json:"locations"`
		Files     int `json:"files"`
	}
	return json.Unmarshal(e.Data, &d) == nil && (d.Files > 0 || d.Locations > 0)
}

// Why a report opens a closed case again; their texts are case.reopened.<why>.
const (
	againUpload   = "re-upload"
	againThreat   = "threat"
	againPartner  = "partner"
	againMaterial = "material"
)

// weighty says why a report opens a closed case again, "" if it does not: the
// content was gone and is reported anew; somebody speaks of a threat to
// life; a partner or a match reports, but not by a list; or a reporter adds material. One more
// report by the public of what was found lawful does not, by form or by program
// (threat-model T04).
func weighty(f report.Facts, fresh, material, gone bool) string {
	switch {
	case fresh && gone:
		return againUpload
	case f.Bulk: // a list of years would open as many cases again
		return ""
	case fresh && slices.Contains([]report.Channel{report.Partner, report.Match}, f.Channel):
		return againPartner
	case fresh && (life(f) || f.Soon):
		return againThreat
	case !fresh && material:
		return againMaterial
	default:
		return ""
	}
}
