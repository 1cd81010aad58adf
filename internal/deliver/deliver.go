// Package deliver speaks the wire to other systems: signed webhooks.
package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/notes"
)

// Webhook returns the sender of webhooks (Standard Webhooks): the body is
// signed twice in one header, ed25519 as v1a and HMAC-SHA-256 as v1. The
// client must be the SSRF-safe one. An answer's body is read to reuse the
// connection, and never shown to anybody.
func Webhook(client *http.Client) outbox.Sender {
	return func(ctx context.Context, m outbox.Message) outbox.Result {
		begun := time.Now() //nolint:forbidigo // a duration of the machine, or the age of files that it dated
		status, err := post(ctx, client, m)
		r := outbox.Result{Status: status, Took: time.Since(begun)}
		if err != nil {
			r.Error = reason(err)
		}
		return r
	}
}

func post(ctx context.Context, client *http.Client, m outbox.Message) (int, error) {
	headers, err := notes.SignHook(m.ID, m.At, m.Body, m.Keys...)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return 0, err
	}
	req.Header = headers
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Tangkal-Webhooks/1")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // an answer of no further use
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return resp.StatusCode, nil //nolint:nilerr // the status has been read, and it decides
	}
	return resp.StatusCode, nil
}

// reason says in a word why there was no answer. The owner of the endpoint
// reads it; it names no address of ours.
func reason(err error) string {
	if e, ok := fault.As(err); ok {
		return e.Code
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	return "unreachable"
}
