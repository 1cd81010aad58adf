package backup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// No bytes are not an absent value: SQLite hands them out as nil, PostgreSQL as
// empty, and a column that wants a value takes only the second.
func TestNoBytesStayBytes(t *testing.T) {
	line, err := encode([]any{[]byte(nil), []byte{}, nil, "a", int64(7)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(line); got != `[{"b":""},{"b":""},null,"a",7]`+"\n" {
		t.Errorf("written as %s", got)
	}
	for _, text := range []string{string(line), `[{"b":null},{"b":""},null,"a",7]`} {
		row, err := decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]any{[]byte{}, []byte{}, nil, "a", int64(7)}, row); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
