package jpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

// TestInkIsReadAsTheStandardLibraryReadsIt: pictures of four inks, as image
// programs write them for print. The colours of all three files are such as
// they are by the segment that tells how ink is stored; Go's decoder says what
// is to come of them.
func TestInkIsReadAsTheStandardLibraryReadsIt(t *testing.T) {
	transformed := load(t, "testdata/ycck.jpg")
	at := bytes.Index(transformed, []byte("Adobe"))
	inverted := bytes.Clone(transformed)
	inverted[at+11] = 0 // the inks themselves, inverted
	plain := append(bytes.Clone(inverted[:at-4]), inverted[at+12:]...)

	ink := decodeInk(t, transformed)
	wantInk(t, "transformed", transformed, func(i int) (r, g, b int) {
		p := ink.Pix[4*i:]
		return left(p[0], p[3]), left(p[1], p[3]), left(p[2], p[3])
	})
	ink = decodeInk(t, inverted)
	wantInk(t, "inverted", inverted, func(i int) (r, g, b int) {
		p := ink.Pix[4*i:]
		return left(p[0], p[3]), left(p[1], p[3]), left(p[2], p[3])
	})
	// Go refuses a file that does not tell. Such a one holds the inks as they
	// are, that is the inverse of what Go takes the other for.
	wantInk(t, "plain", plain, func(i int) (r, g, b int) {
		p := ink.Pix[4*i:]
		return left(^p[0], ^p[3]), left(^p[1], ^p[3]), left(^p[2], ^p[3])
	})
}

// left is the light that ink and black leave.
func left(ink, black byte) int { return int(255-ink) * int(255-black) / 255 }

func decodeInk(t *testing.T, data []byte) *image.CMYK {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	ink, ok := m.(*image.CMYK)
	if !ok {
		t.Fatalf("a picture of %T", m)
	}
	return ink
}

// wantInk fails unless the colours of a file are nearly those wanted: the
// decoders round otherwise.
func wantInk(t *testing.T, name string, data []byte, want func(i int) (r, g, b int)) {
	t.Helper()
	var d Decoder
	h, p := all(t, &d, data)
	if len(p.RGB) != 3*h.Width*h.Height {
		t.Fatalf("%s: %d bytes of colour for %dx%d", name, len(p.RGB), h.Width, h.Height)
	}
	for i := range h.Width * h.Height {
		r, g, b := want(i)
		for c, v := range [3]int{r, g, b} {
			if off := int(p.RGB[3*i+c]) - v; off < -4 || off > 4 {
				t.Fatalf("%s: colour %d of pixel %d is %d, want about %d", name, c, i, p.RGB[3*i+c], v)
			}
		}
	}
}
