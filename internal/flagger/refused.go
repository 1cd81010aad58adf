package flagger

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/vault"
)

// A refusal is one reason for which a row that could be read became no report,
// as it is sealed: what a platform's addresses look like, or a limit, may have
// changed since the list was looked at.
type refusal struct {
	Code string         `json:"code"`
	Args map[string]any `json:"args,omitempty"`
}

// aadRefused ties a refusal to its row.
func (l List) aadRefused(n int) string { return fmt.Sprintf("%s/refused/%d", l.aad(), n) }

// refuse keeps why rows became no report: each with what is wrong with it, which
// may be another thing than when the list was looked at. Work that comes again
// finds it there.
func (w *work) refuse(ctx context.Context, rows ...Row) error {
	return w.room.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, row := range rows {
			if len(row.Faults) == 0 {
				continue
			}
			all := make([]refusal, len(row.Faults))
			for i, f := range row.Faults {
				all[i] = refusal{f.Fault.Code, f.Fault.Args}
			}
			plain, err := json.Marshal(all)
			if err != nil {
				return err
			}
			err = tx.Send(ctx, `INSERT INTO flagger_refused (import_id, n, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				w.list.ID, row.N, vault.Seal(w.key, plain, w.list.aadRefused(row.N)))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// refusedBy is a row with why its report was refused.
func refusedBy(row Row, why error) Row {
	e, _ := fault.As(why)
	parts := e.Parts
	if len(parts) == 0 {
		parts = []*fault.Error{e}
	}
	for _, p := range parts {
		row.Faults = append(row.Faults, Wrong{Column: -1, Fault: p})
	}
	return row
}

// refused adds to the rows of a list why they became no report, as what is wrong
// with the whole row; what is wrong with it as it is read now goes first. One that
// a later attempt reported is none of them.
func (r *Room) refused(ctx context.Context, l row, rows []Row) error {
	type kept struct {
		n      int
		sealed []byte
	}
	all, err := db.All(ctx, r.DB, func(row db.Row) (k kept, err error) { return k, row.Scan(&k.n, &k.sealed) }, `
		SELECT n, sealed FROM flagger_refused f
		WHERE import_id = $1 AND NOT EXISTS (SELECT 1 FROM flagger_rows r WHERE r.import_id = f.import_id AND r.n = f.n) ORDER BY n`, l.ID)
	if err != nil || len(all) == 0 {
		return err
	}
	why := make(map[int][]byte, len(all))
	for _, k := range all {
		why[k.n] = k.sealed
	}
	for i := range rows {
		sealed, ok := why[rows[i].N]
		if !ok || rows[i].Faults != nil {
			continue
		}
		plain, err := vault.Unseal(l.key, sealed, l.aadRefused(rows[i].N))
		if err != nil {
			return fmt.Errorf("row %d of list %s: %w", rows[i].N, l.ID, err)
		}
		var said []refusal
		if err := json.Unmarshal(plain, &said); err != nil {
			return fmt.Errorf("row %d of list %s: %w", rows[i].N, l.ID, err)
		}
		for _, s := range said {
			rows[i].Faults = append(rows[i].Faults, Wrong{Column: -1, Fault: &fault.Error{Kind: fault.Invalid, Code: s.Code, Args: whole(s.Args)}})
		}
	}
	return nil
}

// whole makes integers again of those that JSON knows as numbers.
func whole(args map[string]any) map[string]any {
	for name, v := range args {
		if f, ok := v.(float64); ok && f == math.Trunc(f) {
			args[name] = int64(f)
		}
	}
	return args
}
