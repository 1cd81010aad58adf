//go:build linux && (amd64 || arm64)

package cage

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// permitted are the system calls of a worker: what the Go runtime needs to
// compute, collect, sleep and run threads, and read and write on what is open
// already. Every other is answered with EPERM. seccomp(2).
var permitted = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE,
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY,
	unix.SYS_EPOLL_PWAIT, unix.SYS_RESTART_SYSCALL, unix.SYS_GETRANDOM,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, // threads of the C library, where the program was built with it
}

// A condition permits a call with certain arguments only.
type condition struct {
	call uint32
	arg  int    // which argument, its lower 32 bits
	mask uint32 // of which these
	want uint32 // equal this
}

// conditions are the calls that are needed and could do harm.
func conditions(pid int) []condition {
	return []condition{
		{unix.SYS_MMAP, 2, unix.PROT_EXEC, 0},                                                     // memory, but no new code
		{unix.SYS_MPROTECT, 2, unix.PROT_EXEC, 0},                                                 // nor code from data
		{unix.SYS_CLONE, 0, unix.CLONE_THREAD | unix.CLONE_VM, unix.CLONE_THREAD | unix.CLONE_VM}, // threads, but no process
		{unix.SYS_TGKILL, 0, ^uint32(0), uint32(pid)},                                             //nolint:gosec // a process id is positive
		{unix.SYS_PRCTL, 0, ^uint32(0), unix.PR_SET_VMA},                                          // names of memory, which the runtime gives
	}
}

// What the kernel gives a filter: struct seccomp_data, in the machine's order,
// which is little-endian on both of ours.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// x32 marks calls of another table on amd64; no call of arm64 has it either.
const x32 = 0x4000_0000

// program is the filter as the kernel runs it: for another architecture's
// calls the end, for what the tables permit a pass, for all else EPERM.
func program(pid int) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// Skips yes or no instructions, as A equals k or not.
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: k}
	}
	answer := func(a uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: a} }
	deny := func(errno unix.Errno) unix.SockFilter {
		return answer(unix.SECCOMP_RET_ERRNO | uint32(errno)) //nolint:gosec // an errno is small
	}
	allow := answer(unix.SECCOMP_RET_ALLOW)

	p := []unix.SockFilter{
		load(offsetArch), equal(architecture, 1, 0), answer(unix.SECCOMP_RET_KILL_PROCESS),
		load(offsetCall),
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jt: 0, Jf: 1, K: x32},
		answer(unix.SECCOMP_RET_KILL_PROCESS),
		// The C library then uses clone, whose arguments a filter can see.
		equal(unix.SYS_CLONE3, 0, 1), deny(unix.ENOSYS),
	}
	for _, call := range permitted {
		p = append(p, equal(call, 0, 1), allow)
	}
	for _, c := range conditions(pid) {
		p = append(p,
			equal(c.call, 0, 5),
			load(offsetArgs+8*uint32(c.arg)), //nolint:gosec // 0 to 5
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask},
			equal(c.want, 0, 1), allow,
			deny(unix.EPERM),
		)
	}
	return append(p, deny(unix.EPERM))
}

// installFilter gives the program to the kernel for every thread at once.
func installFilter(p []unix.SockFilter) error {
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]} //nolint:gosec // some hundred instructions
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&prog))) //nolint:gosec // the kernel reads it during the call
	switch {
	case errno != 0:
		return errno
	case thread != 0:
		return fmt.Errorf("thread %d keeps another filter", thread)
	}
	return nil
}
