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
	b := &d.bits
	if b.n <= 32 {
		d.fill(b)
	}
	size := int(b.symbol1(&d.dcs[c.dcTable]) & 15)
	if b.n <= 32 {
		d.fill(b)
	}
	c.dc += b.value(size)
	if c.wanted {
		c.at(bx, by)[0] = int16(c.dc << low) //nolint:gosec // cut as in other decoders
	}
}

func (d *Decoder) dcRefine(c *component, bx, by, low int) {
	b := &d.bits
	if b.n <= 32 {
		d.fill(b)
	}
	if b.take(1) != 0 && c.wanted {
		c.at(bx, by)[0] |= 1 << low
	}
}

func (d *Decoder) acFirst(c *component, block *[64]int16, h *scanHeader) {
	if d.eobRun > 0 {
		d.eobRun--
		return
	}
	b := d.bits
	t := &d.acs[c.acTable]
	for k := h.first; k <= h.last; k++ {
		if b.n <= 32 {
			d.fill(&b)
		}
		e := t.quick[b.acc>>(64-peek)]
		if e&0x80 != 0 {
			l := int(e & 31)
			b.acc <<= l
			b.n -= l
			k += int(e>>12) & 15
			block[zigzag[k]&63] = int16(int32(e) >> 16 << h.low) //nolint:gosec // the upper half is signed
			continue
		}
		rs := b.symbol(t)
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				d.eobRun = 1<<run - 1
				if run > 0 {
					d.eobRun += int(b.take(run))
				}
				break
			}
			k += 15
			continue
		}
		k += run
		block[zigzag[k]&63] = int16(b.value(size) << h.low) //nolint:gosec // cut as in other decoders
	}
	d.bits = b
}

// acRefine brings one bit more to what is not zero, and new ones of 1 or -1.
// T.81, G.1.2.3.
func (d *Decoder) acRefine(c *component, block *[64]int16, h *scanHeader) {
	b := &d.bits
	k := h.first
	if d.eobRun == 0 {
		for ; k <= h.last; k++ {
			if b.n <= 32 {
				d.fill(b)
			}
			rs := b.symbol1(&d.acs[c.acTable])
			run, size := int(rs>>4), int(rs&15)
			var v int16
			switch {
			case size != 0:
				v = -1 << h.low
				if b.take(1) != 0 {
					v = 1 << h.low
				}
			case run != 15:
				d.eobRun = 1 << run
				if run > 0 {
					d.eobRun += int(b.take(run))
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
	b := &d.bits
	for ; k <= h.last; k++ {
		p := &block[zigzag[k]&63]
		if *p == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if b.n <= 32 {
			d.fill(b)
		}
		if b.take(1) != 0 && *p>>h.low&1 == 0 {
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
