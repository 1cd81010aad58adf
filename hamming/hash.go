package hamming

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// MaxRadius is the largest radius that an [Index] searches. It is the distance
// at which the matching rule of PDQ calls two pictures the same.
const MaxRadius = 31

// Hash is 256 bits. Which bit stands where does not matter, as long as it is the
// same for all.
type Hash [32]byte

// ParseHash reads 64 hexadecimal digits, upper or lower case.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(len(h)) {
		return Hash{}, fmt.Errorf("hamming: a hash has 64 hexadecimal digits, not %d characters", len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("hamming: read hash: %w", err)
	}
	return h, nil
}

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Distance returns the number of bits, 0 to 256, in which h and o differ.
func (h Hash) Distance(o Hash) int { return h.words().distance(o.words()) }

// words is a hash as four words, the form in which everything is computed.
type words [4]uint64

func (h Hash) words() words {
	return words{
		binary.LittleEndian.Uint64(h[0:]), binary.LittleEndian.Uint64(h[8:]),
		binary.LittleEndian.Uint64(h[16:]), binary.LittleEndian.Uint64(h[24:]),
	}
}

func (w words) hash() (h Hash) {
	for i, v := range w {
		binary.LittleEndian.PutUint64(h[8*i:], v)
	}
	return h
}

func (w words) distance(o words) int {
	return bits.OnesCount64(w[0]^o[0]) + bits.OnesCount64(w[1]^o[1]) +
		bits.OnesCount64(w[2]^o[2]) + bits.OnesCount64(w[3]^o[3])
}

// ID is the number of an entry: given by the index in ascending order from 1,
// never twice. 0 is no entry.
type ID uint64

// Sets are the subsets, or banks, that an entry belongs to, one a bit. What
// they mean is the caller's. An entry in no set is deleted.
type Sets uint32

// All is every set.
const All = ^Sets(0)

// Match is one entry found.
type Match struct {
	ID       ID
	Distance int  // bits in which it differs from the query, at most the radius
	Sets     Sets // the sets it is in, also those that were not asked for
}
