package db

import "crypto/hmac"

// A Sealer makes and checks the MACs of rows under a key that is not in the
// database: whoever can only write rows cannot make one. It is safe for
// concurrent use.
type Sealer struct {
	mac     func(purpose string, data []byte) []byte
	altered func(table, id string)
}

// SealWith gives d the key under which rows are sealed: mac is HMAC-SHA-256,
// with a key of its own for each purpose. altered, if not nil, is told of every
// row that is read and does not hold; it is called often for the same, and must
// be quick. Call it once, before rows are read.
func (d *DB) SealWith(mac func(purpose string, data []byte) []byte, altered func(table, id string)) {
	if altered == nil {
		altered = func(string, string) {}
	}
	d.sealer = &Sealer{mac, altered}
}

// Seal returns the MAC over a row's values; see Spell for what they may be.
func (s *Sealer) Seal(table string, values ...any) []byte {
	if s == nil {
		panic("db: rows are sealed and read after SealWith only")
	}
	return s.mac("row/"+table, Spell(values...))
}

// Holds reports whether mac is the MAC over the row's values.
func (s *Sealer) Holds(table, id string, mac []byte, values ...any) bool {
	ok := hmac.Equal(mac, s.Seal(table, values...))
	if !ok {
		s.altered(table, id)
	}
	return ok
}

// Sealer returns what seals the rows of d, nil before SealWith.
func (d *DB) Sealer() *Sealer { return d.sealer }

// Sealer returns what seals the rows of t's database, nil before SealWith.
func (t *Tx) Sealer() *Sealer { return t.sealer }
