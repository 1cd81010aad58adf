package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/internal/reference"
	"github.com/tangkal/tangkal/internal/vault"
)

// errAgain ends a transaction whose receipt exists: the form came before.
var errAgain = errors.New("submitted before")

// Submit takes a report from anybody. It returns once everything is durable;
// the event report.received tells its agency. Everything that is wrong comes
// as one Invalid fault, each part with a JSON pointer into the submission, and
// then nothing is stored.
func (r *Room) Submit(ctx context.Context, s Submission) (Receipt, error) {
	now := r.clock.Now()
	var c fault.Checker
	s = s.clean()
	s.check(&c)
	token, bad := r.checkToken(s.Token, now)
	if bad != nil {
		c.Add(bad.Field, bad.Code)
	}
	locations := r.parse(&c, s.Locations)
	to, err := r.route(ctx, &c, s, locations, now)
	if err != nil {
		return Receipt{}, err
	}
	key, wrapped, err := r.vault.NewKey()
	if err != nil {
		return Receipt{}, err
	}
	in := &intake{room: r, report: ID(db.NewID()), key: key, faults: &c}
	receipt, err := func() (Receipt, error) {
		if err := in.take(ctx, s.uploads(), now); err != nil {
			return Receipt{}, err
		}
		c.Require(len(s.Locations) > 0 || in.count > 0, "/locations")
		if err := c.Err(); err != nil {
			return Receipt{}, err
		}
		if err := r.sealUnknown(ctx, r.db, locations); err != nil {
			return Receipt{}, err
		}
		return r.store(ctx, s, locations, in, to, wrapped, token, now)
	}()
	if err != nil && !db.Unsure(err) { // its rows may be there
		in.discard(ctx)
	}
	if errors.Is(err, errAgain) {
		return receipt, nil
	}
	return receipt, err
}

// clean returns s with its texts as they are kept.
func (s Submission) clean() Submission {
	s.Description, s.Contact = cleanText(s.Description), cleanText(s.Contact)
	s.Agency = strings.ToLower(strings.TrimSpace(s.Agency))
	return s
}

// check adds what is wrong with the fields of s, but for locations and files.
func (s Submission) check(c *fault.Checker) {
	choose := func(pointer, value string, known bool) {
		switch {
		case value == "":
			c.Require(false, pointer)
		case !known:
			c.Add(pointer, "report.unknown-choice", "Value", clip(value))
		}
	}
	choose("/channel", string(s.Channel), slices.Contains(Channels(), s.Channel))
	choose("/category", string(s.Category), slices.Contains(Categories(), s.Category))
	choose("/lang", string(s.Lang), slices.Contains(i18n.Langs(), s.Lang))
	checkText(c, "/description", s.Description, MaxDescription)
	checkText(c, "/contact", s.Contact, MaxContact)
}

// checkText adds a fault for a text that is too long or not UTF-8.
func checkText(c *fault.Checker, pointer, s string, maxRunes int) {
	switch {
	case !utf8.ValidString(s):
		c.Add(pointer, "report.bad-text")
	case utf8.RuneCountInString(s) > maxRunes:
		c.Add(pointer, "report.too-long", "Max", maxRunes, "Got", utf8.RuneCountInString(s))
	}
}

// cleanText returns s with one kind of line end and without characters that
// cannot be seen. A text that is not UTF-8 is left for checkText.
func cleanText(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// clip shortens a value that a fault repeats.
func clip(s string) string {
	if runes := []rune(strings.ToValidUTF8(s, "\uFFFD")); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// takers are the kinds of party that a report can be routed to. An authority
// is one only where a pack names it, as where one body does everything.
var takers = []party.Kind{party.Agency, party.Helpline, party.LawEnforcement, party.Authority}

// An Agency is who a reporter may choose.
type Agency struct {
	Code string
	Name string
}

// Agencies returns who takes reports here, by name.
func (r *Room) Agencies(ctx context.Context) ([]Agency, error) {
	all, err := r.takers(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Agency, 0, len(all))
	for _, p := range all {
		out = append(out, Agency{p.Code, p.Name})
	}
	return out, nil
}

// takers returns the active parties that a report can be routed to.
func (r *Room) takers(ctx context.Context) ([]party.Party, error) {
	named := map[string]bool{}
	for _, pack := range r.packs.All() {
		named[string(pack.Routing.Default)] = true
		for _, rule := range pack.Routing.Rules {
			named[string(rule.To)] = true
		}
	}
	all, err := party.List(ctx, r.db, takers...)
	return slices.DeleteFunc(all, func(p party.Party) bool {
		return !p.Active || p.Kind == party.Authority && !named[p.Code]
	}), err
}

// route chooses the agency: the pack's rules for the jurisdiction, the first
// known platform, the language and the reporter's choice; a choice that no
// rule speaks of is followed. A pack that names nobody here falls back on the
// oldest agency of its jurisdiction, then of all: a report is never refused
// because a rule is out of date.
func (r *Room) route(ctx context.Context, c *fault.Checker, s Submission, locations []found, now time.Time) (party.Party, error) {
	all, err := r.takers(ctx)
	if err != nil {
		return party.Party{}, err
	}
	if len(all) == 0 {
		return party.Party{}, fault.New(fault.Unavailable, "report.no-agency")
	}
	byCode := func(code string) int {
		return slices.IndexFunc(all, func(p party.Party) bool { return p.Code == code })
	}
	chosen := byCode(s.Agency)
	if s.Agency != "" && chosen < 0 {
		c.Add("/agency", "report.unknown-agency", "Value", clip(s.Agency))
	}
	jurisdiction := r.jurisdiction
	switch {
	case chosen >= 0:
		jurisdiction = all[chosen].Jurisdiction
	case jurisdiction == "":
		jurisdiction = oldest(all).Jurisdiction
	}
	pack, ok := r.packs.Current(jurisdiction, now)
	if ok {
		if i := byCode(routed(pack, s, locations, jurisdiction, chosen >= 0)); i >= 0 {
			return all[i], nil
		}
	}
	if chosen >= 0 {
		return all[chosen], nil
	}
	near := slices.DeleteFunc(slices.Clone(all), func(p party.Party) bool { return p.Jurisdiction != jurisdiction })
	if len(near) > 0 {
		return oldest(near), nil
	}
	return oldest(all), nil
}

// routed asks the pack.
func routed(pack policy.Pack, s Submission, locations []found, jurisdiction string, choice bool) string {
	f := policy.RouteFacts{Jurisdiction: jurisdiction, Language: string(s.Lang)}
	if choice {
		f.Choice = s.Agency
		if !slices.ContainsFunc(pack.Routing.Rules, func(rule policy.Route) bool { return rule.Choice == s.Agency }) {
			return s.Agency
		}
	}
	for _, l := range locations {
		if l.Platform != "" {
			f.Platform = l.Platform
			break
		}
	}
	return string(pack.Route(f))
}

func oldest(all []party.Party) party.Party {
	return slices.MinFunc(all, func(a, b party.Party) int {
		if n := a.CreatedAt.Compare(b.CreatedAt); n != 0 {
			return n
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
}

// received is the data of report.received and report.added.
type received struct {
	Channel   Channel  `json:"channel"`
	Category  Category `json:"category"`
	Lang      string   `json:"lang"`
	Locations int      `json:"locations"`
	Files     int      `json:"files"`
	Soon      bool     `json:"soon,omitempty"`
}

// store writes the report, its event and its first step in one transaction.
func (r *Room) store(ctx context.Context, s Submission, locations []found, in *intake, to party.Party, wrapped vault.WrappedKey, token []byte, now time.Time) (Receipt, error) {
	code := r.newReceipt(token, contentOf(s, locations, in.stored))
	contact, contactFor, err := r.sealContact(in, s.Contact)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Code: code, ReportID: in.report}
	wording, marks := r.wordingOf(s.Description), r.marksOf(s, locations)
	description := vault.Seal(in.key, []byte(s.Description), aad(in.report, "description"))
	err = r.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if receipt.Ref, err = reference.Next(ctx, tx, reference.Report, now); err != nil {
			return err
		}
		row := []any{
			in.report, to.ID, receipt.Ref, r.receiptMAC(code), []byte(wrapped), s.Channel, s.Category, s.Lang,
			description, contact, contactFor, db.Micros(now), s.Soon, db.OrNull(s.From), s.Bulk, marks,
		}
		if err := insertReport(ctx, tx, row, token != nil); err != nil {
			return err
		}
		if s.Spend != nil {
			if err := s.Spend(ctx, tx); err != nil {
				return err
			}
		}
		if s.With != nil {
			if err := s.With(ctx, tx, in.report, receipt.Ref); err != nil {
				return err
			}
		}
		if _, err := r.attach(ctx, tx, in, locations, wording, 0, 0, now); err != nil {
			return err
		}
		if err := r.StepTx(ctx, tx, []ID{in.report}, Step{Kind: StepReceived, At: now}); err != nil {
			return err
		}
		_, err = r.feed.Record(ctx, tx, feed.Event{
			Kind: EventReceived, Object: "report", ObjectID: string(in.report), Ref: receipt.Ref,
			Audience: []string{string(to.ID)}, At: now,
			Data: received{s.Channel, s.Category, string(s.Lang), len(locations), len(in.stored), s.Soon},
		})
		return err
	})
	if errors.Is(err, errAgain) {
		row, ferr := r.byReceipt(ctx, r.db, code)
		if ferr != nil {
			return Receipt{}, ferr
		}
		return Receipt{Code: code, Ref: row.Ref, ReportID: row.ID}, errAgain
	}
	if err != nil {
		return Receipt{}, err
	}
	return receipt, nil
}

// insertReport stores the row of a report. One that may have come before, as the
// same form sent twice, is looked at: errAgain.
func insertReport(ctx context.Context, tx *db.Tx, row []any, again bool) error {
	const insert = `
		INSERT INTO reports (id, party_id, ref, receipt_mac, key, channel, category, lang, description, contact, contact_for, received_at, soon, from_party, bulk, marks)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	if !again { // its receipt is random
		return tx.Send(ctx, insert, row...)
	}
	n, err := tx.Exec(ctx, insert+` ON CONFLICT (receipt_mac) DO NOTHING`, row...)
	if err == nil && n == 0 {
		return errAgain
	}
	return err
}

// attach adds locations, marked with a wording, and files to a report that has
// so many of each, and returns how many of its locations are new.
func (r *Room) attach(ctx context.Context, tx *db.Tx, in *intake, locations []found, wording []byte, hasLocations, hasFiles int, now time.Time) (int, error) {
	stored, err := r.storeLocations(ctx, tx, locations, now)
	if err != nil {
		return 0, fmt.Errorf("store locations: %w", err)
	}
	const insert = `INSERT INTO report_locations (report_id, location_id, n, wording) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	added := 0
	for _, l := range stored {
		if hasLocations == 0 { // each of them is new to it
			if err := tx.Send(ctx, insert, in.report, l.ID, added, r.wordingAt(wording, l.ID)); err != nil {
				return 0, err
			}
			added++
			continue
		}
		n, err := tx.Exec(ctx, insert, in.report, l.ID, hasLocations+added, r.wordingAt(wording, l.ID))
		if err != nil {
			return 0, err
		}
		added += int(n)
	}
	return added, in.insertFiles(ctx, tx, hasFiles)
}

func aad(id ID, what string) string { return "report/" + string(id) + "/" + what }
