package pdq_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// promising writes a size into the header of a PNG or BMP.
func promising(data []byte, width, height uint32) []byte {
	data = bytes.Clone(data)
	if data[0] == 'B' {
		binary.LittleEndian.PutUint32(data[18:], width)
		binary.LittleEndian.PutUint32(data[22:], height)
		return data
	}
	binary.BigEndian.PutUint32(data[16:], width)
	binary.BigEndian.PutUint32(data[20:], height)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

// TestAHeaderAloneTakesNoMemory: a short file that promises ten thousand pixels
// square is refused before they are there.
func TestAHeaderAloneTakesNoMemory(t *testing.T) {
	files := encoded(t, synthetic.Photo(20, 20))
	for _, name := range []string{"png", "bmp"} {
		data := promising(files[name], 9000, 9000)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var h pdq.Hasher
		_, err := h.Decode(data)
		runtime.ReadMemStats(&after)
		var refused *pdq.Error
		if !errors.As(err, &refused) || refused.Reason != pdq.Damaged || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 8<<20 {
			t.Errorf("%s: %d bytes", name, taken)
		}
		if got := h.Memory(data); got > 8<<20 {
			t.Errorf("%s: %d bytes are said", name, got)
		}
	}
}

// TestEvenPicturesOfOneColourAreRead: what compresses best is not taken for a
// lie.
func TestEvenPicturesOfOneColourAreRead(t *testing.T) {
	var h pdq.Hasher
	for name, m := range map[string]image.Image{
		"grey": image.NewGray(image.Rect(0, 0, 3000, 3000)), "colour": image.NewNRGBA(image.Rect(0, 0, 1500, 1500)),
	} {
		var b bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Decode(b.Bytes()); err != nil {
			t.Errorf("%s, %d bytes: %v", name, b.Len(), err)
		}
	}
}

// TestMemoryIsToldBeforehand: never less than what is taken, where it is much.
func TestMemoryIsToldBeforehand(t *testing.T) {
	deep := image.NewNRGBA64(image.Rect(0, 0, 1500, 1500))
	for i := range deep.Pix {
		deep.Pix[i] = byte(i * i >> 3)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, deep); err != nil {
		t.Fatal(err)
	}
	files := encoded(t, synthetic.Photo(1500, 1500))
	files["png of 16 bits"] = b.Bytes()
	for name, data := range files {
		var h pdq.Hasher
		told := h.Memory(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := h.Decode(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if taken := int64(after.TotalAlloc - before.TotalAlloc); taken > told || told > 8*1500*1500+8<<20 { //nolint:gosec // small
			t.Errorf("%s: %d bytes are told and %d taken", name, told, taken)
		}
	}
}

// TestTextIsNoPicture: two letters do not make one.
func TestTextIsNoPicture(t *testing.T) {
	for _, text := range []string{"BM", "BM is a car", "BM is a car, and this is a long text on it", "BM" + strings.Repeat("\x00", 40), "\xff\xd8 so"} {
		if f := pdq.Format([]byte(text)); f != "" {
			t.Errorf("%q is taken for %s", text, f)
		}
	}
}
