package search_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/search"
)

var noon = time.Date(2026, 11, 19, 5, 0, 0, 0, time.UTC)

func put(t *testing.T, d *db.DB, x *search.Index, docs ...search.Doc) {
	t.Helper()
	if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for _, doc := range docs {
			if err := x.Put(ctx, tx, doc); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, d *db.DB, x *search.Index, q search.Question) ([]string, int64) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 10
	}
	ids, next, err := x.Find(t.Context(), d, q)
	if err != nil {
		t.Fatalf("%q: %v", q.Text, err)
	}
	return ids, next
}

func TestWordsFindWhatTheyStandIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := search.New(dbtest.MAC)
		put(t, d, x,
			search.Doc{Party: "a", Object: "case", ObjectID: "c1", Plain: []string{"TEST-KS-2026-01192", "ruangsuara", "Video"}, At: noon},
			search.Doc{Party: "a", Object: "case", ObjectID: "c1", Part: "n1", Plain: []string{"TEST-KS-2026-01192"}, Sealed: "Ajakan bergabung, lihat Café; 关于 5G", At: noon.Add(time.Second)},
			search.Doc{Party: "a", Object: "case", ObjectID: "c2", Plain: []string{"TEST-KS-2026-00087", "kabarkita"}, At: noon.Add(time.Minute)},
			search.Doc{Party: "b", Object: "case", ObjectID: "c3", Plain: []string{"TEST-KS-2026-01193", "ruangsuara"}, Sealed: "ajakan", At: noon.Add(time.Hour)},
			search.Doc{Party: "a", Object: "notice", ObjectID: "n9", Plain: []string{"TEST-PH-2026-00005", "ruangsuara"}, At: noon},
		)
		for _, tt := range []struct {
			party, object, text string
			want                []string
		}{
			{"a", "case", "ruangsuara", []string{"c1"}},
			{"a", "case", "RUANG", []string{"c1"}}, // the beginning of the last word
			{"a", "case", "ru", nil},               // too short for a beginning
			{"a", "case", "test-ks-2026-01192", []string{"c1"}},
			{"a", "case", "TEST-KS-2026-0119", []string{"c1"}}, // or its beginning
			{"a", "case", "1192", []string{"c1"}},
			{"a", "case", "119", []string{"c1"}},          // of its digits, too
			{"a", "case", "video ruangs", []string{"c1"}}, // of the last of two words,
			{"a", "case", "ruangs video", nil},            // of no other
			{"a", "case", "0087", []string{"c2"}},
			{"a", "case", "87", []string{"c2"}},
			{"a", "case", "2026", []string{"c2", "c1"}}, // the latest first, each once
			{"a", "case", "ajakan bergabung", []string{"c1"}},
			{"a", "case", "AJAKAN cafe", []string{"c1"}},
			{"a", "case", "关于", []string{"c1"}},
			{"a", "case", "ajak", nil}, // sealed words are found whole
			{"a", "case", "ajakan nowhere", nil},
			{"b", "case", "ajakan", []string{"c3"}},
			{"b", "case", "bergabung", nil},
			{"a", "notice", "ruangsuara", []string{"n9"}},
			{"c", "case", "ruangsuara", nil},
			{"", "case", "ruangsuara", []string{"c3", "c1"}}, // oversight
			{"", "case", "ajakan", nil},
			{"a", "case", "", nil},
			{"a", "case", `" OR * NOT ( : & | ! <->`, nil},
			{"a", "case", `ruangsuara" OR "kabarkita`, nil}, // three words, none a command
			{"a", "case", strings.Repeat("ruangsuara ", 50), []string{"c1"}},
		} {
			if got, _ := find(t, d, x, search.Question{Party: tt.party, Object: tt.object, Text: tt.text}); !cmp.Equal(got, tt.want) {
				t.Errorf("%s looks among %ss for %.60q: %q, want %q", tt.party, tt.object, tt.text, got, tt.want)
			}
		}
	})
}

func TestSealedWordsAreNotInTheDatabase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := search.New(dbtest.MAC)
		put(t, d, x, search.Doc{Party: "a", Object: "case", ObjectID: "c1", Part: "n1", Sealed: "Sebutan rahasia canary", At: noon},
			search.Doc{Party: "b", Object: "case", ObjectID: "c2", Part: "n1", Sealed: "canary", At: noon})
		rows, err := db.All(t.Context(), d, db.Scalar[string], `SELECT words FROM search_docs ORDER BY id`)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q, %v", rows, err)
		}
		if strings.Contains(strings.Join(rows, " "), "canary") {
			t.Errorf("a sealed word stands in the clear: %q", rows)
		}
		// The same word of two parties is not to be seen as the same.
		if last := func(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }; last(rows[0]) == last(rows[1]) {
			t.Errorf("one word of two parties has one spelling: %q", rows)
		}
	})
}

func TestPagesOfWhatIsFoundMissNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, lately := range []int{1, 6, 8, 2000} { // what stands further back is asked for in another way
			t.Run(fmt.Sprint(lately), func(t *testing.T) { pagesMissNothing(t, d, lately) })
		}
	})
}

func pagesMissNothing(t *testing.T, d *db.DB, lately int) {
	t.Helper()
	x := search.New(dbtest.MAC)
	x.Lately(lately)
	var want []string
	for i := range 23 {
		id := fmt.Sprintf("c%d-%02d", lately, i)
		put(t, d, x, search.Doc{Party: fmt.Sprint("a", lately), Object: "case", ObjectID: id, Plain: []string{"ruangsuara"}, At: noon}) // all at one moment
		put(t, d, x, search.Doc{Party: "another", Object: "case", ObjectID: "x" + id, Plain: []string{"ruangsuara"}, At: noon})
		want = append([]string{id}, want...)
	}
	var got []string
	for next := int64(0); ; {
		var page []string
		page, next = find(t, d, x, search.Question{Party: fmt.Sprint("a", lately), Object: "case", Text: "ruangsuara", Before: next, Limit: 5})
		if got = append(got, page...); next == 0 {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages differ (-want +got):\n%s", diff)
	}
}

// What is put again stands in place of what was there; what is rolled back or
// dropped is not found.
func TestTheIndexFollowsItsRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := search.New(dbtest.MAC)
		doc := search.Doc{Party: "a", Object: "case", ObjectID: "c1", Plain: []string{"ruangsuara"}, At: noon}
		put(t, d, x, doc)
		doc.Plain = []string{"kabarkita"}
		put(t, d, x, doc)
		q := search.Question{Party: "a", Object: "case", Text: "ruangsuara"}
		if got, _ := find(t, d, x, q); got != nil {
			t.Errorf("what was replaced is found: %q", got)
		}
		broken := errors.New("no")
		if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			doc.ObjectID, doc.Plain = "c2", []string{"ruangsuara"}
			return errors.Join(x.Put(ctx, tx, doc), broken)
		}); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if got, _ := find(t, d, x, q); got != nil {
			t.Errorf("what was rolled back is found: %q", got)
		}
		q.Text = "kabarkita"
		if got, _ := find(t, d, x, q); !cmp.Equal(got, []string{"c1"}) {
			t.Errorf("what stands now: %q", got)
		}
		if err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return x.Drop(ctx, tx, "c1") }); err != nil {
			t.Fatal(err)
		}
		if got, _ := find(t, d, x, q); got != nil {
			t.Errorf("what was dropped is found: %q", got)
		}
	})
}
