// Package picturetest makes pictures for tests: small synthetic ones, with
// everything in them that must not be shown, and files that are pictures and
// something else.
package picturetest

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
)

// Canary stands in every piece of metadata; Clues are further ones, as bytes
// that an EXIF directory holds.
const Canary = "CANARY-7f3a1c"

// Clues are what must not be found in a copy: the canary as text, in UTF-16, and
// the degrees of a place as EXIF writes them.
func Clues() [][]byte {
	wide := make([]byte, 0, 2*len(Canary))
	for _, c := range []byte(Canary) {
		wide = append(wide, 0, c)
	}
	return [][]byte{[]byte(Canary), []byte(strings.ToLower(Canary)), wide, place(), []byte("GPS")}
}

// place is 6° 12' 34.56", 106° 50' 7.89" as rational numbers.
func place() []byte {
	var b []byte
	for _, n := range []uint32{6, 1, 12, 1, 3456, 100, 106, 1, 50, 1, 789, 100} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// EXIF is a TIFF structure with a device, an author, a place and which side is
// up (1 to 8).
func EXIF(orientation int) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08")
	entry := func(tag, kind uint16, count, value uint32) {
		b = binary.BigEndian.AppendUint16(b, tag)
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint32(b, count)
		b = binary.BigEndian.AppendUint32(b, value)
	}
	text := Canary + " GPS\x00"
	const ifd0, entries = 8, 4
	end := uint32(ifd0 + 2 + 12*entries + 4)
	gps := end + uint32(len(text))
	b = binary.BigEndian.AppendUint16(b, entries)
	entry(0x010f, 2, uint32(len(text)), end) // make
	entry(0x0112, 3, 1, uint32(orientation)<<16)
	entry(0x013b, 2, uint32(len(text)), end) // artist
	entry(0x8825, 4, 1, gps)                 // place
	b = append(b, 0, 0, 0, 0)
	b = append(b, text...)
	b = binary.BigEndian.AppendUint16(b, 2)
	entry(2, 5, 3, gps+2+24+4)
	entry(4, 5, 3, gps+2+24+4+24)
	b = append(b, 0, 0, 0, 0)
	return append(b, place()...)
}

// XMP is a packet with an author and a place.
func XMP() []byte {
	return []byte(`<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description creator="` + Canary +
		`" exif:GPSLatitude="6,12.576S"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`)
}

// Drawing is the picture in all of them: width x height, its corners unlike each
// other.
func Drawing(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), uint8((x + y) % 7 * 30), 255}) //nolint:gosec // below 256
		}
	}
	return m
}

// must is for encoders that write to memory.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// PNG is a picture with nothing beside it.
func PNG(width, height int) []byte {
	var b bytes.Buffer
	must(png.Encode(&b, Drawing(width, height)))
	return b.Bytes()
}

// JPEG is a picture with nothing beside it.
func JPEG(width, height int) []byte {
	var b bytes.Buffer
	must(jpeg.Encode(&b, Drawing(width, height), nil))
	return b.Bytes()
}

// GIF is a film with nothing beside it.
func GIF(width, height, frames int) []byte {
	g := gif.GIF{LoopCount: 3}
	for i := range frames {
		m := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White, color.RGBA{200, 0, 0, 255}, color.RGBA{0, 0, 200, 255}})
		for p := range m.Pix {
			m.Pix[p] = uint8((p + i) % 4) //nolint:gosec // below 4
		}
		g.Image, g.Delay, g.Disposal = append(g.Image, m), append(g.Delay, 10), append(g.Disposal, gif.DisposalNone)
	}
	var b bytes.Buffer
	must(gif.EncodeAll(&b, &g))
	return b.Bytes()
}

//go:embed plain.webp
var plainWebP []byte

// WebP is a picture of 24 x 24 with nothing beside it.
func WebP() []byte { return bytes.Clone(plainWebP) }

// Traced is a picture of each type with the canary wherever its format has a
// place for it, and beyond its end.
func Traced(orientation int) map[string][]byte {
	return map[string][]byte{
		"image/jpeg": tracedJPEG(orientation), "image/png": tracedPNG(orientation), "image/gif": tracedGIF(), "image/webp": tracedWebP(orientation),
	}
}

// Segment is a JPEG segment.
func Segment(marker byte, payload []byte) []byte {
	out := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(payload)+2)) //nolint:gosec // short
	return append(out, payload...)
}

func tracedJPEG(orientation int) []byte {
	small := JPEG(8, 8)
	jfif := append([]byte("JFIF\x00\x01\x02\x01\x00\x48\x00\x48\x01\x01"), Canary[:3]...)
	parts := [][]byte{
		[]byte("\xff\xd8"), Segment(0xe0, jfif), Segment(0xe0, append([]byte("JFXX\x00\x10"), small...)),
		Segment(0xe1, append([]byte("Exif\x00\x00"), append(EXIF(orientation), small...)...)),
		Segment(0xe1, append([]byte("http://ns.adobe.com/xap/1.0/\x00"), XMP()...)),
		Segment(0xe2, []byte("ICC_PROFILE\x00\x01\x01"+Canary)), Segment(0xe2, []byte("MPF\x00"+Canary)),
		Segment(0xed, []byte("Photoshop 3.0\x008BIM\x04\x04"+Canary)), Segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x01"+Canary)),
		Segment(0xfe, []byte(Canary)), JPEG(24, 16)[2:], []byte(Canary), small, EXIF(orientation),
	}
	return bytes.Join(parts, nil)
}

// Chunk is a PNG chunk.
func Chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data))) //nolint:gosec // short
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func tracedPNG(orientation int) []byte {
	b := PNG(24, 16)
	const header = 8 + 25
	parts := [][]byte{
		b[:header], Chunk("eXIf", EXIF(orientation)), Chunk("iTXt", append([]byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"), XMP()...)),
		Chunk("tEXt", []byte("Author\x00"+Canary)), Chunk("zTXt", []byte("Comment\x00\x00"+Canary)), Chunk("iCCP", []byte(Canary+"\x00\x00x")),
		Chunk("tIME", []byte{7, 234, 11, 22, 1, 2, 3}), Chunk("caNv", []byte(Canary)), Chunk("sPLT", []byte(Canary+"\x00\x08")),
		b[header : len(b)-12], Chunk("tEXt", []byte("Comment\x00"+Canary)), b[len(b)-12:], []byte(Canary), EXIF(orientation),
	}
	return bytes.Join(parts, nil)
}

// SubBlocks are the data of a GIF extension.
func SubBlocks(data []byte) []byte {
	var out []byte
	for len(data) > 0 {
		n := min(255, len(data))
		out = append(append(out, byte(n)), data[:n]...)
		data = data[n:]
	}
	return append(out, 0)
}

func tracedGIF() []byte {
	b := GIF(24, 16, 3)
	const header = 13
	comment := append([]byte{0x21, 0xfe}, SubBlocks([]byte(Canary))...)
	xmp := append([]byte("\x21\xff\x0bXMP DataXMP"), SubBlocks(XMP())...)
	text := append([]byte("\x21\x01\x0c\x00\x00\x00\x00\x08\x00\x08\x00\x08\x08\x00\x01"), SubBlocks([]byte(Canary))...)
	table := 3 << (b[10]&7 + 1)
	if b[10]&0x80 == 0 {
		table = 0
	}
	at := header + table
	return bytes.Join([][]byte{b[:at], comment, xmp, text, b[at : len(b)-1], comment, b[len(b)-1:], []byte(Canary), EXIF(1)}, nil)
}

// RIFFChunk is a chunk of WebP.
func RIFFChunk(kind string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))) //nolint:gosec // short
	out = append(out, data...)
	if len(data)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

// RIFF is a WebP file of chunks.
func RIFF(chunks ...[]byte) []byte {
	body := bytes.Join(chunks, nil)
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4)) //nolint:gosec // short
	return append(append(out, "WEBP"...), body...)
}

func tracedWebP(orientation int) []byte {
	const flags = 1<<5 | 1<<3 | 1<<2 // ICC, EXIF, XMP
	file := RIFF(
		RIFFChunk("VP8X", []byte{flags, 0, 0, 0, 23, 0, 0, 23, 0, 0}), RIFFChunk("ICCP", []byte(Canary)), plainWebP[12:],
		RIFFChunk("EXIF", EXIF(orientation)), RIFFChunk("XMP ", XMP()), RIFFChunk("CANV", []byte(Canary)),
	)
	return append(file, Canary...)
}

// Clean returns the clue that stands in data, if there is one.
func Clean(data []byte) error {
	for _, c := range Clues() {
		if i := bytes.Index(data, c); i >= 0 {
			return fmt.Errorf("%q stands at byte %d of %d", c, i, len(data))
		}
	}
	return nil
}
