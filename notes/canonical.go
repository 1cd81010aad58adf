package notes

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// Reasons for which [Canonical] refuses a value.
var (
	ErrSyntax    = errors.New("not one well-formed JSON value")
	ErrSize      = errors.New("larger than allowed")
	ErrDepth     = errors.New("nested deeper than 32")
	ErrNumber    = errors.New("not an integer within ±(2^53-1) written without fraction or exponent")
	ErrDuplicate = errors.New("member name used twice in one object")
	ErrUTF8      = errors.New("not valid UTF-8")
)

const (
	maxDepth = 32
	// maxInteger is the largest integer that every JSON reader keeps exactly.
	// RFC 8785, section 3.2.2.3 and RFC 7493, section 2.2.
	maxInteger = 1<<53 - 1
)

// Canonical returns v in the canonical form of RFC 8785. A []byte or
// json.RawMessage is taken as JSON text, anything else as a Go value for
// encoding/json. It refuses what two readers could understand differently:
// fractions, exponents and integers beyond ±(2^53-1), floating point values of
// Go, member names used twice, text that is not UTF-8, more than 32 levels and
// more than [MaxBytes]. Errors wrap one of the Err values above. The cost grows with
// the size of v.
func Canonical(v any) ([]byte, error) {
	return canonical(v, MaxBytes, maxDepth)
}

func canonical(v any, maxBytes, maxDepth int) ([]byte, error) {
	raw, err := rawJSON(v)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(raw), maxBytes)
	}
	if err := scan(raw, maxDepth); err != nil {
		return nil, err
	}
	out, err := jcs.Transform(raw)
	if err != nil {
		// scan has let it through, so this is an escape of half a character.
		return nil, fmt.Errorf("%w: %w", ErrUTF8, err)
	}
	if len(out) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(out), maxBytes)
	}
	return out, nil
}

func rawJSON(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case json.RawMessage:
		return v, nil
	}
	// encoding/json would write U+FFFD for broken text and 1 for 1.0.
	if err := checkValue(reflect.ValueOf(v), 0); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // keeps the size measured the size written
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// checkValue refuses broken text and floating point anywhere in a Go value.
// Values that write themselves are judged by what they write.
func checkValue(v reflect.Value, depth int) error {
	if depth > 4*maxDepth { // pointers and interfaces count here, not in JSON
		return ErrDepth
	}
	if !v.IsValid() || writesItself(v.Type()) {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return fmt.Errorf("text of %s: %w", v.Type(), ErrUTF8)
		}
	case reflect.Float32, reflect.Float64:
		return fmt.Errorf("%s: %w", v.Type(), ErrNumber)
	case reflect.Pointer, reflect.Interface:
		return checkValue(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return checkElements(v, depth)
	case reflect.Map:
		for k, e := range v.Seq2() {
			if err := errors.Join(checkValue(k, depth+1), checkValue(e, depth+1)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Tag.Get("json") == "-" {
				continue
			}
			if err := checkValue(v.Field(i), depth+1); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	}
	return nil
}

func checkElements(v reflect.Value, depth int) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return nil // bytes are written as base64
	}
	for i := range v.Len() {
		if err := checkValue(v.Index(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func writesItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) ||
		t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// scan reads raw once and refuses what Canonical promises to refuse.
func scan(raw []byte, maxDepth int) error {
	if !utf8.Valid(raw) {
		return ErrUTF8
	}
	if !json.Valid(raw) {
		return ErrSyntax
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var open []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		if open, err = step(open, token, maxDepth); err != nil {
			return err
		}
	}
}

// level is one open object or array; names is nil for an array.
type level struct {
	names map[string]bool
	value bool // the next token is the value of the name just read
}

func step(open []level, token json.Token, maxDepth int) ([]level, error) {
	if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
		return open[:len(open)-1], nil
	}
	if n := len(open); n > 0 && open[n-1].names != nil {
		if !open[n-1].value {
			return open, open[n-1].name(token.(string))
		}
		open[n-1].value = false
	}
	switch t := token.(type) {
	case json.Delim:
		if len(open) == maxDepth {
			return nil, ErrDepth
		}
		if t == '{' {
			return append(open, level{names: map[string]bool{}}), nil
		}
		return append(open, level{}), nil
	case json.Number:
		return open, checkNumber(string(t))
	}
	return open, nil
}

func (l *level) name(s string) error {
	if l.names[s] {
		return fmt.Errorf("%w: %q", ErrDuplicate, clip(s))
	}
	l.names[s], l.value = true, true
	return nil
}

func checkNumber(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger {
		return fmt.Errorf("%w: %s", ErrNumber, clip(s))
	}
	return nil
}

// clip keeps an error short, and what a document says out of the logs.
func clip(s string) string {
	const most = 40
	for i := range s {
		if i > most {
			return s[:i] + "…"
		}
	}
	return s
}
