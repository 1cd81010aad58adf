package policy

import (
	"bytes"
	_ "embed" // the schema is part of the program
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed pack.schema.json
var schemaBytes []byte

// Schema returns the JSON Schema (draft 2020-12) of a pack.
func Schema() []byte { return slices.Clone(schemaBytes) }

// compileSchema returns the pack's schema. A fault in it is ours.
func compileSchema() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaBytes))
	if err != nil {
		panic(fmt.Sprintf("policy: pack.schema.json: %v", err))
	}
	const name = "urn:tangkal:policy-pack:1"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(name, doc); err != nil {
		panic(fmt.Sprintf("policy: pack.schema.json: %v", err))
	}
	s, err := c.Compile(name)
	if err != nil {
		panic(fmt.Sprintf("policy: pack.schema.json: %v", err))
	}
	return s
}

// checkSchema adds a fault for everything in t that the schema does not allow.
func (c *checker) checkSchema(s *jsonschema.Schema, t tree) {
	var ve *jsonschema.ValidationError
	if err := s.Validate(t.root); errors.As(err, &ve) {
		c.schemaFaults(ve)
	}
}

func (c *checker) schemaFaults(e *jsonschema.ValidationError) {
	// A name that may not be a key has its reason below it; the name says it.
	if k, ok := e.ErrorKind.(*kind.PropertyNames); ok {
		c.add(pointerOf(e)+"/"+escape(k.Property), "policy.schema.name", "Name", k.Property)
		return
	}
	if len(e.Causes) == 0 {
		c.schemaFault(e)
	}
	for _, cause := range e.Causes {
		c.schemaFaults(cause)
	}
}

func pointerOf(e *jsonschema.ValidationError) string {
	var b strings.Builder
	for _, part := range e.InstanceLocation {
		b.WriteString("/" + escape(part))
	}
	return b.String()
}

func (c *checker) schemaFault(e *jsonschema.ValidationError) {
	at := pointerOf(e)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			c.add(at+"/"+escape(name), requiredCode(at, name), "Name", name)
		}
	case *kind.AdditionalProperties:
		for _, name := range slices.Sorted(slices.Values(k.Properties)) {
			c.add(at+"/"+escape(name), unknownCode(at), "Name", name)
		}
	case *kind.FalseSchema:
		c.add(at, "policy.schema.not-here")
	case *kind.Type:
		c.add(at, "policy.schema.type", "Got", k.Got, "Want", strings.Join(k.Want, ", "))
	case *kind.Enum:
		c.add(at, "policy.schema.enum", "Got", fmt.Sprint(k.Got), "Want", list(k.Want))
	case *kind.Const:
		c.add(at, "policy.schema.enum", "Got", fmt.Sprint(k.Got), "Want", fmt.Sprint(k.Want))
	case *kind.Minimum:
		c.add(at, "policy.schema.minimum", "Got", k.Got.RatString(), "Want", k.Want.RatString())
	case *kind.Maximum:
		c.add(at, "policy.schema.maximum", "Got", k.Got.RatString(), "Want", k.Want.RatString())
	case *kind.Pattern:
		c.add(at, "policy.schema.pattern", "Got", k.Got, "Want", k.Want)
	case *kind.UniqueItems:
		c.add(fmt.Sprintf("%s/%d", at, k.Duplicates[1]), "policy.schema.repeated")
	default:
		c.schemaSize(at, e)
	}
}

func (c *checker) schemaSize(at string, e *jsonschema.ValidationError) {
	switch k := e.ErrorKind.(type) {
	case *kind.MinLength:
		c.add(at, "policy.schema.too-few", "Got", k.Got, "Want", k.Want)
	case *kind.MinItems:
		c.add(at, "policy.schema.too-few", "Got", k.Got, "Want", k.Want)
	case *kind.MinProperties:
		c.add(at, "policy.schema.too-few", "Got", k.Got, "Want", k.Want)
	case *kind.MaxLength:
		c.add(at, "policy.schema.too-many", "Got", k.Got, "Want", k.Want)
	case *kind.MaxItems:
		c.add(at, "policy.schema.too-many", "Got", k.Got, "Want", k.Want)
	case *kind.MaxProperties:
		c.add(at, "policy.schema.too-many", "Got", k.Got, "Want", k.Want)
	default:
		detail := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		c.add(at, "policy.schema.other", "Detail", detail)
	}
}

// requiredCode names a missing part by the rule that wants it where the law
// rather than the format does.
func requiredCode(at, name string) string {
	switch {
	case at == "/grounds":
		return "policy.ground-missing"
	case at == "/purpose_tests":
		return "policy.purpose-missing"
	case name == "source":
		return "policy.source-missing"
	case name == "note":
		return "policy.note-missing"
	default:
		return "policy.schema.required"
	}
}

// unknownCode names an unknown key by the list that it tried to widen.
func unknownCode(at string) string {
	switch at {
	case "/grounds":
		return "policy.ground-closed"
	case "/purpose_tests":
		return "policy.purpose-closed"
	default:
		return "policy.schema.unknown"
	}
}

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}
