package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/needtest"
)

// maxExposure is what systemd may say of the unit at most, in tenths: 100 is a
// service without any lock.
const maxExposure = "15"

// The unit is one that systemd understands to the last line, and locked as well
// as a server on the network can be.
func TestTheUnitHoldsBeforeSystemd(t *testing.T) {
	needtest.Program(t, "systemd-analyze")
	raw, err := os.ReadFile("../../deploy/tangkal.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "tangkal.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(raw), "/usr/local/bin/tangkal", self)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), filepath.Base(unit)) { // it may have words about units of the machine
		t.Errorf("systemd does not take the unit: %v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold="+maxExposure, unit).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "unrecognized option") { // before systemd 250 it cannot tell
		t.Errorf("the unit is open wider than %s tenths: %v\n%s", maxExposure, err, out)
	}
}
