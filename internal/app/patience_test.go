package app

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tangkal/tangkal/internal/clock"
	"github.com/tangkal/tangkal/internal/outbox"
)

// A receiver of webhooks has as long as the document says: an attempt lasts so
// long, and nothing under it gives up sooner.
func TestAReceiverHasAsLongAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("was not answered with 2xx within\n%d seconds", outbox.SendTimeout/time.Second)
	if !strings.Contains(string(text), said) {
		t.Errorf("docs/webhooks.md does not say %q", said)
	}
	if f := (Config{}).fetching(clock.System{}); f.HeaderTimeout < outbox.SendTimeout || f.Timeout != 0 && f.Timeout < outbox.SendTimeout {
		t.Errorf("an answer is awaited for %s, all in all %s; an attempt lasts %s", f.HeaderTimeout, f.Timeout, outbox.SendTimeout)
	}
}
