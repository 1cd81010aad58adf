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

// extend returns the value that size bits stand for. T.81, F.2.2.1.
func extend(v int32, size int) int32 {
	if v < 1<<(size-1) {
		return v - 1<<size + 1
	}
	return v
}

// bits are the bits of a scan: the next one is the highest of acc. Behind the
// end, or before a marker, come zeros without end; pad counts them.
type bits struct {
	acc uint64
	n   int // valid bits in acc
	pad int // zeros among them, at most
}

func (d *Decoder) resetBits() { d.bits = bits{} }

// short reports whether bits were used that the file does not have.
func (b *bits) short() bool { return b.pad > b.n }

// fill brings n to more than 32.
func (d *Decoder) fill(b *bits) {
	if d.pos+4 <= len(d.data) {
		v := binary.BigEndian.Uint32(d.data[d.pos:])
		if x := ^v; (x-0x01010101)&v&0x80808080 == 0 { // no byte is 0xff
			b.acc |= uint64(v) << (32 - b.n)
			b.n += 32
			d.pos += 4
			return
		}
	}
	d.fillSlowly(b)
}

func (d *Decoder) fillSlowly(b *bits) {
	for b.n <= 48 {
		var v byte
		if d.pos < len(d.data) {
			v = d.data[d.pos]
			if v != 0xff {
				d.pos++
			} else if d.pos+1 < len(d.data) && d.data[d.pos+1] == 0 {
				d.pos += 2
			} else {
				v = 0
				b.pad += 8
			}
		} else {
			b.pad += 8
		}
		b.acc |= uint64(v) << (56 - b.n)
		b.n += 8
	}
}

// symbol decodes the next symbol; there are at least 16 bits.
func (b *bits) symbol(t *table) byte {
	if e := t.quick[b.acc>>(64-peek)]; e != 0 && e&0x80 == 0 {
		l := int(e & 31)
		b.acc <<= l
		b.n -= l
		return byte(e >> 8) //nolint:gosec // the second of four bytes
	}
	return b.longSymbol(t)
}

func (b *bits) longSymbol(t *table) byte {
	v := uint32(b.acc >> 48)
	for l := 1; l <= 16; l++ {
		if v < t.limit[l] {
			b.acc <<= l
			b.n -= l
			return t.symbols[uint8(int32(v>>(16-l))+t.offset[l])] //nolint:gosec // below 256 by construction
		}
	}
	b.acc <<= 16 // no such code
	b.n -= 16
	return 0
}

// take returns the next bits, at most 16.
func (b *bits) take(size int) int32 {
	v := int32(b.acc >> (64 - size)) //nolint:gosec // at most 16 bits
	b.acc <<= size
	b.n -= size
	return v
}

// value returns the value that the next bits stand for.
func (b *bits) value(size int) int32 {
	if size == 0 {
		return 0
	}
	return extend(b.take(size), size)
}
