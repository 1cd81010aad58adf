package notice

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// Draft freezes the case's dossier and builds the notice from it: canonical
// bytes, once. The proposer signs their digest with Propose. Faults name every
// field that Annex I wants and the case does not give.
func (r *Room) Draft(ctx context.Context, by party.Actor, in DraftInput) (Notice, error) {
	if err := auth.May(by, auth.NoticePropose, auth.Object{What: "case", Owner: by.Party}); err != nil {
		return Notice{}, err
	}
	var n Notice
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		b, err := r.plan(ctx, tx, by, in, now)
		if err != nil {
			return err
		}
		if err := b.freeze(ctx); err != nil {
			return err
		}
		ref, err := reference.Next(ctx, tx, series(in.Kind), now)
		if err != nil {
			return err
		}
		key, wrapped, err := r.Vault.NewKey()
		if err != nil {
			return err
		}
		n = Notice{
			ID: ID(db.NewID()), Ref: ref, Life: Draft, Delivery: Queued, Rung: NoRung, CreatedAt: now, key: wrapped,
		}
		d, err := b.build(ctx, n.ID, n.Ref)
		if err != nil {
			return err
		}
		n.take(d, by, b.frozen, now, key)
		n.Version = 1
		if err := insert(ctx, tx, n); err != nil {
			return err
		}
		if err := r.index(ctx, tx, n); err != nil {
			return err
		}
		return r.storeDraft(ctx, tx, by, n, d, key, "notice.drafted", now)
	})
	return n, err
}

// Redraft builds a new version of a draft, usually after it was returned.
// Signatures of older versions stay on record and no longer count.
func (r *Room) Redraft(ctx context.Context, by party.Actor, id ID, in DraftInput) (Notice, error) {
	var n Notice
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, _, err = r.begin(ctx, tx, by, id, EventRedraft); err != nil {
			return err
		}
		in.CaseID, in.Kind = n.CaseID, n.Kind
		if n.Platform == casework.UnknownPlatform {
			in.Addressee = cmp.Or(in.Addressee, n.Addressee)
		}
		if err := r.release(ctx, tx, by, n, "redrafted", now); err != nil {
			return err
		}
		b, err := r.plan(ctx, tx, by, in, now)
		if err != nil {
			return err
		}
		if err := b.freeze(ctx); err != nil {
			return err
		}
		d, err := b.build(ctx, n.ID, n.Ref)
		if err != nil {
			return err
		}
		key, err := r.unwrap(n)
		if err != nil {
			return err
		}
		n.take(d, by, b.frozen, now, key)
		n.Version++
		if err := saveWhole(ctx, tx, n); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM notice_items WHERE notice_id = $1`, n.ID); err != nil {
			return err
		}
		return r.storeDraft(ctx, tx, by, n, d, key, "notice.redrafted", now)
	})
	return n, err
}

// release gives the case back that a draft holds, unless a return has done so.
func (r *Room) release(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, why string, now time.Time) error {
	back, err := db.Value[int64](ctx, tx, `SELECT count(*) FROM notice_returns WHERE notice_id = $1 AND version = $2`, n.ID, n.Version)
	if err != nil || back > 0 {
		return err
	}
	return r.Cases.ReturnTx(ctx, tx, by, n.DossierID, []string{why}, "", now)
}

func series(kind notes.NoticeKind) reference.Series {
	if kind == notes.Referral {
		return reference.Referral
	}
	return reference.RemovalOrder
}

// take sets what follows from a freshly built version.
func (n *Notice) take(d draft, by party.Actor, frozen casework.Dossier, now time.Time, key vault.Key) {
	n.Kind, n.CaseID, n.CaseRef, n.DossierID = d.doc.Kind, frozen.CaseID, frozen.Ref, frozen.ID
	n.Proposer, n.Issuer, n.Addressee = by.Party, d.issuer, d.addressee
	n.Platform, n.Pack = d.doc.Items[0].Platform, d.pack.Ref
	n.Digest, n.sealedBytes = d.digest, vault.Seal(key, d.canonical, aad(n.ID, "canonical"))
	n.DeadlineMinutes, n.Grounds, n.Functions, n.Tier = d.doc.DeadlineMinutes, d.doc.Grounds, d.doc.Functions, d.doc.Tier
	n.ItemCount, n.Broad, n.ApprovalsNeeded = len(d.doc.Items), d.broad, d.approvals
	n.MayTell, n.PreserveMonths = d.doc.Disclosure.MayTellUser, 0
	if d.doc.Duties != nil {
		n.PreserveMonths = d.doc.Duties.PreserveMonths
	}
	n.AdvanceFrom = d.advance
	n.Emergency = d.doc.FirstNotice != nil && d.doc.FirstNotice.Emergency != nil
	n.DraftedBy, n.DraftedAt = by.Person, now
	n.ProposedAt, n.ApprovedAt = time.Time{}, time.Time{}
}

// storeDraft stores the version and its items beside the notice's row.
func (r *Room) storeDraft(ctx context.Context, tx *db.Tx, by party.Actor, n Notice, d draft, key vault.Key, event string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO notice_versions (notice_id, version, digest, canonical_sealed, dossier_id, person_id, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		n.ID, n.Version, n.Digest[:], n.sealedBytes, n.DossierID, by.Person, db.Micros(now))
	if err != nil {
		return err
	}
	for i, it := range d.doc.Items {
		_, err := tx.Exec(ctx, `
			INSERT INTO notice_items (notice_id, n, location_id, url_sealed, platform, kind, content_type, language, state, answer, answers, reopened)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', '', 0, 0)`,
			n.ID, it.N, d.locations[i], vault.Seal(key, []byte(it.URL), aad(n.ID, "url")),
			it.Platform, it.Kind, it.ContentType, it.Language)
		if err != nil {
			return err
		}
	}
	if err := r.seal(ctx, tx, n.ID); err != nil {
		return err
	}
	return r.record(ctx, tx, by, event, n, map[string]any{
		"kind": n.Kind, "version": n.Version, "items": n.ItemCount, "digest": notes.Hex(n.Digest),
	}, now)
}

// begin locks a notice that is not yet sent for one event of its life: the
// actor may do it, the state allows it, the rows are those that we wrote.
func (r *Room) begin(ctx context.Context, tx *db.Tx, by party.Actor, id ID, event Event) (Notice, []Signature, error) {
	n, err := lock(ctx, tx, id)
	if err != nil {
		return n, nil, err
	}
	sigs, err := signatures(ctx, tx, id, n.Version)
	if err != nil {
		return n, nil, err
	}
	act, ok := actOf(event)
	if !ok {
		return n, nil, fault.New(fault.Conflict, "notice.state", "What", "life", "State", string(n.Life), "Event", string(event), "Allowed", "")
	}
	if err := auth.May(by, act, r.object(n, acted(n, sigs, event))); err != nil {
		return n, nil, err
	}
	if _, err := n.check(event); err != nil {
		return n, nil, err
	}
	if _, err := r.whole(ctx, tx, id); err != nil {
		return n, nil, err
	}
	return n, sigs, nil
}

// actOf returns the right that an event needs.
func actOf(event Event) (auth.Act, bool) {
	i := slices.IndexFunc(lifeTable, func(t Transition[Life]) bool { return t.Event == event })
	if i < 0 || lifeTable[i].Who == "" {
		return "", false
	}
	return lifeTable[i].Who, true
}

// acted is who may not take the next step: everybody who has signed this
// version, and whoever wrote it.
func acted(n Notice, sigs []Signature, event Event) []party.PersonID {
	if event == EventPropose || event == EventRedraft {
		return nil
	}
	out := []party.PersonID{n.DraftedBy}
	for _, s := range sigs {
		out = append(out, s.Person)
	}
	return out
}

// RecordAdvance records that the issuer has told a platform of its procedures
// and deadlines, which the very first order has to follow by the pack's time.
// Regulation (EU) 2021/784, Article 3(2).
func (r *Room) RecordAdvance(ctx context.Context, by party.Actor, platform party.ID) error {
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := auth.May(by, auth.NoticeVerify, auth.Object{What: "party", Issuer: by.Party}); err != nil {
			return err
		}
		to, err := party.Get(ctx, tx, platform)
		if err != nil {
			return err
		}
		if to.Kind != party.Platform {
			return fault.New(fault.Invalid, "notice.not-platform").At("/platform")
		}
		now := r.Clock.Now()
		_, err = tx.Exec(ctx, `INSERT INTO notice_advance (issuer, addressee, person_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			by.Party, platform, by.Person, db.Micros(now))
		if err != nil {
			return err
		}
		n := Notice{Proposer: by.Party, Issuer: by.Party}
		return r.record(ctx, tx, by, "notice.advance", n, map[string]any{"platform": to.Code}, now)
	})
}
