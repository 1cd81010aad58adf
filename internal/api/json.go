package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tangkal/tangkal/internal/fault"
)

// maxDepth bounds how deep JSON may nest (threat-model T03).
const maxDepth = 32

// jsonFormat is JSON without the doubts: one value, valid UTF-8, no name twice
// in one object, bounded depth.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	},
	Unmarshal: unmarshal,
}

// unmarshal reads one JSON value. Its errors are faults.
func unmarshal(data []byte, v any) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fault.New(fault.Invalid, "api.json").Because(err)
	}
	return nil
}

// level is one object or array that is being read.
type level struct {
	names map[string]bool // of an object; nil for an array
	value bool            // in an object: the next token is a value
}

// checkJSON reads data once as tokens and refuses what two readers could read
// differently.
func checkJSON(data []byte) error {
	bad := fault.New(fault.Invalid, "api.json")
	if !utf8.Valid(data) {
		return bad.Because(errors.New("not UTF-8"))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []level
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return bad.Because(err)
		}
		switch t {
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			opened, err := step(open, t)
			if err != nil {
				return err
			}
			if open = opened; len(open) > maxDepth {
				return fault.New(fault.Invalid, "api.json-depth", "Max", maxDepth)
			}
			if _, nested := t.(json.Delim); nested || len(open) > 0 {
				continue
			}
		}
		if len(open) == 0 {
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return bad.Because(errors.New("more than one value"))
			}
			return nil
		}
	}
}

// step takes a token that closes nothing into account.
func step(open []level, t json.Token) ([]level, error) {
	if n := len(open); n > 0 && open[n-1].names != nil {
		top := &open[n-1]
		if !top.value {
			name, _ := t.(string)
			if top.names[name] {
				return open, fault.New(fault.Invalid, "api.json-twice")
			}
			top.names[name], top.value = true, true
			return open, nil
		}
		top.value = false
	}
	switch t {
	case json.Delim('{'):
		return append(open, level{names: map[string]bool{}}), nil
	case json.Delim('['):
		return append(open, level{}), nil
	}
	return open, nil
}

// clip shortens what a fault repeats.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}

// typeOf is the type that huma's registry wants.
func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
