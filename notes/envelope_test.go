package notes

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// cast is the published key list of the tests: who holds which key.
var cast = map[string]Key{
	"ratna":            {Party: "tangkal-daring", Person: "p-ratna", Method: MethodBrowserKey},
	"ratna-second-key": {Party: "tangkal-daring", Person: "p-ratna", Method: MethodBrowserKey},
	"sari":             {Party: "tangkal-daring", Person: "p-sari", Method: MethodBrowserKey},
	"bima":             {Party: "tangkal-daring", Person: "p-bima", Method: MethodBrowserKey},
	"bagus":            {Party: "kem-komunikasi", Person: "p-bagus", Method: MethodBrowserKey},
	"judge":            {Party: "pengadilan", Person: "p-judge", Method: MethodBrowserKey},
	"robot":            {Party: "kem-komunikasi", Method: MethodAutomation},
	"passkey":          {Party: "kem-komunikasi", Person: "p-pass", Method: MethodPasskey},
	"revoked":          {Party: "kem-komunikasi", Person: "p-gone", Method: MethodBrowserKey, Until: moment("01:20")},
	"early":            {Party: "kem-komunikasi", Person: "p-new", Method: MethodBrowserKey, From: moment("01:25")},
	"ministry":         {Party: "kem-komunikasi", Method: MethodOrganisation},
	"agency":           {Party: "tangkal-daring", Method: MethodOrganisation},
	"platform-client":  {Party: "ruangsuara", Method: MethodAutomation},
	"platform":         {Party: "ruangsuara", Method: MethodOrganisation},
}

// moment is a time of 19 November 2026.
func moment(clock string) Time {
	t, err := time.Parse(timeLayout, "2026-11-19T"+clock+":00Z")
	if err != nil {
		panic(err)
	}
	return Time{t}
}

func castKeys(id string) (Key, error) {
	for name, k := range cast {
		if KeyID(testPublic(name)) == id {
			k.Public = testPublic(name)
			return k, nil
		}
	}
	return Key{}, ErrUnknownKey
}

// by signs the document of s as one of the cast.
func (s *Signed) by(step Step, name, clock string) {
	k := cast[name]
	s.Approvals = append(s.Approvals, Signature{
		Step: step, Party: k.Party, Key: KeyID(testPublic(name)), Method: k.Method,
		At: moment(clock), Value: SignDigest(testKey(name), s.Digest()),
	})
}

func example(t testing.TB, name string) Signed {
	t.Helper()
	canon, err := Canonical(examples(t)[name])
	if err != nil {
		t.Fatal(err)
	}
	return Signed{V: Version, Kind: kindOf(name), Document: canon, IssuedAt: moment("01:26")}
}

func sealAs(t testing.TB, s *Signed, name string) {
	t.Helper()
	if err := s.SealWith(cast[name].Party, testKey(name)); err != nil {
		t.Fatal(err)
	}
}

// signedOrder is the order of the examples, signed as it should be.
func signedOrder(t testing.TB) Signed {
	t.Helper()
	s := example(t, "notice-id-order")
	s.by(StepProposed, "ratna", "01:20")
	s.by(StepApproved, "sari", "01:24")
	s.by(StepIssued, "bagus", "01:26")
	sealAs(t, &s, "ministry")
	return s
}

func TestSignedExamplesVerifyAndKeepTheirBytes(t *testing.T) {
	t.Parallel()
	answer := example(t, "answer-done")
	answer.by(StepAnswered, "platform-client", "01:26")
	sealAs(t, &answer, "platform")
	receipt := example(t, "receipt-api")
	receipt.by(StepReceived, "platform-client", "01:26")
	sealAs(t, &receipt, "platform")
	dossier := example(t, "dossier-proposal")
	dossier.by(StepProposed, "ratna", "01:20")
	dossier.by(StepApproved, "sari", "01:21")
	sealAs(t, &dossier, "agency")
	assessment := example(t, "assessment-order")
	assessment.by(StepAssessed, "ratna", "01:20")
	sealAs(t, &assessment, "agency")
	for name, s := range map[string]Signed{
		"order": signedOrder(t), "answer": answer, "receipt": receipt, "dossier": dossier, "assessment": assessment, "order-in-a-batch": orderInABatch(t, nil),
	} {
		if err := Verify(s, castKeys); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		raw, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "signed/"+name+".json", raw)
		seal, err := s.SealBytes()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "signed/"+name+".seal.json", seal)
		again, err := ParseSigned(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(again, castKeys); err != nil {
			t.Errorf("%s read back: %v", name, err)
		}
	}
}

func TestThreeOfTheProposersAndAJudgeMaySign(t *testing.T) {
	t.Parallel()
	s := example(t, "notice-id-order")
	s.by(StepProposed, "ratna", "01:20")
	s.by(StepApproved, "sari", "01:21")
	s.by(StepAuthorised, "judge", "01:22")
	s.by(StepApproved, "bima", "01:23")
	s.by(StepIssued, "bagus", "01:26")
	sealAs(t, &s, "ministry")
	if err := Verify(s, castKeys); err != nil {
		t.Error(err)
	}
}

func TestEnvelopeSurvivesLibrariesThatEscapeAndIndent(t *testing.T) {
	t.Parallel()
	s := example(t, "notice-eu-order")
	if !bytes.ContainsAny(s.Document, "<&") {
		t.Fatal("the example has nothing that a library would escape")
	}
	raw, err := json.MarshalIndent(signedOrder(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseSigned(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(read, castKeys); err != nil {
		t.Error(err)
	}
}

// tampering is one way to forge an envelope and why it is refused.
type tampering struct {
	what string
	do   func(*testing.T, *Signed)
	want error
}

func rebuilt(t *testing.T, s *Signed, seal string, steps ...[3]string) {
	t.Helper()
	s.Approvals = nil
	for _, st := range steps {
		s.by(Step(st[0]), st[1], st[2])
	}
	sealAs(t, s, seal)
}

var proposed, approved = [3]string{"proposed", "ratna", "01:20"}, [3]string{"approved", "sari", "01:24"}

var tamperings = []tampering{
	{"approved by its author", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, [3]string{"approved", "ratna", "01:24"}, [3]string{"issued", "bagus", "01:26"})
	}, ErrSamePerson},
	{"approved by its author's second key", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, [3]string{"approved", "ratna-second-key", "01:24"}, [3]string{"issued", "bagus", "01:26"})
	}, ErrSamePerson},
	{"one approver twice", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, approved, [3]string{"issued", "bagus", "01:26"})
	}, ErrSamePerson},
	{"nobody approved", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, [3]string{"issued", "bagus", "01:26"})
	}, ErrSteps},
	{"nobody issued", func(t *testing.T, s *Signed) { rebuilt(t, s, "ministry", proposed, approved) }, ErrSteps},
	{"proposed twice", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, [3]string{"proposed", "bima", "01:20"}, approved, [3]string{"issued", "bagus", "01:26"})
	}, ErrSteps},
	{"a step that does not belong", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, [3]string{"issued", "bagus", "01:26"}, [3]string{"answered", "platform-client", "01:26"})
	}, ErrSteps},
	{"issued by the agency", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, [3]string{"issued", "bima", "01:26"})
	}, ErrParty},
	{"issued by a program", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, [3]string{"issued", "robot", "01:26"})
	}, ErrMethod},
	{"issued by the organisation's own key", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, [3]string{"issued", "ministry", "01:26"})
	}, ErrMethod},
	{"issued with a revoked key", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, [3]string{"issued", "revoked", "01:26"})
	}, ErrKeyTime},
	{"issued at the moment of revocation", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", [3]string{"proposed", "ratna", "01:18"}, [3]string{"approved", "sari", "01:19"}, [3]string{"issued", "revoked", "01:20"})
	}, ErrKeyTime},
	{"issued before the key held", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved, [3]string{"issued", "early", "01:24"})
	}, ErrKeyTime},
	{"approved before proposed", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, [3]string{"approved", "sari", "01:19"}, [3]string{"issued", "bagus", "01:26"})
	}, ErrTimes},
	{"steps in the wrong order", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, [3]string{"issued", "bagus", "01:24"}, approved)
	}, ErrTimes},
	{"sealed by the agency", func(t *testing.T, s *Signed) { sealAs(t, s, "agency") }, ErrParty},
	{"sealed with a person's key", func(t *testing.T, s *Signed) { sealAs(t, s, "bagus") }, ErrMethod},
	{"sealed with a key that nobody knows", func(t *testing.T, s *Signed) {
		if err := s.SealWith("kem-komunikasi", testKey("stranger")); err != nil {
			t.Fatal(err)
		}
	}, ErrUnknownKey},
	{"time of issue moved", func(_ *testing.T, s *Signed) { s.IssuedAt, s.Seal.At = moment("01:30"), moment("01:30") }, ErrSignature},
	{"seal of another time", func(_ *testing.T, s *Signed) { s.Seal.At = moment("01:27") }, ErrTimes},
	{"approver's name exchanged", func(_ *testing.T, s *Signed) { s.Approvals[1].Party = "kem-komunikasi" }, ErrKeyOwner},
	{"approval taken out", func(_ *testing.T, s *Signed) { s.Approvals = slices.Delete(s.Approvals, 1, 2) }, ErrSteps},
	{"approval added after the seal", func(_ *testing.T, s *Signed) {
		issued := s.Approvals[2]
		s.Approvals = s.Approvals[:2]
		s.by(StepApproved, "bima", "01:25")
		s.Approvals = append(s.Approvals, issued)
	}, ErrSignature},
	{"steps exchanged", func(t *testing.T, s *Signed) {
		s.Approvals[0].Step, s.Approvals[1].Step = StepApproved, StepProposed
		sealAs(t, s, "ministry")
	}, ErrTimes},
	{"signature of another notice", func(t *testing.T, s *Signed) {
		other := example(t, "notice-referral")
		other.by(StepApproved, "sari", "01:24")
		s.Approvals[1] = other.Approvals[0]
		sealAs(t, s, "ministry")
	}, ErrSignature},
	{"signature with a line end", func(_ *testing.T, s *Signed) { s.Seal.Value += "\n" }, ErrEncoding},
	{"a browser key called a passkey", func(t *testing.T, s *Signed) {
		rebuilt(t, s, "ministry", proposed, approved)
		s.by(StepIssued, "passkey", "01:26")
		p := &s.Approvals[2]
		p.RPID, p.Origin, p.ClientData, p.AuthenticatorData = "tangkal.example", "https://tangkal.example", "e30", "AAAA"
		sealAs(t, s, "ministry")
	}, ErrPasskey},
	{"document with a space", func(_ *testing.T, s *Signed) { s.Document = append(json.RawMessage(" "), s.Document...) }, ErrNotCanonical},
	{"document edited", func(_ *testing.T, s *Signed) {
		s.Document = bytes.Replace(s.Document, []byte(`"deadline_minutes":240`), []byte(`"deadline_minutes":239`), 1)
		s.Document = bytes.Replace(s.Document, []byte(`"remove_minutes":240`), []byte(`"remove_minutes":239`), 1)
	}, ErrSignature},
	{"document with a name twice", func(_ *testing.T, s *Signed) {
		s.Document = bytes.Replace(s.Document, []byte(`"v":1`), []byte(`"v":1,"v":1`), 1)
	}, ErrDuplicate},
	{"another version of the envelope", func(_ *testing.T, s *Signed) { s.V = 2 }, ErrVersion},
	{"a leaf in an envelope", func(t *testing.T, s *Signed) { *s = example(t, "leaf-notice") }, ErrKind},
	{"called an answer", func(_ *testing.T, s *Signed) { s.Kind = KindAnswer }, new(InvalidError)},
}

func TestEachForgeryIsRefusedForItsReason(t *testing.T) {
	t.Parallel()
	for _, f := range tamperings {
		s := signedOrder(t)
		f.do(t, &s)
		err := Verify(s, castKeys)
		var bad *InvalidError
		if _, wantInvalid := f.want.(*InvalidError); wantInvalid { //nolint:errorlint // the wanted error itself
			if !errors.As(err, &bad) {
				t.Errorf("%s: %v, want an InvalidError", f.what, err)
			}
		} else if !errors.Is(err, f.want) {
			t.Errorf("%s: %v, want %v", f.what, err, f.want)
		}
	}
}

func TestApprovalLaterThanIssueIsNamed(t *testing.T) {
	t.Parallel()
	s := signedOrder(t)
	rebuilt(t, &s, "ministry", proposed, approved, [3]string{"issued", "bagus", "01:27"})
	var bad *InvalidError
	if err := Verify(s, castKeys); !errors.As(err, &bad) || bad.Problems[0].Pointer != "/approvals/2/at" {
		t.Errorf("Verify = %v, want a problem at /approvals/2/at", err)
	}
}

func TestResolverThatGivesAnotherKeyIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := signedOrder(t)
	err := Verify(s, func(id string) (Key, error) {
		k, err := castKeys(id)
		k.Public = ed25519.PublicKey(bytes.Repeat([]byte{1}, 32))
		return k, err
	})
	if !errors.Is(err, ErrUnknownKey) {
		t.Errorf("Verify = %v, want %v", err, ErrUnknownKey)
	}
}

// T11 of the threat model: no mutated or truncated order verifies, unless what
// came out is the order itself.
func TestNoMutatedOrderVerifies(t *testing.T) {
	t.Parallel()
	raw, err := signedOrder(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 11 {
		for _, b := range [][]byte{raw[:i], slices.Concat(raw[:i], []byte{raw[i] ^ 1}, raw[i+1:])} {
			s, err := ParseSigned(b)
			if err != nil {
				continue
			}
			if err := Verify(s, castKeys); err == nil {
				t.Errorf("accepted with byte %d changed", i)
			}
		}
	}
}

func TestParseSignedRefusesWhatIsNotAnEnvelope(t *testing.T) {
	t.Parallel()
	good, err := signedOrder(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string]string{
		"unknown member": strings.Replace(string(good), `{"approvals"`, `{"also":1,"approvals"`, 1),
		"no seal":        `{"v":1,"kind":"notice","document":{},"approvals":[],"issued_at":"2026-11-19T01:26:00Z"}`,
		"seal by person": strings.Replace(string(good), `"method":"organisation"`, `"method":"browser-key"`, 1),
		"other version":  strings.TrimSuffix(string(good), `1}`) + `2}`,
	} {
		var bad *InvalidError
		if _, err := ParseSigned([]byte(raw)); !errors.As(err, &bad) {
			t.Errorf("%s: %v, want an InvalidError", what, err)
		}
	}
}
