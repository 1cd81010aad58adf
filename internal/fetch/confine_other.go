//go:build !linux

package fetch

import (
	"errors"
	"os"
	"os/exec"
)

// confine refuses to run a browser as root; elsewhere than on Linux it is not
// given to another account.
func confine(_ *exec.Cmd, _, _ string) error {
	if os.Geteuid() == 0 {
		return errors.New("a browser does not run as root")
	}
	return nil
}

// killAll kills the browser; its children end with it.
func killAll(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
