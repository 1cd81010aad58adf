package main

import (
	"context"
	"net"
	"os"
)

// notify tells systemd how the service is (sd_notify(3): READY=1, STOPPING=1),
// if it was started by a unit of Type=notify. Who did not ask is not told; a
// message that does not arrive leaves systemd to its timeouts.
func notify(ctx context.Context, state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unixgram", socket)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // a datagram: it is gone or not
	conn.Write([]byte(state))           //nolint:errcheck // see above
}
