package api

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/db/dbtest"
)

// rows counts the rows of every table.
func (h *house) rows(t testing.TB) map[string]int64 {
	t.Helper()
	for _, c := range h.people {
		c.cookie() // signing in leaves rows
	}
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
	if h.db.Dialect() == db.Postgres {
		q = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	names, err := db.All(t.Context(), h.db, db.Scalar[string], q)
	check(t, err)
	out := map[string]int64{}
	for _, name := range names {
		out[name], err = db.Value[int64](t.Context(), h.db, `SELECT count(*) FROM `+name) //nolint:gosec // a name from the database itself
		check(t, err)
	}
	return out
}

func (h *house) unchanged(t testing.TB, before map[string]int64) {
	t.Helper()
	if diff := cmp.Diff(before, h.rows(t)); diff != "" {
		t.Errorf("refused requests changed something:\n%s", diff)
	}
}

func TestHostileLinksAreRefusedByNameInBothLanguages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		before := h.rows(t)
		f, err := os.Open("../../canonical/testdata/hostile.txt")
		check(t, err)
		defer f.Close()
		n := 0
		for lines := bufio.NewScanner(f); lines.Scan(); {
			reason, quoted, ok := strings.Cut(lines.Text(), "\t")
			if !ok || strings.HasPrefix(reason, "#") {
				continue
			}
			raw, err := strconv.Unquote(quoted)
			check(t, err)
			n++
			said := map[string]bool{}
			for _, lang := range []string{"id", "en"} {
				h.public.lang = lang
				p := h.public.do(t, "POST", "/reports", submitBody{Locations: []string{"https://ruangsuara.example/v/1", raw}, Category: "unsure"}).
					problem(t, http.StatusUnprocessableEntity, "fault.input")
				if len(p.Errors) != 1 || p.Errors[0].Pointer != "/locations/1" {
					t.Errorf("%s: %+v, want one fault at /locations/1", quoted, p.Errors)
					continue
				}
				said[p.Errors[0].Detail] = true
			}
			if len(said) != 2 {
				t.Errorf("%s: said as %v, want two languages", quoted, said)
			}
		}
		if n < 60 {
			t.Errorf("%d hostile links, want at least 60", n)
		}
		h.unchanged(t, before)
	})
}

func TestWrongFilesAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	before := h.rows(t)
	ok := submitBody{Locations: []string{"https://ruangsuara.example/v/1"}, Category: "unsure"}
	for name, tt := range map[string]struct {
		files   []string
		pointer string
		code    string
	}{
		"empty":        {[]string{""}, "/files/0/content", "report.file-empty"},
		"a program":    {[]string{"bukti", "\x7FELF\x02"}, "/files/1/content", "report.file-kind"},
		"too many":     {slices.Repeat([]string{"bukti"}, 11), "/files", "report.too-many-files"},
		"wrong type":   {[]string{"\x89PNG\r\n\x1a\n0000000000"}, "/files/0/content", "report.file-type"},
		"eleven, bad":  {append(slices.Repeat([]string{"bukti"}, 10), ""), "/files", "report.too-many-files"},
		"unknown kind": {[]string{"\x00\x01\x02\x03"}, "/files/0/content", "report.file-kind"},
	} {
		body, kind := form(t, "report", ok, tt.files...)
		p := h.public.do(t, "POST", "/reports", body, kind).problem(t, http.StatusUnprocessableEntity, "fault.input")
		if !slices.ContainsFunc(p.Errors, func(e Part) bool { return e.Pointer == tt.pointer && e.Code == tt.code }) {
			t.Errorf("%s: %+v, want %s at %s", name, p.Errors, tt.code, tt.pointer)
		}
	}
	cut, kind := form(t, "report", ok, strings.Repeat("bukti ", 1000))
	h.public.do(t, "POST", "/reports", cut[:len(cut)-500], kind).problem(t, http.StatusUnprocessableEntity, "api.cut-off")
	h.public.do(t, "POST", "/reports", "--x\r\n\r\n", header("Content-Type", "multipart/form-data; boundary=y")).problem(t, 422, "api.first-part")
	h.public.do(t, "POST", "/reports", "x", header("Content-Type", "multipart/form-data")).problem(t, http.StatusBadRequest, "api.multipart")
	h.public.do(t, "POST", "/reports", "x", header("Content-Type", "text/plain")).problem(t, http.StatusUnsupportedMediaType, "api.media-type")
	h.unchanged(t, before)
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	bima := h.people["bima"]
	before := h.rows(t)
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"nothing":      {"", 400, "api.no-body"},
		"no JSON":      {"{", 400, "api.json"},
		"two values":   {`{} {}`, 400, "api.json"},
		"not UTF-8":    {"{\"label\": \"\xff\"}", 400, "api.json"},
		"a name twice": {`{"label": "a", "label": "b", "scopes": ["read"]}`, 400, "api.json-twice"},
		"deep":         {strings.Repeat("[", 33) + strings.Repeat("]", 33), 400, "api.json-depth"},
		"very deep":    {strings.Repeat(`{"a":`, 100_000), 400, "api.json-depth"},
		"other case":   {`{"Label": "a", "scopes": ["read"]}`, 422, "fault.input"},
		"a list":       {`[]`, 422, "fault.input"},
		"wrong types":  {`{"label": 7, "scopes": "read"}`, 422, "fault.input"},
		"not a choice": {`{"label": "a", "scopes": ["all"]}`, 422, "fault.input"},
		"bad time":     {`{"label": "a", "scopes": ["read"], "expires_at": "tomorrow"}`, 422, "fault.input"},
		"too large":    {`{"label": "` + strings.Repeat("a", maxJSON) + `"}`, 413, "api.too-large"},
	} {
		for _, path := range []string{"/keys"} {
			p := bima.do(t, "POST", path, tt.body).problem(t, tt.status, tt.code)
			if tt.code == "fault.input" && len(p.Errors) == 0 {
				t.Errorf("%s: no part says what is wrong", name)
			}
		}
		// The same for a body that the operation reads itself.
		if tt.status != 422 {
			h.public.do(t, "POST", "/reports", tt.body).problem(t, tt.status, tt.code)
		}
	}
	bima.do(t, "POST", "/keys", `{}`, header("Content-Type", "application/xml")).problem(t, http.StatusUnsupportedMediaType, "api.media-type")
	bima.do(t, "GET", "/reports", nil).problem(t, http.StatusForbidden, "auth.not-allowed")
	h.people["ratna"].do(t, "GET", "/reports?limit=0", nil).problem(t, 422, "fault.input")
	h.people["ratna"].do(t, "GET", "/reports?limit=x", nil).problem(t, 422, "fault.input")
	h.people["ratna"].do(t, "GET", "/reports?cursor=x", nil).problem(t, 422, "db.cursor")
	h.unchanged(t, before)
}

func TestNobodyComesInWithAWrongKey(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	ratna := h.people["ratna"]
	for _, value := range []string{
		"Bearer", "Bearer ", "Bearer tgk_", "Basic eDp5", "Bearer " + string(ratna.actor.Person), "Bearer " + string(ratna.actor.Party),
		"Bearer ratna@org.example", "Bearer " + ratna.secret + "x", "Bearer " + ratna.secret[:len(ratna.secret)-1], "Bearer tgi_" + ratna.secret[4:],
	} {
		for _, path := range []string{"/reports", "/policies"} {
			r := h.public.do(t, "GET", path, nil, header("Authorization", value))
			r.problem(t, http.StatusUnauthorized, "")
			if r.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%q: no WWW-Authenticate", value)
			}
		}
	}
	h.public.do(t, "GET", "/reports", nil).problem(t, http.StatusUnauthorized, "auth.sign-in")
	h.public.do(t, "GET", "/reports", nil, header("X-Forwarded-User", "ratna"), header("X-Party", string(ratna.actor.Party))).problem(t, 401, "auth.sign-in")
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		ratna.do(t, "POST", "/cases/next", nil, header(name, "GET")).problem(t, http.StatusMethodNotAllowed, "api.method")
	}
	ratna.do(t, "GET", "/nothing", nil).problem(t, http.StatusNotFound, "api.no-operation")
	if got := ratna.do(t, "PATCH", "/cases/"+absent, nil).Header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow is %q, want GET, HEAD", got)
	}
}

func TestASessionCountsForOurOwnPagesOnly(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	cookie := h.signIn(t, h.people["ratna"])
	own := header("Sec-Fetch-Site", "same-origin")
	with := header("Cookie", cookie)
	var me meBody
	h.public.do(t, "GET", "/people/me", nil, with, own).want(t, 200, &me)
	if me.By != "session" || me.Name != "Orang ratna" {
		t.Errorf("the session is %+v", me)
	}
	h.public.do(t, "POST", "/people/me/breaks", nil, with, own).want(t, 204, nil)
	h.public.do(t, "POST", "/people/me/breaks", nil, with, header("Sec-Fetch-Site", "cross-site")).problem(t, 403, "api.cross-origin")
	h.public.do(t, "POST", "/people/me/breaks", nil, with, header("Origin", "https://evil.example")).problem(t, 403, "api.cross-origin")
	h.public.do(t, "DELETE", "/sessions", nil, with, own).want(t, 204, nil)
	h.public.do(t, "GET", "/people/me", nil, with, own).problem(t, 401, "auth.sign-in")
}

func TestTheCallersLanguageIsSpoken(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	for lang, want := range map[string]string{"": "id", "en": "en", "id-ID,en;q=0.5": "id", "de": "id", "en-GB;q=0.9": "en"} {
		h.public.lang = lang
		r := h.public.do(t, "GET", "/reports", nil)
		p := r.problem(t, 401, "auth.sign-in")
		if r.Header.Get("Content-Language") != want || (p.Detail == "Please sign in first.") != (want == "en") {
			t.Errorf("Accept-Language %q: %q in %q", lang, p.Detail, r.Header.Get("Content-Language"))
		}
	}
}

func TestHumaIsRead(t *testing.T) {
	t.Parallel()
	// Whatever our schemas can make huma say has a text of ours: the messages
	// are the keywords that the document uses.
	h := start(t, dbtest.SQLite(t))
	for _, sentence := range []string{
		"unexpected property", "unknown query parameter", "required query parameter is missing", "expected required property a to be present",
		"expected string", "expected boolean", "expected integer", "expected number", "expected array", "expected object",
		`expected value to be one of "a, b"`, "expected string to be RFC 3339 date-time", "expected string to be base64 encoded",
		"expected number >= 1", "expected number <= 9", "expected length >= 1", "expected length <= 9", "expected array length >= 1",
		"expected array length <= 9", "expected object with at most 24 properties", "expected array items to be unique", "invalid integer",
	} {
		if e := read(&huma.ErrorDetail{Message: sentence, Location: "body.a"}); e.Code == "api.malformed" {
			t.Errorf("%q is not read", sentence)
		}
	}
	known := regexp.MustCompile(`^(type|properties|required|additionalProperties|items|enum|description|examples|default|format|contentEncoding|minimum|maximum|minLength|maxLength|minItems|maxItems|maxProperties|uniqueItems|\$ref)$`)
	for name, schema := range h.readSpec(t).at("components", "schemas") {
		for keyword := range asMap(schema) {
			if !known.MatchString(keyword) {
				t.Errorf("schema %s uses %q, whose fault has no text", name, keyword)
			}
		}
	}
}

func TestWrongTransitionsAreConflicts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := start(t, d)
		_, n := h.sent(t)
		_, fresh := h.reported(t)
		ratna, sari, bagus, lina := h.people["ratna"], h.people["sari"], h.people["bagus"], h.people["lina"]
		before := h.rows(t)
		for name, tt := range map[string]struct {
			by           *caller
			method, path string
			body         any
			status       int
		}{
			"assess without taking":      {ratna, "PUT", "/cases/" + fresh + "/assessment", finding(), 409},
			"draft an open case":         {ratna, "POST", "/notices", draftBody{Case: fresh, Kind: "referral"}, 409},
			"release what is open":       {ratna, "POST", "/cases/" + fresh + "/release", nil, 409},
			"take a decided case":        {ratna, "POST", "/cases/" + n.Case + "/take", nil, 409},
			"propose what is out":        {ratna, "POST", "/notices/" + n.ID + "/propose", ratna.sign(t, n.ID), 403},
			"approve what is out":        {sari, "POST", "/notices/" + n.ID + "/approve", sari.sign(t, n.ID), 403},
			"issue twice":                {bagus, "POST", "/notices/" + n.ID + "/issue", bagus.sign(t, n.ID), 403},
			"return what is out":         {bagus, "POST", "/notices/" + n.ID + "/return", map[string]any{"reasons": []string{"other"}, "text": "x"}, 403},
			"verify before the answer":   {bagus, "POST", "/notices/" + n.ID + "/items/verify", map[string]any{"items": []int{1}}, 409},
			"reopen before the answer":   {bagus, "POST", "/notices/" + n.ID + "/items/1/reopen", map[string]any{"why": "x"}, 409},
			"resolve without a pause":    {bagus, "POST", "/notices/" + n.ID + "/items/1/pause", map[string]any{"how": "answer", "text": "x"}, 409},
			"verify as the platform":     {lina, "POST", "/notices/" + n.ID + "/items/verify", map[string]any{"items": []int{1}}, 403},
			"confirm what nobody deemed": {bagus, "POST", "/notices/" + n.ID + "/deemed/confirm", nil, 409},
			"undo nothing":               {ratna, "POST", "/cases/undo", map[string]any{"token": "AAAA"}, 404},
		} {
			r := tt.by.do(t, tt.method, tt.path, tt.body, header("If-Match", `"0"`))
			if p := r.problem(t, tt.status, ""); strings.HasPrefix(p.Code, "api.") {
				t.Errorf("%s: refused by %s, want the room's own reason", name, p.Code)
			}
		}
		h.unchanged(t, before)
	})
}

// signIn signs in with a browser key and returns the session's cookie.
func (h *house) signIn(t testing.TB, c *caller) string {
	t.Helper()
	var challenge challengeBody
	h.public.do(t, "POST", "/sessions/challenges", nil).want(t, 201, &challenge)
	r := h.public.do(t, "POST", "/sessions", c.answerTo(challenge))
	r.want(t, 201, nil)
	cookie, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	return cookie
}

func TestAssessmentsDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	_, id := h.reported(t)
	ratna := h.people["ratna"]
	ratna.do(t, "POST", "/cases/"+id+"/take", nil).want(t, 200, nil)
	put := func(tag string) reply {
		return ratna.do(t, "PUT", "/cases/"+id+"/assessment", map[string]any{"tier": "promotional"}, header("If-Match", tag))
	}
	if got := put(`"0"`).want(t, 200, nil).Header.Get("ETag"); got != `"1"` {
		t.Errorf("ETag %s after the first assessment, want \"1\"", got)
	}
	put(`"0"`).problem(t, http.StatusPreconditionFailed, "case.assessed-meanwhile")
	put(`W/x`).problem(t, http.StatusBadRequest, "api.if-match")
	if got := ratna.do(t, "GET", "/cases/"+id, nil).want(t, 200, nil).Header.Get("ETag"); got != `"1"` {
		t.Errorf("ETag %s of the case, want \"1\"", got)
	}
	put(`"1"`).want(t, 200, nil)
}

func TestListsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	h := start(t, dbtest.SQLite(t))
	for i := range 5 {
		h.public.do(t, "POST", "/reports", submitBody{Locations: []string{fmt.Sprintf("https://ruangsuara.example/v/%d", i)}, Category: "unsure", Agency: "tangkal-daring"}).want(t, 201, nil)
	}
	h.settleDown(t)
	for _, path := range []string{"/reports?limit=2", "/cases?limit=2"} {
		seen := map[string]bool{}
		pages := 0
		for next := prefix + path; next != ""; pages++ {
			var page list[idBody]
			r := h.people["ratna"].do(t, "GET", next, nil).want(t, 200, &page)
			for _, item := range page.Items {
				if seen[item.ID] {
					t.Errorf("%s: %s comes twice", path, item.ID)
				}
				seen[item.ID] = true
			}
			link, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Link"), "<"), ">")
			if (link == "") != (page.Next == "") {
				t.Errorf("%s: next %q and Link %q disagree", path, page.Next, link)
			}
			next = link
		}
		if len(seen) != 5 || pages != 3 {
			t.Errorf("%s: %d items on %d pages, want 5 on 3", path, len(seen), pages)
		}
	}
}
