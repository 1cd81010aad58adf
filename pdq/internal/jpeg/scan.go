package jpeg

// zigzag tells where the coefficients stand in a block. T.81, figure A.6. The
// further ones are where a run too long leads.
var zigzag = [64 + 16]byte{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
}

// columnsUpTo has, for the last coefficient of a block, how many columns hold
// anything.
var columnsUpTo = func() (t [64 + 16]int) {
	for k := range t {
		t[k] = int(zigzag[k]&7) + 1
		if k > 0 {
			t[k] = max(t[k], t[k-1])
		}
	}
	return t
}()

// A scanHeader is T.81, B.2.3.
type scanHeader struct {
	components  []*component
	first, last int // of the spectrum
	high, low   int // successive approximation
}

// scan reads one scan; it is false if the scan holds nothing that is wanted.
func (d *Decoder) scan(s []byte) (bool, error) {
	h, ok := d.scanHeader(s)
	if !ok {
		d.partial = true
		return false, nil
	}
	wanted := false
	for _, c := range h.components {
		wanted = wanted || c.wanted
		if !d.header.Progressive && !d.quantKnown[c.quant] {
			return false, ErrDamaged
		}
		lend(&d.dcs[c.dcTable], &standardDC, c.dcTable)
		lend(&d.acs[c.acTable], &standardAC, c.acTable)
	}
	if !wanted {
		return false, nil // the next marker is looked for behind the data
	}
	block := d.baseline
	if d.header.Progressive {
		block = h.progressive(d)
		if block == nil {
			d.partial = true
			return false, nil
		}
	}
	if d.work -= d.cost(&h); d.work < 0 {
		d.partial = true
		return false, nil
	}
	d.walk(&h, block)
	for _, c := range h.components {
		c.seen = true
	}
	return true, nil
}

// cost returns how many blocks a scan goes over.
func (d *Decoder) cost(h *scanHeader) int {
	if len(h.components) == 1 {
		return h.components[0].realWide * h.components[0].realHigh
	}
	n := 0
	for _, c := range h.components {
		n += c.wide * c.high
	}
	return n
}

func (d *Decoder) scanHeader(s []byte) (h scanHeader, ok bool) {
	if len(s) < 1 {
		return h, false
	}
	n := int(s[0])
	if n < 1 || n > d.header.Components || len(s) < 4+2*n {
		return h, false
	}
	for i := range n {
		id, tables := s[1+2*i], s[2+2*i]
		var c *component
		for j := range d.header.Components {
			if d.components[j].id == id {
				c = &d.components[j]
			}
		}
		if c == nil || tables>>4 > 3 || tables&15 > 3 {
			return h, false
		}
		for _, other := range h.components {
			if other == c {
				return h, false
			}
		}
		c.dcTable, c.acTable = tables>>4, tables&15
		h.components = append(h.components, c)
	}
	s = s[1+2*n:]
	h.first, h.last, h.high, h.low = int(s[0]), int(s[1]), int(s[2]>>4), int(s[2]&15)
	return h, true
}

// A blockFunc reads a block's part of the scan.
type blockFunc func(c *component, bx, by int)

// walk goes over all blocks of a scan: of one component in its own order, of
// several in units. T.81, A.2.
func (d *Decoder) walk(h *scanHeader, block blockFunc) {
	d.restart(h)
	wide, high := d.unitsWide, d.unitsHigh
	alone := len(h.components) == 1
	if alone {
		wide, high = h.components[0].realWide, h.components[0].realHigh
	}
	left, expected := d.restartEvery, byte(0)
	for uy := range high {
		for ux := range wide {
			if d.restartEvery > 0 && left == 0 {
				if !d.resync(expected) {
					d.partial = true
					return
				}
				d.restart(h)
				left, expected = d.restartEvery, (expected+1)&7
			}
			left--
			if d.bits.short() {
				d.partial = true
				if d.restartEvery == 0 {
					return
				}
				continue
			}
			if alone {
				block(h.components[0], ux, uy)
				continue
			}
			for _, c := range h.components {
				for v := range c.v {
					for x := range c.h {
						block(c, ux*c.h+x, uy*c.v+v)
					}
				}
			}
		}
	}
	d.partial = d.partial || d.bits.short()
}

// restart forgets what blocks leave to the next.
func (d *Decoder) restart(h *scanHeader) {
	d.bits = bits{}
	d.eobRun = 0
	for _, c := range h.components {
		c.dc = 0
	}
}

// resync goes to the restart marker that is expected. Garbage before it is
// skipped, and earlier markers; a later one is left for its time. It is false
// at the end of the scan.
func (d *Decoder) resync(expected byte) bool {
	for d.pos+1 < len(d.data) {
		m := d.data[d.pos+1]
		switch {
		case d.data[d.pos] != 0xff || m == 0 || m == 0xff:
			d.pos++
		case m < 0xd0 || m > 0xd7:
			return false
		case m-0xd0 == expected:
			d.pos += 2
			return true
		case (m-0xd0-expected)&7 <= 2:
			d.partial = true
			return true
		default:
			d.partial = true
			d.pos += 2
		}
	}
	return false
}

// baseline reads a whole block and keeps the wanted pixels.
func (d *Decoder) baseline(c *component, bx, by int) {
	c.dc += d.difference(&d.dcs[c.dcTable])
	t := &d.acs[c.acTable]
	if !c.wanted || !c.needs(bx, by) {
		d.skipAC(t)
		return
	}
	q := &d.quants[c.quant]
	block := &d.block
	last := 0
	acc, n := d.bits.acc, d.bits.n
	for k := 1; k < 64; k++ {
		if n <= 32 {
			acc, n = d.refill(acc, n)
		}
		e := t.quick[acc>>(64-peek)]
		l := int(e & 31)
		if e&0x80 != 0 {
			acc <<= l & 63
			n -= l
			k += int(e>>12) & 15
			block[zigzag[k]&63] = coefficient(int32(e)>>16, int32(q[k&63])) //nolint:gosec // the upper half is signed
			last = k
			continue
		}
		rs := byte(e >> 8) //nolint:gosec // the second of four bytes
		if e == 0 {
			rs, l = t.long(acc)
		}
		acc <<= l & 63
		n -= l
		size := int(rs & 15)
		if size == 0 {
			if rs != 0xf0 {
				break
			}
			k += 15
			continue
		}
		k += int(rs >> 4)
		v := extend(int32(acc>>((64-size)&63)), size) //nolint:gosec // at most 15 bits
		acc <<= size & 63
		n -= size
		block[zigzag[k]&63] = coefficient(v, int32(q[k&63]))
		last = k
	}
	d.bits.acc, d.bits.n = acc, n
	dc := coefficient(c.dc, int32(q[0]))
	if last == 0 {
		c.flat(dc, bx, by)
		return
	}
	block[0] = dc
	c.take(block, bx, by, columnsUpTo[last])
	*block = [64]int32{}
}

// skipAC reads over the rest of a block.
func (d *Decoder) skipAC(t *table) {
	acc, n := d.bits.acc, d.bits.n
	for k := 1; k < 64; k++ {
		if n <= 32 {
			acc, n = d.refill(acc, n)
		}
		e := t.quick[acc>>(64-peek)]
		l := int(e & 31)
		rs := byte(e >> 8) //nolint:gosec // the second of four bytes
		if e == 0 {
			rs, l = t.long(acc)
		}
		if e&0x80 == 0 {
			l += int(rs & 15)
		}
		acc <<= l & 63
		n -= l
		if rs&15 == 0 && rs != 0xf0 {
			break
		}
		k += int(rs >> 4)
	}
	d.bits.acc, d.bits.n = acc, n
}
