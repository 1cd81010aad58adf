package picture

import (
	"bytes"
	"encoding/binary"
)

// Markers of JPEG (ITU-T T.81, table B.1).
const (
	mSOF0, mSOF1, mSOF2 = 0xc0, 0xc1, 0xc2
	mDHT                = 0xc4
	mDAC                = 0xcc
	mRST0, mRST7        = 0xd0, 0xd7
	mSOI, mEOI, mSOS    = 0xd8, 0xd9, 0xda
	mDQT, mDNL, mDRI    = 0xdb, 0xdc, 0xdd
	mAPP0, mAPP1        = 0xe0, 0xe1
	mAPP14              = 0xee
	mTEM                = 0x01
)

// jpegFile is a JPEG on its way.
type jpegFile struct {
	stripped
	in    []byte // what is still to be read
	parts int
	scans int
	turn  int  // orientation, once it was found
	frame bool // the header of the frame was seen
	jfif  []byte
	body  []byte
}

// stripJPEG keeps tables, frame header, scans, the density of JFIF and Adobe's
// word on colours, and says again which side is up.
func stripJPEG(data []byte) (stripped, error) {
	f := jpegFile{in: data[2:], body: make([]byte, 0, len(data))}
	for end := false; !end; {
		var err error
		if end, err = f.segment(); err != nil {
			return stripped{}, err
		}
	}
	if !f.frame || f.scans == 0 {
		return stripped{}, refuse(Damaged)
	}
	f.left = append(f.left, f.in) // whatever stands behind the end
	out := append(make([]byte, 0, len(f.body)+64), 0xff, mSOI)
	out = append(out, f.jfif...)
	if turned(f.turn) {
		out = appendSegment(out, mAPP1, append([]byte("Exif\x00\x00"), uprightTIFF(f.turn)...))
	}
	f.data = append(out, f.body...)
	f.frames = 1
	f.decode = func() error { return decodeJPEG(f.data) }
	return f.stripped, nil
}

// marker reads the next marker; bytes of fill before it are allowed (B.1.1.2).
func (f *jpegFile) marker() (byte, error) {
	if len(f.in) < 2 || f.in[0] != 0xff {
		return 0, refuse(Damaged)
	}
	i := 1
	for i < len(f.in) && f.in[i] == 0xff {
		i++
	}
	if i == len(f.in) {
		return 0, refuse(Damaged)
	}
	m := f.in[i]
	f.in = f.in[i+1:]
	return m, nil
}

// segment reads one marker and what belongs to it.
func (f *jpegFile) segment() (end bool, err error) {
	if f.parts++; f.parts > maxParts {
		return false, refuse(TooLarge)
	}
	m, err := f.marker()
	switch {
	case err != nil:
		return false, err
	case m == mEOI:
		f.body = append(f.body, 0xff, mEOI)
		return true, nil
	case m == 0 || m == mSOI || m == mTEM || m >= mRST0 && m <= mRST7:
		return false, refuse(Damaged)
	}
	if len(f.in) < 2 {
		return false, refuse(Damaged)
	}
	n := int(binary.BigEndian.Uint16(f.in))
	if n < 2 || n > len(f.in) {
		return false, refuse(Damaged)
	}
	payload := f.in[2:n]
	f.in = f.in[n:]
	return false, f.keep(m, payload)
}

// keep decides about one segment.
func (f *jpegFile) keep(m byte, payload []byte) error {
	switch m {
	case mSOF0, mSOF1, mSOF2:
		if f.frame {
			return refuse(Damaged)
		}
		f.frame = true
		f.body = appendSegment(f.body, m, payload)
		return f.size(payload, m == mSOF2)
	case mDHT, mDQT, mDRI:
		f.body = appendSegment(f.body, m, payload)
	case mSOS:
		if f.scans++; f.scans > maxScans {
			return refuse(TooLarge)
		}
		f.body = appendSegment(f.body, m, payload)
		f.scan()
	case mAPP14:
		f.adobe(payload)
	case mAPP0:
		f.density(payload)
	case mAPP1:
		if tiff, ok := bytes.CutPrefix(payload, []byte("Exif\x00\x00")); ok && f.turn == 0 {
			f.turn = orientation(tiff)
		}
		f.left = append(f.left, payload)
	default:
		if m >= 0xc0 && m < mSOI || m == mDNL || m == mDAC || m == 0xde || m == 0xdf {
			return refuse(Unsupported) // lossless, arithmetic, hierarchical
		}
		f.left = append(f.left, payload)
	}
	return nil
}

// size reads the frame's header: B.2.2.
func (f *jpegFile) size(p []byte, progressive bool) error {
	if len(p) < 6 {
		return refuse(Damaged)
	}
	if p[0] != 8 {
		return refuse(Unsupported)
	}
	f.height, f.width = int(binary.BigEndian.Uint16(p[1:])), int(binary.BigEndian.Uint16(p[3:]))
	components := int(p[5])
	if components < 1 || components > 4 || len(p) != 6+3*components {
		return refuse(Damaged)
	}
	// Samples of all components, in units of the densest.
	most, sum := 1, 0
	for i := range components {
		hv := p[6+3*i+1]
		area := int(hv>>4) * int(hv&15)
		most, sum = max(most, area), sum+area
	}
	perPixel := (sum + most - 1) / most
	if progressive {
		perPixel *= 5 // a coefficient of four bytes beside each sample
	}
	if components == 4 {
		perPixel += 4 // turned into RGB
	}
	return bounded(f.width, f.height, 1, perPixel)
}

// scan copies the coded pixels up to the next marker that is not one of theirs.
func (f *jpegFile) scan() {
	i := 0
	for {
		j := bytes.IndexByte(f.in[i:], 0xff)
		if j < 0 {
			i = len(f.in)
			break
		}
		i += j
		if i+1 < len(f.in) && (f.in[i+1] == 0 || f.in[i+1] >= mRST0 && f.in[i+1] <= mRST7) {
			i += 2
			continue
		}
		break
	}
	f.body = append(f.body, f.in[:i]...)
	f.in = f.in[i:]
}

// density keeps how many pixels an inch has, without the small picture that may
// follow. JFIF 1.02, "JFIF APP0 marker".
func (f *jpegFile) density(p []byte) {
	if len(p) < 14 || string(p[:5]) != "JFIF\x00" || f.jfif != nil {
		f.left = append(f.left, p)
		return
	}
	f.jfif = appendSegment(nil, mAPP0, append(bytes.Clone(p[:12]), 0, 0))
	f.left = append(f.left, p[14:])
}

// adobe keeps the byte that says how colours are coded (T.872, 6.5.3).
func (f *jpegFile) adobe(p []byte) {
	if len(p) < 12 || string(p[:5]) != "Adobe" {
		f.left = append(f.left, p)
		return
	}
	f.body = appendSegment(f.body, mAPP14, []byte{'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, p[11]})
	f.left = append(f.left, p[12:])
}

// appendSegment writes a marker with its payload, which is at most 65,533 bytes.
func appendSegment(out []byte, m byte, payload []byte) []byte {
	out = append(out, 0xff, m)
	out = binary.BigEndian.AppendUint16(out, uint16(len(payload)+2)) //nolint:gosec // as it was read, or shorter
	return append(out, payload...)
}
