package notes

import (
	"errors"
	"fmt"
	"slices"
)

// Batch is what a person signs who approves several like notices at once: the
// digests of their documents in one order, what makes them alike, and which of
// them were drawn and opened before. It names no notice but by its digest, so
// that a platform that gets one of them learns nothing of the others.
type Batch struct {
	V         int        `json:"v"`
	Instance  string     `json:"instance"`  // as that of every notice
	ID        string     `json:"id"`        // UUID of this draw: no two batches have the same bytes
	Party     string     `json:"party"`     // organisation of the person who approves
	Kind      NoticeKind `json:"kind"`      // of every notice
	Addressee string     `json:"addressee"` // platform of every notice, as registered
	Platform  string     `json:"platform"`  // of every item of every notice
	Grounds   []Ground   `json:"grounds"`   // of every notice
	Tier      Tier       `json:"tier"`      // of every notice
	Notices   []string   `json:"notices"`   // digests in the order of the batch, hex
	Sample    []int      `json:"sample"`    // places in Notices, from 1, of those that were drawn and opened
}

// MaxBatch bounds the notices of one batch.
const MaxBatch = 200

// ErrBatch is a notice that its signer's batch does not cover: its digest is not
// in the list, or it is not like the others.
var ErrBatch = errors.New("batch does not cover this document")

// Canonical returns the canonical bytes of b, whose digest under KindBatch is
// what is signed. Errors are those of [Validate].
func (b Batch) Canonical() ([]byte, error) {
	canon, err := Canonical(b)
	if err != nil {
		return nil, err
	}
	return canon, Validate(KindBatch, canon)
}

// Covers reports whether a signature over b approves the notice with that
// digest: it is in the list, and it is what the batch says that all are.
// Errors wrap ErrBatch.
func (b Batch) Covers(n Notice, digest [32]byte) error {
	switch {
	case !slices.Contains(b.Notices, Hex(digest)):
		return fmt.Errorf("%w: its digest is not in the list", ErrBatch)
	case b.Instance != n.Instance || b.Kind != n.Kind || b.Addressee != n.Addressee.Party || b.Tier != n.Tier || !slices.Equal(b.Grounds, n.Grounds):
		return fmt.Errorf("%w: it is not like the others", ErrBatch)
	case slices.ContainsFunc(n.Items, func(i Item) bool { return i.Platform != b.Platform }):
		return fmt.Errorf("%w: an item is on another platform", ErrBatch)
	}
	return nil
}

func (b Batch) problems() []Problem {
	var l list
	last := 0
	for i, n := range b.Sample {
		l.add(n > last && n <= len(b.Notices), fmt.Sprintf("/sample/%d", i), "must be the place of a notice, greater than the one before")
		last = n
	}
	return l
}
