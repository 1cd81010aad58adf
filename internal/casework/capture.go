package casework

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// A CaptureID identifies a capture (UUIDv7).
type CaptureID string

// A FileID identifies a file of a capture (UUIDv7).
type FileID string

// A Status is how far a capture is.
type Status string

// The statuses of a capture.
const (
	Requested Status = "requested"
	Done      Status = "done"
	Failed    Status = "failed" // Capture.Reason says why
)

// What a file of a capture is.
const (
	FileWARC       = "warc"       // every request and answer with headers: the exhibit
	FilePage       = "page"       // the page as sent
	FileMedia      = "media"      // a picture, film or sound that the page names
	FileScreenshot = "screenshot" // as a browser showed it
	FileUpload     = "upload"     // brought by the analyst
)

// Limits of uploads (domain.md, Limits).
const (
	maxUploads    = 10
	maxImageBytes = 50 << 20
	maxFileBytes  = 200 << 20
	maxAttempts   = 3 // of one fetch, while the far side does not answer
	maxWhy        = 5_000
)

// A Capture is a location as it was at one moment.
type Capture struct {
	ID          CaptureID
	Location    report.LocationID // "" for the case as a whole
	Source      string            // fetch or upload
	Status      Status
	Reason      string // fault code of a failed one
	Person      party.PersonID
	RequestedAt time.Time
	CapturedAt  time.Time
	HTTPStatus  int // of the page; 0 if it has none
	Files       []File
}

// A File is one sealed file of a capture.
type File struct {
	ID         FileID
	Capture    CaptureID
	Location   report.LocationID
	Kind       string // one of the File constants
	MediaType  string // as claimed by its server or its uploader, without parameters
	Ref        vault.Ref
	CapturedAt time.Time
	Name       string // file name or address, sealed at rest
}

// RequestCapture asks for a location of a case to be fetched: page, media,
// headers and, where a browser is present, a picture. A job does it (DoCapture).
func (r *Room) RequestCapture(ctx context.Context, by party.Actor, id ID, loc report.LocationID) (CaptureID, error) {
	cid := CaptureID(db.NewID())
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, AddEvidence, now, func(c *Case, _ situation) (any, error) {
			if err := r.ofCase(ctx, tx, *c, loc); err != nil {
				return nil, err
			}
			waiting, err := db.Value[int64](ctx, tx, `
				SELECT count(*) FROM captures WHERE case_id = $1 AND location_id = $2 AND status = 'requested'`, c.ID, loc)
			if err != nil {
				return nil, err
			}
			if waiting > 0 {
				return nil, fault.New(fault.Conflict, "case.capture-waiting", "Ref", c.Ref)
			}
			if err := insertCapture(ctx, tx, c.ID, Capture{ID: cid, Location: loc, Source: "fetch", Status: Requested, Person: by.Person, RequestedAt: now}); err != nil {
				return nil, err
			}
			if r.Enqueue != nil {
				if err := r.Enqueue(ctx, tx, cid); err != nil {
					return nil, fmt.Errorf("enqueue capture %s: %w", cid, err)
				}
			}
			n := c.news()
			n.Code = string(Requested)
			return n, nil
		})
		return err
	})
	return cid, err
}

// ofCase wants a location of the case.
func (r *Room) ofCase(ctx context.Context, q db.Reader, c Case, loc report.LocationID) error {
	ids, err := r.Locations(ctx, q, c.ID)
	if err != nil {
		return err
	}
	if !slices.Contains(ids, loc) {
		return fault.New(fault.Invalid, "case.location", "Ref", c.Ref).At("/location")
	}
	return nil
}

func insertCapture(ctx context.Context, tx *db.Tx, id ID, c Capture) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO captures (id, case_id, location_id, source, status, reason, attempts, person_id, requested_at, captured_at, http_status)
		VALUES ($1, $2, $3, $4, $5, '', 0, $6, $7, $8, 0)`,
		c.ID, id, db.OrNull(c.Location), c.Source, c.Status, c.Person, db.Micros(c.RequestedAt), db.MicrosOrNull(c.CapturedAt))
	return err
}

// PendingCaptures returns captures that nobody has done yet, the oldest first,
// at most n: the sweep that finds what a lost job left behind.
func (r *Room) PendingCaptures(ctx context.Context, n int) ([]CaptureID, error) {
	return db.All(ctx, r.DB, db.Scalar[CaptureID], `
		SELECT id FROM captures WHERE status = 'requested' ORDER BY requested_at, id LIMIT $1`, n)
}

// task is what DoCapture has to do.
type task struct {
	id       CaptureID
	caseID   ID
	location report.LocationID
	status   Status
	attempts int
}

func (r *Room) task(ctx context.Context, q db.Reader, id CaptureID, lock string) (task, error) {
	return hide(db.One(ctx, q, func(row db.Row) (task, error) {
		t := task{id: id}
		err := row.Scan(&t.caseID, db.Text(&t.location), &t.status, &t.attempts)
		return t, err
	}, `SELECT case_id, location_id, status, attempts FROM captures WHERE id = $1`+lock, id))
}

// DoCapture carries out a requested capture: fetch, seal, and only then record.
// It may be called any number of times, and by several at once: what is done
// or failed stays so. A far side that does not answer is an Unavailable error,
// to be tried again later; the third time, and whatever else stands in the way,
// the capture fails with its reason, which is no error.
func (r *Room) DoCapture(ctx context.Context, id CaptureID) error {
	t, err := r.task(ctx, r.DB, id, "")
	if err != nil || t.status != Requested {
		return err
	}
	c, err := hide(db.One(ctx, r.DB, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, t.caseID))
	if err != nil {
		return err
	}
	got, err := r.fetch(ctx, c, t)
	if err == nil {
		return r.finishCapture(ctx, t, got)
	}
	f, ok := fault.As(err)
	if !ok || ctx.Err() != nil {
		return err // the database or we ourselves: it stays requested
	}
	if f.Kind == fault.Unavailable && t.attempts+1 < maxAttempts {
		if e := r.attempted(ctx, t); e != nil {
			return e
		}
		return err
	}
	return r.failCapture(ctx, t, f.Code)
}

// fetched is what a fetch brought, in the vault already.
type fetched struct {
	files  []File
	at     time.Time
	status int
}

// fetch goes out and seals what comes. A missing browser is no failure.
func (r *Room) fetch(ctx context.Context, c Case, t task) (fetched, error) {
	if r.Fetch == nil {
		return fetched{}, fault.New(fault.Invalid, "case.no-fetch")
	}
	ls, err := r.Reports.Locations(ctx, r.DB, []report.LocationID{t.location})
	if err != nil {
		return fetched{}, err
	}
	if len(ls) == 0 || ls[0].URL == "" {
		return fetched{}, fault.Hidden("location")
	}
	page, err := r.Fetch.Capture(ctx, ls[0].URL)
	if err != nil {
		return fetched{}, err
	}
	key, err := r.keyOf(c)
	if err != nil {
		return fetched{}, err
	}
	out := fetched{at: page.At, status: page.Status}
	put := func(kind, name, mediaType string, at time.Time, body []byte) {
		if err != nil || len(body) == 0 {
			return
		}
		var ref vault.Ref
		ref, err = r.Vault.Put(ctx, key, bytes.NewReader(body), int64(len(body)))
		out.files = append(out.files, File{ID: FileID(db.NewID()), Kind: kind, Name: name, MediaType: mediaOf(mediaType), Ref: ref, CapturedAt: at})
	}
	put(FileWARC, page.URL, "application/warc", page.At, page.WARC)
	for i, p := range page.Parts {
		kind := FileMedia
		if i == 0 {
			kind = FilePage
		}
		put(kind, p.FinalURL, p.MediaType, p.At, p.Body)
	}
	shot, shotErr := r.Fetch.Screenshot(ctx, ls[0].URL)
	if _, ok := fault.As(shotErr); shotErr != nil && !ok {
		return fetched{}, shotErr
	}
	if shotErr == nil {
		put(FileScreenshot, shot.FinalURL, "image/png", shot.At, shot.PNG)
	}
	return out, err
}

var mediaPattern = regexp.MustCompile(`^[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}$`)

// mediaOf returns a claimed media type without parameters, fit for a manifest.
func mediaOf(claimed string) string {
	t, _, err := mime.ParseMediaType(claimed)
	if err != nil || !mediaPattern.MatchString(t) {
		return "application/octet-stream"
	}
	return t
}

func (r *Room) finishCapture(ctx context.Context, t task, got fetched) error {
	used := false
	err := r.settleCapture(ctx, t, func(ctx context.Context, tx *db.Tx, c *Case) (string, error) {
		_, err := tx.Exec(ctx, `UPDATE captures SET status = 'done', captured_at = $2, http_status = $3 WHERE id = $1`, t.id, db.Micros(got.at), got.status)
		if err != nil {
			return "", err
		}
		c.Captures++
		used = true
		return string(Done), r.insertFiles(ctx, tx, c, t.id, got.files)
	})
	if err == nil && !used {
		r.discard(ctx, got.files) // another did it meanwhile
	}
	return err
}

func (r *Room) failCapture(ctx context.Context, t task, code string) error {
	return r.settleCapture(ctx, t, func(ctx context.Context, tx *db.Tx, _ *Case) (string, error) {
		_, err := tx.Exec(ctx, `UPDATE captures SET status = 'failed', reason = $2, attempts = attempts + 1 WHERE id = $1`, t.id, code)
		return code, err
	})
}

func (r *Room) attempted(ctx context.Context, t task) error {
	return r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE captures SET attempts = attempts + 1 WHERE id = $1 AND status = 'requested'`, t.id)
		return err
	})
}

// settleCapture ends a requested capture once, whatever the state of its case:
// evidence that was asked for in time is kept.
func (r *Room) settleCapture(ctx context.Context, t task, end func(ctx context.Context, tx *db.Tx, c *Case) (string, error)) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		c, err := load(ctx, tx, t.caseID)
		if err != nil {
			return err
		}
		again, err := r.task(ctx, tx, t.id, " FOR UPDATE")
		if err != nil || again.status != Requested {
			return err
		}
		code, err := end(ctx, tx, &c)
		if err != nil {
			return err
		}
		if err := r.settle(ctx, tx, &c, now); err != nil {
			return err
		}
		n := c.news()
		n.Code = code
		return r.record(ctx, tx, party.Actor{}, c, "case.captured", n, now)
	})
}

func (r *Room) insertFiles(ctx context.Context, tx *db.Tx, c *Case, id CaptureID, files []File) error {
	for i, f := range files {
		name, err := r.seal(*c, "file", string(f.ID), []byte(f.Name))
		if err != nil {
			return err
		}
		var mark any // of what is looked at, so that nobody is shown it twice
		if kind, _, _ := strings.Cut(f.MediaType, "/"); kind == "image" || kind == "video" || kind == "audio" {
			c.Heavy, mark = true, r.mediaMAC(f.Ref.SHA256)
			c.about(TopicMedia)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO capture_files (id, capture_id, case_id, n, kind, media_type, sha256, size, stored, stored_size, captured_at, name_sealed, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			f.ID, id, c.ID, i+1, f.Kind, f.MediaType, f.Ref.SHA256.String(), f.Ref.Size, f.Ref.Stored.String(), f.Ref.StoredSize,
			db.Micros(f.CapturedAt), name, mark)
		if err != nil {
			return err
		}
	}
	return nil
}

// NoCaptureReason writes down why a case has no capture; a proposal needs the
// one or the other (domain.md, Capture).
func (r *Room) NoCaptureReason(ctx context.Context, by party.Actor, id ID, why string) error {
	return r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := r.act(ctx, tx, by, id, NoEvidence, now, func(c *Case, _ situation) (any, error) {
			var faults fault.Checker
			faults.Require(said(why), "/text")
			prose(&faults, "/text", why, maxWhy)
			if err := faults.Err(); err != nil {
				return nil, err
			}
			c.NoCapture = true
			return c.news(), r.note(ctx, tx, *c, by, string(NoEvidence), "", why, now)
		})
		return err
	})
}

const fileColumns = `f.id, f.capture_id, c.location_id, f.kind, f.media_type, f.sha256, f.size, f.stored, f.stored_size, f.captured_at, f.name_sealed`

// filesOf returns the files of a case, or of one capture, in order.
func (r *Room) filesOf(ctx context.Context, q db.Reader, c Case, of CaptureID) ([]File, error) {
	return db.All(ctx, q, func(row db.Row) (File, error) { return r.scanFile(c, row) }, `
		SELECT `+fileColumns+` FROM capture_files f JOIN captures c ON c.id = f.capture_id
		WHERE f.case_id = $1 AND ($2 = '' OR f.capture_id = $2) ORDER BY c.requested_at, f.capture_id, f.n`, c.ID, string(of))
}

func (r *Room) scanFile(c Case, row db.Row) (File, error) {
	var f File
	var sum, stored string
	var name []byte
	err := row.Scan(&f.ID, &f.Capture, db.Text(&f.Location), &f.Kind, &f.MediaType, &sum, &f.Ref.Size, &stored, &f.Ref.StoredSize,
		db.Time(&f.CapturedAt), &name)
	if err != nil {
		return f, err
	}
	plain, err := r.unseal(c, "file", string(f.ID), name)
	f.Name = string(plain)
	return f, errors.Join(err, f.Ref.SHA256.UnmarshalText([]byte(sum)), f.Ref.Stored.UnmarshalText([]byte(stored)))
}

// captures returns the captures of a case with their files, oldest first.
func (r *Room) captures(ctx context.Context, q db.Reader, c Case) ([]Capture, error) {
	all, err := db.All(ctx, q, func(row db.Row) (Capture, error) {
		var p Capture
		err := row.Scan(&p.ID, db.Text(&p.Location), &p.Source, &p.Status, &p.Reason, &p.Person, db.Time(&p.RequestedAt), db.Time(&p.CapturedAt), &p.HTTPStatus)
		return p, err
	}, `
		SELECT id, location_id, source, status, reason, person_id, requested_at, captured_at, http_status
		FROM captures WHERE case_id = $1 ORDER BY requested_at, id`, c.ID)
	if err != nil {
		return nil, err
	}
	files, err := r.filesOf(ctx, q, c, "")
	for _, f := range files {
		i := slices.IndexFunc(all, func(p Capture) bool { return p.ID == f.Capture })
		all[i].Files = append(all[i].Files, f)
	}
	return all, err
}

// An Opened file is read once and closed by its reader; the last Read says
// whether everything was as it was sealed (vault.Open).
type Opened struct {
	File
	Content io.ReadCloser
}

// OpenCapture opens a file of a capture: for the case's own party, for whoever
// received it in a dossier, and for oversight. Every opening is on record
// before the first byte (threat-model T29).
func (r *Room) OpenCapture(ctx context.Context, by party.Actor, id FileID) (Opened, error) {
	var c Case
	var o Opened
	err := r.write(ctx, func(ctx context.Context, tx *db.Tx, now time.Time) error {
		var err error
		c, err = hide(db.One(ctx, tx, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = (SELECT case_id FROM capture_files WHERE id = $1)`, id))
		if err != nil {
			return err
		}
		object := c.Object()
		if object.Receivers, err = db.All(ctx, tx, db.Scalar[party.ID], `
			SELECT DISTINCT d.to_party FROM dossiers d JOIN dossier_files f ON f.dossier_id = d.id WHERE f.file_id = $1`, id); err != nil {
			return err
		}
		if err := auth.May(by, auth.CaseEvidence, object); err != nil {
			return err
		}
		o.File, err = db.One(ctx, tx, func(row db.Row) (File, error) { return r.scanFile(c, row) }, `
			SELECT `+fileColumns+` FROM capture_files f JOIN captures c ON c.id = f.capture_id WHERE f.id = $1`, id)
		if err != nil {
			return err
		}
		_, err = r.Feed.Record(ctx, tx, feed.Event{
			Kind: "case.evidence-opened", Object: "case", ObjectID: string(c.ID), Ref: c.Ref, Party: string(by.Party),
			Person: string(by.Person), Data: json.RawMessage(`{"file":"` + string(id) + `"}`), At: now,
		})
		return err
	})
	if err != nil {
		return Opened{}, err
	}
	key, err := r.keyOf(c)
	if err != nil {
		return Opened{}, err
	}
	o.Content, err = r.Vault.Open(ctx, key, o.Ref)
	return o, err
}

// Blobs returns which of the vault's blobs, by name, belong to captures.
func (r *Room) Blobs(ctx context.Context, q db.Reader, names []string) ([]string, error) {
	return db.AllIn(ctx, q, db.Scalar[string], func(in string) string { return `SELECT stored FROM capture_files WHERE stored IN (` + in + `)` }, names)
}
