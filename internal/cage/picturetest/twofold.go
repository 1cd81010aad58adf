package picturetest

import (
	"archive/zip"
	"bytes"
	"strings"
)

// Polyglots are files that are a picture and something else at the same time,
// by what they are: four pictures, each with eleven other natures, hidden where
// readers of those would find them.
func Polyglots() map[string][]byte {
	out := map[string][]byte{}
	for kind, other := range natures() {
		for where, make := range carriers() {
			out[where+" and "+kind] = make(other)
		}
	}
	for where, file := range scripts() {
		out[where+" and script"] = file
	}
	return out
}

// natures are what a file may be besides.
func natures() map[string][]byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("META-INF/MANIFEST.MF")
	must(err)
	_, err = w.Write([]byte("Manifest-Version: 1.0\n"))
	must(err)
	must(z.Close())
	return map[string][]byte{
		"page":         []byte("<!DOCTYPE html><html><body>x</body></html>"),
		"page, loud":   []byte("<SCRIPT>x()</SCRIPT>"),
		"drawing":      []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>`),
		"server page":  []byte("<?php x(); ?>"),
		"document":     []byte("%PDF-1.7\n1 0 obj\n"),
		"archive":      b.Bytes(),
		"rar":          []byte("Rar!\x1a\x07\x01\x00"),
		"7z":           []byte("7z\xbc\xaf\x27\x1c\x00\x04"),
		"program":      []byte("MZ\x90\x00\x03\x00\x00\x00" + strings.Repeat("\x00", 64) + "This program cannot be run in DOS mode.\r\n"),
		"unix program": []byte("\x7fELF\x02\x01\x01\x00"),
		"shell":        []byte("\n#!/bin/sh\nx\n"),
		"old office":   []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
	}
}

// carriers hide other data in a picture: beside it where the format allows, and
// behind its end.
func carriers() map[string]func(other []byte) []byte {
	behind := func(file []byte) func([]byte) []byte {
		return func(other []byte) []byte { return append(bytes.Clone(file), other...) }
	}
	return map[string]func([]byte) []byte{
		"jpeg, in a comment": func(o []byte) []byte {
			return bytes.Join([][]byte{[]byte("\xff\xd8"), Segment(0xfe, o), JPEG(8, 8)[2:]}, nil)
		},
		"png, in a chunk": func(o []byte) []byte {
			b := PNG(8, 8)
			return bytes.Join([][]byte{b[:33], Chunk("teSt", o), b[33:]}, nil)
		},
		"gif, in a comment": func(o []byte) []byte {
			b := GIF(8, 8, 1)
			return bytes.Join([][]byte{b[:len(b)-1], {0x21, 0xfe}, SubBlocks(o), b[len(b)-1:]}, nil)
		},
		"webp, in a chunk": func(o []byte) []byte {
			return RIFF(RIFFChunk("VP8X", []byte{0, 0, 0, 0, 23, 0, 0, 23, 0, 0}), plainWebP[12:], RIFFChunk("TEST", o))
		},
		"jpeg, behind": behind(JPEG(8, 8)), "png, behind": behind(PNG(8, 8)), "gif, behind": behind(GIF(8, 8, 1)), "webp, behind": behind(plainWebP),
	}
}

// scripts are pictures whose first bytes open a comment of a script.
func scripts() map[string][]byte {
	long := bytes.Repeat([]byte(" "), 0x2f2a-2-5)
	jpeg := bytes.Join([][]byte{[]byte("\xff\xd8"), Segment(0xe0, append([]byte("JFIF\x00"), long...)), Segment(0xfe, []byte("*/=1;x()/*")), JPEG(8, 8)[2:]}, nil)
	b := GIF(0x2a2f, 2, 1) // a width whose bytes are the signs
	return map[string][]byte{"jpeg": jpeg, "gif": append(b, "*/=1;x()"...)}
}
