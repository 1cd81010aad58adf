package demo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// How many pictures there are, and how large each is.
const (
	pictures      = 12
	pictureWidth  = 320
	pictureHeight = 180
)

// album holds the pictures, drawn when first needed.
var album [pictures]struct {
	once sync.Once
	png  []byte
}

// picture returns the n-th synthetic picture as PNG: hills of grey with grain,
// which show nothing. The comment in it makes it another file, so that it counts
// as never seen before (PNG specification, third edition, 11.3.3.2).
func picture(n int, comment string) []byte {
	p := &album[n%pictures]
	p.once.Do(func() { p.png = draw(uint64(n % pictures)) }) //nolint:gosec // a small index
	said := []byte("tEXtComment\x00" + comment)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(said)-len("tEXt"))) //nolint:gosec // a short text
	chunk = binary.BigEndian.AppendUint32(append(chunk, said...), crc32.ChecksumIEEE(said))
	const end = 12 // bytes of the last chunk
	return slices.Concat(p.png[:len(p.png)-end], chunk, p.png[len(p.png)-end:])
}

func draw(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a picture, not a secret
	img := image.NewGray(image.Rect(0, 0, pictureWidth, pictureHeight))
	bend, tilt, light := 20+rng.Float64()*60, rng.Float64()*4, 60+rng.Float64()*60
	for y := range pictureHeight {
		for x := range pictureWidth {
			wave := math.Sin(float64(x)/bend+tilt) * math.Cos(float64(y)/(bend*0.7))
			shade := light + 70*float64(pictureHeight-y)/pictureHeight + 40*wave
			img.SetGray(x, y, color.Gray{Y: uint8(min(255, max(0, shade)))/4*4 + uint8(rng.IntN(2))}) //nolint:gosec // bounded
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img); err != nil {
		panic(err) // a picture in memory always encodes
	}
	return out.Bytes()
}
