package report

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/fault"
)

// sniffLen is how much of a file decides its type: what the WHATWG MIME
// Sniffing Standard reads.
const sniffLen = 512

// A fileType is one that is taken. Only the image types are ever decoded, and
// not here (threat-model T05).
type fileType struct {
	name string   // media type, as we write it
	ext  []string // what its names end in
	max  int64    // bytes
}

// images are the types whose content, name and claimed type must all agree:
// they are the ones that will be decoded and shown.
var images = []fileType{
	{"image/jpeg", []string{".jpg", ".jpeg", ".jpe", ".jfif"}, MaxImageBytes},
	{"image/png", []string{".png"}, MaxImageBytes},
	{"image/gif", []string{".gif"}, MaxImageBytes},
	{"image/webp", []string{".webp"}, MaxImageBytes},
	{"image/bmp", []string{".bmp", ".dib"}, MaxImageBytes},
}

// others are stored and never decoded. Containers share their first bytes, so
// that a name chooses among the types of its family.
var others = map[string][]fileType{
	"application/pdf": {{"application/pdf", []string{".pdf"}, MaxFileBytes}},
	"text": {
		{"text/plain", []string{".txt", ".text", ".log", ".md", ".vtt", ".srt", ""}, MaxFileBytes},
		{"text/csv", []string{".csv"}, MaxFileBytes},
		{"text/html", []string{".html", ".htm", ".mhtml", ".mht"}, MaxFileBytes},
		{"application/json", []string{".json", ".jsonl", ".har"}, MaxFileBytes},
		{"application/xml", []string{".xml"}, MaxFileBytes},
		{"message/rfc822", []string{".eml"}, MaxFileBytes},
		{"application/warc", []string{".warc"}, MaxFileBytes},
	},
	"iso": { // ISO/IEC 14496-12 base media files, and QuickTime
		{"video/mp4", []string{".mp4", ".m4v", ""}, MaxFileBytes},
		{"video/quicktime", []string{".mov", ".qt"}, MaxFileBytes},
		{"video/3gpp", []string{".3gp", ".3g2", ".3gpp"}, MaxFileBytes},
		{"audio/mp4", []string{".m4a", ".aac"}, MaxFileBytes},
		{"image/heic", []string{".heic", ".heif"}, MaxImageBytes},
		{"image/avif", []string{".avif"}, MaxImageBytes},
	},
	"matroska": {
		{"video/webm", []string{".webm", ""}, MaxFileBytes},
		{"video/x-matroska", []string{".mkv", ".mka"}, MaxFileBytes},
	},
	"ogg": {
		{"application/ogg", []string{".ogg", ""}, MaxFileBytes},
		{"audio/ogg", []string{".oga", ".opus"}, MaxFileBytes},
		{"video/ogg", []string{".ogv"}, MaxFileBytes},
	},
	"video/avi":  {{"video/avi", []string{".avi", ""}, MaxFileBytes}},
	"audio/wave": {{"audio/wave", []string{".wav", ""}, MaxFileBytes}},
	"mpeg":       {{"audio/mpeg", []string{".mp3", ""}, MaxFileBytes}},
	"amr":        {{"audio/amr", []string{".amr", ""}, MaxFileBytes}},
	"zip": {
		{"application/zip", []string{".zip", ""}, MaxFileBytes},
		{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", []string{".docx"}, MaxFileBytes},
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", []string{".xlsx"}, MaxFileBytes},
		{"application/vnd.openxmlformats-officedocument.presentationml.presentation", []string{".pptx"}, MaxFileBytes},
		{"application/vnd.oasis.opendocument.text", []string{".odt"}, MaxFileBytes},
		{"application/epub+zip", []string{".epub"}, MaxFileBytes},
	},
	"application/x-gzip": {{"application/gzip", []string{".gz", ".tgz", ""}, MaxFileBytes}},
	"rar":                {{"application/vnd.rar", []string{".rar", ""}, MaxFileBytes}},
	"7z":                 {{"application/x-7z-compressed", []string{".7z", ""}, MaxFileBytes}},
	"tiff":               {{"image/tiff", []string{".tif", ".tiff", ""}, MaxImageBytes}},
}

// accept returns the type of a file whose first bytes are head, or a fault at
// "/content". A name without an extension is believed to be what the bytes
// say; one with an extension, and for images the claimed type too, must agree
// with them.
func accept(name, claimed string, head []byte) (fileType, error) {
	refuse := func(code string, kv ...any) error {
		return fault.New(fault.Invalid, code, append([]any{"Name", name}, kv...)...).At("/content")
	}
	if len(head) == 0 {
		return fileType{}, refuse("report.file-empty")
	}
	family := sniff(head)
	ext := strings.ToLower(path.Ext(name))
	says := claim(claimed)
	if i := slices.IndexFunc(images, func(t fileType) bool { return t.name == family }); i >= 0 {
		t := images[i]
		if ext != "" && !slices.Contains(t.ext, ext) {
			return fileType{}, refuse("report.file-type", "Found", t.name, "Claimed", ext)
		}
		if says != "" && says != t.name {
			return fileType{}, refuse("report.file-type", "Found", t.name, "Claimed", says)
		}
		return t, nil
	}
	kinds, ok := others[family]
	if !ok {
		return fileType{}, refuse("report.file-kind")
	}
	i := slices.IndexFunc(kinds, func(t fileType) bool { return slices.Contains(t.ext, ext) })
	switch {
	case i < 0 && ext == "":
		i = 0
	case i < 0:
		return fileType{}, refuse("report.file-type", "Found", kinds[0].name, "Claimed", ext)
	}
	if slices.ContainsFunc(images, func(t fileType) bool { return t.name == says }) {
		return fileType{}, refuse("report.file-type", "Found", kinds[i].name, "Claimed", says)
	}
	return kinds[i], nil
}

// claim returns the claimed media type in our spelling, "" for one that says
// nothing.
func claim(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil {
		return ""
	}
	switch t {
	case "application/octet-stream", "binary/octet-stream":
		return ""
	case "image/jpg", "image/pjpeg":
		return "image/jpeg"
	case "image/x-ms-bmp", "image/x-bmp":
		return "image/bmp"
	case "image/x-png", "image/apng":
		return "image/png"
	}
	return t
}

// signatures are first bytes that http.DetectContentType does not know.
var signatures = []struct {
	at     int
	magic  string
	family string
}{
	{4, "ftyp", "iso"},
	{4, "moov", "iso"}, // QuickTime without a type box
	{0, "\x1A\x45\xDF\xA3", "matroska"},
	{0, "OggS\x00", "ogg"},
	{0, "ID3", "mpeg"},
	{0, "\xFF\xFB", "mpeg"},
	{0, "\xFF\xF3", "mpeg"},
	{0, "\xFF\xF2", "mpeg"},
	{0, "#!AMR", "amr"},
	{0, "PK\x03\x04", "zip"},
	{0, "Rar!\x1A\x07", "rar"},
	{0, "7z\xBC\xAF\x27\x1C", "7z"},
	{0, "II*\x00", "tiff"},
	{0, "MM\x00*", "tiff"},
	// Programs, whatever they are called; a page or a note starts otherwise.
	{0, "MZ", "program"},
	{0, "\x7FELF", "program"},
	{0, "#!", "program"},
	{0, "\xCA\xFE\xBA\xBE", "program"},
}

// sniff returns the family of a file's first bytes, "" for unknown ones.
func sniff(head []byte) string {
	for _, s := range signatures {
		if len(head) >= s.at+len(s.magic) && bytes.Equal(head[s.at:s.at+len(s.magic)], []byte(s.magic)) {
			return s.family
		}
	}
	t, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch {
	case strings.HasPrefix(t, "text/"):
		return "text"
	case t == "application/octet-stream":
		return ""
	}
	return t
}
