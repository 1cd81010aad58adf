package needtest_test

import (
	"runtime"
	"testing"

	"github.com/tangkal/tangkal/internal/needtest"
)

// An ended is a test that somebody else runs, and how it ended.
type ended struct {
	testing.TB
	how string
}

func (e *ended) Helper() {}

func (e *ended) Fatal(...any) { e.end("failed") }

func (e *ended) Skip(...any) { e.end("skipped") }

func (e *ended) end(how string) {
	e.how = how
	runtime.Goexit()
}

func TestWhatCannotRunFailsInCI(t *testing.T) {
	for ci, want := range map[string]string{"true": "failed", "": "skipped"} {
		t.Setenv("CI", ci)
		for program, want := range map[string]string{"no-such-program": want, "go": ""} {
			e := &ended{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				needtest.Program(e, program)
			}()
			<-done
			if e.how != want {
				t.Errorf("with CI=%q a test that needs %s is %q, want %q", ci, program, e.how, want)
			}
		}
	}
}
