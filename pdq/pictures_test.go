package pdq_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// photo makes a picture with what photographs have: soft light, edges, texture
// and grain.
func photo(width, height int) *image.RGBA {
	rnd := rand.New(rand.NewPCG(uint64(width), uint64(height))) //nolint:gosec // a picture, not a secret
	type wave struct{ fx, fy, phase, weight float64 }
	var waves []wave
	for i := range 6 {
		f := math.Pow(2.1, float64(i)) * 3
		waves = append(waves, wave{f * rnd.Float64(), f * rnd.Float64(), rnd.Float64() * 6, 50 / float64(i+1)})
	}
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			sum := 0.0
			for _, w := range waves {
				sum += w.weight * math.Sin(w.fx*u+w.fy*v+w.phase)
			}
			if math.Mod(u*5+v*3+sum/90, 1) > 0.6 { // an edge
				sum += 40
			}
			grain := float64(rnd.Uint32()>>28) - 8
			for c, weight := range [3]float64{1, 0.8 + 0.3*u, 0.7 + 0.4*v} {
				m.Pix[m.PixOffset(x, y)+c] = byte(min(255, max(0, 120+sum*weight+grain)))
			}
			m.Pix[m.PixOffset(x, y)+3] = 255
		}
	}
	return m
}

// photoFile is photo as a JPEG file, with half the resolution in colour.
func photoFile(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, photo(width, height), &jpeg.Options{Quality: 88}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
