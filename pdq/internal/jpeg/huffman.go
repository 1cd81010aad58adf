package jpeg

import "encoding/binary"

// peek is how many bits the first table of a code looks at.
const peek = 10

// A table decodes one Huffman code.
type table struct {
	known bool
	// quick has, for the next bits: the length of what they begin with in bits 0
	// to 4, the symbol in bits 8 to 15; and if the value that follows the symbol
	// lies within them too, bit 7 is set, the length includes it, and the value
	// stands in the upper half. Zero where the code is longer.
	quick [1 << peek]uint32
	// For longer codes: the first code that is longer than the index, left-aligned
	// in 16 bits; and where the symbols of a length begin.
	limit   [18]uint32
	offset  [17]int32
	symbols [256]byte
}

// make builds the table from the number of codes of each length and their
// symbols. T.81, C.2. A code that is over-full decodes something.
func (t *table) make(counts *[16]byte, symbols []byte) {
	t.known = true
	clear(t.quick[:])
	t.symbols = [256]byte{}
	copy(t.symbols[:], symbols)
	code, k := uint32(0), 0
	for length := 1; length <= 16; length++ {
		t.offset[length] = int32(k) - int32(code) //nolint:gosec // both below 1<<17
		for range counts[length-1] {
			if length <= peek && code < 1<<length {
				t.fill(code, length, t.symbols[k])
			}
			code++
			k++
		}
		t.limit[length] = min(code<<(16-length), 1<<16)
		code <<= 1
	}
	t.limit[17] = 1 << 16
}

// fill enters a code into the quick table, with the values that may follow.
func (t *table) fill(code uint32, length int, symbol byte) {
	free := peek - length
	size := int(symbol & 15)
	for rest := range uint32(1) << free {
		e := uint32(symbol)<<8 | uint32(length) //nolint:gosec // at most 10
		if size > 0 && size <= free {
			v := extend(int32(rest>>(free-size)), size)                                //nolint:gosec // below 1<<10
			e = uint32(uint16(v))<<16 | uint32(symbol)<<8 | 0x80 | uint32(length+size) //nolint:gosec // cut to 16 bits on purpose
		}
		t.quick[code<<free|rest] = e
	}
}

// extend returns the value that size bits, at least one, stand for. T.81,
// F.2.2.1.
func extend(v int32, size int) int32 {
	below := (v - 1<<((size-1)&31)) >> 31 // all ones for those that begin with 0
	return v + below&(1-1<<(size&31))
}

// long decodes the next symbol of which no table knows the beginning, and tells
// its length. It is for codes longer than peek bits, and for none at all.
func (t *table) long(acc uint64) (symbol byte, length int) {
	v := uint32(acc >> 48)
	for l := 1; l <= 16; l++ {
		if v < t.limit[l] {
			return t.symbols[uint8(int32(v>>(16-l))+t.offset[l])], l //nolint:gosec // below 256 by construction
		}
	}
	return 0, 16 // no such code
}

// bits are the bits of a scan: the next one is the highest of acc. Behind the
// end, or before a marker, come zeros without end; pad counts them. The loops
// that cost time hold acc and n in variables of their own.
type bits struct {
	acc uint64
	n   int // valid bits in acc
	pad int // zeros among them, at most
}

// short reports whether bits were used that the file does not have.
func (b *bits) short() bool { return b.pad > b.n }

// refill brings n to more than 32.
func (d *Decoder) refill(acc uint64, n int) (_ uint64, _ int) {
	if d.pos+4 <= len(d.data) {
		v := binary.BigEndian.Uint32(d.data[d.pos:])
		if x := ^v; (x-0x01010101)&v&0x80808080 == 0 { // no byte is 0xff
			d.pos += 4
			return acc | uint64(v)<<((32-n)&63), n + 32
		}
	}
	return d.refillSlowly(acc, n)
}

func (d *Decoder) refillSlowly(acc uint64, n int) (_ uint64, _ int) {
	for n <= 48 {
		var v byte
		switch rest := d.data[min(d.pos, len(d.data)):]; {
		case len(rest) > 0 && rest[0] != 0xff:
			v = rest[0]
			d.pos++
		case len(rest) > 1 && rest[1] == 0:
			v = 0xff
			d.pos += 2
		default:
			d.bits.pad += 8
		}
		acc |= uint64(v) << ((56 - n) & 63)
		n += 8
	}
	return acc, n
}

// symbol decodes the next symbol and makes sure of 16 more bits.
func (d *Decoder) symbol(t *table) byte {
	b := &d.bits
	if b.n <= 32 {
		b.acc, b.n = d.refill(b.acc, b.n)
	}
	e := t.quick[b.acc>>(64-peek)]
	symbol, l := byte(e>>8), int(e&31) //nolint:gosec // the second of four bytes
	if e == 0 {
		symbol, l = t.long(b.acc)
	} else if e&0x80 != 0 {
		l -= int(symbol & 15) // the value too is known, but not wanted here
	}
	b.acc <<= l & 63
	b.n -= l
	return symbol
}

// take returns the next bits, at most 16; they must be there.
func (b *bits) take(size int) int32 {
	v := int32(b.acc >> (64 - size)) //nolint:gosec // at most 16 bits
	b.acc <<= size & 63
	b.n -= size
	return v
}

// difference reads by how much the first coefficient differs from the last
// one's.
func (d *Decoder) difference(t *table) int32 {
	size := int(d.symbol(t) & 15)
	if size == 0 {
		return 0
	}
	return extend(d.bits.take(size), size)
}
