package report_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

func TestOnlyTheHolderOfTheKeyReadsAContactAndThatStandsOnRecord(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		private, public, err := vault.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		stranger, _, err := vault.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		holders, err := vault.ParseRecipients(strings.NewReader(public))
		if err != nil {
			t.Fatal(err)
		}
		h := start(t, d, func(deps *report.Deps) { deps.Contact = holders })
		s := good()
		s.Contact = markContact
		with := h.submit(t, s)
		s = good()
		s.Contact = ""
		without := h.submit(t, s)
		open := func(by party.Actor, ref, key string) (string, error) {
			return report.OpenContact(t.Context(), report.ContactDeps{DB: d, Feed: h.feed, Clock: h.clock}, by, ref, key)
		}
		readers := func() (who []string) {
			h.drain(t)
			all, err := feed.Of(t.Context(), d, "report", string(with.ReportID), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if e.Kind == report.EventContact {
					who = append(who, e.Person)
				}
			}
			return who
		}

		if _, err := open(h.analyst, with.Ref, ""); !errors.Is(err, report.ErrSealedToKeys) {
			t.Errorf("without a key: %v", err)
		}
		for name, refused := range map[string]func() (string, error){
			"another key":    func() (string, error) { return open(h.analyst, with.Ref, stranger) },
			"no contact":     func() (string, error) { return open(h.analyst, without.Ref, private) },
			"another agency": func() (string, error) { return open(h.other, with.Ref, private) },
			"no report":      func() (string, error) { return open(h.analyst, "DEMO-LP-2026-99999", private) },
		} {
			if got, err := refused(); err == nil || got != "" {
				t.Errorf("%s: read %q, %v", name, got, err)
			}
		}
		if _, err := open(h.other, with.Ref, private); !fault.Is(err, "fault.hidden") {
			t.Errorf("another agency learns that the report exists: %v", err)
		}
		if got := readers(); len(got) != 0 {
			t.Errorf("what was refused stands on record as read by %v", got)
		}
		got, err := open(h.analyst, with.Ref, private)
		if err != nil || got != markContact {
			t.Errorf("read %q, %v; want %q", got, err, markContact)
		}
		if got := readers(); !slices.Equal(got, []string{string(h.analyst.Person)}) {
			t.Errorf("on record as read by %v, want the analyst once", got)
		}
	})
}

// Where nobody holds a key apart, the agency opens a contact by itself, and
// that stands on record as well.
func TestAContactWithoutRecipientsIsOpenedByItsAgency(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		s.Contact = markContact
		got := h.submit(t, s)
		deps := report.ContactDeps{DB: d, Feed: h.feed, Clock: h.clock, Vault: h.vault}
		if text, err := report.OpenContact(t.Context(), deps, h.other, got.Ref, ""); !fault.Is(err, "fault.hidden") {
			t.Errorf("another agency reads %q, %v", text, err)
		}
		text, err := report.OpenContact(t.Context(), deps, h.analyst, got.Ref, "")
		if err != nil || text != markContact {
			t.Errorf("read %q, %v; want %q", text, err, markContact)
		}
		h.drain(t)
		n, err := db.Value[int64](t.Context(), d, `SELECT count(*) FROM feed_entries WHERE kind = $1 AND object_id = $2`, report.EventContact, string(got.ReportID))
		if err != nil || n != 1 {
			t.Errorf("%d openings on record, want 1 (%v)", n, err)
		}
	})
}
