package jpeg

import "github.com/tangkal/tangkal/pdq/internal/kernel"

// A sampler knows which pixels of a component are wanted, and takes them.
type sampler struct {
	plane []byte // width x height of what is wanted
	width int
	xs    []int32 // column in the component, of each column wanted
	ys    []int32
	xFrom []int32 // first wanted column at or right of the block
	yFrom []int32
}

// want prepares for the pixels at xs and ys of the picture.
func (c *component) want(xs, ys []int32, hMax, vMax int) {
	s := &c.sampler
	s.width = len(xs)
	if n := len(xs) * len(ys); cap(s.plane) < n {
		s.plane = make([]byte, n)
	} else {
		s.plane = s.plane[:n]
	}
	for i := range s.plane {
		s.plane[i] = 128 // what is missing stays grey
	}
	s.xs, s.xFrom = axis(s.xs, s.xFrom, xs, c.h, hMax, c.wide)
	s.ys, s.yFrom = axis(s.ys, s.yFrom, ys, c.v, vMax, c.high)
}

// axis scales positions to the component's and finds where each block begins.
func axis(to, from, at []int32, factor, most, blocks int) (_, _ []int32) {
	to, from = to[:0], from[:0]
	for i, v := range at {
		p := int32(int(v) * factor / most) //nolint:gosec // below 1<<16
		to = append(to, p)
		for len(from) <= int(p>>3) {
			from = append(from, int32(i)) //nolint:gosec // an index
		}
	}
	for len(from) <= blocks {
		from = append(from, int32(len(at))) //nolint:gosec // a length
	}
	return to, from
}

// needs reports whether a pixel of the block is wanted.
func (s *sampler) needs(bx, by int) bool {
	return s.xFrom[bx] < s.xFrom[bx+1] && s.yFrom[by] < s.yFrom[by+1]
}

// take transforms a dequantised block whose columns from n on are zero, and
// keeps the wanted pixels.
func (s *sampler) take(b *[64]int32, bx, by, n int) {
	x0, x1 := int(s.xFrom[bx]), int(s.xFrom[bx+1])
	xs := s.xs[x0:x1]
	var p [64]byte
	if kernel.IDCT(&p, b) {
		for i := int(s.yFrom[by]); i < int(s.yFrom[by+1]); i++ {
			y := s.ys[i] & 7
			out := s.plane[i*s.width+x0:][:len(xs)]
			for j, x := range xs {
				out[j] = p[x&7*8+y]
			}
		}
		return
	}
	columns(b, n)
	for i := int(s.yFrom[by]); i < int(s.yFrom[by+1]); i++ {
		y := int(s.ys[i]&7) * 8
		p := row((*[8]int32)(b[y : y+8]))
		out := s.plane[i*s.width+x0:][:len(xs)]
		for j, x := range xs {
			out[j] = p[x&7]
		}
	}
}

// flat keeps the wanted pixels of a block that has one value.
func (s *sampler) flat(dc int32, bx, by int) {
	x0, x1 := int(s.xFrom[bx]), int(s.xFrom[bx+1])
	v := pixel(((dc<<2 + 16) >> 5) + 128)
	for i := int(s.yFrom[by]); i < int(s.yFrom[by+1]); i++ {
		out := s.plane[i*s.width+x0 : i*s.width+x1]
		for j := range out {
			out[j] = v
		}
	}
}

// A model says what the components are.
type model int

const (
	luminance model = iota // the first is luminance: grey or YCbCr
	rgb
	cmyk
	ycck
)

// model guesses from the segments and the components' names as the Independent
// JPEG Group's decoder does.
func (d *Decoder) model() model {
	switch d.header.Components {
	case 3:
		c := &d.components
		named := c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B'
		if !d.jfif && (d.adobe == 0 || d.adobe < 0 && named) {
			return rgb
		}
	case 4:
		if d.adobe == 2 {
			return ycck
		}
		return cmyk
	}
	return luminance
}

// combine makes packed pixels of the planes.
func (d *Decoder) combine(m model) []byte {
	n := len(d.components[0].plane)
	if cap(d.rgb) < 3*n {
		d.rgb = make([]byte, 3*n)
	}
	d.rgb = d.rgb[:3*n]
	var p [4][]byte
	for i := range d.header.Components {
		p[i] = d.components[i].plane
	}
	for i := range n {
		a, b, c := p[0][i], p[1][i], p[2][i]
		if m == ycck {
			a, b, c = fromYCC(a, b, c)
			a, b, c = ^a, ^b, ^c // it is ink that was made of red, green and blue
		}
		if m != rgb {
			k := int32(p[3][i])
			if d.adobe < 0 { // Adobe's files hold inverted ink
				a, b, c, k = ^a, ^b, ^c, 255-k
			}
			a, b, c = dim(a, k), dim(b, k), dim(c, k)
		}
		d.rgb[3*i], d.rgb[3*i+1], d.rgb[3*i+2] = a, b, c
	}
	return d.rgb
}

func dim(v byte, k int32) byte { return byte(int32(v) * k / 255) } //nolint:gosec // at most 255

// fromYCC is JFIF's conversion.
func fromYCC(y, cb, cr byte) (r, g, b byte) {
	l, u, v := int32(y)<<16+1<<15, int32(cb)-128, int32(cr)-128
	return pixel((l + 91881*v) >> 16), pixel((l - 22554*u - 46802*v) >> 16), pixel((l + 116130*u) >> 16)
}
