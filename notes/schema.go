package notes

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schemas holds the JSON Schemas (draft 2020-12) of every kind as
// schema/<kind>.json, with schema/common.json and schema/signed.json.
//
//go:embed schema/*.json
var Schemas embed.FS

const schemaBase = "https://github.com/tangkal/tangkal/notes/schema/"

// Problem is one thing that is wrong in a document.
type Problem struct {
	Pointer string // where, as a JSON Pointer (RFC 6901); "" is the whole document
	Want    string // what would be right, in English
	Rule    Rule   // the same for programs that say it in other words
	Limit   string // what the rule holds against: a number, names or values; "" for none
}

// A Rule is the sort of a problem.
type Rule string

// The rules that a document can break.
const (
	RuleRequired  Rule = "required"   // Limit: the missing members, after commas
	RuleAbsent    Rule = "absent"     // must not be here
	RuleUnknown   Rule = "unknown"    // Limit: members that do not exist
	RuleOneOf     Rule = "one-of"     // Limit: the values
	RuleConst     Rule = "const"      // Limit: the value
	RuleType      Rule = "type"       // Limit: the JSON types
	RuleMinItems  Rule = "min-items"  // Limit: the number
	RuleMaxItems  Rule = "max-items"  // Limit: the number
	RuleMinLength Rule = "min-length" // Limit: characters
	RuleMaxLength Rule = "max-length" // Limit: characters
	RuleUnique    Rule = "unique"     // elements may not repeat
	RuleMinimum   Rule = "minimum"    // Limit: the number
	RuleMaximum   Rule = "maximum"    // Limit: the number
	RuleForm      Rule = "form"       // a pattern or another keyword of the schema
	RuleOrder     Rule = "order"      // disagrees with another member
)

// Rules lists every rule.
func Rules() []Rule {
	return []Rule{
		RuleRequired, RuleAbsent, RuleUnknown, RuleOneOf, RuleConst, RuleType, RuleMinItems, RuleMaxItems,
		RuleMinLength, RuleMaxLength, RuleUnique, RuleMinimum, RuleMaximum, RuleForm, RuleOrder,
	}
}

// InvalidError says everything that is wrong with a document.
type InvalidError struct {
	Kind     Kind
	Problems []Problem // by pointer, at most 50
}

// Error lists the problems, without repeating what the document says.
func (e *InvalidError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not valid", e.Kind)
	for i, p := range e.Problems {
		at := p.Pointer
		if at == "" {
			at = "document"
		}
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + at + ": " + p.Want)
	}
	return b.String()
}

// ErrKind is a kind that does not exist, or not here.
var ErrKind = errors.New("unknown kind of document")

// Validate checks JSON text against the rules of [Canonical], the size and
// schema of its kind and what a schema cannot say: numbering, sums, languages
// that a text promises. Problems come as [*InvalidError], broken JSON as one of
// the errors of Canonical. What passes can be read into the Go type of its kind
// and written again to the same canonical bytes.
func Validate(k Kind, raw []byte) error {
	if !k.Known() {
		return fmt.Errorf("%w: %q", ErrKind, clip(string(k)))
	}
	canon, err := canonical(raw, k.maxBytes(), maxDepth)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	if err := validateAs(string(k), k, canon); err != nil {
		return err
	}
	problems, err := checkDocument(k, canon)
	if err != nil {
		return err
	}
	return invalid(k, problems)
}

// Document writes v in canonical form and checks it as [Validate] does. A value
// of the kind's Go type costs about half of the two calls: what this package
// wrote need not be read again to see that it reads back the same.
func Document(k Kind, v any) ([]byte, error) {
	if !k.Known() {
		return nil, fmt.Errorf("%w: %q", ErrKind, clip(string(k)))
	}
	canon, err := canonical(v, k.maxBytes(), maxDepth)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	if err := validateAs(string(k), k, canon); err != nil {
		return nil, err
	}
	problems, own := problemsOf(k, v)
	if !own {
		if problems, err = checkDocument(k, canon); err != nil {
			return nil, err
		}
	}
	if err := invalid(k, problems); err != nil {
		return nil, err
	}
	return canon, nil
}

func invalid(k Kind, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	const most = 50
	slices.SortFunc(problems, func(a, b Problem) int {
		return strings.Compare(a.Pointer+"\x00"+a.Want, b.Pointer+"\x00"+b.Want)
	})
	problems = slices.Compact(problems)
	return &InvalidError{Kind: k, Problems: problems[:min(len(problems), most)]}
}

// validateAs checks canonical bytes against one schema file.
func validateAs(file string, k Kind, canon []byte) error {
	set, err := schemas()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(canon))
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	err = set.compiled[file].Validate(v)
	var bad *jsonschema.ValidationError
	if errors.As(err, &bad) {
		return invalid(k, set.problems(bad, nil))
	}
	return err
}

// schemaSet is made once and only read afterwards.
type schemaSet struct {
	docs     map[string]any // by URL, for descriptions
	compiled map[string]*jsonschema.Schema
}

var schemas = sync.OnceValues(loadSchemas)

func loadSchemas() (*schemaSet, error) {
	files, err := Schemas.ReadDir("schema")
	if err != nil {
		return nil, err
	}
	s := &schemaSet{docs: map[string]any{}, compiled: map[string]*jsonschema.Schema{}}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is ever fetched
	for _, f := range files {
		raw, err := Schemas.ReadFile("schema/" + f.Name())
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", f.Name(), err)
		}
		s.docs[schemaBase+f.Name()] = doc
		if err := c.AddResource(schemaBase+f.Name(), doc); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		schema, err := c.Compile(schemaBase + f.Name())
		if err != nil {
			return nil, err
		}
		s.compiled[strings.TrimSuffix(f.Name(), ".json")] = schema
	}
	return s, nil
}

// problems collects the innermost failures, which are the ones to mend.
func (s *schemaSet) problems(e *jsonschema.ValidationError, to []Problem) []Problem {
	_, anyOf := e.ErrorKind.(*kind.AnyOf)
	_, contains := e.ErrorKind.(*kind.Contains)
	if len(e.Causes) > 0 && !anyOf && !contains {
		for _, c := range e.Causes {
			to = s.problems(c, to)
		}
		return to
	}
	rule, limit := ruleOf(e)
	return append(to, Problem{pointer(e.InstanceLocation), s.want(e), rule, limit})
}

func (s *schemaSet) want(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return "needs " + strings.Join(k.Missing, ", ")
	case *kind.DependentRequired:
		return k.Prop + " needs " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has a member that does not exist here: " + quoteAll(k.Properties)
	case *kind.FalseSchema:
		return "must be absent here"
	case *kind.Enum:
		return "must be one of " + printAll(k.Want)
	case *kind.Const:
		return "must be " + printAll([]any{k.Want})
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ")
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d elements", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d elements", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.UniqueItems:
		return "must not repeat an element"
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString()
	}
	if d := s.description(e.SchemaURL); d != "" {
		return "must be as described: " + d
	}
	return "must satisfy " + strings.Join(e.ErrorKind.KeywordPath(), "/")
}

// ruleOf sorts a failure of a schema.
func ruleOf(e *jsonschema.ValidationError) (Rule, string) {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return RuleRequired, strings.Join(k.Missing, ", ")
	case *kind.DependentRequired:
		return RuleRequired, strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return RuleUnknown, quoteAll(k.Properties)
	case *kind.FalseSchema:
		return RuleAbsent, ""
	case *kind.Enum:
		return RuleOneOf, printAll(k.Want)
	case *kind.Const:
		return RuleConst, printAll([]any{k.Want})
	case *kind.Type:
		return RuleType, strings.Join(k.Want, ", ")
	case *kind.MinItems:
		return RuleMinItems, strconv.Itoa(k.Want)
	case *kind.MaxItems:
		return RuleMaxItems, strconv.Itoa(k.Want)
	case *kind.MinLength:
		return RuleMinLength, strconv.Itoa(k.Want)
	case *kind.MaxLength:
		return RuleMaxLength, strconv.Itoa(k.Want)
	case *kind.UniqueItems:
		return RuleUnique, ""
	case *kind.Minimum:
		return RuleMinimum, k.Want.RatString()
	case *kind.Maximum:
		return RuleMaximum, k.Want.RatString()
	default:
		return RuleForm, ""
	}
}

// description is what the schema at url says about itself.
func (s *schemaSet) description(url string) string {
	file, fragment, _ := strings.Cut(url, "#")
	node := s.docs[file]
	for _, part := range strings.Split(fragment, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch n := node.(type) {
		case map[string]any:
			node = n[part]
		case []any:
			var i int
			if _, err := fmt.Sscanf(part, "%d", &i); err != nil || i < 0 || i >= len(n) {
				return ""
			}
			node = n[i]
		}
	}
	object, _ := node.(map[string]any)
	text, _ := object["description"].(string)
	return text
}

// pointer writes a location as RFC 6901.
func pointer(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(clip(p)))
	}
	return b.String()
}

func quoteAll(names []string) string {
	names = slices.Sorted(slices.Values(names))
	for i, n := range names {
		names[i] = fmt.Sprintf("%q", clip(n))
	}
	return strings.Join(names[:min(len(names), 5)], ", ")
}

func printAll(values []any) string {
	var out []string
	for _, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(fmt.Sprint(v))
		}
		out = append(out, strings.Trim(string(b), `"`))
	}
	return strings.Join(out, ", ")
}
