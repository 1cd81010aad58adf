//go:build unix

package pdq_test

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is the processor time that the process has used: on a busy machine it
// is the one to trust.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpu reports the processor time of an operation beside the wall time. Call the
// function it returns at the end.
func cpu(b *testing.B) func() {
	b.Helper()
	from := cpuTime()
	return func() { b.ReportMetric(float64(cpuTime()-from)/float64(b.N), "cpu-ns/op") }
}
