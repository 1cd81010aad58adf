package main

import (
	"fmt"
	"io"
	"os"
)

// bounceCmd takes in one mail that came to the address of --mail-bounces.
type bounceCmd struct {
	place     `embed:""`
	Recipient string `help:"Address that it came to, if the mail server tells; otherwise its headers are looked at." placeholder:"ADDRESS"`
}

// Help shows by example.
func (bounceCmd) Help() string {
	return `Examples:

  tangkal admin bounce --data /var/lib/tangkal --recipient 'bounces+k3j…@tangkal.example' < mail

  In Postfix's master.cf, for mail to bounces+anything@tangkal.example:
    tangkal unix - n n - - pipe flags=R user=tangkal argv=/usr/local/bin/tangkal admin bounce
      --data /var/lib/tangkal --recipient ${original_recipient}

Only a delivery report that says "failed", to the signed return path of a letter of ours, changes anything: it opens a task
for whoever the letter was written for. Whatever else a mail says, as "removed", changes nothing: answers are given on the
pages and by API. Exit code 0 means that the mail was taken in, of whatever kind it was.`
}

// Run reads the mail from standard input.
func (c *bounceCmd) Run(sh *shell) error { return c.take(sh, os.Stdin) }

func (c *bounceCmd) take(sh *shell, in io.Reader) error {
	return c.in(sh, "", func(o *office) error {
		came, err := o.mail.Incoming(sh.ctx, in, c.Recipient)
		if err != nil {
			return err
		}
		fmt.Fprintln(sh.stdout, came)
		return nil
	})
}
