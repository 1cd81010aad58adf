package notice_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/notes"
)

// Every answer with its required parts counts; each without one of them is a
// problem that points at it.
func TestEachAnswerNeedsItsParts(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	n := h.received(t, 12)
	now := notes.At(h.clock.Now())
	yes := true
	for i, tt := range []struct {
		full    notes.Row
		without func(*notes.Row)
		at      string
	}{
		{notes.Row{Answer: notes.Removed, At: now, Basis: notes.BasisThisOrder}, func(r *notes.Row) { r.Basis = "" }, "/basis"},
		{notes.Row{Answer: notes.Disabled, At: now, Basis: notes.BasisThisOrder, Where: []string{"ID"}}, func(r *notes.Row) { r.Where = nil }, "/where"},
		{notes.Row{Answer: notes.Restricted, At: now, Basis: notes.BasisOwnTerms, How: "age-gated"}, func(r *notes.Row) { r.How = "" }, "/how"},
		{notes.Row{Answer: notes.AccountSuspended, At: now, Basis: notes.BasisOwnTerms}, func(r *notes.Row) { r.At = notes.Time{} }, "/at"},
		{notes.Row{Answer: notes.Labelled, At: now, Label: "Konteks"}, func(r *notes.Row) { r.Label = "" }, "/label"},
		{notes.Row{Answer: notes.StreamEnded, At: now, Basis: notes.BasisOwnTerms}, func(r *notes.Row) { r.Basis = "" }, "/basis"},
		{notes.Row{Answer: notes.GoneBefore}, func(r *notes.Row) { r.Basis = notes.BasisOwnTerms }, "/basis"},
		{notes.Row{Answer: notes.Refused, Ground: notes.TruePurpose, Explanation: "Berita."}, func(r *notes.Row) { r.Ground = "" }, "/ground"},
		{notes.Row{Answer: notes.Challenged, Court: "PTUN", Suspensive: &yes}, func(r *notes.Row) { r.Suspensive = nil }, "/suspensive"},
		{notes.Row{Answer: notes.Impossible, Ground: notes.Technical, Explanation: "Padam."}, func(r *notes.Row) { r.Explanation = "" }, "/explanation"},
		{notes.Row{Answer: notes.Clarify, Question: "Yang mana?"}, func(r *notes.Row) { r.Question = "" }, "/question"},
		{notes.Row{Answer: notes.ManifestError, Ground: notes.LinkInvalid, Explanation: "Salah ketik."}, func(r *notes.Row) { r.Ground = notes.Technical }, "/ground"},
	} {
		tt.full.N = i + 1
		broken := tt.full
		tt.without(&broken)
		before := h.dump(t)
		res, err := h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{Rows: []notes.Row{broken}})
		must(t, err)
		if p := res.Rows[0].Problem; p == nil || p.Field != tt.at && !hasPart(p.Error(), tt.at) {
			t.Errorf("%s without a part: %v, want a problem at %s", tt.full.Answer, p, tt.at)
		}
		if h.dump(t) != before {
			t.Errorf("%s: a refused row changed something", tt.full.Answer)
		}
		h.answer(t, n.ID, tt.full)
	}
	if v := h.view(t, h.bagus, n.ID); v.Progress != (notice.Progress{Paused: 3, Answered: 9}) {
		t.Errorf("progress %+v", v.Progress)
	}
}

func hasPart(text, pointer string) bool { return strings.Contains(text, "at "+pointer) }

// The same answer again changes nothing; another one is a new version, and the
// older one stays on record.
func TestAnswersAreKeptInVersions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.received(t, 1)
		first := h.removed(1)
		if res := h.answer(t, n.ID, first); !res.Rows[0].Changed {
			t.Fatal("the first answer changed nothing")
		}
		before := h.dump(t)
		if res := h.answer(t, n.ID, first); res.Rows[0].Changed || h.dump(t) != before {
			t.Fatal("the same answer changed something")
		}
		second := notes.Row{N: 1, Answer: notes.Refused, Ground: notes.NotOurs, Explanation: "Bukan milik kami."}
		h.answer(t, n.ID, second)
		it := h.view(t, h.bagus, n.ID).Items[0]
		if it.Answers != 2 || it.Answer != notes.Refused || len(it.History) != 2 {
			t.Fatalf("%d answers, the last %s, history %d", it.Answers, it.Answer, len(it.History))
		}
		if diff := cmp.Diff([]notes.Row{first, second}, []notes.Row{it.History[0].Row, it.History[1].Row}); diff != "" {
			t.Error(diff)
		}
		_, err := h.Verify(t.Context(), h.ratna, n.ID, []int{1})
		must(t, err)
		got, err := h.Reopen(t.Context(), h.ratna, n.ID, 1, "Muncul lagi.")
		must(t, err)
		if got.Life != notice.Open || got.DueAt.IsZero() {
			t.Fatalf("%s, due %v after reopening", got.Life, got.DueAt)
		}
		h.answer(t, n.ID, first) // what was said before the reopening does not count for it
		if it := h.view(t, h.bagus, n.ID).Items[0]; it.State != notice.Answered || it.Answers != 3 {
			t.Fatalf("%s with %d answers", it.State, it.Answers)
		}
	})
}

// A platform's own signed documents are kept as they are, and checked.
func TestAPlatformSignsItsReceiptAndAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 1)
		doc := notes.Receipt{
			V: 1, Instance: "DEMO", ID: db.NewID(), Reference: n.Ref, Notice: notes.Hex(n.Digest), Party: string(h.platform.ID),
			ReceivedAt: notes.At(h.clock.Now()), Channel: notes.ChannelAPI, By: "automation",
		}
		canon, err := notes.Canonical(doc)
		must(t, err)
		sig := h.sign(h.lina, notes.Digest(notes.KindReceipt, canon))
		wrong := h.sign(h.mika, notes.Digest(notes.KindReceipt, canon))
		_, err = h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{Document: canon, Sig: &wrong})
		wantFault(t, err, "notice.key")
		doc.Notice = strings.Repeat("0", 64)
		other, err := notes.Canonical(doc)
		must(t, err)
		_, err = h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{Document: other, Sig: &sig})
		wantFault(t, err, "notice.document")
		_, err = h.Receive(t.Context(), h.lina, n.ID, notice.ReceiptInput{Document: canon, Sig: &sig})
		must(t, err)
		if v := h.view(t, h.bagus, n.ID); !bytes.Equal(v.ReceiptDoc, canon) {
			t.Fatalf("kept %s, want %s", v.ReceiptDoc, canon)
		}
		answer, err := notes.Canonical(notes.Answer{
			V: 1, Instance: "DEMO", ID: db.NewID(), Reference: n.Ref, Notice: notes.Hex(n.Digest), Party: string(h.platform.ID),
			ReceivedAt: notes.At(h.clock.Now()), Rows: []notes.Row{h.removed(1)},
		})
		must(t, err)
		sig = h.sign(h.lina, notes.Digest(notes.KindAnswer, answer))
		sig.Value[3] ^= 1
		_, err = h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{Document: answer, Sig: &sig})
		wantFault(t, err, "notice.signature")
		sig.Value[3] ^= 1
		res, err := h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{Document: answer, Sig: &sig})
		must(t, err)
		if !res.Rows[0].Changed {
			t.Fatal("the signed answer changed nothing")
		}
		keys, err := notice.OrgKeys(t.Context(), d, h.authority.ID)
		must(t, err)
		if len(keys) != 1 || len(keys[0].Public) != ed25519.PublicKeySize {
			t.Fatalf("%d keys of the issuer, want one", len(keys))
		}
	})
}

// bulk answers and gathers the reports.
func (h *house) bulk(t tb, rows iter.Seq2[notice.BulkRow, error]) ([]notice.RowReport, notice.Tally) {
	t.Helper()
	var all []notice.RowReport
	tally, err := h.AnswerBulk(t.Context(), h.lina, rows, notice.AnswerInput{Channel: notes.ChannelAPI}, func(r notice.RowReport) error {
		all = append(all, r)
		return nil
	})
	must(t, err)
	return all, tally
}

// One call over many notices is judged row by row, in order.
func TestBulkAnswersAreJudgedRowByRow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		a, b := h.sent(t, 300), h.sent(t, 2)
		url := h.view(t, h.lina, b.ID).Items[1].URL
		rows := func(yield func(notice.BulkRow, error) bool) {
			for i := range 300 {
				row := h.removed(i + 1)
				if i == 249 {
					row.Basis = ""
				}
				if !yield(notice.BulkRow{Ref: a.Ref, Row: row}, nil) {
					return
				}
			}
			for _, row := range []notice.BulkRow{
				{URL: url, Row: h.removed(0)},
				{Ref: b.Ref, Row: h.removed(9)},
				{Ref: "DEMO-PH-2026-99999", Row: h.removed(1)},
				{URL: "https://ruangsuara.example/v/none", Row: h.removed(0)},
				{Ref: b.Ref, Row: h.removed(2)},
			} {
				if !yield(row, nil) {
					return
				}
			}
		}
		all, tally := h.bulk(t, rows)
		if want := (notice.Tally{Rows: 305, OK: 301, Changed: 300, Problems: 4}); tally != want {
			t.Fatalf("tally %+v, want %+v", tally, want)
		}
		for i, r := range all {
			if r.Row != i+1 {
				t.Fatalf("report %d is of row %d", i+1, r.Row)
			}
		}
		for row, code := range map[int]string{250: "fault.required", 302: "notice.no-item", 303: "fault.hidden", 304: "notice.no-url"} {
			wantFault(t, all[row-1].Problem, code)
		}
		if r := all[304]; !r.OK || r.Changed {
			t.Fatalf("the answer given twice: %+v", r)
		}
	})
}

// Whoever is told of the rows may fail: the call ends, says why, and no row is
// stored that comes after what was under way.
func TestABulkCallEndsWithWhoeverIsToldOfIt(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	n := h.sent(t, 900)
	gone := errors.New("nobody listens")
	for name, fail := range map[string]func() error{"error": func() error { return gone }, "panic": func() error { panic(gone) }} {
		read := 0
		tally, err := h.AnswerBulk(t.Context(), h.lina, func(yield func(notice.BulkRow, error) bool) {
			for i := range 900 {
				read++
				if !yield(notice.BulkRow{Ref: n.Ref, Row: h.removed(i + 1)}, nil) {
					return
				}
			}
		}, notice.AnswerInput{Channel: notes.ChannelAPI}, func(notice.RowReport) error { return fail() })
		if err == nil || !strings.Contains(err.Error(), gone.Error()) || tally.Rows != 1 {
			t.Errorf("%s: %+v, %v", name, tally, err)
		}
		if read > 700 {
			t.Errorf("%s: %d rows were read after the first batch had failed", name, read)
		}
	}
	answered := 0
	for _, i := range h.view(t, h.lina, n.ID).Items {
		if i.State == notice.Answered {
			answered++
		}
	}
	if answered != 200 {
		t.Errorf("%d rows are stored, want the 200 of the first batch", answered)
	}
}

func TestBulkStopsAfterTenThousandRows(t *testing.T) {
	h := start(t, dbtest.SQLite(t))
	all, tally := h.bulk(t, func(yield func(notice.BulkRow, error) bool) {
		for range 10_002 {
			if !yield(notice.BulkRow{Row: notes.Row{Answer: notes.GoneBefore}}, nil) {
				return
			}
		}
	})
	if tally.Rows != 10_001 {
		t.Fatalf("%d reports, want 10,001", tally.Rows)
	}
	wantFault(t, all[10_000].Problem, "notice.too-many-rows")
}

// The template of open items, filled in, answers them.
func TestTheTemplateFilledInAnswersEverything(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		n := h.sent(t, 3)
		for lang, column := range map[i18n.Lang]string{i18n.ID: "nomor", i18n.EN: "reference"} {
			var file bytes.Buffer
			must(t, h.WriteCSV(t.Context(), h.lina, lang, &file))
			if !strings.HasPrefix(file.String(), "\ufeff"+column+",") {
				t.Fatalf("header in %s: %.40s", lang, file.String())
			}
		}
		var file bytes.Buffer
		must(t, h.WriteCSV(t.Context(), h.lina, i18n.ID, &file))
		records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.String(), "\ufeff"))).ReadAll()
		must(t, err)
		if len(records) != 4 || records[1][0] != n.Ref || strings.Contains(records[1][2], "https://") {
			t.Fatalf("template %v", records)
		}
		var filled bytes.Buffer
		filled.WriteString("\ufeff")
		w := csv.NewWriter(&filled)
		w.Comma = ';'
		for _, r := range records[1:] {
			r[3], r[4], r[5] = "removed", h.clock.Now().In(time.FixedZone("WIB", 7*3600)).Format(time.RFC3339), "this-order"
		}
		must(t, w.WriteAll(records))
		for _, r := range records[1:] {
			r[0], r[1] = "", "" // by link alone, too
		}
		must(t, w.WriteAll(records[1:]))
		all, tally := h.bulk(t, notice.ReadCSV(&filled))
		if tally.Changed != 3 || tally.OK != 6 {
			t.Fatalf("tally %+v: %+v", tally, all)
		}
	})
}

func TestCSVFaultsNameTheirRow(t *testing.T) {
	for _, tt := range []struct{ name, file, code string }{
		{"empty", "", "notice.csv-header"},
		{"unknown column", "reference,answers\n", "notice.csv-header"},
		{"repeated column", "reference,answer,jawaban\n", "notice.csv-header"},
		{"no answer", "reference,item\n", "notice.csv-columns"},
		{"quote", "reference,item,answer\nA,1,\"x\"y\n", "notice.csv"},
		{"cells", "reference,item,answer\nA,1,removed,more\n", "notice.csv-cells"},
		{"number", "reference,item,answer\nA,one,removed\n", "notice.csv-cell"},
		{"time", "reference,item,answer,at\nA,1,removed,yesterday\n", "notice.csv-cell"},
		{"endless line", "reference,item,answer\n" + strings.Repeat("x", 70<<10), "notice.csv-line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var last error
			for _, err := range notice.ReadCSV(strings.NewReader(tt.file)) {
				last = err
			}
			wantFault(t, last, tt.code)
		})
	}
}

// FuzzReadCSV: a file never panics the reader, and what it reads can be written
// and read again.
func FuzzReadCSV(f *testing.F) {
	f.Add("reference,item,answer\nDEMO-PH-2026-00001,1,removed\n")
	f.Add("\ufeffnomor;butir;jawaban;waktu\nDEMO-PH-2026-00001;1;removed;2026-11-19T08:26:00+07:00\n")
	f.Add("url\tanswer\twhere\n\"hxxps://a[.]example/x\"\tdisabled\t\"ID MY\"\n")
	f.Fuzz(func(t *testing.T, file string) {
		rows := 0
		for row, err := range notice.ReadCSV(io.LimitReader(strings.NewReader(file), 1<<20)) {
			rows++
			if err != nil {
				continue
			}
			var again bytes.Buffer
			w := csv.NewWriter(&again)
			must(t, w.Write([]string{"reference", "item", "url", "answer", "how", "explanation"}))
			must(t, w.Write([]string{row.Ref, fmt.Sprint(row.N), row.URL, string(row.Answer), row.How, row.Explanation}))
			w.Flush()
			for got, err := range notice.ReadCSV(&again) {
				if err != nil || got.Ref != row.Ref || got.Answer != row.Answer || got.How != row.How || got.Explanation != row.Explanation {
					t.Fatalf("%+v read again as %+v (%v)", row, got, err)
				}
			}
		}
		if rows > len(file)+1 {
			t.Fatalf("%d rows of %d bytes", rows, len(file))
		}
	})
}

// FuzzAnswerDocument: whatever a platform sends as its document is refused or
// is an answer to this notice; nothing else.
func FuzzAnswerDocument(f *testing.F) {
	h := start(f, dbtest.SQLite(f))
	n := h.received(f, 1)
	good, err := notes.Canonical(notes.Answer{
		V: 1, Instance: "DEMO", ID: db.NewID(), Reference: n.Ref, Notice: notes.Hex(n.Digest), Party: string(h.platform.ID),
		ReceivedAt: notes.At(h.clock.Now()), Rows: []notes.Row{h.removed(1)},
	})
	must(f, err)
	f.Add(good)
	f.Add([]byte(`{"rows":[{"n":1,"answer":"removed"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		res, err := h.Answer(t.Context(), h.lina, n.ID, notice.AnswerInput{Document: raw})
		if err != nil {
			if _, ok := fault.As(err); !ok {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		var doc notes.Answer
		must(t, json.Unmarshal(raw, &doc))
		if doc.Reference != n.Ref || len(res.Rows) != len(doc.Rows) {
			t.Fatalf("took %s", raw)
		}
	})
}
