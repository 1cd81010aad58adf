package auth

import (
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// touchFor is how long a touch counts: enough for a few such acts in a row, and
// too short for whoever finds the desk unlocked.
const touchFor = 5 * time.Minute

// A Proof is what an act asks of its actor besides rights: that the person is
// there themselves, now (threat-model T10). A program's key never is.
type Proof string

// The proofs.
const (
	NoProof Proof = ""
	// Touch is a passkey touched in this session within touchFor, or, for who
	// has none, the key that signs them in used once more.
	Touch Proof = "touch"
	// Signature is one over the digest of exactly what is decided, which the
	// room checks: it is a touch of its own.
	Signature Proof = "signature"
)

// ProofOf returns what the table asks for an act.
func ProofOf(act Act) Proof {
	for _, r := range table {
		if r.Act == act {
			return r.Proof
		}
	}
	return NoProof
}

// MayNow is May for whoever is about to do act and does not only ask: an act
// that needs a touch is refused without one.
func MayNow(a party.Actor, act Act, o Object) error {
	if err := May(a, act, o); err != nil {
		return err
	}
	return Present(a, act)
}

// Present returns nil if the actor has shown what act asks for, else a Denied
// fault: auth.touch for who can, auth.never-by-key for a program.
func Present(a party.Actor, act Act) error {
	switch {
	case ProofOf(act) != Touch || a.Touched:
		return nil
	case a.APIKey != "":
		return fault.New(fault.Denied, "auth.never-by-key", "Act", string(act))
	default:
		return fault.New(fault.Denied, "auth.touch", "Act", string(act))
	}
}
