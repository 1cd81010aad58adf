package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
)

type personCmd struct {
	Invite     personInviteCmd     `cmd:"" help:"Invite somebody."`
	List       personListCmd       `cmd:"" help:"List people of an organisation."`
	Deactivate personDeactivateCmd `cmd:"" help:"End somebody's access at once."`
}

type personInviteCmd struct {
	place  `embed:""`
	acting `embed:""`
	Org    string   `help:"Code of the organisation; default: that of --as. Another one must have nobody yet."`
	Name   string   `help:"Their name." required:""`
	Email  string   `help:"Their address." required:""`
	Role   []string `help:"Roles: analyst, approver, officer, liaison, diplomat, editor, reviewer, auditor, admin." required:""`
	JSON   bool     `name:"json" help:"As JSON."`
}

// invited is what person invite prints.
type invited struct {
	ID         string    `json:"id"`
	Email      string    `json:"email"`
	Invitation string    `json:"invitation"` // secret, shown once
	ExpiresAt  time.Time `json:"expires_at"`
}

// Run invites somebody and prints the one-time address.
func (c *personInviteCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		into := o.by.Party
		if c.Org != "" {
			p, err := party.ByCode(sh.ctx, o.db, c.Org)
			if err != nil {
				return err
			}
			into = p.ID
		}
		var roles []party.Role
		for _, r := range c.Role {
			roles = append(roles, party.Role(r))
		}
		i, secret, err := o.auth.Invite(sh.ctx, o.by, into, c.Name, c.Email, roles)
		if err != nil {
			return err
		}
		out := []invited{{i.ID, i.Email, secret, i.ExpiresAt}}
		return table(sh, c.JSON, "INVITED\tUNTIL\tADDRESS, SHOWN ONCE", out, func(i invited) string {
			return i.Email + "\t" + i.ExpiresAt.Format(time.RFC3339) + "\t" + joinPath + i.Invitation
		})
	})
}

type personListCmd struct {
	place  `embed:""`
	acting `embed:""`
	JSON   bool `name:"json" help:"As JSON."`
}

// person is somebody as listed.
type person struct {
	Email  string       `json:"email"`
	Name   string       `json:"name"`
	Roles  []party.Role `json:"roles"`
	Active bool         `json:"active"`
}

// Run lists the people of the organisation of --as.
func (c *personListCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		if err := auth.May(o.by, auth.PartyRead, auth.Object{What: "party", Owner: o.by.Party}); err != nil {
			return err
		}
		all, err := party.People(sh.ctx, o.db, o.by.Party)
		if err != nil {
			return err
		}
		var out []person
		for _, p := range all {
			out = append(out, person{p.Email, p.Name, p.Roles, p.Active})
		}
		return table(sh, c.JSON, "EMAIL\tNAME\tROLES\tACTIVE", out, func(p person) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s", p.Email, p.Name, roles(p.Roles), yesNo(p.Active))
		})
	})
}

func roles(all []party.Role) string {
	var out []string
	for _, r := range all {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}

type personDeactivateCmd struct {
	place  `embed:""`
	acting `embed:""`
	Email  string `arg:"" help:"Their address."`
}

// Run ends somebody's access.
func (c *personDeactivateCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		p, err := party.ByEmail(sh.ctx, o.db, c.Email)
		if err != nil {
			return err
		}
		if err := o.auth.Deactivate(sh.ctx, o.by, p.ID); err != nil {
			return err
		}
		fmt.Fprintf(sh.stdout, "deactivated %s\n", p.Email)
		return nil
	})
}

// unsealCmd opens a contact on the machine of whoever holds the private key.
type unsealCmd struct {
	place    `embed:""`
	acting   `embed:""`
	Ref      string `arg:"" help:"Reference of the report, as TGK-LP-2026-00012."`
	Identity string `help:"File with the private age key (AGE-SECRET-KEY-1…); - reads it from standard input. Not needed where the contact was sealed to nobody's key." placeholder:"FILE"`
}

// Help shows by example.
func (unsealCmd) Help() string {
	return `Example:

  tangkal admin unseal TGK-LP-2026-00012 --as sari@dit-contoh.example --identity - < contact.key

Reporters' contacts are sealed to the public keys of "serve --recipients"; the server cannot open them, and where there
were none it needs no key. --as names an analyst of the agency that has the report. The opening is recorded, with who and
when, and the contact is printed and kept nowhere.`
}

// Run opens the contact and prints it.
func (c *unsealCmd) Run(sh *shell) error {
	var private string
	if c.Identity != "" {
		var err error
		if private, err = readSecret(c.Identity); err != nil {
			return err
		}
	}
	return c.in(sh, c.As, func(o *office) error {
		text, err := report.OpenContact(sh.ctx, report.ContactDeps{DB: o.db, Feed: o.feed, Clock: clock.System{}, Vault: o.vault}, o.by, c.Ref, private)
		if errors.Is(err, report.ErrSealedToKeys) {
			return usageError{fmt.Errorf("%w: give one with --identity", err)}
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(sh.stdout, text)
		return nil
	})
}

// readSecret reads a small file, or standard input for "-".
func readSecret(name string) (string, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil { //nolint:gosec // the caller names the file
			return "", err
		}
		defer f.Close() //nolint:errcheck // only read
	}
	raw, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err == nil && len(raw) == 0 {
		err = errors.New("the identity is empty")
	}
	return string(raw), err
}
