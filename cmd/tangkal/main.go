// Command tangkal is the whole program: server, demonstration and tools.
//
// Exit codes: 0 it was done, 1 something was found or failed, 2 the command
// line or the configuration is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/logbook"
)

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells have it of SIGINT
)

// commands are the subcommands in the order the help shows them.
type commands struct {
	Demo    demoCmd    `cmd:"" help:"Try everything: a temporary exchange full of made-up work."`
	Serve   serveCmd   `cmd:"" help:"Run an exchange."`
	Check   checkCmd   `cmd:"" name:"check-config" help:"Look whether an exchange would start, and change nothing."`
	Report  reportCmd  `cmd:"" help:"File a report from the shell."`
	Hash    hashCmd    `cmd:"" help:"Hashes of pictures and files: PDQ, MD5, SHA-1, SHA-256."`
	Bench   benchCmd   `cmd:"" help:"How fast this machine hashes and searches."`
	Admin   adminCmd   `cmd:"" help:"Organisations, people, keys and sealed contacts."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this program's version."`
	Backup  backupCmd  `cmd:"" help:"Write everything into one file, while the server runs."`
	Restore restoreCmd `cmd:"" help:"Bring a backup back onto an empty place."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const description = `An open exchange through which states, platforms and the public stop terrorists exploiting
the internet: reports, cases, four-eyes notices, proof of delivery, answers.

  tangkal demo                      see it at once, nothing to install
  tangkal serve --help              run it for real

The options of the exchange can also be given as TANGKAL_<NAME> in the environment or in a file (--config).`

func main() {
	cage.Main() // before anything is opened: this may be a worker
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends whatever the first could not
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// shell is what a command has of the world around it.
type shell struct {
	ctx            context.Context //nolint:containedctx // the one of the whole command
	stdout, stderr io.Writer
	log            *slog.Logger
	uid            int // of whoever runs it; -1 where users have no numbers
}

// usageError is a fault of the command line or the configuration.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// interruptedError says how far a command came before it was told to stop.
type interruptedError struct{ after string }

func (e interruptedError) Error() string { return "interrupted: " + e.after }

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("tangkal"), kong.Description(description), kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Configuration(loadConfig),
	)
	if err != nil {
		panic(err) // the commands above are declared wrongly
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "tangkal: %v\n", err)
		fmt.Fprintf(stderr, "Run \"%s --help\" for what is possible.\n", helpFor(err))
		return exitUsage
	}
	sh := &shell{ctx: ctx, stdout: stdout, stderr: stderr, log: logger(stderr), uid: os.Geteuid()}
	err = kctx.Run(sh)
	var usage usageError
	var interrupted interruptedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &interrupted):
		fmt.Fprintf(stderr, "tangkal: %s\n", interrupted)
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "tangkal: %s\n", explain(err))
		return exitUsage
	default:
		fmt.Fprintf(stderr, "tangkal: %s\n", explain(err))
		return exitFailed
	}
}

// helpFor names the command whose help tells more.
func helpFor(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if s := parse.Context.Selected(); s != nil {
			return "tangkal " + strings.SplitN(s.Path(), " <", 2)[0]
		}
	}
	return "tangkal"
}

// explain says an error in words: a fault in the caller's language, with every
// part of it.
func explain(err error) string {
	f, ok := fault.As(err)
	if !ok {
		return err.Error()
	}
	p := i18n.For(language())
	text := p.Fault(f)
	for _, part := range f.Parts {
		text += "\n  " + strings.TrimPrefix(part.Field, "/") + ": " + p.Fault(part)
	}
	if cause := errors.Unwrap(f); cause != nil && f.Kind == fault.Unavailable {
		text += " (" + cause.Error() + ")"
	}
	return text
}

// language is that of the shell.
func language() i18n.Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "id") {
				return i18n.ID
			}
			return i18n.EN
		}
	}
	return i18n.EN
}

// logger writes text for people and JSON for programs.
func logger(w io.Writer) *slog.Logger {
	if isTerminal(w) {
		return slog.New(logbook.Steady(slog.NewTextHandler(w, nil)))
	}
	return slog.New(logbook.Steady(slog.NewJSONHandler(w, nil)))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor fits
}
