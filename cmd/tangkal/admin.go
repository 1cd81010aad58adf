package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
)

// adminCmd works on the database directly, with the server running or not.
type adminCmd struct {
	Org     orgCmd     `cmd:"" help:"Organisations."`
	Person  personCmd  `cmd:"" help:"People."`
	Key     keyCmd     `cmd:"" help:"API keys."`
	Recover recoverCmd `cmd:"" help:"Speak for somebody who lost every key, where their organisation has nobody else to."`
	Unseal  unsealCmd  `cmd:"" help:"Open a reporter's contact with a private key."`
	Bounce  bounceCmd  `cmd:"" help:"Take in a mail that came back to the reports' address."`
	Record  recordCmd  `cmd:"" help:"Check that the record of everything that happened is whole."`
}

// Help shows by example.
func (adminCmd) Help() string {
	return `Examples:

  tangkal admin org add --code dit-contoh --kind agency --name "Dit. Contoh" --jurisdiction id --zone Asia/Jakarta \
      --admin-name "Ratna S." --admin-email ratna@dit-contoh.example
  tangkal admin person list --as ratna@dit-contoh.example
  tangkal admin key add --as ratna@dit-contoh.example --label "case system" --scope read --days 90

Whoever may run this holds the database anyway; --as says in whose name it is done, and the record keeps it.`
}

// table prints rows under a heading, or values as JSON.
func table[T any](sh *shell, asJSON bool, heading string, all []T, row func(T) string) error {
	if asJSON {
		if all == nil {
			all = []T{}
		}
		e := json.NewEncoder(sh.stdout)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	w := tabwriter.NewWriter(sh.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, heading)
	for _, v := range all {
		fmt.Fprintln(w, row(v))
	}
	return w.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
