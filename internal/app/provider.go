package app

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fetch"
)

// checkProvider names what is wrong with the OpenID provider.
func (c Config) checkProvider(f *faults) {
	if c.OIDCIssuer == "" {
		if c.OIDCClient+c.OIDCSecretFile+c.OIDCOrg+c.OIDCClaim != "" || len(c.OIDCInside) > 0 {
			f.add("oidc-issuer: required, or leave out the other oidc options too")
		}
		return
	}
	u, err := url.Parse(c.OIDCIssuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && (!c.Demo || u.Scheme != "http") {
		f.add("oidc-issuer %q: want the issuer's https address, as https://login.example", c.OIDCIssuer)
	}
	if c.OIDCClient == "" || c.OIDCSecretFile == "" || c.OIDCOrg == "" {
		f.add("oidc-client, oidc-secret-file and oidc-org: required with oidc-issuer")
	}
	if name, value, ok := strings.Cut(c.OIDCClaim, "="); c.OIDCClaim != "" && (!ok || name == "" || value == "") {
		f.add("oidc-claim %q: want NAME=VALUE", c.OIDCClaim)
	}
	if _, err := c.oidcInside(); err != nil {
		*f = append(*f, err)
	}
	if _, err := c.oidcSecret(); err != nil {
		f.add("oidc-secret-file: %w", err)
	}
}

func (c Config) oidcInside() (out []netip.Prefix, err error) {
	for _, text := range c.OIDCInside {
		p, perr := netip.ParsePrefix(text)
		if perr != nil {
			err = errors.Join(err, fmt.Errorf("oidc-inside %q: want a network, as 10.20.0.0/24", text))
		}
		out = append(out, p)
	}
	return out, err
}

func (c Config) oidcSecret() (string, error) {
	if c.OIDCSecretFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.OIDCSecretFile)
	secret := strings.TrimRight(string(raw), "\r\n")
	if err == nil && (secret == "" || strings.ContainsAny(secret, "\r\n")) {
		err = errors.New("want one line with the secret")
	}
	return secret, err
}

// openProvider makes the OpenID provider, if there is one. It is asked through
// a client of its own: addresses inside are reached only where the operator has
// named them (threat-model T21), whatever the provider says of itself.
func (a *App) openProvider() error {
	c := a.Config
	if c.OIDCIssuer == "" {
		return nil
	}
	secret, err := c.oidcSecret()
	if err != nil {
		return err
	}
	inside, err := c.oidcInside()
	if err != nil {
		return err
	}
	ports := append([]uint16{443}, c.AllowPorts...)
	if u, err := url.Parse(c.OIDCIssuer); err == nil && u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return fmt.Errorf("oidc-issuer: %w", err)
		}
		ports = append(ports, uint16(n))
	}
	client, err := fetch.New(fetch.Config{
		UserAgent: "Tangkal (+" + c.PublicURL + ")", AllowHTTP: c.Demo, AllowPrefixes: append(inside, c.AllowPrefixes...), Ports: ports, Clock: a.Clock,
	})
	if err != nil {
		return err
	}
	a.Provider = a.Auth.NewProvider(auth.ProviderConfig{
		Name: c.OIDCName, Issuer: c.OIDCIssuer, ClientID: c.OIDCClient, Secret: secret, Party: c.OIDCOrg, Claim: c.OIDCClaim,
		Redirect: c.PublicURL + "/sign-in/provider/back", HTTP: client.HTTP(),
	})
	return nil
}
