package casework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

// An Upload is a file that an analyst brings as evidence.
type Upload struct {
	Name      string
	MediaType string // claimed; an image must be one by its first bytes
	Content   io.Reader
}

// AddCapture seals files that the analyst brings, of one location or of the
// case as a whole. Files are read and sealed before the writer is asked.
func (r *Room) AddCapture(ctx context.Context, by party.Actor, id ID, loc report.LocationID, uploads []Upload) (CaptureID, error) {
	c, err := r.peek(ctx, by, id, AddEvidence)
	if err != nil {
		return "", err
	}
	now := r.Clock.Now()
	files, err := r.sealUploads(ctx, c, uploads, now)
	if err != nil {
		return "", err
	}
	cid := CaptureID(db.NewID())
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := r.act(ctx, tx, by, id, AddEvidence, now, func(c *Case, _ situation) (any, error) {
			if loc != "" {
				if err := r.ofCase(ctx, tx, *c, loc); err != nil {
					return nil, err
				}
			}
			made := Capture{ID: cid, Location: loc, Source: "upload", Status: Done, Person: by.Person, RequestedAt: now, CapturedAt: now}
			if err := insertCapture(ctx, tx, c.ID, made); err != nil {
				return nil, err
			}
			c.Captures++
			n := c.news()
			n.Code, n.Count = "upload", len(files)
			return n, r.insertFiles(ctx, tx, c, cid, files)
		})
		return err
	})
	if err != nil && !db.Unsure(err) { // its rows may be there
		r.discard(ctx, files)
	}
	return cid, err
}

// peek checks an act before work that is done outside of the transaction,
// which checks it again.
func (r *Room) peek(ctx context.Context, by party.Actor, id ID, event Event) (Case, error) {
	c, err := hide(db.One(ctx, r.DB, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, id))
	if err != nil {
		return c, err
	}
	now := r.Clock.Now()
	_, err = next(situation{Case: c, By: by, Now: now, Pack: r.pack(c.Jurisdiction, now)}, event, c.Object())
	return c, err
}

func (r *Room) sealUploads(ctx context.Context, c Case, uploads []Upload, now time.Time) ([]File, error) {
	var faults fault.Checker
	if len(uploads) == 0 || len(uploads) > maxUploads {
		faults.Add("/files", "case.files", "Max", maxUploads, "Got", len(uploads))
		return nil, faults.Err()
	}
	key, err := r.keyOf(c)
	if err != nil {
		return nil, err
	}
	var files []File
	for i, u := range uploads {
		at := fmt.Sprintf("/files/%d", i)
		f, err := r.sealUpload(ctx, key, u, now)
		if err := faults.Join(at, err); err != nil {
			r.discard(ctx, files)
			return nil, fmt.Errorf("seal upload: %w", err)
		}
		if err == nil {
			files = append(files, f)
		}
	}
	if err := faults.Err(); err != nil {
		r.discard(ctx, files)
		return nil, err
	}
	return files, nil
}

// sealUpload stores one file. What claims to be an image must begin as that
// kind of image does; nothing is decoded.
func (r *Room) sealUpload(ctx context.Context, key vault.Key, u Upload, now time.Time) (File, error) {
	claimed := mediaOf(u.MediaType)
	head := make([]byte, 512)
	n, err := io.ReadFull(u.Content, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return File{}, err
	}
	head = head[:n]
	if n == 0 {
		return File{}, fault.New(fault.Invalid, "case.empty-file")
	}
	limit := int64(maxFileBytes)
	if strings.HasPrefix(claimed, "image/") {
		limit = maxImageBytes
		if found := http.DetectContentType(head); found != claimed {
			return File{}, fault.New(fault.Invalid, "case.media-type", "Claimed", claimed, "Found", found)
		}
	}
	ref, err := r.Vault.Put(ctx, key, io.MultiReader(bytes.NewReader(head), u.Content), limit)
	if err != nil {
		return File{}, err
	}
	name := clip(path.Base(strings.ReplaceAll(u.Name, `\`, "/")))
	return File{ID: FileID(db.NewID()), Kind: FileUpload, Name: name, MediaType: claimed, Ref: ref, CapturedAt: now}, nil
}

// discard removes blobs that no row will name.
func (r *Room) discard(ctx context.Context, files []File) {
	for _, f := range files {
		_ = r.Vault.Delete(context.WithoutCancel(ctx), f.Ref) // the vault's sweep finds what stays
	}
}
