package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/app"
	"github.com/tangkal/tangkal/internal/cage"
	"github.com/tangkal/tangkal/internal/exchangetest"
)

func TestReadySaysWhatCagesPictures(t *testing.T) {
	t.Parallel()
	if cage.Self() == nil {
		t.Skip("this system has no cage")
	}
	x := exchangetest.Start(t)
	var got app.Part
	eventually(t, "a worker to be locked in", func() bool {
		resp, err := http.Get(x.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var h app.Health
		if err := json.NewDecoder(resp.Body).Decode(&h); err != nil || !h.Ready {
			t.Fatalf("%+v, %v", h, err)
		}
		for _, p := range h.Parts {
			if p.Name == "cage" {
				got = p
			}
		}
		return strings.HasPrefix(got.What, "caged: ")
	})
	if !strings.Contains(got.What, "seccomp") || (got.Level == app.Fine) == strings.Contains(got.What, "missing") {
		t.Errorf("%+v", got)
	}
}
