package report_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/internal/vault"
)

const (
	markText    = "KENARI-DESKRIPSI-4417"
	markContact = "kenari-kontak-4417@orang.example"
	markName    = "kenari-berkas-4417.png"
	markContent = "KENARI-ISI-4417"
	markLink    = "kenari-tautan-4417"
	markMessage = "KENARI-PESAN-4417"
	markReply   = "KENARI-BALASAN-4417"
)

func TestNothingSealedLiesInTheClear(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		private, public, err := vault.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		holders, err := vault.ParseRecipients(strings.NewReader(public))
		if err != nil {
			t.Fatal(err)
		}
		h := start(t, d, func(deps *report.Deps) { deps.Contact = holders })
		s := good()
		s.Description, s.Contact, s.Token = markText, markContact, h.NewToken()
		s.Locations = append(s.Locations, "https://forum.example/"+markLink)
		s.Files = []report.Upload{{Name: markName, Content: strings.NewReader(png + strings.Repeat(markContent, 20000))}}
		r := h.submit(t, s)
		if err := h.AddMaterial(t.Context(), r.Code, report.Material{Text: markMessage, Locations: []string{"https://forum.example/2/" + markLink}}); err != nil {
			t.Fatal(err)
		}
		if err := h.Reply(t.Context(), h.analyst, r.ReportID, markReply); err != nil {
			t.Fatal(err)
		}
		h.drain(t)

		got, err := h.Get(t.Context(), h.analyst, r.ReportID)
		if err != nil {
			t.Fatal(err)
		}
		sum := got.Files[0].SHA256
		marks := []string{
			markText, markContact, markName, markContent, markLink, markMessage, markReply,
			r.Code, strings.ReplaceAll(strings.TrimPrefix(r.Code, "TGK-"), "-", ""), s.Token, sum.String(), string(sum[:]),
		}
		everything := h.everything(t)
		for name, text := range everything {
			for _, m := range marks {
				if strings.Contains(text, m) {
					t.Errorf("%q lies in the clear in %s", m, name)
				}
			}
		}
		// The search itself finds what is plain.
		if !slices.ContainsFunc(slices.Collect(values(everything)), func(text string) bool { return strings.Contains(text, r.Ref) }) {
			t.Error("the search does not even find the reference")
		}

		sealed, err := db.Value[[]byte](t.Context(), d, `SELECT contact FROM reports`)
		if err != nil {
			t.Fatal(err)
		}
		about := "report/" + string(r.ReportID) + "/contact"
		if contact, err := vault.UnsealFrom(private, sealed, about); err != nil || string(contact) != markContact {
			t.Errorf("the holder reads %q, %v", contact, err)
		}
		if strings.Contains(fmt.Sprintf("%+v", got), markContact) || !got.HasContact {
			t.Error("staff read the contact, or do not know that there is one")
		}
	})
}

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// everything returns what lies on the disk, by name: the vault's files and the
// database's, or for PostgreSQL every row of every table, bytes in the clear.
func (h *house) everything(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	dirs := []string{h.dir}
	if path, ok := strings.CutPrefix(h.db.URL(), "sqlite:"); ok {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			out[path] = string(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if h.db.Dialect() != db.Postgres {
		return out
	}
	tables, err := db.All(t.Context(), h.db, db.Scalar[string], `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'`)
	if err != nil || len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		rows, err := db.All(t.Context(), h.db, db.Scalar[string], `SELECT row_to_json(x)::text FROM `+table+` x`)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			out[fmt.Sprint(table, " row ", i)] = row + unhex(t, row)
		}
	}
	return out
}

// unhex returns the bytea values of a row written as JSON.
func unhex(t *testing.T, row string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(row), &fields); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, v := range fields {
		if s, ok := v.(string); ok && strings.HasPrefix(s, `\x`) {
			raw, err := hex.DecodeString(s[2:])
			if err != nil {
				t.Fatal(err)
			}
			b.Write(raw)
		}
	}
	return b.String()
}

func TestAContactWithoutHoldersIsSealedUnderTheReport(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		s.Contact = markContact
		r := h.submit(t, s)
		st, err := h.Status(t.Context(), r.Code)
		if err != nil || !st.HasContact {
			t.Errorf("status %+v, %v", st, err)
		}
		for name, text := range h.everything(t) {
			if strings.Contains(text, markContact) {
				t.Errorf("the contact lies in the clear in %s", name)
			}
		}
	})
}

func TestNobodyReachesAReportOfAnotherAgency(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		_, platform := h.join(t, "ruangsuara", party.Platform, "", party.Analyst)
		_, admin := h.join(t, "pengelola", party.Agency, "id", party.Admin)
		actors := []party.Actor{h.analyst, h.other, h.watcher, platform, admin, {}}
		owners := map[report.ID]party.ID{}
		for i := range 30 {
			s := good()
			s.Locations = []string{fmt.Sprintf("https://forum.example/t/%d", i%7)}
			if i%3 == 0 {
				s.Agency = "lain"
			}
			r := h.submit(t, s)
			f, err := h.Facts(t.Context(), d, r.ReportID)
			if err != nil {
				t.Fatal(err)
			}
			owners[r.ReportID] = party.ID(f.Party)
			h.clock.Advance(time.Duration(i%2) * time.Second) // some at the same time
		}
		for _, a := range actors {
			var want []report.ID
			for id, owner := range owners {
				may := auth.May(a, auth.ReportRead, auth.Object{What: "report", Owner: owner}) == nil
				if may {
					want = append(want, id)
				}
				if _, err := h.Get(t.Context(), a, id); (err == nil) != may {
					t.Errorf("%s gets a report of %s: %v", a.Name, owner, err)
				} else if err != nil && a.Known() && !fault.Is(err, "fault.hidden") {
					t.Errorf("%s learns that there is a report: %v", a.Name, err)
				}
				may = auth.May(a, auth.ReportReply, auth.Object{What: "report", Owner: owner}) == nil
				if err := h.Reply(t.Context(), a, id, "Halo"); (err == nil) != may {
					t.Errorf("%s replies to a report of %s: %v", a.Name, owner, err)
				}
			}
			got, err := h.all(t, a, report.Filter{Limit: 4})
			if (err == nil) != (len(want) > 0) {
				t.Errorf("%s lists: %v", a.Name, err)
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-may +listed):\n%s", a.Name, diff)
			}
		}
	})
}

// all lists every page.
func (h *house) all(t *testing.T, a party.Actor, f report.Filter) (ids []report.ID, err error) {
	t.Helper()
	for {
		page, next, err := h.List(t.Context(), a, f)
		if err != nil {
			return ids, err
		}
		if len(page) > f.Limit {
			t.Errorf("a page of %d, want at most %d", len(page), f.Limit)
		}
		for _, s := range page {
			ids = append(ids, s.ID)
		}
		if next == "" {
			return ids, nil
		}
		f.Cursor = next
	}
}

func TestTheListFiltersAndRefusesForeignCursors(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		a := h.submit(t, good())
		s := good()
		s.Channel, s.Category, s.Locations = report.API, report.Threat, []string{"https://ruangsuara.example/v/zz"}
		h.clock.Advance(time.Second)
		b := h.submit(t, s)
		loc, err := h.FindLocation(t.Context(), d, "http://forum.example/topic/7#end")
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			f    report.Filter
			want []report.ID
		}{
			"all":      {report.Filter{}, []report.ID{b.ReportID, a.ReportID}},
			"channel":  {report.Filter{Channel: report.API}, []report.ID{b.ReportID}},
			"category": {report.Filter{Category: report.Recruitment}, []report.ID{a.ReportID}},
			"location": {report.Filter{Location: loc.ID}, []report.ID{a.ReportID}},
			"platform": {report.Filter{Platform: "ruangsuara"}, []report.ID{b.ReportID, a.ReportID}},
			"none":     {report.Filter{Platform: "ruangsuara", Channel: report.Mail}, nil},
		} {
			c.f.Limit = 10
			if got, err := h.all(t, h.analyst, c.f); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
			}
		}
		for _, cursor := range []string{"x", "1", ".", "1e9.x", "' OR 1=1"} {
			if _, _, err := h.List(t.Context(), h.analyst, report.Filter{Cursor: cursor}); !hasPart(err, "/cursor", "db.cursor") {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
		if _, err := h.FindLocation(t.Context(), d, "https://nobody.example/named-this"); !fault.Is(err, "fault.hidden") {
			t.Errorf("an unknown location: %v", err)
		}
		places, err := h.Places(t.Context(), d, []report.LocationID{"absent", loc.ID})
		if err != nil || len(places) != 1 || places[0].URL != "" || places[0].Kind != loc.Kind {
			t.Errorf("places: %+v, %v", places, err)
		}
		ids, err := h.Reported(t.Context(), d, string(h.agency.ID), []report.LocationID{loc.ID}, 10)
		if err != nil || !slices.Equal(ids, []report.ID{a.ReportID}) {
			t.Errorf("reported: %v, %v", ids, err)
		}
	})
}

func TestOpeningAFileIsOnRecordAndNothingDamagedIsShown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		const size = 300_000 // more than one encrypted chunk, so that damage can lie behind a good beginning
		s.Files = []report.Upload{picture(strings.Repeat("x", size))}
		r := h.submit(t, s)
		got, err := h.Get(t.Context(), h.analyst, r.ReportID)
		if err != nil {
			t.Fatal(err)
		}
		id := got.Files[0].ID
		for name, try := range map[string]func() error{
			"another agency": func() error { _, _, err := h.OpenFile(t.Context(), h.other, r.ReportID, id); return err },
			"nobody":         func() error { _, _, err := h.OpenFile(t.Context(), party.Actor{}, r.ReportID, id); return err },
			"another file":   func() error { _, _, err := h.OpenFile(t.Context(), h.analyst, r.ReportID, "x"); return err },
			"another report": func() error { _, _, err := h.OpenFile(t.Context(), h.analyst, "x", id); return err },
		} {
			if err := try(); err == nil {
				t.Errorf("%s opens the file", name)
			}
		}
		// By way of one's own report, a file of another agency's is none.
		own := good()
		own.Agency = "lain"
		own.Files = []report.Upload{picture("theirs")}
		theirs := h.submit(t, own)
		if _, _, err := h.OpenFile(t.Context(), h.other, theirs.ReportID, id); !fault.Is(err, "fault.hidden") {
			t.Errorf("the other agency, by way of its own report: %v", err)
		}
		f, content, err := h.OpenFile(t.Context(), h.analyst, r.ReportID, id)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(content)
		if err = errors.Join(err, content.Close()); err != nil || string(raw) != "\x89PNG\r\n\x1a\n"+strings.Repeat("x", size) || f.MediaType != "image/png" {
			t.Errorf("read %d bytes of %+v, %v", len(raw), f, err)
		}
		h.drain(t)
		if n := h.opened(t, r.ReportID, h.analyst.Person); n != 1 {
			t.Errorf("%d openings on record, want 1", n)
		}

		h.damage(t)
		if _, content, err := h.OpenFile(t.Context(), h.analyst, r.ReportID, id); !errors.Is(err, vault.ErrDamaged) || content != nil {
			t.Errorf("a damaged file: %v", err)
		}
	})
}

// opened counts the openings of a report's files by a person.
func (h *house) opened(t *testing.T, id report.ID, by party.PersonID) (n int) {
	t.Helper()
	entries, err := feed.Of(t.Context(), h.db, "report", string(id), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == report.EventOpened && e.Person == string(by) {
			n++
		}
	}
	return n
}

// damage flips one bit in the middle of every blob.
func (h *house) damage(t *testing.T) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(h.dir, "??", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("no blobs: %v", err)
	}
	for _, path := range blobs {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReportersSeeTheAgencyAndNeverItsPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		mine, theirs := h.submit(t, good()), h.submit(t, good())
		if err := h.Reply(t.Context(), h.analyst, mine.ReportID, "Kami memeriksanya."); err != nil {
			t.Fatal(err)
		}
		if err := h.Write(t.Context(), theirs.Code, "Saya pelapor lain.", nil); err != nil {
			t.Fatal(err)
		}
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			for range 2 { // told twice, said once
				for _, s := range []report.Step{{Kind: report.StepJoined}, {Kind: report.StepReferred, Args: map[string]string{"Platform": "Ruangsuara"}}} {
					h.clock.Advance(time.Second)
					if err := h.StepTx(ctx, tx, []report.ID{mine.ReportID, theirs.ReportID, mine.ReportID}, s); err != nil {
						return err
					}
					if err := h.StepTx(ctx, tx, []report.ID{mine.ReportID}, s); err != nil {
						return err
					}
				}
			}
			if err := h.StepTx(ctx, tx, []report.ID{mine.ReportID}, report.Step{Kind: "named-the-reporter"}); err == nil {
				t.Error("a step without a text was taken")
			}
			return nil
		})
		st, err := h.Status(t.Context(), mine.Code)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, s := range st.Steps {
			kinds = append(kinds, s.Kind)
		}
		if want := []string{"received", "joined", "referred", "joined", "referred"}; !slices.Equal(kinds, want) {
			t.Errorf("steps %v, want %v", kinds, want)
		}
		raw, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{h.analyst.Name, string(h.analyst.Person), string(theirs.ReportID), theirs.Ref, "pelapor lain", "ruangsuara.example", good().Description} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("the reporter reads %q in %s", secret, raw)
			}
		}
	})
}

func TestAReportGoesToTheAgencyOfThePackOrTheReportersChoice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		owner := func(s report.Submission) string {
			f, err := h.Facts(t.Context(), d, h.submit(t, s).ReportID)
			if err != nil {
				t.Fatal(err)
			}
			p, err := party.Get(t.Context(), d, party.ID(f.Party))
			if err != nil {
				t.Fatal(err)
			}
			return p.Code
		}
		s := good()
		if got := owner(s); got != "tangkal-daring" {
			t.Errorf("the pack names tangkal-daring, it went to %s", got)
		}
		s.Agency = " LAIN "
		if got := owner(s); got != "lain" {
			t.Errorf("the reporter chose lain, it went to %s", got)
		}
		h.write(t, func(ctx context.Context, tx *db.Tx) error {
			h.agency.Active = false
			return party.Update(ctx, tx, h.agency)
		})
		s.Agency = ""
		if got := owner(s); got != "lain" {
			t.Errorf("the pack's agency is gone, it went to %s", got)
		}
		s.Agency = "tangkal-daring"
		if _, err := h.Submit(t.Context(), s); !hasPart(err, "/agency", "report.unknown-agency") {
			t.Errorf("an agency that is gone was chosen: %v", err)
		}
		agencies, err := h.Agencies(t.Context())
		if err != nil || len(agencies) != 1 || agencies[0].Code != "lain" {
			t.Errorf("to choose from: %v, %v", agencies, err)
		}
		h.drain(t)
		got, err := feed.After(t.Context(), d, string(h.other.Party), 0, 10)
		if err != nil || len(got) != 2 || got[0].Kind != report.EventReceived || got[0].Object != "report" {
			t.Errorf("lain is told %v, %v", got, err)
		}
	})
}

func TestWhatIsAddedCountsWithWhatWasThere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		s := good()
		for range 7 {
			s.Files = append(s.Files, picture("first"))
		}
		r := h.submit(t, s)
		add := func(m report.Material) error {
			h.clock.Advance(time.Minute)
			return h.AddMaterial(t.Context(), r.Code, m)
		}
		if err := add(report.Material{}); !hasPart(err, "/text", "fault.required") {
			t.Errorf("nothing was added: %v", err)
		}
		if err := add(report.Material{Text: "Dua lagi", Locations: []string{s.Locations[0], "https://forum.example/new"}, Files: []report.Upload{picture("8"), picture("9")}}); err != nil {
			t.Fatal(err)
		}
		if err := add(report.Material{Files: []report.Upload{picture("10"), picture("11")}}); !hasPart(err, "/files", "report.too-many-files") {
			t.Errorf("an eleventh file: %v", err)
		}
		if err := add(report.Material{Text: "x", Locations: []string{"javascript:alert(1)"}}); !hasPart(err, "/locations/0", "location.bad-scheme") {
			t.Errorf("a hostile link: %v", err)
		}
		many := report.Material{Locations: make([]string, 999)}
		for i := range many.Locations {
			many.Locations[i] = fmt.Sprintf("https://forum.example/m/%d", i)
		}
		if err := add(many); !hasPart(err, "/locations", "report.too-many-locations") {
			t.Errorf("1,002 links in all: %v", err)
		}
		var wg, ready sync.WaitGroup
		var taken sync.Map
		ready.Add(8)
		for i := range 8 { // one place is left, eight ask for it, and each was told at first that there is room
			wg.Go(func() {
				u := picture("last")
				u.Content = io.MultiReader(&gate{all: &ready}, u.Content)
				if err := h.AddMaterial(t.Context(), r.Code, report.Material{Files: []report.Upload{u}}); err == nil {
					taken.Store(i, true)
				} else if !hasPart(err, "/files", "report.too-many-files") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		taken.Range(func(any, any) bool { n++; return true })
		f, err := h.Facts(t.Context(), d, r.ReportID)
		if err != nil || n != 1 || f.Files != 10 || len(f.Locations) != 3 || h.blobs(t) != 10 || h.count(t, "locations") != 3 {
			t.Errorf("%d got the last place; %+v, %d blobs, %d locations, %v", n, f, h.blobs(t), h.count(t, "locations"), err)
		}
		st, err := h.Status(t.Context(), r.Code)
		if err != nil || len(st.Steps) != 3 || len(st.Messages) != 1 {
			t.Errorf("status %+v, %v", st, err)
		}
	})
}

// gate is an empty reader that waits until everybody has come to read.
type gate struct {
	all  *sync.WaitGroup
	once sync.Once
}

func (g *gate) Read([]byte) (int, error) {
	g.once.Do(func() { g.all.Done(); g.all.Wait() })
	return 0, io.EOF
}

func TestMessagesAreBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		r := h.submit(t, good())
		for text, code := range map[string]string{"": "fault.required", " \x00\r\n ": "fault.required", strings.Repeat("a", 5001): "report.too-long", "\xff": "report.bad-text"} {
			if err := h.Write(t.Context(), r.Code, text, nil); !hasPart(err, "/text", code) {
				t.Errorf("written %q: %v, want %s", text[:min(9, len(text))], err, code)
			}
			if err := h.Reply(t.Context(), h.analyst, r.ReportID, text); !hasPart(err, "/text", code) {
				t.Errorf("replied %q: %v, want %s", text[:min(9, len(text))], err, code)
			}
		}
		for range report.MaxMessages {
			if err := h.Write(t.Context(), r.Code, "Halo", nil); err != nil {
				t.Fatal(err)
			}
		}
		err := h.Write(t.Context(), r.Code, "Halo", nil)
		if !fault.Is(err, "report.too-many-messages") {
			t.Errorf("one more: %v", err)
		}
		e, _ := fault.As(err)
		wantSaid(t, e)
		if n := h.count(t, "report_messages"); n != report.MaxMessages {
			t.Errorf("%d messages", n)
		}
	})
}
