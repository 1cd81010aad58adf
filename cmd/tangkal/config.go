package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxConfig bounds a configuration file in bytes.
const maxConfig = 64 << 10

// A configFile holds settings by the names of the flags. It is a kong.Resolver:
// a flag on the command line goes before the environment, and that before the
// file.
type configFile struct {
	name   string
	values map[string]setting
}

type setting struct {
	text string
	line int
}

// loadConfig reads a YAML file of one level: names of flags and their values.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	c := &configFile{name: "configuration file", values: map[string]setting{}}
	if f, ok := r.(*os.File); ok {
		c.name = f.Name()
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if len(raw) > maxConfig {
		return nil, fmt.Errorf("%s: larger than %d KiB", c.name, maxConfig>>10)
	}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if len(file.Docs) != 1 {
		return nil, fmt.Errorf("%s: want one document, not %d", c.name, len(file.Docs))
	}
	return c, c.read(file.Docs[0].Body)
}

// read takes over the settings, and names every line that is none.
func (c *configFile) read(body ast.Node) error {
	var pairs []*ast.MappingValueNode
	switch n := body.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return fmt.Errorf("%s: want lines as \"listen: 127.0.0.1:8080\"", c.name)
	}
	var faults []error
	for _, p := range pairs {
		key, line := p.Key.String(), p.Key.GetToken().Position.Line
		value, ok := scalar(p.Value)
		_, twice := c.values[key]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("%s:%d: %s: want one value", c.name, line, key))
		case twice:
			faults = append(faults, fmt.Errorf("%s:%d: %s: given twice", c.name, line, key))
		}
		c.values[key] = setting{value, line}
	}
	return errors.Join(faults...)
}

// scalar returns a value as it would stand on the command line.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return v.GetToken().Value, true
	default:
		return "", false
	}
}

// Validate refuses, by line, every name that no command has.
func (c *configFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	collect(app.Node, known)
	var faults []error
	for name, s := range c.values {
		if !known[name] {
			faults = append(faults, fmt.Errorf("%s:%d: unknown setting %q", c.name, s.line, name))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// collect gathers the flags that may stand in a file: those that the
// environment may hold too.
func collect(n *kong.Node, known map[string]bool) {
	for _, f := range n.Flags {
		if len(f.Envs) > 0 {
			known[f.Name] = true
		}
	}
	for _, child := range n.Children {
		collect(child, known)
	}
}

// Resolve returns the file's value of a flag that nothing stronger sets.
func (c *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil //nolint:nilnil // kong's way to say: not from here
		}
	}
	s, ok := c.values[flag.Name]
	if !ok || len(flag.Envs) == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	return s.text, nil
}
