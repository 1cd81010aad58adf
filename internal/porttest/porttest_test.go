package porttest_test

import (
	"net"
	"testing"

	"github.com/tangkal/tangkal/internal/porttest"
)

// An address is free, belongs to one test, and is free again afterwards.
func TestAReservedAddressIsGivenOnce(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for range 200 {
		address := porttest.Reserve(t)
		if given[address] {
			t.Fatalf("%s is given twice", address)
		}
		given[address] = true
	}
	for address := range given {
		for range 2 { // stopped and started again
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	address, release, err := porttest.Take()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.ListenPacket("udp", address); err == nil {
		c.Close()
		t.Errorf("%s is not held", address)
	}
	release()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatalf("%s is held after its release: %v", address, err)
	}
	c.Close()
}
