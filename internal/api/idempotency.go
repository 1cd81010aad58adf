package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

const (
	// keptFor is how long an answer is given again for the same key.
	keptFor = 48 * time.Hour
	// maxKey is the length of a key in bytes.
	maxKey = 255
	// maxBuffered bounds a body that is held in memory to be digested: the
	// largest batch of answers. Uploads are digested while they are read.
	maxBuffered = 16 << 20

	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotent-Replayed"
	headerReceipt  = "Receipt"
)

// once makes a write that carries an Idempotency-Key have one effect. The key
// is reserved in a transaction of its own before anything happens, so that of
// any number of simultaneous repeats one goes on. An answer of success is kept,
// sealed, and given again; any other answer changed nothing, and the key is
// free again.
//
// A report's key is not kept here: it is the report's own token, which makes
// the same receipt without storing it (report.Submission.Token).
func (s *server) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(headerKey)
		scope := s.scope(r)
		if key == "" || !writes(r.Method) || scope == "" || r.URL.Path == "/api/v1/reports" {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.keyed(w, r, scope, key, next); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// scope is whose keys a request's key is among: the caller's party, or the
// receipt that a reporter holds. "" is nobody: then a key means nothing.
func (s *server) scope(r *http.Request) string {
	if a := auth.Actor(r.Context()); a.Known() {
		return string(a.Party)
	}
	if code := r.Header.Get(headerReceipt); code != "" {
		return "receipt/" + hex.EncodeToString(s.Vault.MAC("idempotency-scope", []byte(code))[:16])
	}
	return ""
}

// kept is what is stored of an answer. A status of 0 is a reservation.
type kept struct {
	digest []byte
	status int
	header map[string]string
	body   []byte // sealed
	at     time.Time
}

func (s *server) keyed(w http.ResponseWriter, r *http.Request, scope, key string, next http.Handler) error {
	if len(key) > maxKey || strings.Trim(key, printable) != "" {
		return fault.New(fault.Invalid, "api.idempotency-key", "Max", maxKey).At("header:/" + headerKey)
	}
	sum := newDigest(r)
	streamed := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/")
	if !streamed {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBuffered))
		if err != nil {
			return bodyFault(err)
		}
		sum.Write(body) //nolint:errcheck // a hash never fails
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	mine, before, err := s.reserve(r.Context(), scope, key)
	if err != nil {
		return err
	}
	if !mine {
		return s.repeat(w, r, scope, key, before, sum, streamed)
	}
	// A panic on the way leaves the key taken: whether something happened is
	// not known then.
	rec := &recorder{header: w.Header(), status: http.StatusOK}
	next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), digestKey{}, sum)))
	if err := s.keep(context.WithoutCancel(r.Context()), scope, key, rec, sum.Sum(nil)); err != nil {
		return err
	}
	w.WriteHeader(rec.status)
	_, _ = w.Write(rec.body.Bytes()) // a caller that left needs no answer
	return nil
}

const printable = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// newDigest starts the digest of a request: who, method, path and query; the
// body follows. Two people of one party never share an answer.
func newDigest(r *http.Request) hash.Hash {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n", auth.Actor(r.Context()).Person, r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	return h
}

type digestKey struct{}

// digestOf returns where an operation that reads its own body digests it, or a
// digest that nobody looks at.
func digestOf(ctx context.Context) hash.Hash {
	if h, ok := ctx.Value(digestKey{}).(hash.Hash); ok {
		return h
	}
	return sha256.New()
}

// reserve takes the key if nobody has it, else returns what is kept for it.
func (s *server) reserve(ctx context.Context, scope, key string) (mine bool, before kept, err error) {
	now := s.Clock.Now()
	err = s.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE party_id = $1 AND key = $2 AND at < $3`,
			scope, key, db.Micros(now.Add(-keptFor))); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `
			INSERT INTO idempotency_keys (party_id, key, body_hash, status, headers, body, at) VALUES ($1, $2, $3, 0, '{}', $4, $5)
			ON CONFLICT (party_id, key) DO NOTHING`, scope, key, []byte{}, []byte{}, db.Micros(now))
		if mine = n == 1; err != nil || mine {
			return err
		}
		before, err = db.One(ctx, tx, scanKept, `SELECT body_hash, status, headers, body, at FROM idempotency_keys WHERE party_id = $1 AND key = $2`, scope, key)
		return err
	})
	return mine, before, err
}

func scanKept(row db.Row) (kept, error) {
	var k kept
	var header string
	if err := row.Scan(&k.digest, &k.status, &header, &k.body, db.Time(&k.at)); err != nil {
		return k, err
	}
	return k, json.Unmarshal([]byte(header), &k.header)
}

// repeat answers a request whose key is taken.
func (s *server) repeat(w http.ResponseWriter, r *http.Request, scope, key string, k kept, sum hash.Hash, streamed bool) error {
	if k.status == 0 {
		busy := fault.New(fault.Conflict, "api.idempotency-busy")
		busy.RetryAfter = time.Second
		return busy
	}
	if streamed {
		if err := drain(r, sum); err != nil {
			return err
		}
	}
	if subtle.ConstantTimeCompare(sum.Sum(nil), k.digest) != 1 {
		return fault.New(fault.Invalid, "api.idempotency-other").At("header:/" + headerKey)
	}
	body, err := s.Vault.UnsealOwn(k.body, about(scope, key))
	if err != nil {
		return err
	}
	for name, value := range k.header {
		w.Header().Set(name, value)
	}
	w.Header().Set(headerReplayed, "true")
	w.WriteHeader(k.status)
	_, _ = w.Write(body) //nolint:gosec // our own earlier answer, with its own media type; a caller that left needs no answer
	return nil
}

// keep stores an answer of success, or frees the key.
func (s *server) keep(ctx context.Context, scope, key string, rec *recorder, digest []byte) error {
	return s.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if rec.status >= 300 {
			_, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE party_id = $1 AND key = $2 AND status = 0`, scope, key)
			return err
		}
		header := map[string]string{}
		for _, name := range []string{"Content-Type", "ETag", "Location", "Content-Language"} {
			if v := rec.Header().Get(name); v != "" {
				header[name] = v
			}
		}
		raw, err := json.Marshal(header)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE idempotency_keys SET body_hash = $3, status = $4, headers = $5, body = $6 WHERE party_id = $1 AND key = $2`,
			scope, key, digest, rec.status, string(raw), s.Vault.SealOwn(rec.body.Bytes(), about(scope, key)))
		return err
	})
}

// about binds a sealed answer to its key: answers hold receipts and secrets.
func about(scope, key string) string { return "idempotency/" + scope + "/" + key }

// recorder holds an answer back until it is kept.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers of the answer.
func (rec *recorder) Header() http.Header { return rec.header }

// WriteHeader notes the status.
func (rec *recorder) WriteHeader(status int) { rec.status = status }

// Write gathers the answer's body.
func (rec *recorder) Write(b []byte) (int, error) { return rec.body.Write(b) }

// bodyFault sorts a failure of reading a request's body.
func bodyFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.Invalid, "api.too-large", "Max", fmt.Sprintf("%d MB", tooLarge.Limit>>20))
	}
	return fault.New(fault.Invalid, "api.cut-off").Because(err)
}
