package picture

import (
	"bytes"
	"encoding/binary"
)

// A file can be a picture and something else at the same time, for whoever
// reads it as that: an archive has its table at the end, a document may begin
// within the first kilobyte, a page or a script begins wherever a reader first
// finds it. What is given on has lost all that; but whoever made such a file
// did so on purpose, and it is refused.

// Marks of other kinds of files, wherever they stand in what was left out. Text
// is compared in lower case.
var foreign = [][]byte{
	[]byte("<html"), []byte("<!doctype"), []byte("<script"), []byte("<svg"), []byte("<iframe"), []byte("<body"), []byte("<?php"), []byte("<%@"),
	[]byte("%pdf-"), []byte("pk\x03\x04"), []byte("pk\x05\x06"), []byte("rar!\x1a\x07"), []byte("7z\xbc\xaf\x27\x1c"), []byte("\xfd7zxz\x00"),
	[]byte("\x7felf"), []byte("this program cannot be run in dos mode"), []byte("\xca\xfe\xba\xbe\x00"), []byte("\xcf\xfa\xed\xfe"), []byte("!<arch>\n"),
	[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), []byte("sqlite format 3\x00"), []byte("mscf\x00\x00\x00\x00"), []byte("itsf\x03\x00"),
	[]byte("dex\n03"), []byte("\x00asm\x01\x00"), []byte("\n#!/"), []byte("ustar\x00"), []byte("ustar  "),
}

// Marks that are too short to mean anything but at the beginning of a part.
var leading = [][]byte{[]byte("#!/"), []byte("mz\x90\x00"), []byte("\x1f\x8b\x08"), []byte("bzh9"), []byte("cws"), []byte("fws"), []byte("{\\rtf")}

// head is how far into a file readers of documents and pages look for its
// beginning.
const head = 1 << 10

// twofold reports whether a file is something else, too.
func twofold(data []byte, left [][]byte) bool {
	if marked(data[:min(len(data), head)], foreign) || archived(data) {
		return true
	}
	script := bytes.Contains(data[:min(len(data), 32)], []byte("/*")) // the rest of the head is a comment, for a script
	for _, part := range left {
		if marked(part, foreign) || script && bytes.Contains(part, []byte("*/")) {
			return true
		}
		lower := lowerASCII(part[:min(len(part), 16)])
		for _, m := range leading {
			if bytes.HasPrefix(lower, m) {
				return true
			}
		}
	}
	return false
}

// marked reports whether one of the marks stands in part.
func marked(part []byte, marks [][]byte) bool {
	if len(part) < 4 {
		return false
	}
	lower := lowerASCII(part)
	for _, m := range marks {
		if bytes.Contains(lower, m) {
			return true
		}
	}
	return false
}

// lowerASCII is part with A to Z in lower case and every other byte as it is.
func lowerASCII(part []byte) []byte {
	out := bytes.Clone(part)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// archived reports whether the file ends as a ZIP archive does, wherever its
// bytes stand (APPNOTE.TXT, section 4.3.16).
func archived(data []byte) bool {
	const size = 22
	from := max(0, len(data)-size-1<<16)
	for end := len(data); ; {
		i := bytes.LastIndex(data[from:end], []byte("PK\x05\x06"))
		if i < 0 {
			return false
		}
		i += from
		if rest := len(data) - i - size; rest >= 0 && int(binary.LittleEndian.Uint16(data[i+20:])) == rest {
			return true
		}
		end = i
	}
}
