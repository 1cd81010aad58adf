package jpeg

// progressive returns how blocks of such a scan are read; nil if there is no
// such scan. T.81, G.1.1.1.
func (h *scanHeader) progressive(d *Decoder) blockFunc {
	if h.low > 13 || h.high > 13 {
		return nil
	}
	switch {
	case h.first == 0 && h.last == 0 && h.high == 0:
		return func(c *component, bx, by int) { d.dcFirst(c, bx, by, h.low) }
	case h.first == 0 && h.last == 0:
		return func(c *component, bx, by int) { d.dcRefine(c, bx, by, h.low) }
	case h.first < 1 || h.last > 63 || h.first > h.last || len(h.components) != 1:
		return nil
	case h.high == 0:
		return func(c *component, bx, by int) { d.acFirst(c, c.at(bx, by), h) }
	default:
		return func(c *component, bx, by int) { d.acRefine(c, c.at(bx, by), h) }
	}
}

// at returns the coefficients of a block.
func (c *component) at(bx, by int) *[64]int16 {
	i := (by*c.wide + bx) * 64
	return (*[64]int16)(c.coefs[i : i+64])
}

func (d *Decoder) dcFirst(c *component, bx, by, low int) {
	c.dc += d.difference(&d.dcs[c.dcTable])
	if c.wanted {
		c.at(bx, by)[0] = int16(c.dc << low) //nolint:gosec // cut as in other decoders
	}
}

// bit returns the next bit.
func (d *Decoder) bit() bool {
	if d.bits.n <= 32 {
		d.bits.acc, d.bits.n = d.refill(d.bits.acc, d.bits.n)
	}
	return d.bits.take(1) != 0
}

func (d *Decoder) dcRefine(c *component, bx, by, low int) {
	if d.bit() && c.wanted {
		c.at(bx, by)[0] |= 1 << low
	}
}

func (d *Decoder) acFirst(c *component, block *[64]int16, h *scanHeader) {
	if d.eobRun > 0 {
		d.eobRun--
		return
	}
	t := &d.acs[c.acTable]
	acc, n := d.bits.acc, d.bits.n
	for k := h.first; k <= h.last; k++ {
		if n <= 32 {
			acc, n = d.refill(acc, n)
		}
		e := t.quick[acc>>(64-peek)]
		l := int(e & 31)
		if e&0x80 != 0 {
			acc <<= l & 63
			n -= l
			k += int(e>>12) & 15
			block[zigzag[k]&63] = int16(int32(e) >> 16 << h.low) //nolint:gosec // the upper half is signed
			continue
		}
		rs := byte(e >> 8) //nolint:gosec // the second of four bytes
		if e == 0 {
			rs, l = t.long(acc)
		}
		acc <<= l & 63
		n -= l
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				d.eobRun = 1<<run - 1 + int(acc>>(64-run)) //nolint:gosec // at most 14 bits
				acc <<= run
				n -= run
				break
			}
			k += 15
			continue
		}
		k += run
		block[zigzag[k]&63] = int16(extend(int32(acc>>((64-size)&63)), size) << h.low) //nolint:gosec // cut as in other decoders
		acc <<= size & 63
		n -= size
	}
	d.bits.acc, d.bits.n = acc, n
}

// acRefine brings one bit more to what is not zero, and new ones of 1 or -1.
// T.81, G.1.2.3.
func (d *Decoder) acRefine(c *component, block *[64]int16, h *scanHeader) {
	k := h.first
	if d.eobRun == 0 {
		for ; k <= h.last; k++ {
			rs := d.symbol(&d.acs[c.acTable])
			run, size := int(rs>>4), int(rs&15)
			var v int16
			switch {
			case size != 0:
				v = -1 << h.low
				if d.bits.take(1) != 0 {
					v = 1 << h.low
				}
			case run != 15:
				d.eobRun = 1 << run
				if run > 0 {
					d.eobRun += int(d.bits.take(run))
				}
			}
			if d.eobRun > 0 {
				break
			}
			k = d.refine(block, k, h, run)
			if v != 0 && k <= h.last {
				block[zigzag[k]&63] = v
			}
		}
	}
	if d.eobRun > 0 {
		d.refine(block, k, h, -1)
		d.eobRun--
	}
}

// refine goes over run zeros, or to the end if run is -1, and refines what lies
// between. It returns where it came to.
func (d *Decoder) refine(block *[64]int16, k int, h *scanHeader, run int) int {
	for ; k <= h.last; k++ {
		p := &block[zigzag[k]&63]
		if *p == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if d.bit() && *p>>h.low&1 == 0 {
			if *p > 0 {
				*p += 1 << h.low
			} else {
				*p -= 1 << h.low
			}
		}
	}
	return k
}

// transformAll makes pixels of the coefficients.
func (d *Decoder) transformAll() {
	for i := range d.header.Components {
		c := &d.components[i]
		if !c.wanted || !d.quantKnown[c.quant] {
			continue
		}
		var q [64]int32
		for k, v := range d.quants[c.quant] {
			q[zigzag[k]] = int32(v)
		}
		for by := range c.realHigh {
			for bx := range c.realWide {
				if !c.needs(bx, by) {
					continue
				}
				for k, v := range c.at(bx, by) {
					d.block[k] = coefficient(int32(v), q[k])
				}
				c.take(&d.block, bx, by, 8)
			}
		}
	}
	d.block = [64]int32{}
}
