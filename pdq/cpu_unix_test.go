//go:build unix

package pdq_test

import (
	"syscall"
	"testing"
	"time"
)

// cpu reports the processor time of an operation beside the wall time: on a
// busy machine it is the one to trust. Call the function it returns at the end.
func cpu(b *testing.B) func() {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	from := used()
	return func() { b.ReportMetric(float64(used()-from)/float64(b.N), "cpu-ns/op") }
}
