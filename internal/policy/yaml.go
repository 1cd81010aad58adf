package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/tangkal/tangkal/internal/fault"
)

// Bounds of a pack file. The embedded packs have about 30 KiB, 9 levels and
// 2,500 values.
const (
	maxFileBytes = 256 << 10
	maxDepth     = 16
	maxNodes     = 20_000
)

// A tree is a parsed file: maps, lists, strings, booleans and json.Number, with
// the line of each value by its pointer.
type tree struct {
	root  any
	lines map[string]int
}

// line returns the line of the value at pointer, or of the nearest one around
// it.
func (t tree) line(pointer string) int {
	for {
		if n, ok := t.lines[pointer]; ok {
			return n
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return 1
		}
		pointer = pointer[:i]
	}
}

// A yamlFault is a fault of the file's form, before any schema is asked.
type yamlFault struct {
	line    int
	pointer string
	err     *fault.Error
}

func (f *yamlFault) Error() string { return f.err.Error() }

// parse reads the part of YAML 1.2 that a pack may use: one document of maps,
// lists, strings, booleans and integers. Anchors, aliases, merges, tags, nulls
// and fractions are refused, so that a file means what it looks like and cannot
// grow while it is read.
func parse(data []byte) (t tree, err error) {
	if len(data) > maxFileBytes {
		return tree{}, formFault(1, "", "policy.yaml.size", "Limit", maxFileBytes/1024)
	}
	if err := scan(data); err != nil {
		return tree{}, err
	}
	// The parser is not ours and the bytes may come from anybody: a panic in it
	// is a broken file, not a broken program.
	defer func() {
		if r := recover(); r != nil {
			t, err = tree{}, formFault(1, "", "policy.yaml.syntax", "Detail", fmt.Sprint(r))
		}
	}()
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return tree{}, syntaxFault(err)
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return tree{}, formFault(1, "", "policy.yaml.document")
	}
	b := builder{lines: map[string]int{}}
	root, err := b.value(f.Docs[0].Body, "", 0)
	if err != nil {
		return tree{}, err
	}
	return tree{root: root, lines: b.lines}, nil
}

func formFault(line int, pointer, code string, kv ...any) *yamlFault {
	return &yamlFault{line: line, pointer: pointer, err: fault.New(fault.Invalid, code, kv...)}
}

func syntaxFault(err error) *yamlFault {
	var ye yaml.Error
	line, message := 1, err.Error()
	if errors.As(err, &ye) {
		message = ye.GetMessage()
		if tok := ye.GetToken(); tok != nil && tok.Position != nil {
			line = tok.Position.Line
		}
	}
	return formFault(line, "", "policy.yaml.syntax", "Detail", message)
}

// scan refuses what would keep the parser busy: it descends as deep as a file
// asks, and its time grows with the square of the keys of a map and of the
// anchors of a file. Marks inside quoted text count too; the bounds are far above
// what sentences hold.
func scan(data []byte) error {
	const columns, brackets, keys, marks = 4 * maxDepth, 4 * maxDepth, 8000, 500
	open, peak, colons, anchors, line := 0, 0, 0, 0, 0
	for text := range strings.Lines(string(data)) {
		line++
		lead := len(text) - len(strings.TrimLeft(text, " \t-?:!&*|>"))
		for _, c := range []byte(text) {
			switch c {
			case '[', '{':
				open++
				peak = max(peak, open)
			case ']', '}':
				open = max(0, open-1)
			case ':', '?':
				colons++
			case '&', '*', '!':
				anchors++
			}
		}
		switch {
		case lead > columns || peak > brackets:
			return formFault(line, "", "policy.yaml.depth", "Limit", maxDepth)
		case colons > keys:
			return formFault(line, "", "policy.yaml.nodes", "Limit", keys)
		case anchors > marks:
			return formFault(line, "", "policy.yaml.anchor")
		}
	}
	return nil
}

// A builder turns syntax nodes into plain values and notes their lines.
type builder struct {
	lines map[string]int
	nodes int
}

func (b *builder) value(n ast.Node, pointer string, depth int) (any, error) {
	line := lineOf(n)
	if _, known := b.lines[pointer]; !known {
		b.lines[pointer] = line
	}
	if b.nodes++; b.nodes > maxNodes {
		return nil, formFault(line, pointer, "policy.yaml.nodes", "Limit", maxNodes)
	}
	if depth > maxDepth {
		return nil, formFault(line, pointer, "policy.yaml.depth", "Limit", maxDepth)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(n.Values, pointer, depth)
	case *ast.MappingValueNode:
		return b.mapping([]*ast.MappingValueNode{n}, pointer, depth)
	case *ast.SequenceNode:
		return b.sequence(n.Values, pointer, depth)
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.IntegerNode:
		return json.Number(fmt.Sprint(n.Value)), nil
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return nil, formFault(line, pointer, "policy.yaml.anchor")
	case *ast.TagNode, *ast.DirectiveNode:
		return nil, formFault(line, pointer, "policy.yaml.tag")
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return nil, formFault(line, pointer, "policy.yaml.fraction")
	default:
		return nil, formFault(line, pointer, "policy.yaml.empty")
	}
}

func (b *builder) mapping(values []*ast.MappingValueNode, pointer string, depth int) (any, error) {
	m := make(map[string]any, len(values))
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			return nil, b.badKey(v, pointer)
		}
		at := pointer + "/" + escape(key.Value)
		b.lines[at] = lineOf(key)
		if _, twice := m[key.Value]; twice {
			return nil, formFault(lineOf(key), at, "policy.yaml.twice", "Name", key.Value)
		}
		e, err := b.value(v.Value, at, depth+1)
		if err != nil {
			return nil, err
		}
		m[key.Value] = e
	}
	return m, nil
}

func (b *builder) badKey(v *ast.MappingValueNode, pointer string) error {
	code := "policy.yaml.key"
	switch v.Key.(type) {
	case *ast.MergeKeyNode, *ast.AliasNode, *ast.AnchorNode:
		code = "policy.yaml.anchor"
	}
	return formFault(lineOf(v.Key), pointer, code)
}

func (b *builder) sequence(values []ast.Node, pointer string, depth int) (any, error) {
	list := make([]any, 0, len(values))
	for i, v := range values {
		e, err := b.value(v, pointer+"/"+strconv.Itoa(i), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return slices.Clip(list), nil
}

// lineOf returns the line a node starts at; a block map starts at its first key.
func lineOf(n ast.Node) int {
	switch v := n.(type) {
	case nil:
		return 1
	case *ast.MappingNode:
		if len(v.Values) > 0 && !v.IsFlowStyle {
			return lineOf(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return lineOf(v.Key)
	}
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		return tok.Position.Line
	}
	return 1
}

// scalar returns a leaf as it is written.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v)
	}
}
