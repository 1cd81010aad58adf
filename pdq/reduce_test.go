package pdq_test

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/tangkal/tangkal/pdq"
)

// reduced is a picture as the reference brings it to 512x512 first, if either of
// its sides is longer: nearest neighbour, columns and rows by whole numbers, and
// the shape is not kept (facebook/ThreatExchange, pdq/cpp/downscaling).
func reduced(m *image.Gray) *image.Gray {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w <= 512 && h <= 512 {
		return m
	}
	out := image.NewGray(image.Rect(0, 0, 512, 512))
	for y := range 512 {
		for x := range 512 {
			out.SetGray(x, y, m.GrayAt(x*w/512, y*h/512))
		}
	}
	return out
}

// One side over 512 is enough.
func TestAPictureIsReducedIfEitherSideIsLong(t *testing.T) {
	for _, size := range [][2]int{{500, 800}, {800, 500}, {700, 300}, {300, 700}, {513, 512}, {512, 513}, {512, 512}, {64, 2000}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			m := image.NewGray(image.Rect(0, 0, size[0], size[1]))
			r := rand.New(rand.NewPCG(7, uint64(size[0]<<16|size[1]))) //nolint:gosec // data, no secret
			for y := range size[1] {
				for x := range size[0] {
					shade := 96 + 60*((x/37+y/53)%3) - r.IntN(40)
					m.SetGray(x, y, color.Gray{uint8(shade)}) //nolint:gosec // 56 to 216
				}
			}
			got, want := pdq.Image(m), pdq.Image(reduced(m))
			if got.Hash != want.Hash || got.Quality != want.Quality {
				t.Errorf("%v, quality %d; the reduced picture has %v, %d", got.Hash, got.Quality, want.Hash, want.Quality)
			}
			whole := pdq.Hasher{FullResolution: true}
			if r := whole.Image(m); size != [2]int{512, 512} && r.Hash == want.Hash {
				t.Error("the whole picture has the same hash, so the test tells nothing")
			}
		})
	}
}

// Of sixteen bits the high ones are the brightness, and what is transparent is
// as bright as its colour says.
func TestBrightnessIsReadFromTheRightBits(t *testing.T) {
	const side = 96
	eight, sixteen, deep := image.NewGray(image.Rect(0, 0, side, side)), image.NewGray16(image.Rect(0, 0, side, side)), image.NewNRGBA64(image.Rect(0, 0, side, side))
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // data, no secret
	for y := range side {
		for x := range side {
			high := uint8((x*x + 3*y*y + x*y) >> 5)       //nolint:gosec // wraps, as it should
			wide := uint16(high)<<8 | uint16(r.IntN(256)) //nolint:gosec // the low byte is noise
			eight.SetGray(x, y, color.Gray{high})
			sixteen.SetGray16(x, y, color.Gray16{wide})
			deep.SetNRGBA64(x, y, color.NRGBA64{wide, wide, wide, 0xffff})
		}
	}
	want := pdq.Image(eight)
	for name, m := range map[string]image.Image{"Gray16": sixteen, "NRGBA64": deep} {
		if got := pdq.Image(m); pdq.Distance(got.Hash, want.Hash) > 4 {
			t.Errorf("%s: %d bits away from its high bytes", name, pdq.Distance(got.Hash, want.Hash))
		}
	}
}
