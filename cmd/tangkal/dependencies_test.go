package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryDirectDependencyStandsInItsRecord(t *testing.T) {
	var required []string
	for _, line := range lines(t, "../../go.mod") {
		if path, _, ok := strings.Cut(strings.TrimPrefix(line, "\t"), " v"); ok && !strings.HasSuffix(line, "// indirect") {
			required = append(required, strings.TrimPrefix(path, "github.com/"))
		}
	}
	var recorded []string
	name := regexp.MustCompile("`([^`]+)`")
	for _, line := range lines(t, "../../docs/adr/0006-dependencies.md") {
		if cells := strings.Split(line, "|"); len(cells) == 7 {
			for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
				recorded = append(recorded, m[1])
			}
		}
	}
	slices.Sort(required)
	slices.Sort(recorded)
	if diff := cmp.Diff(required, recorded); diff != "" || len(required) < 10 {
		t.Errorf("go.mod and docs/adr/0006-dependencies.md differ (- required, + recorded):\n%s", diff)
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(raw), "\n")
}
