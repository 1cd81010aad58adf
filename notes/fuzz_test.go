package notes

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func FuzzCanonical(f *testing.F) {
	for _, raw := range examples(f) {
		f.Add(raw)
	}
	for _, s := range []string{`{"a":1,"a":2}`, `[1.5]`, `"\ud800"`, `9007199254740992`, `{"\u20ac":[-0,{}]}`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		canon, err := Canonical(raw)
		if err != nil {
			return
		}
		again, err := Canonical(canon)
		if err != nil || !bytes.Equal(again, canon) {
			t.Fatalf("Canonical is not stable: %q then %q, %v", canon, again, err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %q: %v", raw, err)
		}
		byValue, err := Canonical(v)
		if err != nil || !bytes.Equal(byValue, canon) {
			t.Fatalf("%q: as text %q, as value %q, %v", raw, canon, byValue, err)
		}
	})
}

// roundTrip: what Validate accepts, the Go type writes back byte for byte.
func roundTrip(t *testing.T, k Kind, raw []byte) {
	if Validate(k, raw) != nil {
		return
	}
	into, ok := newDocument(k)
	if !ok {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("valid %s cannot be read: %v", k, err)
	}
	want, err := Canonical(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Canonical(into)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s: read %q, written %q, %v", k, want, got, err)
	}
}

func FuzzValidate(f *testing.F) {
	for name, raw := range examples(f) {
		f.Add(string(kindOf(name)), raw)
	}
	f.Add("seal", []byte(`{"kind":"notice","digest":"","approvals":[],"issued_at":""}`))
	f.Add("other", []byte(`{}`))
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		roundTrip(t, Kind(kind), raw)
	})
}

func FuzzAnswer(f *testing.F) {
	for name, raw := range examples(f) {
		if kindOf(name) == KindAnswer {
			f.Add(raw)
		}
	}
	for _, c := range others {
		if kindOf(c.base) == KindAnswer {
			f.Add(apply(f, examples(f)[c.base], c))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) { roundTrip(t, KindAnswer, raw) })
}

func FuzzVerifyHook(f *testing.F) {
	now := time.Unix(1_795_000_000, 0)
	h := signed(f, now, signer("a"))
	f.Add("msg_1", h.Get(HeaderHookTimestamp), h.Get(HeaderHookSignature), []byte(hookBody))
	f.Add("", "-1", "v1,", []byte{})
	f.Fuzz(func(t *testing.T, id, stamp, signatures string, body []byte) {
		h := http.Header{HeaderHookID: {id}, HeaderHookTimestamp: {stamp}, HeaderHookSignature: {signatures}}
		got, err := VerifyHook(h, body, now, receiver("a"))
		if err == nil && (got != "msg_1" || string(body) != hookBody) {
			t.Fatalf("accepted id %q with body %q", id, body)
		}
		mine, err := SignHook(id, now, body, signer("a"))
		if err != nil {
			return
		}
		if got, err := VerifyHook(mine, body, now, receiver("a")); err != nil || got != id {
			t.Fatalf("our own message %q is refused: %q, %v", id, got, err)
		}
	})
}
