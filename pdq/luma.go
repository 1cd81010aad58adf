package pdq

import (
	"image"
	"image/color"

	"github.com/tangkal/tangkal/pdq/internal/kernel"
)

// packed reads pixels of n bytes: red, green, blue and what does not count.
func packed(pix []byte, stride, n int) rowFunc {
	return func(dst []float32, y int, xs []int32) {
		line := pix[y*stride:]
		switch {
		case xs != nil:
			for i, x := range xs {
				p := line[int(x)*n:][:3:3]
				dst[i] = kernel.Luma1(p[0], p[1], p[2])
			}
		case n == 3:
			kernel.Luma24(dst, line)
		default:
			kernel.Luma32(dst, line)
		}
	}
}

func grey(pix []byte, stride int) rowFunc {
	return func(dst []float32, y int, xs []int32) {
		line := pix[y*stride:]
		if xs != nil {
			for i, x := range xs {
				dst[i] = float32(line[x])
			}
			return
		}
		for i, v := range line[:len(dst)] {
			dst[i] = float32(v)
		}
	}
}

// rowsOf chooses how the pixels of m are read.
func (h *Hasher) rowsOf(m image.Image) rowFunc {
	switch m := m.(type) {
	case *image.NRGBA:
		return packed(m.Pix, m.Stride, 4)
	case *image.Gray:
		return grey(m.Pix, m.Stride)
	case *image.RGBA:
		if m.Opaque() {
			return packed(m.Pix, m.Stride, 4)
		}
	case *image.Paletted:
		return paletted(m)
	case *image.YCbCr:
		return ycbcr(m)
	case *image.NYCbCrA:
		return ycbcr(&m.YCbCr)
	case *image.Gray16:
		return each(m, func(x, y int) float32 { return float32(m.Gray16At(x, y).Y >> 8) })
	case *image.NRGBA64:
		return each(m, func(x, y int) float32 {
			c := m.NRGBA64At(x, y)
			return kernel.Luma1(byte(c.R>>8), byte(c.G>>8), byte(c.B>>8))
		})
	}
	return each(m, func(x, y int) float32 {
		c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
		return kernel.Luma1(c.R, c.G, c.B)
	})
}

// each reads pixels one by one.
func each(m image.Image, at func(x, y int) float32) rowFunc {
	from := m.Bounds().Min
	return func(dst []float32, y int, xs []int32) {
		for i := range dst {
			x := i
			if xs != nil {
				x = int(xs[i])
			}
			dst[i] = at(from.X+x, from.Y+y)
		}
	}
}

func paletted(m *image.Paletted) rowFunc {
	var luma [256]float32
	for i, c := range m.Palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		luma[i&255] = kernel.Luma1(n.R, n.G, n.B)
	}
	return each(m, func(x, y int) float32 { return luma[m.ColorIndexAt(x, y)] })
}

func ycbcr(m *image.YCbCr) rowFunc {
	return each(m, func(x, y int) float32 {
		yi, ci := m.YOffset(x, y), m.COffset(x, y)
		r, g, b := color.YCbCrToRGB(m.Y[yi], m.Cb[ci], m.Cr[ci])
		return kernel.Luma1(r, g, b)
	})
}
