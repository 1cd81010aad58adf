package report

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"unicode"
)

const (
	// shingle is how many words in a row are compared.
	shingle = 3
	// wordsMost bounds how much of a text is compared.
	wordsMost = 400
	// wordingBytes is the length of a wording's mark.
	wordingBytes = 8
)

// wordingOf returns what a text shares with the like of it: the smallest hash,
// under a key of the instance, of three words in a row (Broder, "On the
// resemblance and containment of documents", 1997). Two texts have the same one
// about as often as their words agree, so that a template is known again
// under another greeting: of copies that differ in one word of twenty-two, six
// of seven in the mean, and under one key in some fifty fewer than half. A text
// without words has none.
func (r *Room) wordingOf(text string) []byte {
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) })
	words = words[:min(len(words), wordsMost)]
	key := r.vault.MAC("report-wording", nil)
	var least []byte
	for i := range max(min(len(words), 1), len(words)-shingle+1) {
		some := strings.Join(words[i:min(i+shingle, len(words))], " ")
		sum := sha256.Sum256(append(bytes.Clone(key), some...))
		if least == nil || bytes.Compare(sum[:], least) < 0 {
			least = sum[:]
		}
	}
	return least
}

// wordingAt returns the mark that is stored of a wording: whoever holds the
// database sees which reports of one location read alike, and neither their
// words nor who reads alike elsewhere. Nil is no wording.
func (r *Room) wordingAt(wording []byte, id LocationID) []byte {
	if wording == nil {
		return nil
	}
	return r.vault.MAC("report-wording-at", append([]byte(id+"/"), wording...))[:wordingBytes]
}
