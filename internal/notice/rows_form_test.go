package notice

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the row MAC is made over keeps its form: another form would make every
// notice that was sealed before an upgrade, and not sent yet, look forged.
func TestWhatTheRowMACCoversKeepsItsForm(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(rows{Items: []Item{{}}, Versions: []versionRow{{}}, Signatures: []Signature{{}}}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/rows.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("leave a new field out of the JSON form (json:\"-\"), or have Room.whole know both forms (-want +got):\n%s", diff)
	}
}
