package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/auth/oidctest"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/fault"
)

func oidcSecret(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheProvidersOptionsAreChecked(t *testing.T) {
	t.Parallel()
	right := app.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:8080", PublicURL: "https://tangkal.example", EvidenceOrigin: "https://evidence.tangkal.example", Jurisdiction: "id",
		OIDCIssuer: "https://login.example", OIDCClient: "tangkal", OIDCSecretFile: oidcSecret(t, "x\n"), OIDCOrg: "dit-contoh", OIDCClaim: "groups=tangkal", OIDCInside: []string{"10.0.0.0/8"},
	}
	if err := right.Check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*app.Config)
		want   string
	}{
		"no issuer":       {func(c *app.Config) { c.OIDCIssuer = "" }, "oidc-issuer: required"},
		"a plain issuer":  {func(c *app.Config) { c.OIDCIssuer = "http://login.example" }, "oidc-issuer \"http://login.example\""},
		"no organisation": {func(c *app.Config) { c.OIDCOrg = "" }, "oidc-org: required"},
		"half a claim":    {func(c *app.Config) { c.OIDCClaim = "groups" }, "oidc-claim \"groups\""},
		"no network":      {func(c *app.Config) { c.OIDCInside = []string{"10.0.0.1"} }, "oidc-inside \"10.0.0.1\""},
		"an empty secret": {func(c *app.Config) { c.OIDCSecretFile = oidcSecret(t, "\n") }, "oidc-secret-file"},
	} {
		wrong := right
		c.change(&wrong)
		if err := wrong.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A provider inside is asked for nothing unless the operator has named its
// network, and the instance starts and works without it.
func TestAProviderInsideIsAskedOnlyWhereNamed(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		op := oidctest.Start(t)
		x := exchangetest.StartOn(t, "sqlite:"+t.TempDir()+"/tangkal.db", clock.System{}, func(c *app.Config) {
			c.OIDCIssuer, c.OIDCClient, c.OIDCSecretFile, c.OIDCOrg, c.AllowPrefixes = op.URL, op.ClientID, oidcSecret(t, op.Secret), "tangkal-daring", nil
			if named {
				c.OIDCInside = []string{"127.0.0.0/8"}
			}
		})
		_, err := x.App.Provider.Begin(t.Context(), "")
		asked := 0
		op.Set(func(s *oidctest.Server) { asked = len(s.Asked) })
		if named && (err != nil || asked == 0) || !named && (!fault.Is(err, "auth.provider-away") || asked != 0) {
			t.Errorf("named %v: %v, and it was asked %d times", named, err, asked)
		}
	}
}
