package cage

import (
	"errors"
	"testing"

	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/sheet"
)

// Whatever is wrong with a file without a word of its own is said in the words
// of what was to be done with it.
func TestADamagedFileIsNamedByWhatItWasSentAs(t *testing.T) {
	t.Parallel()
	for op, want := range map[Op]string{Strip: string(picture.Damaged), Rows: string(sheet.Damaged)} {
		if got := reasonOf(op, errors.New("anything")); got != want {
			t.Errorf("%s: %s, want %s", op, got, want)
		}
	}
	if got := reasonOf(Strip, &picture.Error{Reason: picture.Unsupported}); got != string(picture.Unsupported) {
		t.Errorf("a reason is lost: %s", got)
	}
}
