package jpeg

import (
	"bytes"
	"testing"
)

// A segment is a marker and what follows it, with its length between.
func segment(marker byte, content ...byte) []byte {
	n := len(content) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, content...) //nolint:gosec // short
}

// manyScans is a progressive grey picture of 1024x1024 (16384 blocks), of which
// each further scan is two bytes: one run over all blocks.
func manyScans(scans int) []byte {
	quant := append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)
	one := make([]byte, 16) // a single code, of one bit
	one[0] = 1
	parts := [][]byte{
		{0xff, 0xd8},
		segment(0xdb, quant...),
		segment(0xc2, 8, 4, 0, 4, 0, 1, 1, 0x11, 0),
		segment(0xc4, append(append([]byte{0}, one...), 0)...),
		segment(0xc4, append(append([]byte{0x10}, one...), 0xe0)...),
		segment(0xda, 1, 1, 0, 0, 0, 0),
		make([]byte, 16384/8),
	}
	for range scans {
		parts = append(parts, segment(0xda, 1, 1, 0, 1, 63, 0x10), []byte{0, 0})
	}
	return bytes.Join(append(parts, []byte{0xff, 0xd9}), nil)
}

// TestManyScansOfFewBytesAreNotAllRead: the work that a file asks for is bounded
// by its pixels and its bytes.
func TestManyScansOfFewBytesAreNotAllRead(t *testing.T) {
	var d Decoder
	all(t, &d, manyScans(240))
	if !d.Partial() || d.scans > 30 {
		t.Errorf("%d scans are read, partial %v", d.scans, d.Partial())
	}
	all(t, &d, manyScans(20))
	if d.Partial() || d.scans != 21 {
		t.Errorf("of 21 scans %d are read, partial %v", d.scans, d.Partial())
	}
}

// TestAComponentWithoutAScanIsMissed: a file that names red, green and blue and
// ends in good order after the scan of red is there in part.
func TestAComponentWithoutAScanIsMissed(t *testing.T) {
	quant := append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)
	file := func(frame byte, scans string) []byte {
		parts := [][]byte{
			{0xff, 0xd8},
			segment(0xdb, quant...),
			segment(frame, 8, 0, 8, 0, 8, 3, 'R', 0x11, 0, 'G', 0x11, 0, 'B', 0x11, 0),
		}
		for _, id := range []byte(scans) {
			last := byte(63)
			if frame == 0xc2 {
				last = 0
			}
			parts = append(parts, segment(0xda, 1, id, 0, 0, last, 0), []byte{0x2b}) // 00 (no difference), 1010 (end), ones
		}
		return bytes.Join(append(parts, []byte{0xff, 0xd9}), nil)
	}
	var d Decoder
	for _, frame := range []byte{0xc0, 0xc2} {
		for scans, want := range map[string]bool{"RGB": false, "R": true, "GB": true} {
			if _, p := all(t, &d, file(frame, scans)); p.RGB == nil || d.Partial() != want {
				t.Errorf("frame %x with the scans %s: partial %v", frame, scans, d.Partial())
			}
		}
	}
}
