package casework

import (
	"context"
	"slices"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

// A View is everything about one case, for whoever may read it. Captures are
// named, not opened: that is OpenCapture's, on record.
type View struct {
	Case        Case
	Locations   []report.Location // opened; show them defanged
	Reports     []report.ID
	Wave        []Slot // around the highest wave of reports; nil if none came
	Lane        *Lane  // the burst that it came in; nil if in none
	Captures    []Capture
	Assessments []Version // the first first
	Opinions    []Opinion // those on earlier versions too
	Notes       []Note
	Dossiers    []Dossier  // without documents
	HandOvers   []HandedOn // made of this case
	From        *HandedOn  // the hand-over it came from; nil if none
	Timeline    []feed.Entry
	Buttons     []Button // what the actor may do now
}

// maxTimeline bounds the entries that a view shows.
const maxTimeline = 500

// Get returns a case, or a hidden fault for whoever may not read it.
func (r *Room) Get(ctx context.Context, by party.Actor, id ID) (View, error) {
	c, err := hide(db.One(ctx, r.DB, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, id))
	if err != nil {
		return View{}, err
	}
	if err := mayRead(by, c); err != nil {
		return View{}, err
	}
	now := r.Clock.Now()
	v := View{Buttons: Buttons(by, c, r.pack(c.Jurisdiction, now), now)}
	if c.LocationIDs, err = r.Locations(ctx, r.DB, id); err != nil {
		return v, err
	}
	v.Case = c
	if v.Locations, err = r.Reports.Locations(ctx, r.DB, c.LocationIDs); err != nil {
		return v, err
	}
	if v.Reports, err = r.ReportIDs(ctx, r.DB, id); err != nil {
		return v, err
	}
	if v.Wave, err = wave(ctx, r.DB, id); err != nil {
		return v, err
	}
	if v.Lane, err = laneOf(ctx, r.DB, c.LaneID); err != nil {
		return v, err
	}
	if v.Captures, err = r.captures(ctx, r.DB, c); err != nil {
		return v, err
	}
	if v.Timeline, err = feed.Of(ctx, r.DB, "case", string(id), maxTimeline); err != nil {
		return v, err
	}
	return v, r.viewFindings(ctx, by, &v)
}

// viewFindings adds what people found and wrote.
func (r *Room) viewFindings(ctx context.Context, by party.Actor, v *View) error {
	var err error
	c := v.Case
	if v.Assessments, err = r.versions(ctx, r.DB, c); err != nil {
		return err
	}
	if v.Opinions, err = r.opinions(ctx, r.DB, c, 0); err != nil {
		return err
	}
	if v.Notes, err = r.notesOf(ctx, r.DB, c); err != nil {
		return err
	}
	if v.Dossiers, err = r.dossiersOf(ctx, r.DB, c); err != nil {
		return err
	}
	return r.viewHandOvers(ctx, by, v)
}

// ByRef returns the case with a reference, or a hidden fault.
func (r *Room) ByRef(ctx context.Context, by party.Actor, ref string) (ID, error) {
	c, err := hide(db.One(ctx, r.DB, scanCase, `SELECT `+caseColumns+` FROM cases WHERE ref = $1`, ref))
	if err != nil {
		return "", err
	}
	return c.ID, mayRead(by, c)
}

// CaseTx returns a case as lists show it, for later rooms. The caller checks
// rights.
func (r *Room) CaseTx(ctx context.Context, q db.Reader, id ID) (Case, error) {
	c, err := hide(db.One(ctx, q, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, id))
	if err != nil {
		return c, err
	}
	c.LocationIDs, err = r.Locations(ctx, q, id)
	return c, err
}

// OfReport returns the cases that a report is part of, the first first.
func (r *Room) OfReport(ctx context.Context, by party.Actor, id report.ID) ([]Case, error) {
	all, err := db.All(ctx, r.DB, scanCase, `
		SELECT `+caseColumns+` FROM cases WHERE id IN (SELECT case_id FROM case_reports WHERE report_id = $1) ORDER BY opened_at, id`, id)
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, c := range all {
		if mayRead(by, c) == nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// At returns the cases that name a location and that the actor may read, the
// latest first, at most a hundred.
func (r *Room) At(ctx context.Context, by party.Actor, loc report.LocationID) ([]Case, error) {
	all, err := db.All(ctx, r.DB, scanCase, `
		SELECT `+caseColumns+` FROM cases WHERE id IN (SELECT case_id FROM case_locations WHERE location_id = $1) ORDER BY opened_at DESC, id DESC LIMIT 100`, loc)
	return slices.DeleteFunc(all, func(c Case) bool { return mayRead(by, c) != nil }), err
}

func (r *Room) dossiersOf(ctx context.Context, q db.Reader, c Case) ([]Dossier, error) {
	return db.All(ctx, q, func(row db.Row) (Dossier, error) {
		d := Dossier{CaseID: c.ID, Ref: c.Ref, Party: c.Party}
		var digest []byte
		err := row.Scan(&d.ID, &d.Version, &d.To, &d.Measure, &d.Assessed, &d.Person, &digest, db.Time(&d.FrozenAt), &d.State, &d.Outcome)
		copy(d.Digest[:], digest)
		return d, err
	}, `
		SELECT d.id, d.version, d.to_party, d.measure, d.assessment, d.person_id, d.digest, d.frozen_at, f.state, f.outcome
		FROM dossiers d JOIN dossier_fates f ON f.dossier_id = d.id WHERE d.case_id = $1 ORDER BY d.version`, c.ID)
}
