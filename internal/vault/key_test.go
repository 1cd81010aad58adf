package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tangkal/tangkal/internal/fault"
)

func TestSealedTextOpensOnlyWhereItBelongs(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	k := caseKey(t, v)
	for _, text := range []string{"", "x", strings.Repeat("laporan ", 1000)} {
		sealed := Seal(k, []byte(text), "report/1/description")
		if len(sealed) != len(text)+44 {
			t.Errorf("sealed %d bytes into %d, want 44 more", len(text), len(sealed))
		}
		got, err := Unseal(k, sealed, "report/1/description")
		if err != nil || string(got) != text {
			t.Errorf("%q came back as %q, error %v", text, got, err)
		}
		for _, aad := range []string{"", "report/2/description", "report/1/descriptio", "report/1/description "} {
			if _, err := Unseal(k, sealed, aad); !errors.Is(err, ErrDamaged) {
				t.Errorf("opened as %q: %v", aad, err)
			}
		}
		if _, err := Unseal(caseKey(t, v), sealed, "report/1/description"); !errors.Is(err, ErrDamaged) {
			t.Errorf("opened under another key: %v", err)
		}
	}
	if bytes.Equal(Seal(k, []byte("same"), ""), Seal(k, []byte("same"), "")) {
		t.Error("equal texts look equal")
	}
}

func TestEveryFlippedOrMissingByteOfASealedTextIsFound(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	k := caseKey(t, v)
	sealed := Seal(k, []byte("nomor telepon"), "a")
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := Unseal(k, bad, "a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, err := Unseal(k, sealed[:i], "a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

// T31: what is sealed under a case is unreadable once its wrapped key is gone,
// even to whoever has the instance key and every other case.
func TestDestroyingAKeyErasesTheCase(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	keyOf := map[string]WrappedKey{} // stands for the caller's table
	k, wrapped, err := v.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	keyOf["case"] = wrapped
	_, keyOf["other"], err = v.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	ref := put(t, v, k, []byte("exhibit"))
	text := Seal(k, []byte("name"), "case")

	again, err := Open(c) // a restart: only the stored form is left
	if err != nil {
		t.Fatal(err)
	}
	restored, err := again.Unwrap(keyOf["case"])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unseal(restored, text, "case"); err != nil || string(got) != "name" {
		t.Errorf("before erasure: %q, %v", got, err)
	}
	if got, err := again.ReadAll(t.Context(), restored, ref, 100); err != nil || string(got) != "exhibit" {
		t.Errorf("before erasure: %q, %v", got, err)
	}

	delete(keyOf, "case")
	for name, w := range keyOf {
		other, err := again.Unwrap(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Unseal(other, text, "case"); !errors.Is(err, ErrDamaged) {
			t.Errorf("the text opens with the key of %s: %v", name, err)
		}
		wantDamaged(t, again, other, ref, nil, "blob with the key of "+name)
	}
}

func TestAWrappedKeyOpensOnlyUnderItsInstanceKey(t *testing.T) {
	t.Parallel()
	a, _ := open(t)
	b, _ := open(t)
	_, wrapped, err := a.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Unwrap(wrapped); !errors.Is(err, ErrDamaged) {
		t.Errorf("another instance unwrapped it: %v", err)
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 0x80
		if _, err := a.Unwrap(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	if _, err := a.Unwrap(nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("no key at all: %v", err)
	}
}

func TestMACsKeepTheirPurposeAndSurviveARestart(t *testing.T) {
	t.Parallel()
	v, c := open(t)
	again, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := open(t)
	mac := v.MAC("receipt", []byte("TGK"))
	if len(mac) != 32 || !bytes.Equal(mac, again.MAC("receipt", []byte("TGK"))) {
		t.Error("a restart changes the MAC")
	}
	for name, got := range map[string][]byte{
		"purpose":  v.MAC("location", []byte("TGK")),
		"data":     v.MAC("receipt", []byte("TGK2")),
		"moved":    v.MAC("receiptT", []byte("GK")),
		"instance": other.MAC("receipt", []byte("TGK")),
	} {
		if bytes.Equal(mac, got) {
			t.Errorf("another %s gives the same MAC", name)
		}
	}
}

func TestKeysDoNotPrintThemselves(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	k := caseKey(t, v)
	secret := k.text
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(format, k); strings.Contains(got, secret) || !strings.Contains(got, "idden") && format != "%x" {
			t.Errorf("%s shows %s", format, got)
		}
	}
	if got := k.LogValue().String(); got != "vault.Key(hidden)" {
		t.Errorf("the log shows %s", got)
	}
}

func TestTheZeroKeySealsNothing(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	for name, use := range map[string]func(){
		"Seal": func() { Seal(Key{}, nil, "") },
		"Put":  func() { _, _ = v.Put(t.Context(), Key{}, strings.NewReader(""), 1) },
		"Open": func() { _, _ = v.Open(t.Context(), Key{}, Ref{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted the zero Key", name)
				}
			}()
			use()
		}()
	}
}

func TestTheInstanceKeyIsMadeOnceAndForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	info, err := os.Stat(c.KeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, error %v; want 0600", info.Mode(), err)
	}
	before, err := os.ReadFile(c.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(c.KeyFile); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a second start changed the key: %v", err)
	}
	if err := os.Chmod(c.KeyFile, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a key the group can read: %v", err)
	}
}

func TestALostOrExchangedInstanceKeyIsNoticed(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	_, other := open(t)
	if err := os.Remove(c.KeyFile); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lost key: %v", err)
	}
	if _, err := os.Stat(c.KeyFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a new key was made in its place: %v", err)
	}
	c.KeyFile = other.KeyFile
	if _, err := Open(c); !errors.Is(err, errOtherKey) {
		t.Errorf("another vault's key: %v", err)
	}
	for name, text := range map[string]string{
		"empty": "", "short": masterPrefix + "AAAA\n", "no base64": masterPrefix + strings.Repeat("!", 43) + "\n",
	} {
		overwrite(t, other.KeyFile, []byte(text))
		if _, err := Open(c); err == nil {
			t.Errorf("%s key file accepted", name)
		}
	}
}

func TestProcessesStartingAtOnceAgreeOnOneInstanceKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := Config{Dir: filepath.Join(dir, "blobs"), KeyFile: filepath.Join(dir, "key")}
	macs := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range macs {
		wg.Go(func() {
			v, err := Open(c)
			if err != nil {
				t.Error(err)
				return
			}
			macs[i] = v.MAC("x", nil)
		})
	}
	wg.Wait()
	for _, mac := range macs[1:] {
		if !bytes.Equal(mac, macs[0]) {
			t.Error("two keys")
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v left in the directory, error %v; want blobs and key", entries, err)
	}
}

func TestConfigNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Open(Config{})
	if err == nil || !strings.Contains(err.Error(), "Dir") || !strings.Contains(err.Error(), "KeyFile") {
		t.Errorf("got %v", err)
	}
}

func TestSealedContactOpensForItsRecipientOnly(t *testing.T) {
	t.Parallel()
	private, public, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, second, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "recipients")
	overwrite(t, path, []byte("# duty officers\n\n"+public+"\n"))
	r, err := ReadRecipients(path)
	if err != nil {
		t.Fatal(err)
	}
	contact := "warga@mail.example, 0812\nkedua"
	sealed, err := SealTo(r, []byte(contact), "report/1/contact")
	if err != nil || bytes.Contains(sealed, []byte("warga")) {
		t.Fatalf("sealed as %q, error %v", sealed, err)
	}
	if got, err := UnsealFrom(private, sealed, "report/1/contact"); err != nil || string(got) != contact {
		t.Errorf("came back as %q, error %v", got, err)
	}
	if _, err := UnsealFrom(stranger, sealed, "report/1/contact"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := UnsealFrom(private, sealed, "report/2/contact"); !errors.Is(err, ErrDamaged) {
		t.Errorf("moved to another report: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 4
		if _, err := UnsealFrom(private, bad, "report/1/contact"); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	both, err := ParseRecipients(strings.NewReader(public + "\n" + second))
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err = SealTo(both, []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{private, stranger} {
		if got, err := UnsealFrom(key, sealed, ""); err != nil || string(got) != "x" {
			t.Errorf("one of two recipients: %q, %v", got, err)
		}
	}
}

func TestSealingToNobodyOrTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := SealTo(Recipients{}, []byte("x"), ""); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := ParseRecipients(strings.NewReader("age1wrong")); err == nil {
		t.Error("accepted a wrong key")
	}
	if _, err := ReadRecipients(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	private, public, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRecipients(strings.NewReader(public))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SealTo(r, make([]byte, sealedMax+1), ""); fault.Of(err) != fault.Invalid {
		t.Errorf("too much: %v", err)
	}
	if _, err := SealTo(r, nil, "two\nlines"); err == nil {
		t.Error("two lines of about accepted")
	}
	full, err := SealTo(r, make([]byte, sealedMax), "about")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := UnsealFrom(private, full, "about"); err != nil || len(got) != sealedMax {
		t.Errorf("the longest text: %d bytes, %v", len(got), err)
	}
	if _, err := UnsealFrom("AGE-SECRET-KEY-1WRONG", full, "about"); err == nil || strings.Contains(err.Error(), "WRONG") {
		t.Errorf("a wrong private key: %v", err)
	}
}

// FuzzUnseal: nothing but what Seal made opens, and nothing panics.
func FuzzUnseal(f *testing.F) {
	k := newKey()
	good := Seal(k, []byte("text"), "aad")
	f.Add(good, "aad")
	f.Add(good[:27], "aad")
	f.Add([]byte(sealPrefix), "")
	f.Fuzz(func(t *testing.T, sealed []byte, aad string) {
		got, err := Unseal(k, sealed, aad)
		if err == nil && (aad != "aad" || !bytes.Equal(sealed, good)) {
			t.Errorf("%x opened as %q", sealed, got)
		}
	})
}
