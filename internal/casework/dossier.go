package casework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/canonical"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// A DossierID identifies a dossier (UUIDv7).
type DossierID string

// A Dossier is the frozen copy of an assessment, its locations and its
// evidence manifest. It never changes: a later assessment makes a new one.
type Dossier struct {
	ID        DossierID
	CaseID    ID
	Ref       string // of the case
	Version   int    // of the case's dossiers, from 1
	Party     party.ID
	To        party.ID
	Measure   string
	Person    party.PersonID // who proposed, or handed over
	Assessed  int            // version of the assessment in it
	FrozenAt  time.Time
	Canonical []byte   // notes.Dossier in canonical form (RFC 8785)
	Digest    [32]byte // notes.Digest of it
	Document  notes.Dossier
	Locations []report.LocationID // in the order of Document.Locations
	Files     []FileID            // in the order of Document.Evidence
	State     DossierState
	Outcome   string // of a decision or an end
}

// A DossierState is what became of a dossier.
type DossierState string

// The states of a dossier.
const (
	Frozen   DossierState = "frozen"   // awaits its decision
	Settled  DossierState = "decided"  // the decision is being carried out
	SentBack DossierState = "returned" // with reasons
	Finished DossierState = "finished"
)

// Object is the dossier as rights see it: its receiver reads it, not the case.
func (d Dossier) Object() auth.Object {
	return auth.Object{What: "dossier", Owner: d.Party, Receivers: []party.ID{d.To}, Acted: []party.PersonID{d.Person}}
}

// A Freeze asks for a dossier.
type Freeze struct {
	CaseID      ID
	LocationIDs []report.LocationID // of the case; at least one
	To          party.ID            // who decides on it: the issuer, which may be the case's own party
	Measure     string              // what is proposed; must be the assessment's
}

// FreezeTx freezes the dossier of a proposal and moves its case to proposed. A
// case may be proposed in parts, as for several platforms: a location stands
// in one dossier at a time. It refuses with what is missing: the lock, a
// complete assessment that allows a notice, a capture or the reason why there
// is none.
func (r *Room) FreezeTx(ctx context.Context, tx *db.Tx, by party.Actor, f Freeze, now time.Time) (Dossier, error) {
	var d Dossier
	_, err := r.act(ctx, tx, by, f.CaseID, Propose, now, func(c *Case, _ situation) (any, error) {
		var err error
		d, err = r.freeze(ctx, tx, by, c, f, now)
		if err != nil {
			return nil, err
		}
		n := c.news()
		n.Code, n.Version, n.Count = f.Measure, d.Version, len(d.Locations)
		return n, nil
	})
	return d, err
}

// freeze builds, checks and stores a dossier of c.
func (r *Room) freeze(ctx context.Context, tx *db.Tx, by party.Actor, c *Case, f Freeze, now time.Time) (Dossier, error) {
	if err := r.checkFreeze(ctx, tx, c, f); err != nil {
		return Dossier{}, err
	}
	last, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM dossiers WHERE case_id = $1`, c.ID)
	if err != nil {
		return Dossier{}, err
	}
	d := Dossier{
		ID: DossierID(db.NewID()), CaseID: c.ID, Ref: c.Ref, Version: int(last) + 1, Party: c.Party, To: f.To, Measure: f.Measure,
		Person: by.Person, Assessed: c.Assessed, FrozenAt: now, Locations: f.LocationIDs, State: Frozen,
	}
	if err := r.document(ctx, tx, *c, &d); err != nil {
		return Dossier{}, err
	}
	if d.Document.Assessment.Measure != f.Measure {
		return Dossier{}, fault.New(fault.Conflict, "case.measure", "Want", d.Document.Assessment.Measure, "Got", clip(f.Measure)).At("/kind")
	}
	if d.Canonical, err = notes.Canonical(d.Document); err != nil {
		return Dossier{}, fmt.Errorf("freeze case %s: %w", c.ID, err)
	}
	if err := notes.Validate(notes.KindDossier, d.Canonical); err != nil {
		return Dossier{}, dossierFault(err)
	}
	d.Digest = notes.Digest(notes.KindDossier, d.Canonical)
	c.Dossiers++
	return d, r.insertDossier(ctx, tx, *c, d)
}

// dossierFault says which parts of a document its schema refuses.
func dossierFault(err error) error {
	bad, ok := errors.AsType[*notes.InvalidError](err)
	if !ok {
		return err
	}
	var c fault.Checker
	for _, p := range bad.Problems {
		at := strings.TrimPrefix(p.Pointer, "/assessment")
		if p.Rule == notes.RuleRequired {
			for name := range strings.SplitSeq(p.Limit, ", ") {
				c.Require(false, at+"/"+name)
			}
			continue
		}
		c.Add(at, "document."+string(p.Rule), "Limit", p.Limit)
	}
	f, ok := fault.As(c.Err())
	if !ok {
		return err
	}
	return f.Because(err)
}

// checkFreeze wants locations of the case that stand in no other dossier.
func (r *Room) checkFreeze(ctx context.Context, tx *db.Tx, c *Case, f Freeze) error {
	var faults fault.Checker
	faults.Require(len(f.LocationIDs) > 0, "/locations")
	mine, err := r.Locations(ctx, tx, c.ID)
	if err != nil {
		return err
	}
	taken, err := db.All(ctx, tx, db.Scalar[report.LocationID], `
		SELECT l.location_id FROM dossier_locations l JOIN dossier_fates f ON f.dossier_id = l.dossier_id
		WHERE f.case_id = $1 AND f.state IN ('frozen', 'decided')`, c.ID)
	if err != nil {
		return err
	}
	for i, id := range f.LocationIDs {
		at := fmt.Sprintf("/locations/%d", i)
		switch {
		case !slices.Contains(mine, id):
			faults.Add(at, "case.location", "Ref", c.Ref)
		case slices.Contains(taken, id):
			faults.Add(at, "case.location-proposed", "Ref", c.Ref)
		case slices.Contains(f.LocationIDs[:i], id):
			faults.Add(at, "case.twice", "Value", strconv.Itoa(i+1))
		}
	}
	return faults.Err()
}

// document fills in what is signed.
func (r *Room) document(ctx context.Context, tx *db.Tx, c Case, d *Dossier) error {
	inst, err := reference.Of(ctx, tx)
	if err != nil {
		return fmt.Errorf("freeze case %s: %w", c.ID, err)
	}
	from, err := party.Get(ctx, tx, d.Party)
	if err != nil {
		return err
	}
	to, err := party.Get(ctx, tx, d.To)
	if err != nil {
		return err
	}
	versions, err := r.versions(ctx, tx, c)
	if err != nil {
		return err
	}
	d.Document = notes.Dossier{
		V: notes.Version, Instance: inst.Code, ID: string(d.ID), Case: c.Ref, From: noteParty(from), To: noteParty(to),
		FrozenAt: notes.At(d.FrozenAt), Evidence: []notes.Evidence{},
	}
	if d.Document.Assessment, err = assessmentDocument(versions, inst.Code, c, noteParty(from)); err != nil {
		return fmt.Errorf("freeze case %s: %w", c.ID, err)
	}
	return r.exhibits(ctx, tx, c, d, versions[len(versions)-1].Reasons.Binding)
}

// exhibits fills in locations and evidence manifest.
func (r *Room) exhibits(ctx context.Context, tx *db.Tx, c Case, d *Dossier, lang string) error {
	ls, err := r.Reports.Locations(ctx, tx, d.Locations)
	if err != nil {
		return err
	}
	if len(ls) != len(d.Locations) {
		return fault.New(fault.Conflict, "case.location", "Ref", c.Ref)
	}
	for i, l := range ls {
		d.Document.Locations = append(d.Document.Locations, item(i+1, l))
	}
	files, err := r.filesOf(ctx, tx, c, "")
	if err != nil {
		return err
	}
	for _, f := range files {
		about := slices.Index(d.Locations, f.Location)
		if f.Location != "" && about < 0 {
			continue // shows something that is not part of this proposal
		}
		sealedBy := "system"
		if f.Kind == FileUpload {
			sealedBy = "analyst"
		}
		d.Files = append(d.Files, f.ID)
		d.Document.Evidence = append(d.Document.Evidence, notes.Evidence{
			N: len(d.Files), SHA256: f.Ref.SHA256.String(), Size: f.Ref.Size, MediaType: f.MediaType,
			CapturedAt: notes.At(f.CapturedAt), SealedBy: sealedBy, Item: about + 1,
		})
	}
	if len(d.Files) > 0 {
		return nil
	}
	why, err := r.lastNote(ctx, tx, c, NoEvidence)
	if err != nil {
		return err
	}
	if why == "" {
		return fault.New(fault.Conflict, "case.no-evidence", "Ref", c.Ref)
	}
	d.Document.EvidenceMissing = &notes.Text{Binding: lang, Texts: map[string]string{lang: why}}
	return nil
}

func noteParty(p party.Party) notes.Party {
	state := p.Establishment
	if state == "" {
		state = stateOf(p.Jurisdiction)
	}
	return notes.Party{ID: string(p.ID), Name: p.Name, Kind: string(p.Kind), State: state}
}

// stateOf returns the state or union of a pack's code: eu-tco is that of EU.
func stateOf(code string) string {
	state, _, _ := strings.Cut(strings.ToUpper(code), "-")
	return state
}

// UnknownPlatform stands in a dossier's item where the location data know no
// platform: a site on a host of its own.
const UnknownPlatform = "unknown"

func item(n int, l report.Location) notes.Item {
	it := notes.Item{N: n, URL: l.URL, Kind: string(l.Kind), Platform: l.Platform, ContentType: "mixed", Language: "und"}
	if it.Platform == "" {
		it.Platform = UnknownPlatform
	}
	switch l.Kind {
	case canonical.Payment:
		it.Kind, it.ContentType = "payment-page", "other"
	case canonical.Wallet:
		it.ContentType = "other"
	case canonical.Account:
		it.ContentType = "account"
	case canonical.File:
		it.ContentType = "document"
	case canonical.Post, canonical.Channel, canonical.Group, canonical.Site, canonical.Domain:
	}
	return it
}

// assessmentDocument writes the last version as it is signed, naming the
// digest of the one before, and so on to the first.
func assessmentDocument(versions []Version, instance string, c Case, agency notes.Party) (notes.Assessment, error) {
	var doc notes.Assessment
	previous := ""
	for _, v := range versions {
		doc = notes.Assessment{
			V: notes.Version, Instance: instance, ID: v.ID, Case: c.Ref, Version: v.Version, Previous: previous, Agency: agency,
			Jurisdiction: stateOf(c.Jurisdiction), Measure: v.Measure, Public: v.Public, Grounds: v.Grounds,
			Pack:      notes.Pack{Code: v.Pack.Code, Version: v.Pack.Version, Digest: v.Pack.Digest},
			Functions: v.Functions, Audience: v.Audience, Tier: v.Tier, Listed: v.Listed, PurposeTests: v.PurposeTests,
			Necessity: v.Necessity, Scope: v.Scope, Reasons: v.Reasons,
		}
		if doc.Functions == nil {
			doc.Functions = []notes.Function{}
		}
		canon, err := notes.Canonical(doc)
		if err != nil {
			return doc, err
		}
		previous = notes.Hex(notes.Digest(notes.KindAssessment, canon))
	}
	return doc, nil
}

func (r *Room) insertDossier(ctx context.Context, tx *db.Tx, c Case, d Dossier) error {
	sealed, err := r.seal(c, "dossier", string(d.ID), d.Canonical)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO dossiers (id, case_id, version, party_id, to_party, measure, assessment, person_id, digest, body_sealed, frozen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		d.ID, d.CaseID, d.Version, d.Party, d.To, d.Measure, d.Assessed, d.Person, d.Digest[:], sealed, db.Micros(d.FrozenAt))
	if err != nil {
		return err
	}
	for i, l := range d.Locations {
		if _, err := tx.Exec(ctx, `INSERT INTO dossier_locations (dossier_id, n, location_id) VALUES ($1, $2, $3)`, d.ID, i+1, l); err != nil {
			return err
		}
	}
	for i, f := range d.Files {
		if _, err := tx.Exec(ctx, `INSERT INTO dossier_files (dossier_id, n, file_id) VALUES ($1, $2, $3)`, d.ID, i+1, f); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO dossier_fates (dossier_id, case_id, state, outcome, at) VALUES ($1, $2, 'frozen', '', $3)`,
		d.ID, d.CaseID, db.Micros(d.FrozenAt))
	return err
}

// GetDossier returns a dossier to its sender, its receiver or oversight. The
// receiver of a hand-over gets it once its own assessment is complete.
func (r *Room) GetDossier(ctx context.Context, by party.Actor, id DossierID) (Dossier, error) {
	d, err := r.Dossier(ctx, r.DB, id)
	if err != nil {
		return d, err
	}
	if err := auth.May(by, auth.CaseRead, d.Object()); err != nil {
		return Dossier{}, err
	}
	if d.Measure != MeasureHandOver {
		return d, nil
	}
	h, err := db.One(ctx, r.DB, r.scanHandOver, `
		SELECT `+handOverColumns+` FROM handovers h JOIN cases c ON c.id = h.case_id WHERE h.dossier_id = $1`, id)
	if err != nil {
		return Dossier{}, err
	}
	h.Assessment = &d.Document.Assessment
	if err := r.blind(ctx, r.DB, by, &h); err != nil {
		return Dossier{}, err
	}
	if h.Assessment == nil {
		return Dossier{}, fault.New(fault.Conflict, "case.answer-first", "Ref", d.Ref)
	}
	return d, nil
}

// Dossier returns a dossier with its document, checked against its digest, to
// other rooms, which have checked rights. Edges ask GetDossier.
func (r *Room) Dossier(ctx context.Context, q db.Reader, id DossierID) (Dossier, error) {
	var sealed, digest []byte
	d, err := hide(db.One(ctx, q, func(row db.Row) (Dossier, error) {
		var d Dossier
		err := row.Scan(&d.ID, &d.CaseID, &d.Ref, &d.Version, &d.Party, &d.To, &d.Measure, &d.Assessed, &d.Person, &digest, &sealed,
			db.Time(&d.FrozenAt), &d.State, &d.Outcome)
		return d, err
	}, `
		SELECT d.id, d.case_id, c.ref, d.version, d.party_id, d.to_party, d.measure, d.assessment, d.person_id, d.digest,
			d.body_sealed, d.frozen_at, f.state, f.outcome
		FROM dossiers d JOIN cases c ON c.id = d.case_id JOIN dossier_fates f ON f.dossier_id = d.id WHERE d.id = $1`, id))
	if err != nil {
		return d, err
	}
	c, err := hide(db.One(ctx, q, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, d.CaseID))
	if err != nil {
		return d, err
	}
	if d.Canonical, err = r.unseal(c, "dossier", string(d.ID), sealed); err != nil {
		return d, err
	}
	d.Digest = notes.Digest(notes.KindDossier, d.Canonical)
	if !slices.Equal(d.Digest[:], digest) {
		return d, fmt.Errorf("dossier %s is not what was frozen", id)
	}
	if err := json.Unmarshal(d.Canonical, &d.Document); err != nil {
		return d, fmt.Errorf("dossier %s: %w", id, err)
	}
	if d.Locations, err = db.All(ctx, q, db.Scalar[report.LocationID], `SELECT location_id FROM dossier_locations WHERE dossier_id = $1 ORDER BY n`, id); err != nil {
		return d, err
	}
	d.Files, err = db.All(ctx, q, db.Scalar[FileID], `SELECT file_id FROM dossier_files WHERE dossier_id = $1 ORDER BY n`, id)
	return d, err
}

// ReturnTx sends a dossier back: its case is taken again by whoever proposed,
// with reasons and a text. A notice that is withdrawn before it was decided
// ends here too.
func (r *Room) ReturnTx(ctx context.Context, tx *db.Tx, by party.Actor, id DossierID, reasons []string, text string, now time.Time) error {
	return r.fate(ctx, tx, by, id, Return, now, func(c *Case, d Dossier) (any, error) {
		c.Holder, c.LockedUntil = d.Person, now.Add(lockFor)
		c.Dossiers--
		if err := r.note(ctx, tx, *c, by, string(Return), strings.Join(reasons, " "), text, now); err != nil {
			return nil, err
		}
		return news{State: c.State, Code: strings.Join(reasons, " "), Version: d.Version}, setFate(ctx, tx, d, SentBack, "", now)
	})
}

// DecideTx records that the chain has decided on a dossier: its case waits for
// the outcome.
func (r *Room) DecideTx(ctx context.Context, tx *db.Tx, id DossierID, outcome string, now time.Time) error {
	return r.fate(ctx, tx, party.Actor{}, id, Decide, now, func(c *Case, d Dossier) (any, error) {
		return news{State: c.State, Code: outcome, Version: d.Version}, setFate(ctx, tx, d, Settled, outcome, now)
	})
}

// FinishTx records how a decided dossier ended, and which of its locations are
// gone: whoever reports one of them later tells of a re-upload. The case is
// closed with the last of its dossiers.
func (r *Room) FinishTx(ctx context.Context, tx *db.Tx, id DossierID, outcome string, gone []report.LocationID, now time.Time) error {
	return r.fate(ctx, tx, party.Actor{}, id, Finish, now, func(c *Case, d Dossier) (any, error) {
		c.Dossiers--
		if c.State == Closed {
			c.Outcome, c.ClosedAt, c.Holder, c.LockedUntil = outcome, now, "", time.Time{}
		}
		return news{State: c.State, Code: outcome, Version: d.Version}, errors.Join(markGone(ctx, tx, d, gone, now), setFate(ctx, tx, d, Finished, outcome, now))
	})
}

// from says in which states of a dossier an event may happen to it.
var from = map[Event][]DossierState{Return: {Frozen, Settled}, Decide: {Frozen}, Finish: {Settled}}

// fate moves a dossier and its case.
func (r *Room) fate(ctx context.Context, tx *db.Tx, by party.Actor, id DossierID, event Event, now time.Time, change func(*Case, Dossier) (any, error)) error {
	d, err := hide(db.One(ctx, tx, func(row db.Row) (Dossier, error) {
		d := Dossier{ID: id}
		err := row.Scan(&d.CaseID, &d.Person, &d.Version)
		return d, err
	}, `SELECT case_id, person_id, version FROM dossiers WHERE id = $1`, id))
	if err != nil {
		return err
	}
	_, err = r.act(ctx, tx, by, d.CaseID, event, now, func(c *Case, _ situation) (any, error) {
		if d.State, err = db.Value[DossierState](ctx, tx, `SELECT state FROM dossier_fates WHERE dossier_id = $1`, id); err != nil {
			return nil, err
		}
		if !slices.Contains(from[event], d.State) {
			return nil, fault.New(fault.Conflict, "case.dossier-state", "Ref", c.Ref, "Event", string(event), "State", string(d.State))
		}
		return change(c, d)
	})
	return err
}

func setFate(ctx context.Context, tx *db.Tx, d Dossier, s DossierState, outcome string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE dossier_fates SET state = $2, outcome = $3, at = $4 WHERE dossier_id = $1`, d.ID, s, outcome, db.Micros(now))
	return err
}

// ReopenTx opens a closed case again: a re-upload, an appeal, or a weighty new
// report (domain.md, Case). Why is a code. An open case stays as it is.
func (r *Room) ReopenTx(ctx context.Context, tx *db.Tx, id ID, why string, now time.Time) error {
	c, err := load(ctx, tx, id)
	if err != nil || c.State != Closed {
		return err
	}
	return r.reopen(ctx, tx, party.Actor{}, c, why, now)
}

func (r *Room) reopen(ctx context.Context, tx *db.Tx, by party.Actor, c Case, why string, now time.Time) error {
	s := situation{Case: c, By: by, Now: now}
	t, err := next(s, Reopen, c.Object())
	if err != nil {
		return err
	}
	_, err = r.move(ctx, tx, s, t, func(c *Case, _ situation) (any, error) {
		c.Outcome, c.ClosedAt, c.Holder, c.LockedUntil = "", time.Time{}, "", time.Time{}
		c.OpenedAt, c.Deadline = now, now.Add(r.target(*c, now))
		if err := r.note(ctx, tx, *c, by, string(Reopen), why, "", now); err != nil {
			return nil, err
		}
		if err := r.steps(ctx, tx, *c, report.Step{Kind: report.StepReopened, At: now}); err != nil {
			return nil, err
		}
		n := c.news()
		n.Code = why
		return n, nil
	})
	return err
}

// target is our own time to a proposal: the pack's, for removal orders.
func (r *Room) target(c Case, now time.Time) time.Duration {
	p := r.pack(c.Jurisdiction, now)
	chain, _ := p.Chain(policy.RemovalOrder)
	for _, s := range chain.Steps {
		if s.Act == policy.Propose {
			return s.Limit.Duration()
		}
	}
	return fullAge
}
