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
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
)

const (
	// keptFor is how long an answer is given again for the same key.
	keptFor = 48 * time.Hour
	// leaseFor is how long a reservation holds that nothing was written under: as
	// long as a request may take. A node that begins on SQLite, where there is no
	// other, frees what is left of the one before at once.
	leaseFor = 2 * time.Minute
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
// any number of simultaneous repeats one goes on. The transaction that has the
// effect says so at the reservation, and fails if another has it by now. An
// answer of success is kept, sealed, and given again; any other answer changed
// nothing, and the key is free again. After a kill a key without effect is free;
// one whose effect is there and whose answer is lost says that.
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

// reporters are where a reporter writes under a receipt.
var reporters = []string{prefix + "/receipts/messages", prefix + "/receipts/material"}

// scope is whose keys a request's key is among: the caller's party, or the
// receipt that a reporter holds. "" is nobody: then a key means nothing, and
// nothing is read for it.
func (s *server) scope(r *http.Request) string {
	if a := auth.Actor(r.Context()); a.Known() {
		return string(a.Party)
	}
	if code := r.Header.Get(headerReceipt); code != "" && slices.Contains(reporters, r.URL.Path) {
		return "receipt/" + hex.EncodeToString(s.Vault.MAC("idempotency-scope", []byte(code))[:16])
	}
	return ""
}

// What stands in the place of a status before there is an answer.
const (
	reserved = 0 // and nothing was written
	effected = 1 // and something was written
)

// kept is what is stored of an answer.
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
		most := int64(maxBuffered)
		if !auth.Actor(r.Context()).Known() {
			most = maxJSON
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
		if err != nil {
			return bodyFault(err)
		}
		sum.Write(body) //nolint:errcheck // a hash never fails
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	now := s.Clock.Now()
	mine, before, err := s.reserve(r.Context(), scope, key, now)
	if err != nil {
		return err
	}
	if !mine {
		return s.repeat(w, r, scope, key, before, sum, streamed)
	}
	rec := &recorder{header: w.Header(), status: http.StatusOK}
	ctx := db.Riding(context.WithValue(r.Context(), digestKey{}, sum), func(ctx context.Context, tx *db.Tx) error {
		return s.effect(ctx, tx, scope, key, now)
	})
	next.ServeHTTP(rec, r.WithContext(ctx))
	if err := s.keep(context.WithoutCancel(r.Context()), scope, key, now, rec, sum.Sum(nil)); err != nil {
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
func (s *server) reserve(ctx context.Context, scope, key string, now time.Time) (mine bool, before kept, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE party_id = $1 AND key = $2 AND at < $3`,
			scope, key, db.Micros(now.Add(-keptFor))); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE party_id = $1 AND key = $2 AND status = $3 AND at < $4`,
			scope, key, reserved, db.Micros(s.held(now))); err != nil {
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

// held is since when a reservation can be somebody's who still works.
func (s *server) held(now time.Time) time.Time {
	lease := now.Add(-leaseFor)
	if s.DB.Dialect() == db.SQLite && s.began.After(lease) {
		return s.began
	}
	return lease
}

// effect notes, in the transaction that writes, that the request had its
// effect. One whose reservation another has by now writes nothing.
func (s *server) effect(ctx context.Context, tx *db.Tx, scope, key string, at time.Time) error {
	n, err := tx.Exec(ctx, `UPDATE idempotency_keys SET status = $4 WHERE party_id = $1 AND key = $2 AND at = $3 AND status IN (0, 1)`,
		scope, key, db.Micros(at), effected)
	if err == nil && n == 0 {
		return busy()
	}
	return err
}

func busy() error {
	f := fault.New(fault.Conflict, "api.idempotency-busy")
	f.RetryAfter = time.Second
	return f
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
	switch {
	case k.status == effected && k.at.Before(s.held(s.Clock.Now())):
		return fault.New(fault.Conflict, "api.idempotency-lost")
	case k.status == reserved || k.status == effected:
		return busy()
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
func (s *server) keep(ctx context.Context, scope, key string, at time.Time, rec *recorder, digest []byte) error {
	return s.DB.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if rec.status >= 300 {
			_, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE party_id = $1 AND key = $2 AND at = $3 AND status IN (0, 1)`, scope, key, db.Micros(at))
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
		_, err = tx.Exec(ctx, `UPDATE idempotency_keys SET body_hash = $3, status = $4, headers = $5, body = $6 WHERE party_id = $1 AND key = $2 AND at = $7`,
			scope, key, digest, rec.status, string(raw), s.Vault.SealOwn(rec.body.Bytes(), about(scope, key)), db.Micros(at))
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
	if _, ours := fault.As(err); ours {
		return err
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.Invalid, "api.too-large", "Max", fmt.Sprintf("%d MB", tooLarge.Limit>>20))
	}
	return fault.New(fault.Invalid, "api.cut-off").Because(err)
}
