// Package reference draws the short numbers that people call things by:
// <instance>-PH-2026-01192.
//
// Numbers in a series rise by random steps, so that nobody can count from
// outside how many were drawn between two of them.
package reference

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
)

// A Series is a kind of thing that has numbers.
type Series string

// The series (domain.md, Identity of things that travel).
const (
	Report        Series = "LP"
	Case          Series = "KS"
	RemovalOrder  Series = "PH"
	Referral      Series = "RJ"
	Preservation  Series = "PS"
	Warning       Series = "PR"
	Reinstatement Series = "PM"
	RoomRequest   Series = "RR"
)

// maxStep is the largest step between two numbers of a series.
const maxStep = 9

// Found names the instance, once. Its code stands in every reference and is
// never changed after.
func Found(ctx context.Context, tx *db.Tx, code, name string, now time.Time) error {
	if len(code) < 2 || len(code) > 12 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return fmt.Errorf("instance code %q: want 2 to 12 of A-Z and 0-9", code)
	}
	_, err := tx.Exec(ctx, `INSERT INTO instance (id, code, name, created_at) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING`, code, name, db.Micros(now))
	return err
}

// An Instance is who this installation says it is.
type Instance struct {
	Code string
	Name string
}

// Of returns the instance, or db.ErrAbsent before Found.
func Of(ctx context.Context, r db.Reader) (Instance, error) {
	return db.One(ctx, r, func(row db.Row) (Instance, error) {
		var i Instance
		err := row.Scan(&i.Code, &i.Name)
		return i, err
	}, `SELECT code, name FROM instance WHERE id = 1`)
}

// Next draws the next number of a series in now's year (UTC).
func Next(ctx context.Context, tx *db.Tx, s Series, now time.Time) (string, error) {
	i, err := Of(ctx, tx)
	if errors.Is(err, db.ErrAbsent) {
		return "", errors.New("the instance has no code yet")
	}
	if err != nil {
		return "", err
	}
	step, err := rand.Int(rand.Reader, big.NewInt(maxStep))
	if err != nil {
		return "", err
	}
	year := now.UTC().Year()
	n, err := db.Value[int64](ctx, tx, `
		INSERT INTO reference_numbers (series, year, last) VALUES ($1, $2, $3)
		ON CONFLICT (series, year) DO UPDATE SET last = reference_numbers.last + excluded.last
		RETURNING last`, s, year, step.Int64()+1)
	if err != nil {
		return "", fmt.Errorf("draw a number of %s: %w", s, err)
	}
	return fmt.Sprintf("%s-%s-%d-%05d", i.Code, s, year, n), nil
}
