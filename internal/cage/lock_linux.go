//go:build linux && (amd64 || arm64)

package cage

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// ownImage is the program that runs, even if its file has been replaced since.
func ownImage() string { return "/proc/self/exe" }

// lockIn takes from this process, for good, what a worker does not need. It
// goes on where a step fails: what is missing is told.
func lockIn() hello {
	var h hello
	step := func(name string, err error) {
		if err != nil {
			h.Gaps = append(h.Gaps, name+" ("+err.Error()+")")
			return
		}
		h.Locks = append(h.Locks, name)
	}
	landlocked, err := restrictFiles()
	limits := restrictResources()
	filtered := filter()
	if filtered == nil {
		filtered = tryOut()
	}
	if landlocked {
		step(lockLandlock, err)
	} else {
		step(lockLandlock, errors.New("not in this kernel"))
	}
	step(lockSeccomp, filtered)
	step(lockMemory, limits)
	return h
}

// restrictFiles forbids files, ports and signals by Landlock, as far as the
// kernel knows it.
func restrictFiles() (possible bool, err error) {
	if version, err := llsys.LandlockGetABIVersion(); err != nil || version < 1 {
		return false, nil //nolint:nilerr // an old kernel, or one without it: told as such
	}
	return true, landlock.V9.BestEffort().Restrict()
}

// restrictResources bounds memory and processor time, and forbids what a worker
// never does: open, write to disk, lock pages, queue messages, leave a core.
func restrictResources() error {
	const seconds = uint64(lastGasp / 1e9)
	for _, l := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_CPU, seconds},
		{unix.RLIMIT_DATA, hardMemory},
	} {
		if err := unix.Prlimit(0, l.what, &unix.Rlimit{Cur: l.limit, Max: l.limit}, nil); err != nil {
			return fmt.Errorf("limit %d: %w", l.what, err)
		}
	}
	// Others of the same user may neither trace it nor read its memory.
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// filter installs the table of system calls in every thread of the process.
func filter() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return installFilter(program(unix.Getpid()))
}

// An attempt is something that a worker must not be able to do.
type attempt struct {
	what string
	do   func() error
}

// attempts are tried by every worker before it says hello. None of them does
// harm where it succeeds: there, the worker gets no work.
var attempts = []attempt{
	{"open", func() error {
		fd, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return closed(fd, err)
	}},
	{"socket", func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return closed(fd, err)
	}},
	{"exec", func() error {
		// Without a name there is nothing to start, and an open door says so.
		if err := unix.Exec("", []string{""}, nil); !errors.Is(err, unix.ENOENT) {
			return err
		}
		return nil
	}},
	{"fork", func() error {
		// CLONE_SIGHAND without CLONE_VM is refused as wrong where it is not
		// forbidden, and makes no process.
		_, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_SIGHAND, 0, 0, 0, 0, 0)
		return unless(errno, unix.EINVAL)
	}},
	{"ptrace", func() error {
		_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_CONT, 1, 0, 0, 0, 0)
		return unless(errno, unix.ESRCH)
	}},
	{"signal", func() error { return unix.Kill(unix.Getppid(), 0) }},
}

func closed(fd int, err error) error {
	if err == nil {
		return unix.Close(fd)
	}
	return err
}

// unless returns errno, or nil if it is the one that an open door gives.
func unless(errno, open unix.Errno) error {
	if errno == 0 || errno == open {
		return nil
	}
	return errno
}

// tryOut returns an error that names what succeeded and must not.
func tryOut() error {
	var open []string
	for _, a := range attempts {
		if a.do() == nil {
			open = append(open, a.what)
		}
	}
	if open != nil {
		return fmt.Errorf("does not deny %s", strings.Join(open, ", "))
	}
	return nil
}
