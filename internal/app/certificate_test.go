package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/clock"
)

// selfSigned writes a certificate for both hosts of an instance, and its key.
func selfSigned(t *testing.T, number int64, from, until time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(number), NotBefore: from, NotAfter: until, DNSNames: []string{"tangkal.example", "evidence.tangkal.example"}}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: raw}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// secured is the configuration of an instance that ends TLS itself.
func secured(t *testing.T) app.Config {
	t.Helper()
	return app.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", PublicURL: "https://tangkal.example", EvidenceOrigin: "https://evidence.tangkal.example",
		InstanceCode: "TEST", InstanceName: "Test", Jurisdiction: "id",
	}
}

// The certificate that is served, not the file of that name today, is a part of
// /readyz: fine, nearly over, over.
func TestReadyTellsOfTheCertificateThatIsServed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for _, tt := range []struct {
		name        string
		from, until time.Time
		level       app.Level
		do          string
	}{
		{"for a season", now.Add(-day), now.Add(90 * day), app.Fine, ""},
		{"for ten days", now.Add(-80 * day), now.Add(10 * day), app.Warning, "start the program again"},
		{"over since a minute", now.Add(-90 * day), now.Add(-time.Minute), app.Failing, "renew it"},
		{"from tomorrow on", now.Add(day), now.Add(90 * day), app.Failing, "clock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := secured(t)
			c.TLSCert, c.TLSKey = selfSigned(t, 1, tt.from, tt.until)
			a, err := app.Open(t.Context(), c, clock.NewManual(now), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			renewed, _ := selfSigned(t, 2, now, now.Add(90*day)) // not read before the next start
			if err := os.Rename(renewed, c.TLSCert); err != nil {
				t.Fatal(err)
			}
			h, err := a.Handler()
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://tangkal.example/readyz", nil))
			var health app.Health
			if err := json.NewDecoder(w.Body).Decode(&health); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(health.Parts, func(p app.Part) bool { return p.Name == "certificate" })
			if i < 0 {
				t.Fatalf("no part certificate in %+v", health.Parts)
			}
			if p := health.Parts[i]; p.Level != tt.level || !strings.Contains(p.Do, tt.do) || (p.Do == "") != (tt.do == "") {
				t.Errorf("it is %+v, want %s and %q", p, tt.level, tt.do)
			}
		})
	}
}

func TestTheCertificateIsServedThatWasReadAtTheStart(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := secured(t)
	c.TLSCert, c.TLSKey = selfSigned(t, 41, now.Add(-time.Hour), now.Add(time.Hour))
	a, err := app.Open(t.Context(), c, clock.System{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	d := tls.Dialer{Config: &tls.Config{ServerName: "tangkal.example", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}}
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	if got := state.PeerCertificates[0].SerialNumber.Int64(); got != 41 || state.NegotiatedProtocol != "h2" {
		t.Errorf("certificate %d is served by %q, want 41 by h2", got, state.NegotiatedProtocol)
	}
}

// What check-config prints is everything that can be set, in the order in which
// the help has it.
func TestEverySettingIsListed(t *testing.T) {
	t.Parallel()
	var want, got []string
	fields := reflect.TypeFor[app.Config]()
	for i := range fields.NumField() {
		if env := fields.Field(i).Tag.Get("env"); env != "" {
			want = append(want, strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(env, "TANGKAL_")), "_", "-"))
		}
	}
	for _, s := range (app.Config{}).Settings() {
		got = append(got, s.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-can be set, +are listed):\n%s", diff)
	}
	c := app.Config{OIDCIssuer: "https://login.example", OIDCInside: []string{"10.20.0.0/24", "10.21.0.0/24"}, OIDCOrg: "dit-contoh"}
	for _, s := range c.Settings() {
		for name, value := range map[string]string{"oidc-issuer": c.OIDCIssuer, "oidc-inside": "10.20.0.0/24,10.21.0.0/24", "oidc-org": c.OIDCOrg, "oidc-name": "OpenID"} {
			if s.Name == name && s.Value != value {
				t.Errorf("%s is %q, want %q", name, s.Value, value)
			}
		}
	}
}
