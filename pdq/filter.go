package pdq

import "github.com/tangkal/tangkal/pdq/internal/kernel"

// A filter makes the 64x64 picture from luminance that comes row by row: a box
// along the rows, a box along the columns, both again (Jarosz), and of the
// result the pixels nearest to the middles of 64x64 fields. It holds as many
// rows as the boxes need, not the picture.
type filter struct {
	stride int // width rounded up; what lies beyond the width is never looked at
	small  [kernel.Side * kernel.Side]float32

	strips kernel.Strips
	luma   []float32 // a strip as it came
	ring   []float32 // the last rows after the first box; a power of strips
	second []float32 // a strip after the second box
	narrow []float32 // all rows after the third box, of which 64 columns are kept
	sum    []float32 // of the second box, a column each
	zero   []float32
	spare  []float32
	cols   [kernel.Side]int
	rows   [kernel.Side]int
}

// run fills small from a picture whose rows the function gives.
func (f *filter) run(width, height int, row func(dst []float32, y int)) {
	if width == kernel.Side && height == kernel.Side { // as it is, says the reference
		for y := range height {
			row(f.small[y*width:(y+1)*width], y)
		}
		return
	}
	f.fit(width, height)
	window := kernel.Window(height)
	c := column{window: window, lead: (window+2)/2 - 1, sum: f.sum[:f.stride]}
	clear(c.sum)
	slots := len(f.ring) / f.stride
	at := func(y int) []float32 { return f.ring[y%slots*f.stride:][:f.stride] }
	done := 0 // rows that came out of the second box
	for top := 0; top < height+c.lead; top += kernel.Strip {
		for y := top; y < min(top+kernel.Strip, height); y++ {
			row(f.luma[(y-top)*f.stride:][:width], y)
		}
		if top < height {
			kernel.BoxRows(&f.strips, f.ring[top%slots*f.stride:], f.luma, f.stride, width, kernel.Window(width))
		}
		for y := top; y < min(top+kernel.Strip, height+c.lead); y++ {
			in, old := f.zero[:f.stride], f.zero[:f.stride]
			if y < height {
				in = at(y)
			}
			if y >= window {
				old = at(y - window)
			}
			out := f.spare[:f.stride]
			if y >= c.lead {
				out = f.second[done%kernel.Strip*f.stride:][:f.stride]
				done++
			}
			kernel.BoxStep(c.sum, in, old, out, c.count(y, height))
			if y >= c.lead && (done%kernel.Strip == 0 || done == height) {
				from := (done - 1) / kernel.Strip * kernel.Strip
				kernel.BoxRowsAt(&f.strips, f.narrow[from*kernel.Side:], f.second, f.stride, width, kernel.Window(width), &f.cols)
			}
		}
	}
	f.last(height)
}

// last runs the fourth box down the 64 columns and keeps 64 rows.
func (f *filter) last(height int) {
	const side = kernel.Side
	window := kernel.Window(height)
	var sum, zero, out [side]float32
	c := column{window: window, lead: (window+2)/2 - 1}
	k := 0
	for y := range height + c.lead {
		in, old := zero[:], zero[:]
		if y < height {
			in = f.narrow[y*side:][:side]
		}
		if y >= window {
			old = f.narrow[(y-window)*side:][:side]
		}
		kernel.BoxStep(sum[:], in, old, out[:], c.count(y, height))
		for ; k < side && f.rows[k] == y-c.lead; k++ { // in a low picture a row may be wanted twice
			copy(f.small[k*side:], out[:])
		}
	}
}

// A column is the state of a box that moves down.
type column struct {
	window int
	lead   int       // additions before the first output
	sum    []float32 // of the rows in the box
}

// count returns how many rows the box holds once row y has entered, where rows
// from height on are none.
func (c *column) count(y, height int) int {
	return max(1, min(y+1, c.window)-max(0, y-height+1))
}

// fit makes room for a picture.
func (f *filter) fit(width, height int) {
	f.stride = up(width)
	f.strips.Fit(f.stride)
	f.luma = atLeast(f.luma, kernel.Strip*f.stride)
	f.second = atLeast(f.second, kernel.Strip*f.stride)
	f.ring = atLeast(f.ring, (up(kernel.Window(height))+kernel.Strip)*f.stride)
	f.ring = f.ring[:(up(kernel.Window(height))+kernel.Strip)*f.stride]
	f.narrow = atLeast(f.narrow, up(height)*kernel.Side)
	f.sum, f.spare = atLeast(f.sum, f.stride), atLeast(f.spare, f.stride)
	if len(f.zero) < f.stride {
		f.zero = make([]float32, f.stride)
	}
	for i := range f.cols {
		f.cols[i] = (2*i + 1) * width / (2 * kernel.Side)
		f.rows[i] = (2*i + 1) * height / (2 * kernel.Side)
	}
}

// up rounds up to whole strips.
func up(n int) int { return (n + kernel.Strip - 1) / kernel.Strip * kernel.Strip }

// atLeast returns s if it holds n, else a new slice.
func atLeast(s []float32, n int) []float32 {
	if cap(s) >= n {
		return s[:cap(s)]
	}
	return make([]float32, n)
}
