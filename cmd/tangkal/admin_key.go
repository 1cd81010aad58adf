package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/party"
)

type keyCmd struct {
	Add    keyAddCmd    `cmd:"" help:"Make an API key."`
	List   keyListCmd   `cmd:"" help:"List API keys."`
	Revoke keyRevokeCmd `cmd:"" help:"End an API key at once."`
}

type keyAddCmd struct {
	place  `embed:""`
	acting `embed:""`
	Person string   `help:"Address of the person as whom the key acts; default: that of --as." placeholder:"EMAIL"`
	Label  string   `help:"What it is for." required:""`
	Scope  []string `help:"read, write." default:"read,write"`
	Days   int      `help:"Days until it expires; 0 means never." default:"365"`
	JSON   bool     `name:"json" help:"As JSON."`
}

// apiKey is a key as it is made or listed.
type apiKey struct {
	ID        string     `json:"id"`
	Label     string     `json:"label"`
	Person    string     `json:"person"`
	Scopes    []string   `json:"scopes"`
	Prefix    string     `json:"prefix"`
	Secret    string     `json:"secret,omitempty"` // shown once
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

func printable(k auth.APIKey, person string) apiKey {
	out := apiKey{ID: k.ID, Label: k.Label, Person: person, Prefix: k.Prefix, ExpiresAt: unlessZero(k.ExpiresAt), RevokedAt: unlessZero(k.RevokedAt)}
	for _, s := range k.Scopes {
		out.Scopes = append(out.Scopes, string(s))
	}
	return out
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Run makes a key and prints its secret once.
func (c *keyAddCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		p, err := party.ByEmail(sh.ctx, o.db, c.Person)
		if c.Person == "" {
			p, err = party.GetPerson(sh.ctx, o.db, o.by.Person)
		}
		if err != nil {
			return err
		}
		var scopes []auth.Scope
		for _, s := range c.Scope {
			scopes = append(scopes, auth.Scope(s))
		}
		var expires time.Time
		if c.Days != 0 {
			expires = time.Now().UTC().AddDate(0, 0, c.Days).Truncate(time.Second)
		}
		k, secret, err := o.auth.AddAPIKey(sh.ctx, o.by, p.ID, c.Label, scopes, expires)
		if err != nil {
			return err
		}
		out := printable(k, p.Email)
		out.Secret = secret
		return table(sh, c.JSON, "KEY, SHOWN ONCE\tID\tACTS AS", []apiKey{out}, func(k apiKey) string {
			return k.Secret + "\t" + k.ID + "\t" + k.Person
		})
	})
}

type keyListCmd struct {
	place  `embed:""`
	acting `embed:""`
	JSON   bool `name:"json" help:"As JSON."`
}

// Run lists the keys of the organisation of --as.
func (c *keyListCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		all, err := o.auth.APIKeys(sh.ctx, o.by)
		if err != nil {
			return err
		}
		var out []apiKey
		for _, k := range all {
			p, err := party.GetPerson(sh.ctx, o.db, k.Person)
			if err != nil {
				return err
			}
			out = append(out, printable(k, p.Email))
		}
		return table(sh, c.JSON, "ID\tPREFIX\tLABEL\tACTS AS\tSCOPES\tSTATE", out, func(k apiKey) string {
			return strings.Join([]string{k.ID, k.Prefix + "…", k.Label, k.Person, strings.Join(k.Scopes, ","), k.state(time.Now())}, "\t")
		})
	})
}

func (k apiKey) state(now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return "expired"
	default:
		return "valid"
	}
}

type keyRevokeCmd struct {
	place  `embed:""`
	acting `embed:""`
	ID     string `arg:"" help:"Its identifier, from \"admin key list\"."`
}

// Run ends a key.
func (c *keyRevokeCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		if err := o.auth.RevokeAPIKey(sh.ctx, o.by, c.ID); err != nil {
			return err
		}
		fmt.Fprintf(sh.stdout, "revoked %s\n", c.ID)
		return nil
	})
}
