// Package mailtest is a real SMTP server on loopback for tests, with TLS under
// a certificate of its own.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A Letter is one mail as the server got it.
type Letter struct {
	From   string // of the envelope
	To     []string
	Raw    []byte // header and body as they came
	Secure bool   // the connection was protected
	User   string // who had signed in
}

// A Server takes mail.
type Server struct {
	Addr  string // host and port
	Host  string
	Port  int
	Roots *x509.CertPool // its certificate's

	mu      sync.Mutex
	letters []Letter              // guarded by mu
	refuse  func(to string) error // guarded by mu; nil takes everything
	arrived chan struct{}         // one token is enough: readers look at letters
	users   map[string]string     // user names and passwords; none asks for no sign-in
}

// Options are what a server is like.
type Options struct {
	NoTLS bool              // it does not know STARTTLS
	Users map[string]string // it wants one of these to sign in
}

// Start starts a server, which ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	s := &Server{Addr: "127.0.0.1:" + strconv.Itoa(addr.Port), Host: "127.0.0.1", Port: addr.Port, arrived: make(chan struct{}, 1), users: o.Users}
	server := smtp.NewServer(s)
	server.Domain, server.EnableDSN, server.ReadTimeout, server.WriteTimeout = "mail.example", true, time.Minute, time.Minute
	server.MaxMessageBytes, server.MaxRecipients = 1<<20, 5
	if !o.NoTLS {
		server.TLSConfig = s.certificate(t)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("close the mail server: %v", err)
		}
		<-done //nolint:errcheck // ended by Close
	})
	return s
}

func (s *Server) certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// Refuse makes the server answer every receiver with what f returns; nil takes
// it. An *smtp.SMTPError is sent as it is.
func (s *Server) Refuse(f func(to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Letters returns what has come so far.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Letter(nil), s.letters...)
}

// Wait returns the letters once there are n of them.
func (s *Server) Wait(t testing.TB, n int) []Letter {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		if got := s.Letters(); len(got) >= n {
			return got
		}
		select {
		case <-s.arrived:
		case <-limit:
			t.Fatalf("%d letters came, want %d", len(s.Letters()), n)
		}
	}
}

// NewSession is the server's side of a connection.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &session{server: s, letter: Letter{Secure: secure}}, nil
}

type session struct {
	server *Server
	letter Letter
}

// AuthMechanisms lists how one can sign in.
func (s *session) AuthMechanisms() []string {
	if len(s.server.users) == 0 {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth signs in.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if want, ok := s.server.users[user]; !ok || want != password {
			return smtp.ErrAuthFailed
		}
		s.letter.User = user
		return nil
	}), nil
}

// Mail takes the envelope's sender.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.server.users) > 0 && s.letter.User == "" {
		return smtp.ErrAuthRequired
	}
	s.letter.From = from
	return nil
}

// Rcpt takes one receiver, or refuses it.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	refuse := s.server.refuse
	s.server.mu.Unlock()
	if refuse != nil {
		if err := refuse(to); err != nil {
			return err
		}
	}
	s.letter.To = append(s.letter.To, to)
	return nil
}

// Data takes the letter.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l := s.letter
	l.Raw = raw
	s.server.mu.Lock()
	s.server.letters = append(s.server.letters, l)
	s.server.mu.Unlock()
	select {
	case s.server.arrived <- struct{}{}:
	default:
	}
	return nil
}

// Reset forgets the envelope.
func (s *session) Reset() { s.letter = Letter{Secure: s.letter.Secure, User: s.letter.User} }

// Logout ends the connection.
func (s *session) Logout() error { return nil }
