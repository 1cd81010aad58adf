package casework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// Assess keeps a new version of the assessment of a case that the actor holds.
// Base is the version that the actor saw, 0 for none: if another has come
// since, it is refused and nothing is overwritten. An incomplete assessment is
// kept; Complete tells what is missing. It returns the new version.
func (r *Room) Assess(ctx context.Context, by party.Actor, id ID, base int, a Assessment) (Version, error) {
	var v Version
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, Assess, now, func(c *Case, s situation) (any, error) {
			if err := a.Validate(); err != nil {
				return nil, err
			}
			if base != c.Assessed {
				return nil, fault.New(fault.Conflict, "case.assessed-meanwhile", "Ref", c.Ref, "Version", c.Assessed).At("/base")
			}
			v = Version{Assessment: a.ordered(), ID: db.NewID(), Version: c.Assessed + 1, Person: by.Person, At: now, Pack: s.Pack.Ref}
			c.Assessed, c.Tier, c.ListClass, c.Opinion = v.Version, policy.Tier(a.Tier), policy.ListClass(a.Listed.Class), ""
			c.Complete, c.OrderFault = judge(v.Assessment, s.Pack, nil)
			for _, g := range v.MetGrounds() {
				c.about(topicOf[g])
			}
			if c.Tier == policy.ThreatToLife && c.Held(now) {
				c.HeldUntil = now // a hold never stands against a threat to life
			}
			n := c.news()
			n.Version = v.Version
			return n, r.insertVersion(ctx, tx, *c, v)
		})
		return err
	})
	return v, err
}

// judge returns what a case row tells of its assessment.
func judge(a Assessment, pack policy.Pack, opinions []Opinion) (complete bool, orderFault string) {
	complete = a.Complete() == nil
	if f, ok := fault.As(a.MayOrder(pack, opinions)); ok {
		orderFault = f.Code
	}
	return complete, orderFault
}

func (r *Room) insertVersion(ctx context.Context, tx *db.Tx, c Case, v Version) error {
	body, err := json.Marshal(v.Assessment)
	if err != nil {
		return err
	}
	sealed, err := r.seal(c, "assessment", v.ID, body)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO case_assessments (id, case_id, version, person_id, at, pack_code, pack_version, pack_digest, measure, grounds,
			functions, tier, list_class, complete, body_sealed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		v.ID, c.ID, v.Version, v.Person, db.Micros(v.At), v.Pack.Code, v.Pack.Version, v.Pack.Digest, v.Measure,
		db.List(v.MetGrounds()), db.List(v.Functions), string(v.Tier), string(v.Listed.Class), c.Complete, sealed)
	return err
}

// versions returns every assessment of a case, the first first.
func (r *Room) versions(ctx context.Context, q db.Reader, c Case) ([]Version, error) {
	return db.All(ctx, q, func(row db.Row) (Version, error) {
		var v Version
		var sealed []byte
		if err := row.Scan(&v.ID, &v.Version, &v.Person, db.Time(&v.At), &v.Pack.Code, &v.Pack.Version, &v.Pack.Digest, &sealed); err != nil {
			return v, err
		}
		body, err := r.unseal(c, "assessment", v.ID, sealed)
		if err != nil {
			return v, err
		}
		return v, json.Unmarshal(body, &v.Assessment)
	}, `
		SELECT id, version, person_id, at, pack_code, pack_version, pack_digest, body_sealed
		FROM case_assessments WHERE case_id = $1 ORDER BY version`, c.ID)
}

// An Opinion is a second person's own answers to the purpose tests of one
// version of an assessment.
type Opinion struct {
	PurposeTests []notes.PurposeTest `json:"purpose_tests"` // all five, with reasons
	Reasons      string              `json:"reasons"`

	Assessment int            `json:"-"` // version it is about
	AskedBy    party.PersonID `json:"-"`
	AskedOf    party.PersonID `json:"-"` // "" for whoever is there
	AskedAt    time.Time      `json:"-"`
	GivenBy    party.PersonID `json:"-"` // "" while it is awaited
	GivenAt    time.Time      `json:"-"`
}

// check wants every purpose test answered with reasons.
func (o Opinion) check() error {
	var c fault.Checker
	checkPurposes(&c, "/purpose_tests", o.PurposeTests)
	prose(&c, "/reasons", o.Reasons, maxFinding)
	for i, p := range notes.Purposes() {
		at := fmt.Sprintf("/purpose_tests/%d", i)
		t := purposeIn(o.PurposeTests, p)
		for what, ok := range map[string]bool{"claimed": t.Claimed != "", "actual": t.Actual != "", "reasons": said(t.Reasons)} {
			if !ok {
				c.Add(at+"/"+what, "case.unanswered."+string(p))
			}
		}
	}
	return c.Err()
}

// AskOpinion asks a colleague, or whoever is there if of is "", for their own
// answers to the purpose tests of the assessment as it stands.
func (r *Room) AskOpinion(ctx context.Context, by party.Actor, id ID, of party.PersonID) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, AskOpinion, now, func(c *Case, _ situation) (any, error) {
			switch {
			case c.Assessed == 0:
				return nil, fault.New(fault.Conflict, "case.incomplete", "Ref", c.Ref)
			case c.Opinion == "asked":
				return nil, fault.New(fault.Conflict, "case.opinion-asked", "Ref", c.Ref)
			case of == by.Person:
				return nil, fault.New(fault.Invalid, "case.same-person", "Ref", c.Ref).At("/person")
			}
			if err := colleague(ctx, tx, c.Party, of); err != nil {
				return nil, err
			}
			c.Opinion = "asked"
			_, err := tx.Exec(ctx, `
				INSERT INTO case_opinions (id, case_id, assessment, asked_by, asked_of, asked_at) VALUES ($1, $2, $3, $4, $5, $6)`,
				db.NewID(), c.ID, c.Assessed, by.Person, db.OrNull(of), db.Micros(now))
			n := c.news()
			n.Version = c.Assessed
			return n, err
		})
		return err
	})
}

// colleague wants an active person of the party; "" is allowed.
func colleague(ctx context.Context, q db.Reader, p party.ID, id party.PersonID) error {
	if id == "" {
		return nil
	}
	person, err := party.GetPerson(ctx, q, id)
	if err != nil {
		return err
	}
	if person.Party != p || !person.Active {
		return fault.Hidden("person").At("/person")
	}
	return nil
}

// GiveOpinion answers what AskOpinion asked. Whoever wrote the assessment
// cannot, nor can the one who asked.
func (r *Room) GiveOpinion(ctx context.Context, by party.Actor, id ID, o Opinion) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, GiveOpinion, now, func(c *Case, s situation) (any, error) {
			if err := o.check(); err != nil {
				return nil, err
			}
			o.PurposeTests = orderedPurposes(o.PurposeTests)
			versions, err := r.versions(ctx, tx, *c)
			if err != nil {
				return nil, err
			}
			last := versions[len(versions)-1]
			if err := r.storeOpinion(ctx, tx, *c, by, last, o, now); err != nil {
				return nil, err
			}
			given, err := r.opinions(ctx, tx, *c, last.Version)
			if err != nil {
				return nil, err
			}
			c.Opinion = "given"
			c.Complete, c.OrderFault = judge(last.Assessment, s.Pack, given)
			n := c.news()
			n.Version = last.Version
			return n, nil
		})
		return err
	})
}

// storeOpinion fills in the question that waits for it.
func (r *Room) storeOpinion(ctx context.Context, tx *db.Tx, c Case, by party.Actor, v Version, o Opinion, now time.Time) error {
	type question struct {
		id               string
		askedBy, askedOf party.PersonID
	}
	q, err := db.One(ctx, tx, func(row db.Row) (question, error) {
		var q question
		err := row.Scan(&q.id, &q.askedBy, db.Text(&q.askedOf))
		return q, err
	}, `SELECT id, asked_by, asked_of FROM case_opinions WHERE case_id = $1 AND assessment = $2 AND given_by IS NULL ORDER BY asked_at LIMIT 1`, c.ID, v.Version)
	switch {
	case errors.Is(err, db.ErrAbsent):
		return fault.New(fault.Conflict, "case.opinion-not-asked", "Ref", c.Ref)
	case err != nil:
		return err
	case by.Person == v.Person || by.Person == q.askedBy:
		return fault.New(fault.Denied, "case.same-person", "Ref", c.Ref)
	case q.askedOf != "" && q.askedOf != by.Person:
		return fault.New(fault.Denied, "case.opinion-of-another", "Ref", c.Ref)
	}
	before, err := r.opinions(ctx, tx, c, v.Version)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(b Opinion) bool { return b.GivenBy == by.Person }) {
		return fault.New(fault.Denied, "case.same-person", "Ref", c.Ref)
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	sealed, err := r.seal(c, "opinion", q.id, body)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE case_opinions SET given_by = $2, given_at = $3, body_sealed = $4 WHERE id = $1`,
		q.id, by.Person, db.Micros(now), sealed)
	return err
}

// opinions returns the opinions given on one version, or on all if version
// is 0; of those that are awaited only with version 0.
func (r *Room) opinions(ctx context.Context, q db.Reader, c Case, version int) ([]Opinion, error) {
	return db.All(ctx, q, func(row db.Row) (Opinion, error) {
		var o Opinion
		var id string
		var sealed []byte
		err := row.Scan(&id, &o.Assessment, &o.AskedBy, db.Text(&o.AskedOf), db.Time(&o.AskedAt), db.Text(&o.GivenBy), db.Time(&o.GivenAt), &sealed)
		if err != nil || sealed == nil {
			return o, err
		}
		body, err := r.unseal(c, "opinion", id, sealed)
		if err != nil {
			return o, err
		}
		return o, json.Unmarshal(body, &o)
	}, `
		SELECT id, assessment, asked_by, asked_of, asked_at, given_by, given_at, body_sealed FROM case_opinions
		WHERE case_id = $1 AND ($2 = 0 OR (assessment = $2 AND given_by IS NOT NULL)) ORDER BY asked_at, id`, c.ID, version)
}
