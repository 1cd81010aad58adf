//go:build linux && (amd64 || arm64)

package cage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/fault"
)

// TestMain is also the worker: the product's, and those of the tests, whose
// jobs try to do harm.
func TestMain(m *testing.M) {
	cage.Main()
	if len(os.Args) == 3 && os.Args[1] == "test-worker" {
		name, open := strings.CutPrefix(os.Args[2], "open-")
		os.Exit(cage.Work(os.Stdin, os.Stdout, !open, evil[name]))
	}
	os.Exit(m.Run())
}

func worker(name string) []string { return []string{os.Args[0], "test-worker", name} }

// evil are jobs of somebody who has broken into a worker.
var evil = map[string]func([]byte) (picture.Picture, error){
	"try":  func([]byte) (picture.Picture, error) { return tell(tried()), nil },
	"hang": func([]byte) (picture.Picture, error) { select {} },
	"die":  func([]byte) (picture.Picture, error) { panic("deep inside") },
	"grow": func([]byte) (picture.Picture, error) {
		var all [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			if len(all) > 1<<20 {
				return picture.Picture{}, nil
			}
		}
	},
	"decode": func(in []byte) (picture.Picture, error) {
		_, _, err := image.Decode(bytes.NewReader(in))
		return picture.Picture{Type: picture.PNG, Width: 1, Height: 1, Frames: 1, Data: tiny()}, err
	},
	"lie": func([]byte) (picture.Picture, error) {
		return picture.Picture{Type: "text/html", Width: 1, Height: 1, Frames: 1, Data: []byte("<script>")}, nil
	},
	"dress": func([]byte) (picture.Picture, error) {
		return picture.Picture{Type: picture.PNG, Width: 1, Height: 1, Frames: 1, Data: []byte("<script>")}, nil
	},
	"flood": func(in []byte) (picture.Picture, error) {
		return picture.Picture{Type: picture.PNG, Width: 1, Height: 1, Frames: 1, Data: append(in, make([]byte, 4<<20)...)}, nil
	},
}

// The system calls that a worker must not make. Each is real: where it is not
// denied it has an effect, or would.
func tried() []string {
	var denied []string
	note := func(what string, err error) {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
			denied = append(denied, what)
		}
	}
	_, err := os.ReadFile("/etc/passwd")
	note("open", err)
	note("write", os.WriteFile("/dev/shm/tangkal-cage-test", nil, 0o600))
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	note("socket", err)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
	}
	note("connect", err)
	_, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	note("unix socket", err)
	child, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "9"}, nil)
	note("fork and exec", err)
	note("ptrace", ptrace(child))
	if err == nil {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid == 0 && errno == 0 {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
	note("fork", asError(errno))
	note("exec", unix.Exec("", []string{""}, nil)) // an open door finds no such file
	note("signal", syscall.Kill(os.Getppid(), 0))
	_, err = unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	note("new code", err)
	_, err = unix.MemfdCreate("x", 0)
	note("memory file", err)
	note("parent's memory", parentMemory())
	note("more memory", unix.Prlimit(0, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 40, Max: 1 << 40}, nil))
	note("namespace", unix.Unshare(unix.CLONE_NEWUSER))
	_, _, errno = syscall.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
	note("io_uring", asError(errno))
	_, err = unix.EpollCreate1(0)
	note("epoll", err)
	return denied
}

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// ptrace tries to trace a child, or where there could be none, the server.
func ptrace(pid int) error {
	if pid == 0 {
		pid = os.Getppid()
	}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0)
	return asError(errno)
}

// parentMemory reads nothing of nobody: an open door says that there is nothing.
func parentMemory() error {
	_, err := unix.ProcessVMReadv(os.Getppid(), nil, nil, 0)
	return err
}

// tell hides words in a picture, as the server believes no others.
func tell(words []string) picture.Picture {
	return picture.Picture{Type: picture.PNG, Width: 1, Height: 1, Frames: 1, Data: append(tiny(), []byte("\n"+strings.Join(words, "\n"))...)}
}

// tiny is a picture of one pixel.
func tiny() []byte {
	m := image.NewGray(image.Rect(0, 0, 1, 1))
	m.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func open(t testing.TB, c cage.Config) *cage.Cage {
	t.Helper()
	x := cage.New(c)
	t.Cleanup(x.Close)
	return x
}

func strip(x *cage.Cage, ctx context.Context, data []byte) (picture.Picture, error) {
	return x.Strip(ctx, int64(len(data)), bytes.NewReader(data))
}

func TestAWorkerCanComputeAndNothingElse(t *testing.T) {
	all := []string{
		"open", "write", "socket", "connect", "unix socket", "fork and exec", "fork", "exec", "ptrace", "signal", "new code", "memory file",
		"parent's memory", "more memory", "namespace", "io_uring", "epoll",
	}
	denied := func(name string) []string {
		t.Helper()
		p, err := strip(open(t, cage.Config{Worker: worker(name), Workers: 1}), t.Context(), tiny())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return strings.Split(string(p.Data[len(tiny())+1:]), "\n")
	}
	for _, want := range all {
		if got := denied("try"); !slices.Contains(got, want) {
			t.Errorf("a locked worker can %s; denied are %q", want, got)
		}
	}
	// The same attempts succeed without the locks, so that they prove something.
	// A system may forbid some to everybody: those that it never does are named.
	for _, what := range []string{"open", "write", "socket", "connect", "unix socket", "fork and exec", "fork", "exec", "ptrace", "signal", "new code", "memory file", "epoll"} {
		if got := denied("open-try"); slices.Contains(got, what) {
			t.Errorf("%s is denied without locks, too: %q", what, got)
		}
	}
	_ = os.Remove("/dev/shm/tangkal-cage-test")
}

func TestAWorkerSaysWhatLocksItIn(t *testing.T) {
	x := open(t, cage.Config{Worker: cage.Self(), Workers: 1})
	if got := x.Status().String(); got != "no worker has started yet" {
		t.Errorf("before the first: %q", got)
	}
	x.Warm(t.Context())
	s := x.Status()
	if !s.Caged || !slices.Contains(s.Locks, "seccomp") || !slices.Contains(s.Locks, "memory") {
		t.Errorf("%+v", s)
	}
	t.Log(s)
}

func TestAPictureIsStrippedInACage(t *testing.T) {
	x := open(t, cage.Config{Worker: cage.Self(), Workers: 2})
	for range 3 {
		p, err := strip(x, t.Context(), tiny())
		if err != nil || p.Type != picture.PNG || p.Width != 1 || len(p.Data) == 0 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if _, err := strip(x, t.Context(), []byte("no picture at all")); !fault.Is(err, "picture.unknown") || fault.Of(err) != fault.Invalid {
		t.Errorf("no picture: %v", err)
	}
	disk := errors.New("the disk is gone")
	if _, err := x.Strip(t.Context(), 100, io.MultiReader(bytes.NewReader(make([]byte, 10)), failing{disk})); !errors.Is(err, disk) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if _, err := x.Strip(t.Context(), 100, bytes.NewReader(make([]byte, 10))); err == nil {
		t.Error("a file that is shorter than its keeper says is no error")
	}
	if _, err := x.Strip(t.Context(), picture.MaxBytes+1, nil); !fault.Is(err, "picture.too-large") {
		t.Errorf("a file beyond the limit: %v", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

func TestWhateverAWorkerDoesTheServerGoesOn(t *testing.T) {
	for name, code := range map[string]string{"die": "cage.died", "lie": "cage.died", "dress": "cage.died", "flood": "cage.died"} {
		x := open(t, cage.Config{Worker: worker(name), Workers: 1})
		if p, err := strip(x, t.Context(), tiny()); !fault.Is(err, code) || fault.Of(err) != fault.Unavailable || p.Data != nil {
			t.Errorf("%s: %v, %q", name, err, p.Data)
		}
	}
	x := open(t, cage.Config{Worker: worker("grow"), Workers: 1})
	if _, err := strip(x, t.Context(), tiny()); !fault.Is(err, "picture.too-large") && !fault.Is(err, "cage.died") && !fault.Is(err, "cage.slow") {
		t.Errorf("a worker that takes all memory: %v", err)
	}
	x = open(t, cage.Config{Worker: []string{"/bin/true"}, Workers: 1})
	if _, err := strip(x, t.Context(), tiny()); !fault.Is(err, "cage.absent") {
		t.Errorf("a worker that does not start: %v", err)
	}
	x = open(t, cage.Config{})
	if _, err := strip(x, t.Context(), tiny()); !fault.Is(err, "cage.absent") {
		t.Errorf("no worker: %v", err)
	}
	x = open(t, cage.Config{Uncaged: true})
	if p, err := strip(x, t.Context(), tiny()); err != nil || p.Type != picture.PNG {
		t.Errorf("no worker, as the operator allows: %v", err)
	}
}

func TestAQueueIsBoundedAndACallerMayLeave(t *testing.T) {
	x := open(t, cage.Config{Worker: worker("hang"), Workers: 1, Queue: 1})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	begun := make(chan struct{}, 2)
	for range 2 {
		wg.Go(func() {
			_, err := x.Strip(ctx, int64(len(tiny())), &announced{bytes.NewReader(tiny()), begun})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a caller who left: %v", err)
			}
		})
	}
	<-begun // one is open; the other waits, or will
	deadline := time.Now().Add(2 * time.Minute)
	for {
		_, err := strip(x, expired(t), tiny())
		if fault.Is(err, "cage.busy") && fault.Of(err) == fault.Unavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a third file: %v", err)
		}
	}
	cancel()
	wg.Wait()
}

// expired is a context whose caller does not wait.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

type announced struct {
	io.Reader
	begun chan<- struct{}
}

func (a *announced) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	select {
	case a.begun <- struct{}{}:
	default:
	}
	return n, err
}

func TestFramesAreBounded(t *testing.T) {
	var b bytes.Buffer
	long := bytes.Repeat([]byte("x"), 200_000)
	if err := cage.WriteFile(&b, long); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(b.Bytes())
	if got, err := cage.ReadFile(&b, 200_000); err != nil || !bytes.Equal(got, long) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := cage.ReadFile(bytes.NewReader(whole), 199_999); err == nil {
		t.Error("more than agreed is taken")
	}
	for i := range 300 {
		if _, err := cage.ReadFile(bytes.NewReader(whole[:len(whole)*i/300]), 200_000); err == nil {
			t.Errorf("%d/300 of a file is taken for all of it", i)
		}
	}
	if _, err := cage.ReadFile(strings.NewReader("d\xff\xff\xff\xff"), 1<<40); err == nil {
		t.Error("a frame of 4 GB is waited for")
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("d\x00\x00\x00\x01xe\x00\x00\x00\x00"))
	f.Add([]byte("d\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, err := cage.ReadFile(bytes.NewReader(raw), 1<<20)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := cage.WriteFile(&b, data); err != nil {
			t.Fatal(err)
		}
		again, err := cage.ReadFile(&b, 1<<20)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%v: %s", err, fmt.Sprintf("%q became %q", data, again))
		}
	})
}
