package pdq_test

import (
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/tangkal/tangkal/pdq"
)

// TestBridgeInEightOrientations: the variants computed from one photograph find
// the photograph as it was turned and mirrored before it was encoded.
func TestBridgeInEightOrientations(t *testing.T) {
	dir := shared(t)
	var h pdq.Hasher
	r := hashed(t, &h, filepath.Join(dir, "aaa-orig.jpg"))
	v := r.Variants()
	if v[pdq.Original] != r.Hash {
		t.Errorf("the first variant is not the hash itself")
	}
	for o, file := range map[pdq.Orientation]string{
		pdq.Rotate90: "bridge-2-rotate-90.jpg", pdq.Rotate180: "bridge-3-rotate-180.jpg",
		pdq.Rotate270: "bridge-4-rotate-270.jpg", pdq.FlipX: "bridge-5-flipx.jpg", pdq.FlipY: "bridge-6-flipy.jpg",
		pdq.FlipPlus1: "bridge-7-flip-plus-1.jpg", pdq.FlipMinus1: "bridge-8-flip-minus-1.jpg",
	} {
		got := hashed(t, &h, filepath.Join(dir, file)).Hash
		for p, hash := range v {
			if d := pdq.Distance(got, hash); (d <= pdq.MatchDistance) != (pdq.Orientation(p) == o) {
				t.Errorf("%s is %d bits from variant %s of the original", file, d, pdq.Orientation(p))
			}
		}
	}
}

// turned returns m as orientation o shows it.
func turned(m *image.Gray, o pdq.Orientation) *image.Gray {
	n := m.Bounds().Dx()
	out := image.NewGray(m.Bounds())
	for y := range n {
		for x := range n {
			// (x, y) is where the pixel goes; what is read there:
			fx, fy := x, y
			switch o { //nolint:exhaustive // the original stays as it is
			case pdq.Rotate90:
				fx, fy = n-1-y, x
			case pdq.Rotate180:
				fx, fy = n-1-x, n-1-y
			case pdq.Rotate270:
				fx, fy = y, n-1-x
			case pdq.FlipX:
				fx, fy = x, n-1-y
			case pdq.FlipY:
				fx, fy = n-1-x, y
			case pdq.FlipPlus1:
				fx, fy = y, x
			case pdq.FlipMinus1:
				fx, fy = n-1-y, n-1-x
			}
			out.SetGray(x, y, m.GrayAt(fx, fy))
		}
	}
	return out
}

// smooth makes a square grey picture of soft waves.
func smooth(rnd *rand.Rand, n int) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, n, n))
	var noise [12][12]float64
	for i := range noise {
		for j := range noise[i] {
			noise[i][j] = rnd.Float64() * 255
		}
	}
	for y := range n {
		for x := range n {
			u, v := float64(x)*11/float64(n), float64(y)*11/float64(n)
			i, j := int(v), int(u)
			a, b := v-float64(i), u-float64(j)
			top := noise[i][j]*(1-b) + noise[i][j+1]*b
			low := noise[i+1][j]*(1-b) + noise[i+1][j+1]*b
			m.SetGray(x, y, color.Gray{Y: uint8(top*(1-a) + low*a)})
		}
	}
	return m
}

// TestVariantsAreTheHashesOfTurnedPictures on the pixels of a picture that the
// filter does not touch (64x64): what remains is rounding.
func TestVariantsAreTheHashesOfTurnedPictures(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a picture, not a secret
	for range 20 {
		m := smooth(rnd, 64)
		r := pdq.Image(m)
		for o, hash := range r.Variants() {
			got := pdq.Image(turned(m, pdq.Orientation(o))).Hash
			if d := pdq.Distance(got, hash); d > 2 {
				t.Errorf("%s: %d bits off", pdq.Orientation(o), d)
			}
		}
	}
}
