package notes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// orderInABatch is the order of the examples, approved together with others.
// But changes the batch before it is signed.
func orderInABatch(t testing.TB, but func(*Batch)) Signed {
	t.Helper()
	s := example(t, "notice-id-order")
	var n Notice
	if err := json.Unmarshal(s.Document, &n); err != nil {
		t.Fatal(err)
	}
	b := Batch{
		V: Version, Instance: n.Instance, ID: "019a9c3e-7b1a-7c11-9d51-0a1b2c3d4e5f", Party: "tangkal-daring", Kind: n.Kind,
		Addressee: n.Addressee.Party, Platform: n.Items[0].Platform, Grounds: slices.Clone(n.Grounds), Tier: n.Tier,
		Notices: []string{fmt.Sprintf("%064x", 1), Hex(s.Digest()), fmt.Sprintf("%064x", 2)}, Sample: []int{1, 2},
	}
	if but != nil {
		but(&b)
	}
	s.by(StepProposed, "ratna", "01:20")
	s.by(StepApproved, "sari", "01:24")
	a := &s.Approvals[1]
	a.Batch = &b
	canon, err := Canonical(b)
	if err != nil {
		t.Fatal(err)
	}
	a.Value = SignDigest(testKey("sari"), Digest(KindBatch, canon))
	s.by(StepIssued, "bagus", "01:26")
	sealAs(t, &s, "ministry")
	return s
}

// One signature over a list approves each notice of the list, and nothing else:
// not one that is missing from it, of another kind, ground, platform or tier, nor
// what was put into the list after it was signed.
func TestABatchApprovesWhatIsInItAndAlike(t *testing.T) {
	t.Parallel()
	if err := Verify(orderInABatch(t, nil), castKeys); err != nil {
		t.Fatal(err)
	}
	for name, but := range map[string]func(*Batch){
		"not in the list":            func(b *Batch) { b.Notices[1] = fmt.Sprintf("%064x", 7) },
		"of another instance":        func(b *Batch) { b.Instance = "OTHER" },
		"another kind":               func(b *Batch) { b.Kind = Referral },
		"another ground":             func(b *Batch) { b.Grounds = []Ground{GroundThreaten} },
		"a ground more":              func(b *Batch) { b.Grounds = append(b.Grounds, GroundThreaten) },
		"another platform":           func(b *Batch) { b.Platform = "kabarkita" },
		"another addressee":          func(b *Batch) { b.Addressee = "kabarkita" },
		"another tier":               func(b *Batch) { b.Tier = TierThreatToLife },
		"another organisation":       func(b *Batch) { b.Party = "kem-komunikasi" },
		"a sample that is not in it": func(b *Batch) { b.Sample = []int{1, 4} },
		"a sample out of order":      func(b *Batch) { b.Sample = []int{2, 1} },
	} {
		if err := Verify(orderInABatch(t, but), castKeys); !errors.Is(err, ErrBatch) {
			t.Errorf("%s: %v, want %v", name, err, ErrBatch)
		}
	}
	for name, but := range map[string]func(*Batch){
		"one notice alone": func(b *Batch) { b.Notices, b.Sample = b.Notices[1:2], []int{1} },
		"no sample":        func(b *Batch) { b.Sample = nil },
		"201 notices": func(b *Batch) {
			for i := range MaxBatch - 2 {
				b.Notices = append(b.Notices, fmt.Sprintf("%064x", 100+i))
			}
		},
		"one of them twice": func(b *Batch) { b.Notices[2] = b.Notices[0] },
	} {
		var bad *InvalidError
		if err := Verify(orderInABatch(t, but), castKeys); !errors.As(err, &bad) {
			t.Errorf("%s: %v, want an InvalidError", name, err)
		}
	}
}

// A batch that was changed after the signature, a signature over the batch that
// hides the batch, and a batch on another step count for nothing.
func TestABatchIsHeldToItsSignature(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]struct {
		do   func(*Signed)
		want error
	}{
		"a notice exchanged": {func(s *Signed) { s.Approvals[1].Batch.Notices[0] = fmt.Sprintf("%064x", 9) }, ErrSignature},
		"another sample":     {func(s *Signed) { s.Approvals[1].Batch.Sample = []int{1, 3} }, ErrSignature},
		"another draw":       {func(s *Signed) { s.Approvals[1].Batch.ID = "019a9c3e-7b1a-7c11-9d51-0a1b2c3d4e61" }, ErrSignature},
		"the batch left out": {func(s *Signed) { s.Approvals[1].Batch = nil }, ErrSignature},
		"a batch proposed":   {func(s *Signed) { s.Approvals[0].Batch = s.Approvals[1].Batch }, new(InvalidError)},
		"the notice's own signature beside a batch": {func(s *Signed) {
			s.Approvals[1].Value = SignDigest(testKey("sari"), s.Digest())
		}, ErrSignature},
	} {
		s := orderInABatch(t, nil)
		f.do(&s)
		sealAs(t, &s, "ministry")
		err := Verify(s, castKeys)
		var bad *InvalidError
		if _, invalid := f.want.(*InvalidError); invalid && errors.As(err, &bad) { //nolint:errorlint // the wanted error itself
			continue
		}
		if !errors.Is(err, f.want) {
			t.Errorf("%s: %v, want %v", name, err, f.want)
		}
	}
}

// Batches of 200 by passkeys fit into one envelope sixteen times.
func TestTheLargestBatchFitsIntoAnEnvelope(t *testing.T) {
	t.Parallel()
	b := Batch{V: Version, Instance: "DEMO", ID: "019a9c3e-7b1a-7c11-9d51-0a1b2c3d4e5f", Party: "tangkal-daring", Kind: RemovalOrder, Addressee: "ruangsuara", Platform: "ruangsuara", Grounds: Grounds(), Tier: TierDesignation}
	for i := range MaxBatch {
		b.Notices, b.Sample = append(b.Notices, fmt.Sprintf("%064x", i)), append(b.Sample, i+1)
	}
	canon, err := b.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	const passkey = 3 * 4096 // its longest fields, as the schema has them
	if n := 16 * (len(canon) + passkey); n > maxSignedBytes-MaxBytes {
		t.Errorf("16 signatures may have %d bytes, the envelope has room for %d", n, maxSignedBytes-MaxBytes)
	}
}
