package hamming

import (
	"errors"
	"fmt"
)

// Errors that callers may ask for with errors.Is.
var (
	// ErrRadius: a radius is below 0 or above MaxRadius.
	ErrRadius = errors.New("hamming: the radius must be 0 to 31")
	// ErrNoSet: an entry that is added must be in a set.
	ErrNoSet = errors.New("hamming: an entry must be in at least one set")
	// ErrClosed: the index was closed.
	ErrClosed = errors.New("hamming: the index is closed")
	// ErrCorrupt: a snapshot, or a part of one that was not looked at before, is
	// not what was written. Close the index and build it from its source.
	ErrCorrupt = errors.New("hamming: the snapshot is corrupt")
)

// What a snapshot whose sums are right can still have wrong.
var (
	errBucket  = fmt.Errorf("%w: a bucket ends before it begins, or behind the postings", ErrCorrupt)
	errPosting = fmt.Errorf("%w: a posting names an entry that is not there", ErrCorrupt)
)
