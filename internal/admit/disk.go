package admit

import (
	"net/http"
	"sync"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
)

// A Disk says what still fits. Below the soft mark no files come in, below the
// hard one only what must go on does: platforms answer, orders are withdrawn,
// and everybody reads (threat-model T03). A nil Disk takes everything.
type Disk struct {
	Free func() (int64, error) // bytes free on the fullest of the disks in use
	Soft int64                 // bytes free below which files are refused
	Hard int64                 // and below which almost everything is

	mu   sync.Mutex
	at   time.Time // of free
	free int64     // guarded by mu
	err  error     // guarded by mu
}

// freshFor is how long a look at the disk holds: a flood writes some tens of
// megabytes in it.
const freshFor = 100 * time.Millisecond

// Left returns how many bytes are free, at most freshFor ago.
func (d *Disk) Left() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now() //nolint:forbidigo // the age of a look, by the machine
	if d.at.IsZero() || now.Sub(d.at) >= freshFor {
		d.free, d.err = d.Free()
		d.at = now
	}
	return d.free, d.err
}

// below reports whether less than mark is free. A disk that cannot be asked is
// written to: that fails by itself if it has to.
func (d *Disk) below(mark int64) bool {
	if d == nil {
		return false
	}
	free, err := d.Left()
	return err == nil && free < mark
}

// again is when somebody may try again whom a full disk refused.
const again = 5 * time.Minute

// Files refuses files below the soft mark.
func (d *Disk) Files() error {
	if !d.below(d.soft()) {
		return nil
	}
	e := fault.New(fault.Unavailable, "admit.no-files")
	e.RetryAfter = again
	return e
}

func (d *Disk) soft() int64 {
	if d == nil {
		return 0
	}
	return d.Soft
}

// Work refuses what can wait below the hard mark.
func (d *Disk) Work() error {
	if d == nil || !d.below(d.Hard) {
		return nil
	}
	e := fault.New(fault.Unavailable, "admit.disk")
	e.RetryAfter = again
	return e
}

// allows refuses a request that would write what can wait. Reading includes
// signing in: whoever is to answer must get in.
func (d *Disk) allows(class Class, method string) error {
	if method == http.MethodGet || method == http.MethodHead || class == Answers || class == Reading || class == Streams {
		return nil
	}
	return d.Work()
}
