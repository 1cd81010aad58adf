package casework

import (
	"context"
	"fmt"
	"slices"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// TopicMedia is the topic of a case of which pictures, films or sound were
// captured, or came with the report that opened it or from somebody known.
const TopicMedia = "media"

// Topics lists what a person may ask not to be given: what reporters say that
// something is about, and media whatever they show (ui/principles.md 11). Their
// texts are triage.topic.<topic>.
func Topics() []string {
	var out []string
	for _, c := range report.Categories() {
		if c != report.Unsure {
			out = append(out, string(c))
		}
	}
	return append(out, TopicMedia)
}

// topicOf is the topic of what was found.
var topicOf = map[notes.Ground]string{
	notes.GroundIncite: string(report.Incitement), notes.GroundSolicitOffence: string(report.Incitement),
	notes.GroundSolicitGroup: string(report.Recruitment), notes.GroundInstruct: string(report.Instructions), notes.GroundThreaten: string(report.Threat),
}

// about notes that the case is about a topic; what is none is left alone.
func (c *Case) about(topic string) {
	if slices.Contains(Topics(), topic) && !slices.Contains(c.Topics, topic) {
		c.Topics = append(c.Topics, topic)
	}
}

// told notes what a report says that the case is about: the one that opened it,
// or one of somebody who is known. What anybody else adds does not count, or
// one report and a file would keep a case from all who have a wish (threat-model
// T04).
func (c *Case) told(f report.Facts) {
	c.about(string(f.Category))
	if f.Files > 0 {
		c.about(TopicMedia)
	}
}

// Avoids reports whether a case is about one of the topics.
func (c Case) Avoids(topics []string) bool {
	return slices.ContainsFunc(topics, func(t string) bool { return slices.Contains(c.Topics, t) })
}

// Wishes returns the topics that the actor asked not to be given, in the order
// of Topics. They are the person's own: no method returns them for another, no
// event carries them, and nobody is told why Next leaves a case to others.
func (r *Room) Wishes(ctx context.Context, by party.Actor) ([]string, error) {
	if !by.Known() {
		return nil, fault.New(fault.Denied, "auth.sign-in")
	}
	kept, err := db.All(ctx, r.DB, db.Scalar[string], `SELECT topic FROM topic_wishes WHERE person_id = $1`, by.Person)
	return slices.DeleteFunc(Topics(), func(t string) bool { return !slices.Contains(kept, t) }), err
}

// SetWishes says which topics the actor asks not to be given from now on; none
// takes every wish back. Whoever may not work on cases has none to say.
func (r *Room) SetWishes(ctx context.Context, by party.Actor, topics []string) error {
	if !auth.Seat(by, auth.CaseWork) {
		return auth.May(by, auth.CaseWork, Case{Party: by.Party}.Object())
	}
	var faults fault.Checker
	for i, t := range topics {
		oneOf(&faults, fmt.Sprintf("/topics/%d", i), t, Topics())
	}
	if err := faults.Err(); err != nil {
		return err
	}
	now := r.Clock.Now()
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM topic_wishes WHERE person_id = $1`, by.Person); err != nil {
			return err
		}
		for _, t := range topics {
			if _, err := tx.Exec(ctx, `INSERT INTO topic_wishes (person_id, topic, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, by.Person, t, db.Micros(now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// mediaMAC tells the same file again without saying which it is: as room report
// marks what reporters send.
func (r *Room) mediaMAC(sum vault.Digest) []byte { return r.Vault.MAC("file", sum[:]) }

// filesOfCase are the marks of the files that the case $2 has: captured, and sent by
// reporters.
const filesOfCase = `
	SELECT f.mac FROM capture_files f WHERE f.case_id = $2 AND f.mac IS NOT NULL
	UNION SELECT f.mac FROM case_reports j JOIN report_files f ON f.report_id = j.report_id WHERE j.case_id = $2`

// saw notes that who holds a case, or held it until this act, has been shown
// what it has.
func saw(ctx context.Context, tx *db.Tx, s situation, after Case) error {
	who := s.By.Person
	if !after.Heavy || who == "" || s.Case.Holder != who && after.Holder != who {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO media_seen (person_id, mac, case_id, at)
		SELECT CAST($1 AS TEXT), m.mac, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM (`+filesOfCase+`) m
		WHERE TRUE ON CONFLICT DO NOTHING`, who, after.ID, db.Micros(s.Now))
	return err
}

// SeenBefore returns which of the files that a case has the actor was shown with
// another case, each with the reference of that case. Files are the same when
// their bytes are: one that was encoded anew is another.
func (r *Room) SeenBefore(ctx context.Context, by party.Actor, id ID, sums []vault.Digest) (map[vault.Digest]string, error) {
	marks, of := make([][]byte, len(sums)), make(map[string]vault.Digest, len(sums))
	for i, sum := range sums {
		marks[i] = r.mediaMAC(sum)
		of[string(marks[i])] = sum
	}
	out := map[vault.Digest]string{}
	_, err := db.AllIn(ctx, r.DB, func(row db.Row) (none struct{}, err error) {
		var mark []byte
		var ref string
		err = row.Scan(&mark, &ref)
		out[of[string(mark)]] = ref
		return none, err
	}, func(in string) string {
		return `SELECT m.mac, c.ref FROM media_seen m JOIN cases c ON c.id = m.case_id
			WHERE m.person_id = $1 AND m.case_id <> $2 AND m.mac IN (` + in + `)`
	}, marks, by.Person, id)
	return out, err
}
