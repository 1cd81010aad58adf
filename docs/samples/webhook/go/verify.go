// Command verify checks one webhook of Tangkal and prints its id and type. It
// uses the standard library only, so that its functions can be copied into any
// receiver.
//
// It reads the request from standard input: header lines, an empty line, the
// body byte for byte. Keys come from the environment, several parted by spaces
// during a rotation: WEBHOOK_PUBLIC_KEYS (whpk_...) for v1a, WEBHOOK_SECRETS
// (whsec_...) for v1. With both set, both signatures must be good. It exits
// with 1 if the message is not.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const tolerance = 5 * time.Minute

func main() {
	if err := run(os.Stdin, os.Stdout, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, env func(string) string) error {
	message, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return err
	}
	header, body := split(message)
	publics, err := keys(env("WEBHOOK_PUBLIC_KEYS"), "whpk_")
	if err != nil {
		return err
	}
	secrets, err := keys(env("WEBHOOK_SECRETS"), "whsec_")
	if err != nil {
		return err
	}
	if err := verify(header, body, time.Now(), publics, secrets); err != nil {
		return err
	}
	var event struct{ ID, Type string }
	if err := json.Unmarshal(body, &event); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if event.ID != header.Get("webhook-id") {
		return errors.New("id in the body is not webhook-id")
	}
	fmt.Fprintln(out, event.ID, event.Type)
	return nil
}

// verify checks what Standard Webhooks asks: signatures over id.timestamp.body
// and a time no more than 5 minutes away.
func verify(h http.Header, body []byte, now time.Time, publics, secrets [][]byte) error {
	if len(publics) == 0 && len(secrets) == 0 {
		return errors.New("set WEBHOOK_PUBLIC_KEYS or WEBHOOK_SECRETS")
	}
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return errors.New("webhook-id or webhook-timestamp is missing")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > tolerance {
		return errors.New("webhook-timestamp is more than 5 minutes away")
	}
	content := append([]byte(id+"."+stamp+"."), body...)
	if len(publics) > 0 && !matches(h, "v1a", publics, func(key, signature []byte) bool {
		return ed25519.Verify(key, content, signature)
	}) {
		return errors.New("no v1a signature fits")
	}
	if len(secrets) > 0 && !matches(h, "v1", secrets, func(key, signature []byte) bool {
		m := hmac.New(sha256.New, key)
		m.Write(content)
		return hmac.Equal(m.Sum(nil), signature)
	}) {
		return errors.New("no v1 signature fits")
	}
	return nil
}

func matches(h http.Header, version string, keys [][]byte, good func(key, signature []byte) bool) bool {
	for _, part := range strings.Fields(h.Get("webhook-signature")) {
		v, value, _ := strings.Cut(part, ",")
		signature, err := base64.StdEncoding.DecodeString(value)
		if v != version || err != nil {
			continue
		}
		for _, k := range keys {
			if good(k, signature) {
				return true
			}
		}
	}
	return false
}

// keys reads keys parted by spaces, each with its prefix before base64.
func keys(list, prefix string) ([][]byte, error) {
	var out [][]byte
	for _, s := range strings.Fields(list) {
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, prefix))
		if !strings.HasPrefix(s, prefix) || err != nil || len(b) < 24 || prefix == "whpk_" && len(b) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("a key is not %s and base64", prefix)
		}
		out = append(out, b)
	}
	return out, nil
}

// split parts a message into its headers and its body.
func split(message []byte) (http.Header, []byte) {
	h := http.Header{}
	for {
		line, rest, found := bytes.Cut(message, []byte("\n"))
		message = rest
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		if !ok || !found {
			return h, message
		}
		h.Add(name, strings.TrimSpace(value))
	}
}
