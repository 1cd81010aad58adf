package cage

import (
	"io"

	"github.com/tangkal/tangkal/internal/cage/picture"
)

// The inside that tests look at.
var (
	LockIn    = lockIn
	WriteFile = writeFile
	ReadFile  = readFile
	Resident  = residentBytes
)

const MaxMemory = maxMemory

// Work is a worker's life with a job of the test's own.
func Work(in io.Reader, out io.Writer, locked bool, do func([]byte) (picture.Picture, error)) int {
	lock := lockIn
	if !locked {
		lock = func() hello { return hello{Locks: []string{lockSeccomp}} } // a lie, for a test of the locks
	}
	return work(in, out, lock, func(_ order, data []byte) (product, error) {
		p, err := do(data)
		return product{done{p.Type, p.Width, p.Height, p.Frames}, p.Data}, err
	})
}

// SparePID is the process of the idle worker, 0 if there is none.
func (c *Cage) SparePID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare == nil {
		return 0
	}
	return c.spare.cmd.Process.Pid
}
