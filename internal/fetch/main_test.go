package fetch

import (
	"testing"

	"go.uber.org/goleak"
)

// Every goroutine has an owner that waits for it: proxies, browsers, recorded
// connections.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
