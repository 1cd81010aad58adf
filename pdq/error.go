package pdq

// A Reason says why a picture or a text gave no hash. Its value is a key under
// which a program keeps the words in its readers' languages.
type Reason string

// The reasons.
const (
	BadHash     Reason = "picture.bad-hash"    // not 64 hexadecimal digits
	Unknown     Reason = "picture.unknown"     // not one of the formats, by its first bytes
	Damaged     Reason = "picture.damaged"     // of a known format, but too damaged to show anything
	TooLarge    Reason = "picture.too-large"   // more pixels than MaxPixels, or more bytes than can be read
	Unsupported Reason = "picture.unsupported" // a rare form of the format, such as JPEG with arithmetic coding
)

var advice = map[Reason]string{
	BadHash:     "not a PDQ hash: give 64 hexadecimal digits",
	Unknown:     "not a picture in a known format: give JPEG, PNG, GIF, WebP or BMP",
	Damaged:     "the picture is too damaged to be read",
	TooLarge:    "the picture is larger than allowed",
	Unsupported: "the picture has a form that is not supported",
}

// Reasons returns every reason, so that a catalogue can be checked.
func Reasons() []Reason { return []Reason{BadHash, Unknown, Damaged, TooLarge, Unsupported} }

// An Error is a refusal. Its text is English; Reason is for other languages.
type Error struct {
	Reason Reason
	Format string // "jpeg", "png", "gif", "webp" or "bmp", where it is known
	Err    error  // what a decoder said, if one did
}

func (e *Error) Error() string {
	text := "pdq: "
	if e.Format != "" {
		text += e.Format + ": "
	}
	text += advice[e.Reason]
	if e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	return text
}

// Unwrap returns what a decoder said.
func (e *Error) Unwrap() error { return e.Err }
