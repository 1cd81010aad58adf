// Package synthetic makes pictures and JPEG files from nothing but their size,
// for benchmarks, examples and tests. The same size gives the same pixels.
package synthetic

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Photo returns a picture with what photographs have: soft light, edges,
// texture and grain.
func Photo(width, height int) *image.RGBA {
	rnd := rand.New(rand.NewPCG(uint64(width), uint64(height))) //nolint:gosec // a picture, not a secret
	// Waves of light in all directions, as sines and cosines of the parts that x
	// and y have in them.
	const waves = 6
	across, down := make([][2 * waves]float64, width), make([][2 * waves]float64, height)
	for i := range waves {
		f := math.Pow(2.1, float64(i)) * 3
		fx, fy, phase, weight := f*rnd.Float64(), f*rnd.Float64(), rnd.Float64()*6, 50/float64(i+1)
		for x := range across {
			s, c := math.Sincos(fx*float64(x)/float64(width) + phase)
			across[x][2*i], across[x][2*i+1] = weight*s, weight*c
		}
		for y := range down {
			s, c := math.Sincos(fy * float64(y) / float64(height))
			down[y][2*i], down[y][2*i+1] = c, s
		}
	}
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			sum := 0.0
			for i, w := range across[x] {
				sum += w * down[y][i]
			}
			if e := u*5 + v*3 + sum/90; e-math.Floor(e) > 0.6 { // an edge
				sum += 40
			}
			grain := float64(rnd.Uint32()>>28) - 8
			p := m.Pix[m.PixOffset(x, y):][:4]
			for c, weight := range [3]float64{1, 0.8 + 0.3*u, 0.7 + 0.4*v} {
				p[c] = byte(min(255, max(0, 120+sum*weight+grain)))
			}
			p[3] = 255
		}
	}
	return m
}

// JPEG returns Photo as a file of quality 88 with half the resolution in
// colour, as cameras write: about 0.2 bytes a pixel.
func JPEG(width, height int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, Photo(width, height), &jpeg.Options{Quality: 88}); err != nil {
		panic(err) // only for sizes that no JPEG has
	}
	return b.Bytes()
}
