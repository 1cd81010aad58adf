// Package jpeg reads from a JPEG file the pixels that a hash needs, and no
// more: of a colour picture the luminance alone, of a large one only the pixels
// asked for. Whole scans of colour are skipped; blocks without a wanted pixel
// are parsed and forgotten; of the others only the wanted rows are transformed.
// The pixels are those of the reference decoder's "slow integer" transform.
//
// It reads baseline and progressive files with Huffman codes and 8 bits a
// sample (ITU-T T.81), in grey, YCbCr, RGB, CMYK and YCCK. It forgives what
// common decoders forgive: garbage between segments, missing tables of motion
// JPEG, lost or misplaced restart markers, wrong codes and an early end; what is
// missing stays grey, and Partial says so.
package jpeg

import (
	"bytes"
	"errors"
)

// Faults of a file.
var (
	ErrDamaged     = errors.New("no picture can be read")
	ErrUnsupported = errors.New("arithmetic coding, lossless, hierarchical or more than 8 bits a sample")
)

// Limits of what is read, so that a small file cannot ask for much work.
const (
	maxScans      = 256 // of one file; common progressive files have 10
	maxComponents = 4
	// How often all blocks, and those of the components wanted, may be gone over.
	// The ten scans of common files go over a component six times at most.
	maxPasses, maxWantedPasses = 4, 20
)

// A Header is what is known of a picture before its pixels.
type Header struct {
	Width, Height int
	Components    int
	Progressive   bool
}

// A component is one colour.
type component struct {
	id       byte
	h, v     int  // sampling factors
	quant    byte // number of its quantisation table
	wide     int  // blocks in a line, up to whole units
	high     int  // lines of blocks, up to whole units
	realWide int  // blocks in a line that hold pixels
	realHigh int

	dcTable, acTable byte
	dc               int32 // the last one

	wanted bool
	seen   bool // in a scan
	sampler
	coefs []int16 // of all blocks, in progressive files
}

// A Decoder reads one file after another and keeps its memory. The zero value
// is ready; it must not be shared between goroutines.
type Decoder struct {
	data []byte
	pos  int

	header       Header
	components   [maxComponents]component
	hMax, vMax   int
	unitsWide    int // units of interleaved scans
	unitsHigh    int
	quants       [4][64]uint16 // in zigzag order
	quantKnown   [4]bool
	dcs, acs     [4]table
	restartEvery int
	adobe        int // colour transform of an Adobe segment; -1 without one
	jfif         bool
	scans        int
	work         int // blocks that may yet be gone over
	partial      bool

	bits   bits
	eobRun int
	block  [64]int32
	rgb    []byte
}

// Coefficients returns how many bytes Read takes for the coefficients of the
// file that is open; none if it is not progressive.
func (d *Decoder) Coefficients() int64 {
	n := int64(0)
	for i := range d.header.Components {
		if c := &d.components[i]; d.header.Progressive && (i == 0 || d.model() != luminance) {
			n += int64(c.wide) * int64(c.high) * 64 * 2
		}
	}
	return n
}

// Partial reports whether the last file ended early or had faults inside.
func (d *Decoder) Partial() bool { return d.partial }

// Open reads up to the header of the frame.
func (d *Decoder) Open(data []byte) (Header, error) {
	d.data, d.pos = data, 0
	d.header, d.scans, d.restartEvery, d.adobe, d.jfif, d.partial = Header{}, 0, 0, -1, false, false
	d.quantKnown = [4]bool{}
	for i := range d.dcs {
		d.dcs[i].known, d.acs[i].known = false, false
	}
	if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
		return Header{}, ErrDamaged
	}
	d.pos = 2
	for {
		marker, segment, ok := d.next()
		switch {
		case !ok || marker == 0xd9 || marker == 0xda:
			return Header{}, ErrDamaged
		case marker == 0xc0 || marker == 0xc1 || marker == 0xc2:
			return d.header, d.frame(segment, marker == 0xc2)
		case marker >= 0xc3 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return Header{}, ErrUnsupported
		default:
			d.other(marker, segment)
		}
	}
}

// next finds the next marker and its segment; garbage before it is skipped. A
// segment that the file's end cuts is none.
func (d *Decoder) next() (marker byte, segment []byte, ok bool) {
	for d.pos+1 < len(d.data) {
		if d.data[d.pos] != 0xff {
			skip := bytes.IndexByte(d.data[d.pos:], 0xff)
			if skip < 0 {
				break
			}
			d.pos += skip
			continue
		}
		if d.data[d.pos+1] == 0xff || d.data[d.pos+1] == 0 {
			d.pos++
			continue
		}
		marker = d.data[d.pos+1]
		d.pos += 2
		if marker == 0xd8 || marker >= 0xd0 && marker <= 0xd7 || marker == 0x01 {
			continue // they stand alone
		}
		if marker == 0xd9 {
			return marker, nil, true
		}
		if d.pos+2 > len(d.data) {
			return 0, nil, false
		}
		n := int(d.data[d.pos])<<8 | int(d.data[d.pos+1])
		if n < 2 || d.pos+n > len(d.data) {
			return 0, nil, false
		}
		segment = d.data[d.pos+2 : d.pos+n]
		d.pos += n
		return marker, segment, true
	}
	return 0, nil, false
}

// other reads a segment that is neither frame nor scan.
func (d *Decoder) other(marker byte, s []byte) {
	switch marker {
	case 0xc4:
		d.huffman(s)
	case 0xdb:
		d.quantisation(s)
	case 0xdd:
		if len(s) >= 2 {
			d.restartEvery = int(s[0])<<8 | int(s[1])
		}
	case 0xe0:
		d.jfif = d.jfif || len(s) >= 5 && string(s[:5]) == "JFIF\x00"
	case 0xee:
		if len(s) >= 12 && string(s[:5]) == "Adobe" {
			d.adobe = int(s[11])
		}
	}
}

// quantisation reads tables. T.81, B.2.4.1.
func (d *Decoder) quantisation(s []byte) {
	for len(s) > 0 {
		wide, id := s[0]>>4, s[0]&15
		s = s[1:]
		size := 64
		if wide != 0 {
			size = 128
		}
		if len(s) < size || id > 3 {
			return
		}
		q := &d.quants[id]
		for i := range q {
			if wide != 0 {
				q[i] = uint16(s[2*i])<<8 | uint16(s[2*i+1])
			} else {
				q[i] = uint16(s[i])
			}
		}
		d.quantKnown[id] = true
		s = s[size:]
	}
}

// huffman reads tables. T.81, B.2.4.2.
func (d *Decoder) huffman(s []byte) {
	for len(s) >= 17 {
		class, id := s[0]>>4, s[0]&15
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if class > 1 || id > 3 || n > 256 || len(s) < 17+n {
			return
		}
		t := &d.dcs[id]
		if class == 1 {
			t = &d.acs[id]
		}
		t.make((*[16]byte)(s[1:17]), s[17:17+n])
		s = s[17+n:]
	}
}

// frame reads the header of the frame. T.81, B.2.2.
func (d *Decoder) frame(s []byte, progressive bool) error {
	if len(s) < 6 {
		return ErrDamaged
	}
	if s[0] != 8 {
		return ErrUnsupported
	}
	h := Header{
		Height: int(s[1])<<8 | int(s[2]), Width: int(s[3])<<8 | int(s[4]),
		Components: int(s[5]), Progressive: progressive,
	}
	if h.Width == 0 || h.Height == 0 || h.Components == 0 || h.Components > maxComponents || len(s) < 6+3*h.Components {
		return ErrDamaged
	}
	d.hMax, d.vMax = 1, 1
	for i := range h.Components {
		c := &d.components[i]
		f := s[6+3*i:]
		c.id, c.h, c.v, c.quant = f[0], int(f[1]>>4), int(f[1]&15), f[2]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return ErrDamaged
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	d.unitsWide, d.unitsHigh = divUp(h.Width, 8*d.hMax), divUp(h.Height, 8*d.vMax)
	for i := range h.Components {
		c := &d.components[i]
		c.wide, c.high = d.unitsWide*c.h, d.unitsHigh*c.v
		c.realWide = divUp(divUp(h.Width*c.h, d.hMax), 8)
		c.realHigh = divUp(divUp(h.Height*c.v, d.vMax), 8)
	}
	d.header = h
	return nil
}

func divUp(a, b int) int { return (a + b - 1) / b }

// Planes are the pixels asked for.
type Planes struct {
	// Grey is the luminance, if RGB is nil.
	Grey []byte
	// RGB are packed pixels of files in which no component is luminance.
	RGB []byte
}

// Read decodes the pixels at the columns xs of the rows ys, both ascending and
// within the header's size. The result is valid until the next call.
func (d *Decoder) Read(xs, ys []int32) (Planes, error) {
	model := d.model()
	for i := range d.header.Components {
		c := &d.components[i]
		c.wanted, c.seen = i == 0 || model != luminance, false
		if c.wanted {
			c.want(xs, ys, d.hMax, d.vMax)
			if d.header.Progressive {
				c.coefs = zeroed(c.coefs, c.wide*c.high*64)
			}
		}
	}
	d.allot()
	if err := d.readScans(); err != nil {
		return Planes{}, err
	}
	if d.header.Progressive {
		d.transformAll()
	}
	if model == luminance {
		return Planes{Grey: d.components[0].plane}, nil
	}
	return Planes{RGB: d.combine(model)}, nil
}

// allot sets how much work the scans may make: a run of a few bits can stand for
// thousands of blocks, and a file have hundreds of scans of such runs. What a
// file has in bytes may be gone over in any case.
func (d *Decoder) allot() {
	d.work = len(d.data)
	for i := range d.header.Components {
		c := &d.components[i]
		d.work += maxPasses * c.wide * c.high
		if c.wanted {
			d.work += maxWantedPasses * c.wide * c.high
		}
	}
}

// readScans reads to the end of the picture, or to where the work ends. It is an
// error if no scan has anything that is wanted; where one of several components
// wanted has none, the picture is there in part.
func (d *Decoder) readScans() error {
	found := false
	for {
		marker, segment, ok := d.next()
		switch {
		case ok && marker == 0xda && d.scans < maxScans && d.work >= 0:
			d.scans++
			read, err := d.scan(segment)
			if err != nil {
				return err
			}
			found = found || read
			continue
		case ok && marker != 0xd9 && marker != 0xda && (marker < 0xc0 || marker > 0xcf || marker == 0xc4 || marker == 0xc8 || marker == 0xcc):
			d.other(marker, segment)
			continue
		}
		// The end, or what must not follow: no marker, a scan too many, a second frame.
		d.partial = d.partial || marker != 0xd9 || d.misses()
		if !found {
			return ErrDamaged
		}
		return nil
	}
}

// misses reports whether a component wanted has no scan or cannot be made pixels.
func (d *Decoder) misses() bool {
	for i := range d.header.Components {
		if c := &d.components[i]; c.wanted && (!c.seen || !d.quantKnown[c.quant]) {
			return true
		}
	}
	return false
}

// zeroed returns n zeros in s's memory, if it is enough.
func zeroed(s []int16, n int) []int16 {
	if cap(s) < n {
		return make([]int16, n)
	}
	s = s[:n]
	clear(s)
	return s
}
