// Package deliver speaks the wire to other systems: signed webhooks.
package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
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

// reason says in a word why there was no answer: one of outbox.Failures. The
// owner of the endpoint reads it; it names no address of ours, and every
// address where we do not go has one answer, so that nobody maps our inside.
func reason(err error) string {
	if e, ok := fault.As(err); ok && e.Kind == fault.Invalid {
		return outbox.AddressRefused
	}
	var name *net.DNSError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return outbox.NameNotFound
	case timedOut(err):
		return outbox.TimedOut
	case errors.Is(err, syscall.ECONNREFUSED):
		return outbox.ConnectionRefused
	case untrusted(err):
		return outbox.Certificate
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return outbox.NotTLS
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return outbox.BrokenOff
	default:
		return outbox.Unreachable
	}
}

// timedOut looks through everything that err wraps: net/http's own errors say
// that they are no timeout where a fault stands between.
func timedOut(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() || errors.Is(err, context.DeadlineExceeded) { //nolint:errorlint // each error of the chain by itself
			return true
		}
	}
	return false
}

// untrusted reports whether the certificate was at fault.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &host) || errors.As(err, &authority) || errors.As(err, &invalid)
}
