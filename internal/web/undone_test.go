package web

import (
	"testing"

	"github.com/tangkal/tangkal/internal/flagger"
	"github.com/tangkal/tangkal/internal/i18n"
)

func TestWhatIsSaidOfAListThatWasTakenBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		desk       listDesk
		made, back int
		want       string
	}{
		{reportDesk, 0, 0, "Lena took this list back on 1 May. No report had been made of it."},
		{reportDesk, 1, 1, "Lena took this list back on 1 May: 1 of 1 report."},
		{reportDesk, 5, 3, "Lena took this list back on 1 May: 3 of 5 reports. The rest had been taken up already."},
		{registerDesk, 5, 0, "Lena took this register back on 1 May: 5 entries gone."},
	} {
		if got := c.desk.undone(i18n.For("en"), flagger.List{Made: c.made, Back: c.back}, "Lena", "1 May"); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.back, c.made, got, c.want)
		}
	}
}
