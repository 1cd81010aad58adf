package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/vault"
)

// place is where an instance keeps its things, as "serve" has it.
type place struct {
	Data string          `help:"Directory for the database (SQLite), evidence and the instance key." default:"tangkal-data" env:"TANGKAL_DATA" type:"path"`
	DB   string          `name:"db" help:"Database: sqlite:PATH or postgres://USER@HOST/NAME. Default: SQLite in the data directory." env:"TANGKAL_DB"`
	File kong.ConfigFlag `name:"config" help:"YAML file with these options, one a line." placeholder:"FILE"`
}

// url returns the database's address.
func (p place) url() string {
	if p.DB != "" {
		return p.DB
	}
	return "sqlite:" + filepath.Join(p.Data, "tangkal.db")
}

// vault returns where evidence and key lie.
func (p place) vault() vault.Config {
	return vault.Config{Dir: filepath.Join(p.Data, "vault"), KeyFile: filepath.Join(p.Data, "instance.key")}
}

// mayWork refuses root the data directory of another user before anything is
// made in it.
func mayWork(sh *shell, dir string) error {
	owner, foreign := app.Foreign(dir, sh.uid)
	if !foreign {
		return nil
	}
	return usageError{fmt.Errorf("%s belongs to the user %s, and this runs as root: what it made there the server could not open. Run it as that user, "+
		"as docs/operating.md shows (runuser -u %[2]s -- tangkal …), or give root the directory if the server runs as root", dir, owner)}
}

// open opens a database that this program's version has made already.
func (p place) open(ctx context.Context) (*db.DB, error) {
	if file, ok := strings.CutPrefix(p.url(), "sqlite:"); ok {
		// SQLite would make an empty one in its place.
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database at %s: is --data or --db the one that the server uses?", file)
		}
	}
	d, err := db.Open(ctx, p.url())
	if err != nil {
		return nil, err
	}
	pending, err := d.Pending(ctx)
	if err == nil && len(pending) > 0 {
		err = fmt.Errorf("the database lacks %d migrations: run \"tangkal migrate\" or start the server once", len(pending))
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// An office is what administration needs, opened.
type office struct {
	db    *db.DB
	auth  *auth.Auth
	feed  *feed.Feed
	mail  *mail.Mail
	vault *vault.Vault
	by    party.Actor
}

// acting names who acts; everything that is done is recorded under that name.
type acting struct {
	As string `help:"E-mail address of the administrator in whose name this is done and recorded." required:"" env:"TANGKAL_AS" placeholder:"EMAIL"`
}

// office opens the place for administration; as "" leaves nobody acting.
func (p place) office(sh *shell, as string) (*office, error) {
	if err := mayWork(sh, p.Data); err != nil {
		return nil, err
	}
	d, err := p.open(sh.ctx)
	if err != nil {
		return nil, err
	}
	vc := p.vault()
	vc.Mark, err = reference.Mark(sh.ctx, d)
	if err != nil {
		d.Close()
		return nil, err
	}
	v, err := vault.Open(vc)
	if err != nil {
		d.Close()
		return nil, err
	}
	d.SealWith(v.MAC, func(table, id string) {
		sh.log.Error("a row was written by something else than this program, and is treated as absent", "table", table, "row", id)
	})
	if err := v.Once(party.SealOnce, func() error { return party.SealOld(sh.ctx, d) }); err != nil {
		d.Close()
		return nil, err
	}
	f := feed.New(d, clock.System{}, sh.log)
	o := &office{db: d, auth: auth.New(d, f, clock.System{}, v.MAC), feed: f, vault: v}
	o.mail = mail.New(mail.Deps{DB: d, Feed: f, Clock: clock.System{}, MAC: v.MAC, Log: sh.log})
	if as == "" {
		return o, nil
	}
	person, err := party.ByEmail(sh.ctx, d, as)
	if err == nil {
		o.by, err = auth.ActorFor(sh.ctx, d, person.ID)
	}
	if fault.Of(err) == fault.NotFound {
		err = fmt.Errorf("nobody here has the address %s", as)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return o, nil
}

// in does something in the opened office and closes it again.
func (p place) in(sh *shell, as string, do func(o *office) error) error {
	o, err := p.office(sh, as)
	if err != nil {
		return err
	}
	defer o.db.Close()
	return do(o)
}

var errNoPeople = errors.New("nobody has an account yet: give --admin-name and --admin-email to invite the first administrator")
