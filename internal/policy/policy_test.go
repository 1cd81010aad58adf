package policy

import (
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/i18n"
)

func TestEmbeddedPacksAreSound(t *testing.T) {
	s, err := Load(defaults())
	if err != nil {
		t.Fatal(strings.Join(Explain(err, i18n.For(i18n.EN)), "\n"))
	}
	if got := strings.Join(s.Codes(), " "); got != "eu-tco id" {
		t.Errorf("codes %q, want eu-tco and id", got)
	}
}
