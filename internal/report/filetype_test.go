package report

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tangkal/tangkal/internal/fault"
)

func TestWhatPeopleSendIsTaken(t *testing.T) {
	const mp4 = "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
	for _, c := range []struct{ name, claimed, head, want string }{
		{"IMG_1.JPG", "image/jpeg", "\xff\xd8\xff\xe0", "image/jpeg"},
		{"a.jpeg", "image/jpg", "\xff\xd8\xff\xdb", "image/jpeg"},
		{"screen.png", "", "\x89PNG\r\n\x1a\n", "image/png"},
		{"screen", "", "\x89PNG\r\n\x1a\n", "image/png"},
		{"", "application/octet-stream", "GIF87a", "image/gif"},
		{"a.webp", "image/webp", "RIFF\x10\x00\x00\x00WEBPVP8L", "image/webp"},
		{"a.bmp", "image/x-ms-bmp", "BM\x36\x00", "image/bmp"},
		{"a.mp4", "video/mp4", mp4, "video/mp4"},
		{"a.mov", "video/quicktime", "\x00\x00\x00\x14ftypqt  ", "video/quicktime"},
		{"VID-20261122", "video/mp4", mp4, "video/mp4"},
		{"a.heic", "image/heic", "\x00\x00\x00\x18ftypheic", "image/heic"},
		{"a.3gp", "video/3gpp", "\x00\x00\x00\x18ftyp3gp5", "video/3gpp"},
		{"a.m4a", "audio/mp4", "\x00\x00\x00\x18ftypM4A ", "audio/mp4"},
		{"a.webm", "video/webm", "\x1a\x45\xdf\xa3\x01", "video/webm"},
		{"a.mkv", "", "\x1a\x45\xdf\xa3\x01", "video/x-matroska"},
		{"a.avi", "", "RIFF\x00\x00\x00\x00AVI LIST", "video/avi"},
		{"a.wav", "", "RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wave"},
		{"a.mp3", "audio/mpeg", "ID3\x04", "audio/mpeg"},
		{"a.mp3", "", "\xff\xfb\x90", "audio/mpeg"},
		{"voice.opus", "audio/ogg", "OggS\x00\x02", "audio/ogg"},
		{"a.amr", "", "#!AMR\n", "audio/amr"},
		{"a.pdf", "application/pdf", "%PDF-1.4", "application/pdf"},
		{"a.txt", "text/plain", "selamat pagi", "text/plain"},
		{"a.txt", "", "\xef\xbb\xbfpagi", "text/plain"},
		{"page.html", "text/html", "<!DOCTYPE html><p>", "text/html"},
		{"a.json", "application/json", "{}", "application/json"},
		{"a.csv", "application/vnd.ms-excel", "a,b\n", "text/csv"},
		{"a.warc", "", "WARC/1.1\r\n", "application/warc"},
		{"a.zip", "application/zip", "PK\x03\x04", "application/zip"},
		{"a.docx", "", "PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"a.gz", "", "\x1f\x8b\x08", "application/gzip"},
		{"a.rar", "", "Rar!\x1a\x07\x01\x00", "application/vnd.rar"},
		{"a.7z", "", "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"},
		{"a.tiff", "image/tiff", "II*\x00", "image/tiff"},
	} {
		got, err := accept(c.name, c.claimed, []byte(c.head))
		if err != nil || got.name != c.want {
			t.Errorf("%q, %q, %q: %q, %v, want %q", c.name, c.claimed, c.head, got.name, err, c.want)
		}
		if limit := int64(MaxFileBytes); strings.HasPrefix(got.name, "image/") != (got.max < limit) {
			t.Errorf("%s may have %d bytes", got.name, got.max)
		}
	}
}

func TestFileNamesAreCleaned(t *testing.T) {
	for in, want := range map[string]string{
		"a.png":                         "a.png",
		"../../etc/passwd":              "passwd",
		`C:\Users\Somebody\foto.jpg`:    "foto.jpg",
		"a\u202Egnp.exe":                "agnp.exe",
		"a\x00b\r\n.png":                "ab.png",
		"":                              "",
		"..":                            "",
		"/":                             "",
		"  x .png ":                     "x .png",
		"\xff.png":                      "\uFFFD.png",
		"\u200B\uFEFF":                  "",
		strings.Repeat("é", 200) + ".b": strings.Repeat("é", 126) + ".b",
	} {
		if got := cleanName(in); got != want {
			t.Errorf("cleanName(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("a.png", "image/png", []byte("\x89PNG\r\n\x1a\n"))
	f.Add("x.tar.gz", "text/html; charset=x", []byte("\x00\x00\x00\x18ftyp"))
	f.Add("..\\..", "a/b/c;;", []byte("RIFF"))
	f.Fuzz(func(t *testing.T, name, claimed string, head []byte) {
		clean := cleanName(name)
		if len(clean) > maxName || !utf8.ValidString(clean) || strings.ContainsAny(clean, "/\\\x00\r\n") || cleanName(clean) != clean {
			t.Errorf("cleanName(%q) = %q", name, clean)
		}
		got, err := accept(clean, claimed, head[:min(len(head), sniffLen)])
		if err != nil {
			if fault.Of(err) != fault.Invalid {
				t.Errorf("accept(%q, %q): %v", clean, claimed, err)
			}
			return
		}
		// Whatever is taken as one of the decoded images is called and claimed so.
		ext := strings.ToLower(path.Ext(clean))
		for _, image := range images {
			if says := claim(claimed); (says == image.name) && got.name != image.name {
				t.Errorf("%q, claimed to be %s, is taken as %s", clean, says, got.name)
			}
			for _, e := range image.ext {
				if ext == e && got.name != image.name {
					t.Errorf("%q is taken as %s", clean, got.name)
				}
			}
		}
	})
}
