package notice

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/policy/clocks"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// Evidence is what two people rest deemed service on.
type Evidence struct {
	Methods []string // channels by which service was tried, each on record
	Text    string   // what was done; sealed
	Files   []Upload
}

// An Upload is a file that proves something, as a postal receipt.
type Upload struct {
	Name      string
	MediaType string
	Content   io.Reader
}

// Bounds of uploads to a notice.
const (
	maxFiles     = 10
	maxFileBytes = 200 << 20
	maxFileName  = 200
)

// A File is a sealed file of a notice.
type File struct {
	ID        string
	Purpose   string // deemed or served
	Name      string
	MediaType string
	SHA256    string
	Size      int64
	Person    party.PersonID
	At        time.Time

	name []byte
	ref  vault.Ref
}

// DeemedService is the record of service that two people deem done.
type DeemedService struct {
	Methods     []string
	Text        string
	ProposedBy  party.PersonID
	ProposedAt  time.Time
	ConfirmedBy party.PersonID // "" while it waits for the second person
	ConfirmedAt time.Time

	notice ID
	sealed []byte
	mac    []byte
}

// values are those of the row, for its MAC: nobody speaks by SQL for the first
// of the two, nor for the second (threat-model T12).
func (d DeemedService) values() []any {
	return []any{string(d.notice), db.List(d.Methods), d.sealed, string(d.ProposedBy), d.ProposedAt, string(d.ConfirmedBy), d.ConfirmedAt}
}

// holds returns nil if the row is one of ours, else the fault notice.damaged.
func (d DeemedService) holds(r db.Reader, n Notice) error {
	if r.Sealer().Holds("notice_deemed", string(d.notice), d.mac, d.values()...) {
		return nil
	}
	return fault.New(fault.Conflict, "notice.damaged", "Ref", n.Ref, "Why", "deemed")
}

// deemedOnce is the name of the step that SealOldDeemed is, for vault.Once.
const deemedOnce = "deemed-macs"

// SealOldDeemed seals, once, the records of deemed service from before rows had
// a MAC.
func (r *Room) SealOldDeemed(ctx context.Context) error {
	return r.Vault.Once(deemedOnce, func() error {
		return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			old, err := db.All(ctx, tx, scanDeemed, `SELECT `+deemedColumns+` FROM notice_deemed WHERE mac IS NULL ORDER BY notice_id`)
			for _, d := range old {
				if _, err := tx.Exec(ctx, `UPDATE notice_deemed SET mac = $2 WHERE notice_id = $1`, d.notice, tx.Sealer().Seal("notice_deemed", d.values()...)); err != nil {
					return err
				}
			}
			return err
		})
	})
}

// ProposeDeemed puts deemed service forward, with its evidence. It is refused
// where the jurisdiction has no such rule, in the words of its pack; before
// enough working days have passed; and without enough methods of service that
// stand in the proof of delivery.
func (r *Room) ProposeDeemed(ctx context.Context, by party.Actor, id ID, e Evidence) error {
	var c fault.Checker
	c.Require(strings.TrimSpace(e.Text) != "", "/text")
	checkText(&c, "/text", e.Text)
	c.Require(len(e.Methods) > 0, "/methods")
	if err := c.Err(); err != nil {
		return err
	}
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return err
	}
	if err := r.mayDeem(ctx, r.DB, by, n, e.Methods, []string{string(by.Person), "second"}); err != nil {
		return err
	}
	files, err := r.keepFiles(ctx, n, "deemed", e.Files)
	if err != nil {
		return err
	}
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		n, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := r.mayDeem(ctx, tx, by, n, e.Methods, []string{string(by.Person), "second"}); err != nil {
			return err
		}
		sealed, err := r.close(n, []byte(e.Text), "deemed")
		if err != nil {
			return err
		}
		d := DeemedService{notice: id, Methods: e.Methods, sealed: sealed, ProposedBy: by.Person, ProposedAt: now}
		added, err := tx.Exec(ctx, `
			INSERT INTO notice_deemed (notice_id, methods, evidence_sealed, proposed_by, proposed_at, mac) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, id, db.List(d.Methods), sealed, by.Person, db.Micros(now), tx.Sealer().Seal("notice_deemed", d.values()...))
		if err != nil {
			return err
		}
		if added == 0 {
			return fault.New(fault.Conflict, "notice.deemed-proposed", "Ref", n.Ref)
		}
		if err := insertFiles(ctx, tx, by, id, files, now); err != nil {
			return err
		}
		return r.recordInside(ctx, tx, by, "notice.deemed-proposed", n, map[string]any{"methods": e.Methods}, now)
	})
}

// ConfirmDeemed is the second person's word: the notice counts as received from
// now, and the answer clock runs.
func (r *Room) ConfirmDeemed(ctx context.Context, by party.Actor, id ID) (Notice, error) {
	var n Notice
	err := r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		var err error
		if n, err = lock(ctx, tx, id); err != nil {
			return err
		}
		// Before anything is said of the notice: a stranger is told nothing.
		if err := auth.MayNow(by, auth.NoticeConfirm, r.object(n, nil)); err != nil {
			return err
		}
		d, err := deemedOf(ctx, tx, id)
		if errors.Is(err, db.ErrAbsent) {
			return fault.New(fault.Conflict, "notice.not-proposed-deemed", "Ref", n.Ref)
		}
		if err != nil {
			return err
		}
		if err := d.holds(tx, n); err != nil {
			return err
		}
		if err := r.mayDeem(ctx, tx, by, n, d.Methods, []string{string(d.ProposedBy), string(by.Person)}); err != nil {
			return err
		}
		t, err := step(deliveryTable, "delivery", n.Delivery, EventDeem)
		if err != nil {
			return err
		}
		d.ConfirmedBy, d.ConfirmedAt = by.Person, now
		_, err = tx.Exec(ctx, `UPDATE notice_deemed SET confirmed_by = $2, confirmed_at = $3, mac = $4 WHERE notice_id = $1 AND confirmed_by IS NULL`,
			id, by.Person, db.Micros(now), tx.Sealer().Seal("notice_deemed", d.values()...))
		if err != nil {
			return err
		}
		n.Delivery, n.DeemedAt = t.To, now
		if err := r.startClock(ctx, tx, &n, now); err != nil {
			return err
		}
		if err := logDelivery(ctx, tx, n, DeliveryStep{Channel: "record", Step: "deemed", Result: "ok", Party: by.Party, Person: by.Person, At: now}); err != nil {
			return err
		}
		return r.record(ctx, tx, by, "notice.deemed", n, map[string]any{"methods": d.Methods}, now)
	})
	return n, err
}

func scanDeemed(row db.Row) (DeemedService, error) {
	var d DeemedService
	err := row.Scan(&d.notice, db.ListInto(&d.Methods), &d.sealed, &d.ProposedBy, db.Time(&d.ProposedAt), db.Text(&d.ConfirmedBy), db.Time(&d.ConfirmedAt), &d.mac)
	return d, err
}

const deemedColumns = `notice_id, methods, evidence_sealed, proposed_by, proposed_at, confirmed_by, confirmed_at, mac`

func deemedOf(ctx context.Context, r db.Reader, id ID) (DeemedService, error) {
	return db.One(ctx, r, scanDeemed, `SELECT `+deemedColumns+` FROM notice_deemed WHERE notice_id = $1`, id)
}

// mayDeem checks right, state, pack and evidence of deemed service.
func (r *Room) mayDeem(ctx context.Context, reader db.Reader, by party.Actor, n Notice, methods, persons []string) error {
	if err := auth.May(by, auth.NoticeDeem, r.object(n, nil)); err != nil {
		return err
	}
	if _, err := n.check(EventDeem); err != nil {
		return err
	}
	if _, err := step(deliveryTable, "delivery", n.Delivery, EventDeem); err != nil {
		return err
	}
	pack, err := r.pack(n)
	if err != nil {
		return err
	}
	if !pack.Receipt.Deemed.Allowed {
		return noDeemed(by, pack.Receipt.Deemed.Rule.Text)
	}
	log, err := deliveries(ctx, reader, n.ID)
	if err != nil {
		return err
	}
	for _, m := range methods {
		if !slices.ContainsFunc(log, func(d DeliveryStep) bool { return d.Channel == m }) {
			return fault.New(fault.Invalid, "notice.method-unproven", "Method", m).At("/methods")
		}
	}
	return clocks.MayDeem(clocks.Service{SentAt: n.SentAt, Methods: methods, Persons: persons}, r.Clock.Now(), pack)
}

// noDeemed says in the pack's words that the ladder stops here.
func noDeemed(by party.Actor, t policy.Text) error {
	return fault.New(fault.Denied, "notice.no-deemed", "Text", t.In(i18n.Lang(by.Lang)))
}

// recordInside records what only those who decide may know yet.
func (r *Room) recordInside(ctx context.Context, tx *db.Tx, by party.Actor, kind string, n Notice, data any, now time.Time) error {
	n.sentMAC = nil // the addressee is not told
	return r.record(ctx, tx, by, kind, n, data, now)
}

// A Service is service on paper or by hand, as it happened.
type Service struct {
	At    time.Time // when it was handed over; zero is now
	Text  string    // by whom, to whom, where; sealed
	Files []Upload
}

// ServeOnPaper records that the printed notice was served, with its evidence.
// It starts no clock: only a receipt or deemed service does.
func (r *Room) ServeOnPaper(ctx context.Context, by party.Actor, id ID, s Service) error {
	var c fault.Checker
	c.Require(strings.TrimSpace(s.Text) != "", "/text")
	checkText(&c, "/text", s.Text)
	if s.At.After(r.Clock.Now()) {
		c.Add("/at", "notice.answer-future", "At", s.At.Format(time.RFC3339))
	}
	if err := c.Err(); err != nil {
		return err
	}
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return err
	}
	if err := auth.May(by, auth.NoticeVerify, r.object(n, nil)); err != nil {
		return err
	}
	files, err := r.keepFiles(ctx, n, "served", s.Files)
	if err != nil {
		return err
	}
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := r.Clock.Now()
		n, err := r.at(ctx, tx, by, id, EventServe)
		if err != nil {
			return err
		}
		at := s.At
		if at.IsZero() {
			at = now
		}
		if at.Before(n.SentAt) {
			return fault.New(fault.Invalid, "notice.served-before", "Sent", n.SentAt.Format(time.RFC3339)).At("/at")
		}
		sealed, err := r.close(n, []byte(s.Text), "delivery")
		if err != nil {
			return err
		}
		err = logDelivery(ctx, tx, n, DeliveryStep{
			Channel: string(notes.ChannelPaper), Step: "served", Result: "ok", Party: by.Party, Person: by.Person, At: at, sealed: sealed,
		})
		if err != nil {
			return err
		}
		if err := insertFiles(ctx, tx, by, id, files, now); err != nil {
			return err
		}
		return r.record(ctx, tx, by, "notice.served", n, map[string]any{"files": len(files)}, now)
	})
}

// keepFiles seals uploads under the notice's key, before any transaction. What
// no row comes to name is swept from the vault later.
func (r *Room) keepFiles(ctx context.Context, n Notice, purpose string, uploads []Upload) ([]File, error) {
	if len(uploads) > maxFiles {
		return nil, fault.New(fault.Invalid, "notice.too-many-files", "Max", maxFiles).At("/files")
	}
	key, err := r.unwrap(n)
	if err != nil {
		return nil, err
	}
	var out []File
	for i, u := range uploads {
		ref, err := r.Vault.Put(ctx, key, u.Content, maxFileBytes)
		if f, ok := fault.As(err); ok {
			return nil, f.At(fmt.Sprintf("/files/%d", i))
		}
		if err != nil {
			return nil, err
		}
		name := clip(strings.ToValidUTF8(u.Name, "?"), maxFileName)
		out = append(out, File{
			ID: db.NewID(), Purpose: purpose, MediaType: clip(u.MediaType, 100), ref: ref,
			name: vault.Seal(key, []byte(name), aad(n.ID, "file")),
		})
	}
	return out, nil
}

func insertFiles(ctx context.Context, tx *db.Tx, by party.Actor, id ID, files []File, now time.Time) error {
	for _, f := range files {
		_, err := tx.Exec(ctx, `
			INSERT INTO notice_files (id, notice_id, purpose, name_sealed, media_type, sha256, size, stored, stored_size, person_id, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			f.ID, id, f.Purpose, f.name, f.MediaType, f.ref.SHA256[:], f.ref.Size, f.ref.Stored[:], f.ref.StoredSize, by.Person, db.Micros(now))
		if err != nil {
			return err
		}
	}
	return nil
}

// Blobs returns which of the vault's blobs, by name, belong to notices.
func (r *Room) Blobs(ctx context.Context, q db.Reader, names []string) ([]string, error) {
	raw := make([][]byte, len(names))
	for i, name := range names {
		d, err := vault.ParseDigest(name)
		if err != nil {
			return nil, err
		}
		raw[i] = d[:]
	}
	return db.AllIn(ctx, q, func(row db.Row) (string, error) {
		var b []byte
		err := row.Scan(&b)
		return hex.EncodeToString(b), err
	}, func(in string) string { return `SELECT stored FROM notice_files WHERE stored IN (` + in + `)` }, raw)
}

func scanFile(row db.Row) (File, error) {
	var f File
	var sum, stored []byte
	err := row.Scan(&f.ID, &f.Purpose, &f.name, &f.MediaType, &sum, &f.ref.Size, &stored, &f.ref.StoredSize, &f.Person, db.Time(&f.At))
	if err != nil {
		return f, err
	}
	if len(sum) != len(f.ref.SHA256) || len(stored) != len(f.ref.Stored) {
		return f, fault.New(fault.Conflict, "notice.damaged", "Ref", "", "Why", "file")
	}
	copy(f.ref.SHA256[:], sum)
	copy(f.ref.Stored[:], stored)
	f.SHA256, f.Size = f.ref.SHA256.String(), f.ref.Size
	return f, nil
}

func (r *Room) files(ctx context.Context, reader db.Reader, n Notice) ([]File, error) {
	all, err := db.All(ctx, reader, scanFile, `
		SELECT id, purpose, name_sealed, media_type, sha256, size, stored, stored_size, person_id, at
		FROM notice_files WHERE notice_id = $1 ORDER BY at, id LIMIT 200`, n.ID)
	for i := range all {
		name, openErr := r.open(n, all[i].name, "file")
		all[i].Name, err = string(name), errors.Join(err, openErr)
	}
	return all, err
}

// OpenFile opens a file of a notice for whoever decides about it, and records
// that it was opened. The caller closes it.
func (r *Room) OpenFile(ctx context.Context, by party.Actor, id ID, file string) (File, io.ReadCloser, error) {
	n, err := get(ctx, r.DB, id)
	if err != nil {
		return File{}, nil, err
	}
	o := r.object(n, nil)
	o.Addressee = "" // evidence of service is the deciders'
	if err := auth.May(by, auth.NoticeRead, o); err != nil {
		return File{}, nil, err
	}
	all, err := r.files(ctx, r.DB, n)
	if err != nil {
		return File{}, nil, err
	}
	i := slices.IndexFunc(all, func(f File) bool { return f.ID == file })
	if i < 0 {
		return File{}, nil, fault.Hidden("file")
	}
	key, err := r.unwrap(n)
	if err != nil {
		return File{}, nil, err
	}
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		return r.recordInside(ctx, tx, by, "notice.file-opened", n, map[string]any{"file": file}, r.Clock.Now())
	})
	if err != nil {
		return File{}, nil, err
	}
	content, err := r.Vault.Open(ctx, key, all[i].ref)
	return all[i], content, err
}
