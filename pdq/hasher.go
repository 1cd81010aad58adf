package pdq

import (
	"image"

	"github.com/tangkal/tangkal/pdq/internal/jpeg"
	"github.com/tangkal/tangkal/pdq/internal/kernel"
)

// reducedSide is the side to which larger pictures are reduced before hashing.
const reducedSide = 512

// minSide is the least width and height that can be hashed; below, the hash is
// zero with quality 0, as in the reference.
const minSide = 5

// A Hasher turns pictures into hashes. It keeps its memory from one picture to
// the next, so use one for many; it must not be shared between goroutines. The
// zero value is ready.
type Hasher struct {
	// FullResolution hashes every pixel. By default a picture of more than 512
	// columns or rows is first reduced to 512x512, each pixel being the nearest
	// of the original, as the reference's programs do.
	FullResolution bool

	// MaxPixels bounds width times height of what [Hasher.Decode] decodes; it is
	// checked on the file's header, before memory is taken. Zero means
	// [DefaultMaxPixels].
	MaxPixels int

	filter filter
	picker picker
	jpeg   jpeg.Decoder
}

// A Result is what a picture gave.
type Result struct {
	Hash    Hash
	Quality int // 0 to 100; see [MinQuality]

	// Width and Height are those of the picture, before any reduction.
	Width, Height int

	// Of [Hasher.Decode]: the format ("jpeg", "png", "gif", "webp" or "bmp"), and
	// whether the file was read in part only, because it ends early or has faults
	// inside.
	Format  string
	Partial bool

	spectrum spectrum
}

// Usable reports whether the hash is worth keeping and asking for: its quality
// is at least [MinQuality].
func (r *Result) Usable() bool { return r.Quality >= MinQuality }

// Variants returns the hashes that the picture has in each [Orientation], by
// computation on the spectrum and not on the picture: under 20 microseconds.
// Ask for all eight to find pictures that were turned or mirrored; keep one.
func (r *Result) Variants() [8]Hash {
	if r.spectrum == (spectrum{}) { // too small to be hashed
		return [8]Hash{}
	}
	return r.spectrum.variants()
}

// Image hashes a decoded picture. Only colours count: what is transparent is
// hashed with the colour it has underneath, as in the reference, and an
// orientation noted in the file is not applied. Grey pictures ([image.Gray])
// are hashed by their one value, coloured ones by their luminance.
func (h *Hasher) Image(m image.Image) Result {
	b := m.Bounds()
	return h.rows(b.Dx(), b.Dy(), h.rowsOf(m))
}

// RGB hashes packed pixels of three bytes: red, green, blue. Row y begins at
// pix[y*stride]; the stride is at least 3*width, and pix holds at least
// (height-1)*stride+3*width bytes, or RGB panics.
func (h *Hasher) RGB(pix []byte, stride, width, height int) Result {
	return h.rows(width, height, packed(pix, stride, 3))
}

// Grey hashes packed pixels of one byte. Row y begins at pix[y*stride]; the
// stride is at least width, and pix holds at least (height-1)*stride+width bytes,
// or Grey panics.
func (h *Hasher) Grey(pix []byte, stride, width, height int) Result {
	return h.rows(width, height, grey(pix, stride))
}

// Image hashes one picture with a Hasher of its own.
func Image(m image.Image) Result { return new(Hasher).Image(m) }

// A rowFunc fills dst with the luminance of row y, at the columns xs or, where
// that is nil, at the first len(dst) columns.
type rowFunc func(dst []float32, y int, xs []int32)

// rows hashes a picture of which the rows come from a function.
func (h *Hasher) rows(width, height int, row rowFunc) Result {
	r := Result{Width: width, Height: height}
	if width <= 0 || height <= 0 {
		return r
	}
	if h.FullResolution || width <= reducedSide && height <= reducedSide {
		h.hash(&r, width, height, func(dst []float32, y int) { row(dst, y, nil) })
		return r
	}
	xs, ys := h.picker.pick(width, height, false)
	h.hash(&r, len(xs), len(ys), func(dst []float32, y int) { row(dst, int(ys[y]), xs) })
	return r
}

// hash fills r from the rows that are hashed.
func (h *Hasher) hash(r *Result, width, height int, row func(dst []float32, y int)) {
	if width < minSide || height < minSide {
		return
	}
	h.filter.run(width, height, row)
	h.finish(r)
}

// finish makes the hash from the small picture.
func (h *Hasher) finish(r *Result) {
	r.Quality = min(100, kernel.Gradients(&h.filter.small)/90)
	kernel.DCT((*[kernel.Coefs * kernel.Coefs]float32)(&r.spectrum), &h.filter.small)
	r.Hash = r.spectrum.hash()
}

// A picker knows which columns and rows are hashed.
type picker struct{ xs, ys []int32 }

// pick returns the columns and rows that are hashed of a picture.
func (p *picker) pick(width, height int, full bool) (xs, ys []int32) {
	w, h := width, height
	if !full && (width > reducedSide || height > reducedSide) {
		w, h = reducedSide, reducedSide
	}
	p.xs, p.ys = p.xs[:0], p.ys[:0]
	for i := range w {
		p.xs = append(p.xs, int32(i*width/w)) //nolint:gosec // below width
	}
	for i := range h {
		p.ys = append(p.ys, int32(i*height/h)) //nolint:gosec // below height
	}
	return p.xs, p.ys
}

// Instructions names what the processor is asked for: "avx2", or "portable".
// The hashes are the same with each.
func Instructions() string {
	if s := kernel.Fast(); s != "" {
		return s
	}
	return "portable"
}
