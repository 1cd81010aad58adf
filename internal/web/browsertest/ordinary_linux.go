package browsertest

import (
	"os"
	"os/exec"
	"syscall"
)

// nobody is the account without rights on Linux systems.
const nobody = 65534

// ordinary makes cmd die with us and, where we are root, run as nobody: the
// browser's own sandbox works only for an ordinary user.
func ordinary(cmd *exec.Cmd, dir string) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return nil
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	return os.Chown(dir, nobody, nobody)
}
