package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"unicode"

	"github.com/tangkal/tangkal/internal/db"
)

const (
	// alikeWords is from how many words on a text can be told to be a copy: what
	// is shorter, many write by themselves.
	alikeWords = 10
	// alikeMarks is how many marks a text has, alikeBytes how long each is.
	alikeMarks = 4
	alikeBytes = 8
)

// Marks are what a report has in common with others wherever they point. They
// are kept until the case of the report is made, and tell a burst of reports
// apart; nothing else rests on them. The zero Marks are those of a report that
// comes from somebody who is known, or has been looked at.
type Marks struct {
	Site   []byte   // the platform, or the domain that was registered
	Listed bool     // it is a platform that is known
	Words  [][]byte // of the text, see wordsOf; nil for a short one
	Bare   bool     // there is no text
}

// marksOf returns the marks of a report by somebody who is not known.
func (r *Room) marksOf(s Submission, locations []found) []byte {
	if s.Bulk || s.From != "" || !slices.Contains([]Channel{Web, API, Mail}, s.Channel) || len(locations) == 0 {
		return nil
	}
	at := locations[0]
	m := Marks{Listed: at.Platform != "", Bare: s.Description == "", Words: r.wordsOf(s.Description)}
	site := "platform/" + at.Platform
	if !m.Listed {
		site = "site/" + at.site
	}
	m.Site = r.vault.MAC("report-site", []byte(site))[:alikeBytes]
	return m.bytes()
}

// wordsOf returns the marks of a text, four times as wordingOf makes one, from
// four parts of each hash: copies that differ in one word of twenty-two share
// one at least but for one in two thousand, where one mark alone misses one in
// seven. Texts that people write by themselves share none.
func (r *Room) wordsOf(text string) [][]byte {
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) })
	words = words[:min(len(words), wordsMost)]
	if len(words) < alikeWords {
		return nil
	}
	key := r.vault.MAC("report-wording", nil)
	least := make([][]byte, alikeMarks)
	for i := range len(words) - shingle + 1 {
		sum := sha256.Sum256(append(bytes.Clone(key), strings.Join(words[i:i+shingle], " ")...))
		for j := range least {
			part := sum[j*alikeBytes : (j+1)*alikeBytes]
			if least[j] == nil || bytes.Compare(part, least[j]) < 0 {
				least[j] = slices.Clone(part)
			}
		}
	}
	return least
}

const (
	markListed = 1 << iota
	markBare
)

// bytes is how marks are stored: flags, the site, the words.
func (m Marks) bytes() []byte {
	flags := byte(0)
	if m.Listed {
		flags |= markListed
	}
	if m.Bare {
		flags |= markBare
	}
	return slices.Concat([]byte{flags}, m.Site, bytes.Join(m.Words, nil))
}

// readMarks reads what bytes made; anything else has no marks.
func readMarks(b []byte) (m Marks) {
	if len(b) < 1+alikeBytes || (len(b)-1)%alikeBytes != 0 {
		return m
	}
	m.Listed, m.Bare, m.Site = b[0]&markListed != 0, b[0]&markBare != 0, b[1:1+alikeBytes]
	for w := range slices.Chunk(b[1+alikeBytes:], alikeBytes) {
		m.Words = append(m.Words, w)
	}
	return m
}

// ForgetMarksTx drops the marks of a report: whoever holds the database later
// does not see which reports read alike.
func (r *Room) ForgetMarksTx(ctx context.Context, tx *db.Tx, id ID) error {
	return tx.Send(ctx, `UPDATE reports SET marks = NULL WHERE id = $1`, id)
}
