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
	"slices"
	"strings"
	"sync"
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

// defaultCode is the code of an instance that was given none.
const defaultCode = "TGK"

// Found names the instance, once. Its code stands in every reference and is
// never changed after: another one is ErrOtherCode, and "" is the one it has, or
// TGK. The name may change.
func Found(ctx context.Context, tx *db.Tx, code, name string, now time.Time) error {
	have, err := Of(ctx, tx)
	switch {
	case err == nil && (code == "" || code == have.Code):
		if name == have.Name {
			return nil
		}
		_, err := tx.Exec(ctx, `UPDATE instance SET name = $1 WHERE id = 1`, name)
		return err
	case err == nil:
		return fmt.Errorf("instance code %s: %w, and it is %s: give that one, or none", code, ErrOtherCode, have.Code)
	case !errors.Is(err, db.ErrAbsent):
		return err
	}
	if code == "" {
		code = defaultCode
	}
	if len(code) < 2 || len(code) > 12 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return fmt.Errorf("instance code %q: want 2 to 12 of A-Z and 0-9", code)
	}
	_, err = tx.Exec(ctx, `INSERT INTO instance (id, code, name, created_at) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING`, code, name, db.Micros(now))
	return err
}

// ErrOtherCode tells that the instance has another code than was asked for.
var ErrOtherCode = errors.New("the code of an instance is fixed at its first start")

// Mark returns the mark of the vault that the rows belong to, "" before the
// first start.
func Mark(ctx context.Context, r db.Reader) (string, error) {
	mark, err := db.Value[string](ctx, r, `SELECT COALESCE(vault_mark, '') FROM instance WHERE id = 1`)
	if errors.Is(err, db.ErrAbsent) {
		return "", nil
	}
	return mark, err
}

// SetMark keeps the mark of the vault, once.
func SetMark(ctx context.Context, tx *db.Tx, mark string) error {
	_, err := tx.Exec(ctx, `UPDATE instance SET vault_mark = $1 WHERE id = 1 AND vault_mark IS NULL`, mark)
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

// atOnce is how many numbers are drawn together. Two transactions that draw from
// one row wait for each other's commit, and no database commits more than some
// thousand times a second one after the other.
const atOnce = 64

// Next draws the next number of a series in now's year (UTC). Numbers of one
// process rise; those of two nodes rise in turns, and what was drawn for a
// transaction that failed, or before the process ended, is never given out.
func Next(ctx context.Context, tx *db.Tx, s Series, now time.Time) (string, error) {
	code, err := codeOf(ctx, tx)
	if err != nil {
		return "", err
	}
	year := now.UTC().Year()
	known, _ := tx.Memory().LoadOrStore(drawnKey{s, year}, &drawn{})
	d := known.(*drawn)
	n, ok := d.take()
	if !ok {
		numbers, err := draw(ctx, tx, s, year)
		if err != nil {
			return "", fmt.Errorf("draw numbers of %s: %w", s, err)
		}
		n = numbers[0]
		tx.AfterCommit(func() { d.put(numbers[1:]) })
	}
	return fmt.Sprintf("%s-%s-%d-%05d", code, s, year, n), nil
}

// codeOf returns the instance's code, which never changes.
func codeOf(ctx context.Context, tx *db.Tx) (string, error) {
	if code, ok := tx.Memory().Load(codeKey{}); ok {
		return code.(string), nil
	}
	i, err := Of(ctx, tx)
	if errors.Is(err, db.ErrAbsent) {
		return "", errors.New("the instance has no code yet")
	}
	if err != nil {
		return "", err
	}
	memory := tx.Memory()
	tx.AfterCommit(func() { memory.Store(codeKey{}, i.Code) })
	return i.Code, nil
}

// Keys of what is remembered of a database.
type (
	codeKey  struct{}
	drawnKey struct {
		series Series
		year   int
	}
)

// drawn are numbers that nobody else can get and nobody has yet.
type drawn struct {
	mu      sync.Mutex
	numbers []int64 // guarded by mu; rising
}

func (d *drawn) take() (int64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.numbers) == 0 {
		return 0, false
	}
	n := d.numbers[0]
	d.numbers = d.numbers[1:]
	return n, true
}

func (d *drawn) put(numbers []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.numbers = append(d.numbers, numbers...)
	slices.Sort(d.numbers)
}

// draw takes the next numbers of a series out of the database.
func draw(ctx context.Context, tx *db.Tx, s Series, year int) ([]int64, error) {
	numbers := make([]int64, atOnce)
	var sum int64
	for i := range numbers {
		step, err := rand.Int(rand.Reader, big.NewInt(maxStep))
		if err != nil {
			return nil, err
		}
		sum += step.Int64() + 1
		numbers[i] = sum
	}
	last, err := db.Value[int64](ctx, tx, `
		INSERT INTO reference_numbers (series, year, last) VALUES ($1, $2, $3)
		ON CONFLICT (series, year) DO UPDATE SET last = reference_numbers.last + excluded.last
		RETURNING last`, s, year, sum)
	for i := range numbers {
		numbers[i] += last - sum
	}
	return numbers, err
}
