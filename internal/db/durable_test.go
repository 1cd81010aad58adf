package db

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

// Threat T30: each of these settings loses or breaks what was acknowledged.
func TestASQLiteThatMayLoseACommitIsRefused(t *testing.T) {
	t.Parallel()
	good := liteDSN(filepath.Join(t.TempDir(), "test.db"), "immediate")
	for name, c := range map[string]struct{ from, to, says string }{
		"as we open it":   {},
		"normal sync":     {"synchronous%28FULL%29", "synchronous%28NORMAL%29", "synchronous is 1"},
		"no sync":         {"synchronous%28FULL%29", "synchronous%28OFF%29", "synchronous is 0"},
		"no write-ahead":  {"journal_mode%28WAL%29", "journal_mode%28DELETE%29", "journal_mode is delete"},
		"no foreign keys": {"foreign_keys%281%29", "foreign_keys%280%29", "foreign_keys is 0"},
	} {
		dsn := strings.Replace(good, c.from, c.to, 1)
		if name != "as we open it" && dsn == good {
			t.Fatalf("%s: %q is not in %s", name, c.from, good)
		}
		writer, err := sql.Open("sqlite", dsn)
		if err != nil {
			t.Fatal(err)
		}
		err = (&lite{writer: writer}).assertDurable(t.Context())
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if err := writer.Close(); err != nil {
			t.Error(err)
		}
	}
}
