package web_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	caged "github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/picturetest"
	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/exchangetest"
	"github.com/tangkal/tangkal/internal/report"
)

// A reporter's pictures and those of captures, each with a place, a device, a
// name and comments in it, are looked at on the evidence origin: of that nothing
// is shown, and of what the reporter sent nothing is downloaded either.
func TestNoPictureTellsWhereOrByWhomItWasTaken(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	traced := picturetest.Traced(6)
	var sent []report.Upload
	var captured []casework.Upload
	for kind, file := range traced {
		name := "IMG_" + strings.TrimPrefix(kind, "image/")
		sent = append(sent, report.Upload{Name: name, MediaType: kind, Content: bytes.NewReader(file)})
		captured = append(captured, casework.Upload{Name: name, MediaType: kind, Content: bytes.NewReader(file)})
	}
	c := d.reported(t, aPost, sent...)
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	links := map[string]bool{}
	for _, link := range evidenceLinks(t, d, d.get(t, path)) {
		links[link] = true // what the reporter sent
	}
	if _, err := d.App.Casework.AddCapture(t.Context(), d.Actor, c.ID, "", captured); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	downloads := map[bool]int{} // by whether they are stripped
	for _, link := range evidenceLinks(t, d, d.get(t, path)) {
		for _, dest := range []string{"image", ""} {
			resp, body := opens(t, link, dest) //nolint:bodyclose // the test is over with it
			kind := resp.Header.Get("Content-Type")
			if seen[kind]++; resp.StatusCode != http.StatusOK || !caged.IsType(kind) || caged.TypeOf(body) != kind {
				t.Errorf("%s: %s, %d bytes of %s", kind, resp.Status, len(body), caged.TypeOf(body))
			}
			if err := picturetest.Clean(body); err != nil {
				t.Errorf("%s is shown as it came: %v", kind, err)
			}
		}
		resp, body := opens(t, link, "document") //nolint:bodyclose // the test is over with it
		if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
			t.Error("a picture opened by itself stands there unblurred")
		}
		clean := picturetest.Clean(body) == nil
		if downloads[clean]++; !clean && !bytes.Equal(body, traced[caged.TypeOf(body)]) {
			t.Error("an exhibit is not what was sealed")
		}
	}
	for _, kind := range caged.Types() {
		if seen[kind] < 4 {
			t.Errorf("%s was shown %d times: %v", kind, seen[kind], seen)
		}
	}
	if len(links) < 4 || downloads[true] < 4 || downloads[false] < 4 {
		t.Errorf("%d links of the reporter's, downloads by stripped or not: %v", len(links), downloads)
	}
}

func TestWhatIsNoSafePictureIsNotShownAndSaysWhy(t *testing.T) {
	t.Parallel()
	d := at(t, exchangetest.Start(t), "analyst")
	twofold := append(picturetest.PNG(8, 8), "<html><script>x()</script>"...)
	c := d.reported(t, aPost, report.Upload{Name: "a.png", MediaType: "image/png", Content: bytes.NewReader(twofold)})
	path := "/cases/" + string(c.ID)
	d.post(t, path+"/take", nil)
	for _, link := range evidenceLinks(t, d, d.get(t, path)) {
		resp, body := opens(t, link, "image") //nolint:bodyclose // the test is over with it
		if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusUnsupportedMediaType || !strings.HasPrefix(kind, "text/plain") || len(body) < 20 || bytes.Contains(body, []byte("<html")) {
			t.Errorf("%s, %s: %s", resp.Status, kind, body)
		}
	}
}
