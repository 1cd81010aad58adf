package vault

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestTheInstancesOwnTextOpensOnlyAsItWasSealed(t *testing.T) {
	open := func(dir string) *Vault {
		v, err := Open(Config{Dir: filepath.Join(dir, "vault"), KeyFile: filepath.Join(dir, "key")})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, other := open(t.TempDir()), open(t.TempDir())
	sealed := v.SealOwn([]byte("secret"), "endpoint/1/secret")
	if got, err := v.UnsealOwn(sealed, "endpoint/1/secret"); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := v.UnsealOwn(sealed, "endpoint/2/secret"); !errors.Is(err, ErrDamaged) {
		t.Errorf("moved to another row: %v", err)
	}
	if _, err := other.UnsealOwn(sealed, "endpoint/1/secret"); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another instance: %v", err)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := v.UnsealOwn(sealed, "endpoint/1/secret"); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		sealed[i] ^= 1
	}
}
