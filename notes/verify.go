package notes

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
)

// Reasons for which [Verify] refuses an envelope.
var (
	ErrVersion      = errors.New("version of the envelope is not known")
	ErrNotCanonical = errors.New("document is not in canonical form")
	ErrSteps        = errors.New("steps are not those that the document needs")
	ErrTimes        = errors.New("times of the signatures are out of order")
	ErrUnknownKey   = errors.New("key is not known")
	ErrKeyTime      = errors.New("key did not hold at that time")
	ErrKeyOwner     = errors.New("key belongs to somebody else")
	ErrMethod       = errors.New("method of the signature does not count here")
	ErrSamePerson   = errors.New("two steps by one person or key")
	ErrParty        = errors.New("signer is not the organisation that the document names")
	ErrSignature    = errors.New("signature does not fit")
)

// Key is a published key, as it was when the signature says it was used.
type Key struct {
	Public []byte // Ed25519, 32 bytes (RFC 8032); of a passkey SubjectPublicKeyInfo in DER (RFC 5280)
	Party  string // organisation that holds it
	Person string // opaque and lasting id of the person; "" for an organisation's own key
	Method Method // how it signs; a browser key never counts as automation
	From   Time   // zero: always
	Until  Time   // first moment at which it no longer holds; zero: open

	// Passkeys only: what the key is bound to.
	RPID   string // relying party, as "tangkal.example"
	Origin string // of the pages that may ask it, as "https://tangkal.example"
}

// Keys finds a key by its [KeyID]. An unknown one is ErrUnknownKey.
type Keys func(keyID string) (Key, error)

// Verify says whether s can be trusted: its document is canonical and valid,
// every step that its kind needs is signed by a key that held at that time and
// belongs to the organisation that the document names, the steps of a notice
// are by distinct persons with distinct keys, and the organisation's seal holds
// everything together. A notice needs exactly one proposed and one issued and
// at least one approved, and all in this order in time. Errors wrap one of the
// Err values of this package, or are [*InvalidError]. A passkey signs by an
// assertion whose challenge is the digest (WebAuthn Level 3, section 7.2); its
// counter is for whoever takes it first, and is not checked again. An approval
// may be one over a batch that covers the notice; whether the drawn sample was
// large enough and opened, its instance knows alone.
func Verify(s Signed, keys Keys) error {
	if s.V != Version {
		return ErrVersion
	}
	canon, err := Canonical(s.Document)
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	if !bytes.Equal(canon, s.Document) {
		return ErrNotCanonical
	}
	rule, err := ruleFor(s)
	if err != nil {
		return err
	}
	if err := Validate(s.Kind, s.Document); err != nil {
		return err
	}
	seal, err := s.SealBytes()
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if err := Validate(KindSeal, seal); err != nil {
		return err
	}
	if err := rule.checkSteps(s.Approvals); err != nil {
		return err
	}
	if err := checkApprovals(s, rule, keys); err != nil {
		return err
	}
	return checkSeal(s, rule, Digest(KindSeal, seal), keys)
}

// rule is what the signatures of one document must be.
type rule struct {
	exactly  []Step          // one signature each
	least    []Step          // one signature each or more
	may      []Step          // any number
	party    map[Step]string // organisation that must have signed
	seal     string          // organisation that must have sealed
	distinct bool            // all by distinct persons
}

func ruleFor(s Signed) (rule, error) {
	var err error
	switch s.Kind {
	case KindNotice:
		var n Notice
		err = json.Unmarshal(s.Document, &n)
		return rule{
			exactly: []Step{StepProposed, StepIssued}, least: []Step{StepApproved}, may: []Step{StepAuthorised},
			party: map[Step]string{StepProposed: n.Proposer.ID, StepIssued: n.Issuer.ID},
			seal:  n.Issuer.ID, distinct: true,
		}, err
	case KindDossier:
		var d Dossier
		err = json.Unmarshal(s.Document, &d)
		return rule{
			exactly: []Step{StepProposed}, may: []Step{StepApproved},
			party: map[Step]string{StepProposed: d.From.ID, StepApproved: d.From.ID},
			seal:  d.From.ID, distinct: true,
		}, err
	case KindAssessment:
		var a Assessment
		err = json.Unmarshal(s.Document, &a)
		return rule{
			exactly: []Step{StepAssessed},
			party:   map[Step]string{StepAssessed: a.Agency.ID}, seal: a.Agency.ID, distinct: true,
		}, err
	case KindAnswer:
		var a Answer
		err = json.Unmarshal(s.Document, &a)
		return rule{least: []Step{StepAnswered}, party: map[Step]string{StepAnswered: a.Party}, seal: a.Party}, err
	case KindReceipt:
		var r Receipt
		err = json.Unmarshal(s.Document, &r)
		return rule{exactly: []Step{StepReceived}, party: map[Step]string{StepReceived: r.Party}, seal: r.Party}, err
	default:
		return rule{}, fmt.Errorf("%w in an envelope: %q", ErrKind, clip(string(s.Kind)))
	}
}

func (r rule) checkSteps(approvals []Signature) error {
	count := map[Step]int{}
	for _, a := range approvals {
		count[a.Step]++
	}
	total := 0
	for _, s := range r.exactly {
		if count[s] != 1 {
			return fmt.Errorf("%w: %d times %q, must be once", ErrSteps, count[s], s)
		}
		total++
	}
	for _, s := range r.least {
		if count[s] == 0 {
			return fmt.Errorf("%w: no %q", ErrSteps, s)
		}
		total += count[s]
	}
	for _, s := range r.may {
		total += count[s]
	}
	if total != len(approvals) {
		return fmt.Errorf("%w: a step that does not belong here", ErrSteps)
	}
	return nil
}

// order of the steps of one document in time.
func (s Step) order() int {
	switch s {
	case StepApproved, StepAuthorised:
		return 1
	case StepIssued:
		return 2
	default:
		return 0
	}
}

func checkApprovals(s Signed, r rule, keys Keys) error {
	digest := s.Digest()
	seen := map[string]bool{}
	for i, a := range s.Approvals {
		if i > 0 {
			before := s.Approvals[i-1]
			if a.Step.order() < before.Step.order() || a.At.Before(before.At.Time) {
				return fmt.Errorf("%s: %w", a.Step, ErrTimes)
			}
		}
		if want, ok := r.party[a.Step]; ok && a.Party != want {
			return fmt.Errorf("%s: %w", a.Step, ErrParty)
		}
		if a.Method == MethodOrganisation {
			return fmt.Errorf("%s: %w: a person or program signs, not the organisation", a.Step, ErrMethod)
		}
		over, err := signedBy(s, a, digest)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Step, err)
		}
		key, err := checkSignature(a, over, keys)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Step, err)
		}
		if !r.distinct {
			continue
		}
		if key.Person == "" {
			return fmt.Errorf("%s: %w: the key is no person's", a.Step, ErrMethod)
		}
		if seen["person "+key.Person] || seen["key "+a.Key] {
			return fmt.Errorf("%s: %w", a.Step, ErrSamePerson)
		}
		seen["person "+key.Person], seen["key "+a.Key] = true, true
	}
	return nil
}

// signedBy is the digest that a is made over: that of the document, or that of
// a batch of notices which covers it.
func signedBy(s Signed, a Signature, digest [32]byte) ([32]byte, error) {
	if a.Batch == nil {
		return digest, nil
	}
	if s.Kind != KindNotice || a.Step != StepApproved || a.Batch.Party != a.Party {
		return digest, fmt.Errorf("%w: only its own organisation's approval of a notice may be one", ErrBatch)
	}
	var n Notice
	if err := json.Unmarshal(s.Document, &n); err != nil {
		return digest, err
	}
	if err := a.Batch.Covers(n, digest); err != nil {
		return digest, err
	}
	canon, err := a.Batch.Canonical()
	if err != nil {
		return digest, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	return Digest(KindBatch, canon), nil
}

func checkSeal(s Signed, r rule, digest [32]byte, keys Keys) error {
	switch a := s.Seal; {
	case a.Step != StepSealed:
		return fmt.Errorf("seal: %w: %q", ErrSteps, clip(string(a.Step)))
	case a.Method != MethodOrganisation:
		return fmt.Errorf("seal: %w", ErrMethod)
	case a.Party != r.seal:
		return fmt.Errorf("seal: %w", ErrParty)
	case !a.At.Equal(s.IssuedAt.Time):
		return fmt.Errorf("seal: %w: made at another time than issued_at", ErrTimes)
	}
	if _, err := checkSignature(s.Seal, digest, keys); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// checkSignature finds the key, asks whether it may sign this, and only then
// whether the signature fits.
func checkSignature(a Signature, digest [32]byte, keys Keys) (Key, error) {
	key, err := keys(a.Key)
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("key %s: %w", clip(a.Key), err)
	case KeyID(key.Public) != a.Key:
		return Key{}, fmt.Errorf("key %s: %w", clip(a.Key), ErrUnknownKey)
	case key.Party != a.Party:
		return Key{}, ErrKeyOwner
	case key.Method != a.Method:
		return Key{}, ErrMethod
	case a.At.Before(key.From.Time) || !key.Until.IsZero() && !a.At.Before(key.Until.Time):
		return Key{}, ErrKeyTime
	}
	if err := CheckSignature(a, key, digest); err != nil {
		return Key{}, err
	}
	return key, nil
}

// CheckSignature says whether a, by key's method, is key's signature over
// digest. Whose key it is and whether it held is not looked at.
func CheckSignature(a Signature, key Key, digest [32]byte) error {
	if key.Method == MethodPasskey {
		return checkAssertion(a, key, digest)
	}
	if a.RPID != "" || a.Origin != "" || a.ClientData != "" || a.AuthenticatorData != "" {
		return fmt.Errorf("%w: a passkey's fields", ErrMethod)
	}
	value, err := decode64("value", a.Value)
	if err != nil {
		return err
	}
	if len(key.Public) != ed25519.PublicKeySize {
		return ErrUnknownKey
	}
	if !ed25519.Verify(key.Public, digest[:], value) {
		return ErrSignature
	}
	return nil
}
