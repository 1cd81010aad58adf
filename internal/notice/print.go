package notice

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// A Paper is everything that the printed notice shows, so that it can be served
// on paper and checked against the signed bytes.
type Paper struct {
	View
	Pack      policy.Pack
	Grounds   []PaperGround
	Seal      notes.Signature // the issuer's, over document and signatures
	Commit    string          // digest of the document, in groups of four
	PrintedAt time.Time
}

// A PaperGround is one ticked ground with the law's words.
type PaperGround struct {
	Ground notes.Ground
	Clause policy.Clause
}

// Print returns the paper form of an issued notice, for those who decide about
// it and for the addressee. That it was printed is recorded.
func (r *Room) Print(ctx context.Context, by party.Actor, id ID) (Paper, error) {
	v, err := r.Get(ctx, by, id)
	if err != nil {
		return Paper{}, err
	}
	if v.IssuedAt.IsZero() {
		return Paper{}, fault.New(fault.Conflict, "notice.not-issued", "Ref", v.Ref)
	}
	p := Paper{View: v, PrintedAt: r.Clock.Now(), Commit: groups(v.Digest)}
	if p.Pack, err = r.pack(v.Notice); err != nil {
		return p, err
	}
	for _, g := range v.Document.Grounds {
		c, _ := p.Pack.Ground(policy.Ground(g))
		p.Grounds = append(p.Grounds, PaperGround{g, c})
	}
	signed, err := notes.ParseSigned(v.Envelope)
	if err != nil {
		return p, fault.New(fault.Conflict, "notice.damaged", "Ref", v.Ref, "Why", "envelope").Because(err)
	}
	p.Seal = signed.Seal
	err = r.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		return r.recordInside(ctx, tx, by, "notice.printed", v.Notice, nil, p.PrintedAt)
	})
	return p, err
}

// groups writes a digest in groups of four hexadecimal digits, as people
// compare them.
func groups(digest [32]byte) string {
	var b strings.Builder
	for i, c := range hex.EncodeToString(digest[:]) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}
