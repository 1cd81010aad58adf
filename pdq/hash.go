package pdq

import (
	"encoding/hex"
	"math/bits"
)

// Size is the length of a hash in bytes.
const Size = 32

// A Hash is 256 bits in the order of their text: the first byte is written
// first. Bit k of the reference (row k/16, column k%16 of the spectrum) is bit
// k%8 of byte 31-k/8.
type Hash [Size]byte

// Parse reads 64 hexadecimal digits, in either case. The error is an [*Error]
// with the reason [BadHash].
func Parse(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*Size {
		return h, &Error{Reason: BadHash}
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, &Error{Reason: BadHash}
	}
	return h, nil
}

// String returns the 64 lower-case hexadecimal digits that other programs
// exchange.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// AppendText appends what String returns.
func (h Hash) AppendText(b []byte) ([]byte, error) { return hex.AppendEncode(b, h[:]), nil }

// MarshalText returns what String returns.
func (h Hash) MarshalText() ([]byte, error) { return h.AppendText(nil) }

// UnmarshalText is Parse.
func (h *Hash) UnmarshalText(text []byte) error {
	got, err := Parse(string(text))
	if err == nil {
		*h = got
	}
	return err
}

// Distance returns in how many of the 256 bits a and b differ. Two hashes match
// at MatchDistance or less; hashes of unrelated pictures are about 128 apart.
func Distance(a, b Hash) int {
	n := 0
	for i := 0; i < Size; i += 8 {
		n += bits.OnesCount64(word(a[i:]) ^ word(b[i:]))
	}
	return n
}

// word reads eight bytes; the order does not matter for counting.
func word(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// MatchDistance is the largest distance at which two hashes are taken for the
// same picture: the reference's rule.
const MatchDistance = 31

// MinQuality is the least quality at which a hash is worth keeping or asking
// for. Pictures with few edges, such as a plain background, get a lower one:
// their hashes say little and collide. The reference's rule: 49 and less is
// dropped.
const MinQuality = 50
