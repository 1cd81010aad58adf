package pdq

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

var errNoStill = errors.New("no picture inside")

// still reads the first picture of a WebP file as if it stood alone: that of an
// animation too, and never with a size that differs from the one that was
// checked, as the header of an extended file may promise. Its separate
// transparency does not count and is left out.
func still[T any](read func(io.Reader) (T, error)) func([]byte) (T, error) {
	return func(data []byte) (T, error) {
		chunk := firstStill(data[12:], 0)
		if chunk == nil {
			var none T
			return none, errNoStill
		}
		alone := make([]byte, 0, 12+len(chunk)+1)
		alone = append(alone, "RIFF????WEBP"...)
		alone = append(alone, chunk...)
		if len(chunk)%2 == 1 {
			alone = append(alone, 0)
		}
		binary.LittleEndian.PutUint32(alone[4:], uint32(len(alone)-8)) //nolint:gosec // no longer than the chunk's own length says
		return read(bytes.NewReader(alone))
	}
}

// firstStill returns the first chunk with pixels, with its header. A frame of an
// animation (ANMF) has 16 bytes and then chunks. RFC 9649, section 2.7.
func firstStill(data []byte, depth int) []byte {
	for len(data) >= 8 {
		n := int64(binary.LittleEndian.Uint32(data[4:]))
		if n > int64(len(data)-8) {
			return nil
		}
		end := 8 + int(n)
		switch kind := string(data[:4]); {
		case kind == "VP8 " || kind == "VP8L":
			return data[:end]
		case kind == "ANMF" && n > 16 && depth == 0:
			if c := firstStill(data[8+16:end], 1); c != nil {
				return c
			}
		}
		data = data[min(len(data), end+end%2):]
	}
	return nil
}
