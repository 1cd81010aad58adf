package main

import (
	"fmt"

	"github.com/tangkal/tangkal/internal/party"
)

type orgCmd struct {
	Add        orgAddCmd        `cmd:"" help:"Add an organisation."`
	List       orgListCmd       `cmd:"" help:"List organisations."`
	Deactivate orgDeactivateCmd `cmd:"" help:"End an organisation's access."`
}

// orgAddCmd adds an organisation: the first one with its administrator, any
// other in the name of somebody who may.
type orgAddCmd struct {
	place               `embed:""`
	As                  string   `help:"E-mail address of the administrator who adds it; not for the first." env:"TANGKAL_AS" placeholder:"EMAIL"`
	Code                string   `help:"Short name in addresses: a-z, 0-9 and -." required:""`
	Kind                string   `help:"What it is: ${enum}." required:"" enum:"agency,authority,platform,state,operator,civil,oversight,court,law-enforcement,financial-intelligence,intergovernmental,research,helpline"`
	Name                string   `help:"Its name." required:""`
	Jurisdiction        string   `help:"Code of its policy pack, as id or eu-tco."`
	PlatformKey         string   `help:"Of a platform: its key in the rules for links."`
	PlatformKinds       []string `help:"Of a platform: social, messaging, hosting, cdn, registrar, search, app-store, payment."`
	Languages           []string `help:"Languages it accepts notices in, preferred first." default:"id,en"`
	Contact             string   `help:"Contact point shown on notices."`
	LegalRepresentative string   `help:"Of a platform: its legal representative."`
	Establishment       string   `help:"State of its main establishment, two letters."`
	Zone                string   `help:"Time zone, as Asia/Jakarta." default:"UTC"`
	AdminName           string   `help:"Of the first organisation: its first administrator."`
	AdminEmail          string   `help:"And their address."`
	JSON                bool     `name:"json" help:"As JSON."`
}

func (c *orgAddCmd) party() party.Party {
	return party.Party{
		Code: c.Code, Kind: party.Kind(c.Kind), Name: c.Name, Jurisdiction: c.Jurisdiction, PlatformKey: c.PlatformKey,
		PlatformKinds: c.PlatformKinds, Languages: c.Languages, Contact: c.Contact, LegalRepresentative: c.LegalRepresentative,
		Establishment: c.Establishment, Zone: c.Zone,
	}
}

// added is what org add prints.
type added struct {
	ID         party.ID `json:"id"`
	Code       string   `json:"code"`
	Invitation string   `json:"invitation,omitempty"` // secret, shown once
}

// Run adds the organisation.
func (c *orgAddCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		out := added{Code: c.Code}
		if c.As == "" {
			secret, err := o.auth.FirstRun(sh.ctx)
			if err != nil {
				return err
			}
			if secret == "" {
				return usageError{fmt.Errorf("this instance has people: say with --as in whose name the organisation is added")}
			}
			if c.AdminName == "" || c.AdminEmail == "" {
				return usageError{errNoPeople}
			}
			org, invitation, err := o.auth.Found(sh.ctx, secret, c.party(), c.AdminName, c.AdminEmail)
			if err != nil {
				return err
			}
			out.ID, out.Invitation = org.ID, invitation
		} else {
			org, err := o.auth.AddParty(sh.ctx, o.by, c.party())
			if err != nil {
				return err
			}
			out.ID = org.ID
		}
		return table(sh, c.JSON, "ADDED", []added{out}, func(a added) string {
			if a.Invitation != "" {
				return a.Code + "\ninvitation of its administrator, good for 7 days: " + joinPath + a.Invitation
			}
			return a.Code
		})
	})
}

// joinPath is the page that takes an invitation.
const joinPath = "/invitation/"

type orgListCmd struct {
	place `embed:""`
	JSON  bool `name:"json" help:"As JSON."`
}

// org is an organisation as it is listed.
type org struct {
	Code         string `json:"code"`
	Kind         string `json:"kind"`
	Name         string `json:"name"`
	Jurisdiction string `json:"jurisdiction"`
	Active       bool   `json:"active"`
}

// Run lists the organisations by name.
func (c *orgListCmd) Run(sh *shell) error {
	return c.in(sh, "", func(o *office) error {
		all, err := party.List(sh.ctx, o.db)
		if err != nil {
			return err
		}
		var out []org
		for _, p := range all {
			out = append(out, org{p.Code, string(p.Kind), p.Name, p.Jurisdiction, p.Active})
		}
		return table(sh, c.JSON, "CODE\tKIND\tNAME\tJURISDICTION\tACTIVE", out, func(p org) string {
			return p.Code + "\t" + p.Kind + "\t" + p.Name + "\t" + p.Jurisdiction + "\t" + yesNo(p.Active)
		})
	})
}

type orgDeactivateCmd struct {
	place  `embed:""`
	acting `embed:""`
	Code   string `arg:"" help:"Its code."`
}

// Run ends an organisation's access.
func (c *orgDeactivateCmd) Run(sh *shell) error {
	return c.in(sh, c.As, func(o *office) error {
		if err := o.auth.EndParty(sh.ctx, o.by, c.Code); err != nil {
			return err
		}
		fmt.Fprintf(sh.stdout, "deactivated %s\n", c.Code)
		return nil
	})
}
