package main

import (
	"time"

	"github.com/tangkal/tangkal/internal/party"
)

// recoverCmd is the operator's voice for somebody who lost every key.
type recoverCmd struct {
	place `embed:""`
	Email string `arg:"" help:"Address of the person who lost every key."`
	JSON  bool   `name:"json" help:"As JSON."`
}

// Help shows by example.
func (recoverCmd) Help() string {
	return `Example:

  tangkal admin recover dewi@ruangsuara.example

Recovering somebody's access takes two people besides them, and each hands over one half. Where the organisation has too few,
this command is one of the two, never both: the second, if an administrator of theirs has opened the recovery (it prints the
address), else the first (it prints the code, and a colleague confirms on their page of what waits). Where colleagues can do
it, the command refuses. An organisation of one person has nobody for the other half: invite a second administrator with
"admin person invite --as ADDRESS", who opens the recovery.

Speak to the person themselves before you hand anything over. The record keeps that the operator acted, and everybody
concerned is told by mail. The exit code is 0 if a half was printed.`
}

// recovered is what recover prints.
type recovered struct {
	Email     string    `json:"email"`
	Half      string    `json:"half"` // "code" or "address"
	Value     string    `json:"value"`
	ExpiresAt time.Time `json:"expires_at"`
}

// recoverPath is the page that takes both halves.
const recoverPath = "/recovery/"

// Run speaks for the person and prints the half to hand over.
func (c *recoverCmd) Run(sh *shell) error {
	return c.in(sh, "", func(o *office) error {
		p, err := party.ByEmail(sh.ctx, o.db, c.Email)
		if err != nil {
			return err
		}
		r, half, err := o.auth.OperatorRecover(sh.ctx, p.ID)
		if err != nil {
			return err
		}
		out := recovered{p.Email, "address", recoverPath + half, r.ExpiresAt}
		if r.Open() {
			out.Half, out.Value = "code", half
		}
		return table(sh, c.JSON, "PERSON\tHALF\tUNTIL\tGIVE THIS TO THEM ALONE, SHOWN ONCE", []recovered{out}, func(r recovered) string {
			return r.Email + "\t" + r.Half + "\t" + r.ExpiresAt.Format(time.RFC3339) + "\t" + r.Value
		})
	})
}
