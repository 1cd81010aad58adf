// Package porttest reserves TCP ports for tests: for a server that is stopped
// and started again at the same address, and for an address where nobody
// listens. A port that the kernel gave for ":0" and that was closed again is
// soon given to somebody else, on a machine that runs many tests at once.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
)

// Reserve returns a loopback address as host:port, at which nobody listens and
// which no other test is given until t ends.
func Reserve(t testing.TB) string {
	t.Helper()
	address, release, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return address
}

// Take is Reserve until release is called or the process ends.
func Take() (address string, release func(), err error) {
	last := firstGiven()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", last-1-rand.IntN(span))
		// The UDP port of the same number is the lock: it holds for every process,
		// whatever its directories are, and ends with the process.
		held, err := net.ListenPacket("udp", address) //nolint:noctx // closed by release
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", address) //nolint:noctx // closed at once
		if err != nil {
			held.Close() //nolint:errcheck // nothing was sent
			continue
		}
		if err := l.Close(); err != nil {
			return "", nil, errors.Join(err, held.Close())
		}
		return address, func() { held.Close() }, nil //nolint:errcheck // nothing was sent
	}
	return "", nil, errors.New("no port is free")
}

// span is how many ports there are to choose from.
const span = 10_000

// firstGiven returns the first port that the kernel gives by itself, to
// listeners at ":0" and to connections; ours are below it, where there is room.
func firstGiven() int {
	const usual = 32768 // of Linux; others begin higher
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var first, last int
	if _, err := fmt.Sscan(string(raw), &first, &last); err != nil || first < span+2000 || first > usual {
		return usual
	}
	return first
}
