package i18n_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/i18n"
)

// TestEverythingTheSourceSaysHasItsTexts reads the whole program and finds the
// keys it speaks with: those of faults and of pages.
func TestEverythingTheSourceSaysHasItsTexts(t *testing.T) {
	uses := readSource(t, "../../internal", "../../cmd")
	if len(uses) < 100 {
		t.Fatalf("the source speaks in %d places only: has its form changed?", len(uses))
	}
	for _, lang := range i18n.Langs() {
		all := texts(t, lang)
		keys := slices.Collect(maps.Keys(all))
		for _, u := range uses {
			if u.open {
				if !slices.ContainsFunc(keys, func(k string) bool {
					return strings.HasPrefix(k, u.key) && strings.HasSuffix(k, u.end) && len(k) > len(u.key)+len(u.end)
				}) {
					t.Errorf("%s: no %s text begins with %q and ends in %q", u.at, lang, u.key, u.end)
				}
				continue
			}
			m, ok := all[u.key]
			if !ok {
				t.Errorf("%s: %q has no text in %s", u.at, u.key, lang)
				continue
			}
			for _, a := range m.arguments(t) {
				if u.args != nil && !slices.Contains(u.args, a) {
					t.Errorf("%s: %q in %s asks for %s, only %v are passed", u.at, u.key, lang, a, u.args)
				}
			}
		}
	}
}

// A use is one place that says something.
type use struct {
	at   string   // file:line
	key  string   // or its beginning
	end  string   // the end of an open key
	open bool     // the middle is known only at run time
	args []string // names passed; nil when they cannot be read off
}

// carriers are functions that take a code as their n-th parameter and make a
// fault of it: by package directory and name.
type carriers map[string]int

// readSource returns every use in the non-test Go files under the roots.
func readSource(t *testing.T, roots ...string) []use {
	t.Helper()
	fset := token.NewFileSet()
	packages := map[string][]*ast.File{}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && (e.Name() == "testdata" || e.Name() == "node_modules"):
				return filepath.SkipDir
			case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var uses []use
	for dir, files := range packages {
		carry := carriers{}
		for _, f := range files {
			findCarriers(f, carry)
		}
		if strings.HasSuffix(dir, "internal/fault") || strings.HasSuffix(dir, "internal/i18n") {
			carry = carriers{}
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					uses = append(uses, said(fset, n, carry)...)
				case *ast.AssignStmt:
					if len(n.Lhs) == len(n.Rhs) {
						for i := range n.Lhs {
							uses = append(uses, kept(fset, n.Lhs[i], n.Rhs[i])...)
						}
					}
				case *ast.KeyValueExpr:
					uses = append(uses, kept(fset, n.Key, n.Value)...)
				}
				return true
			})
		}
	}
	return uses
}

// findCarriers notes the functions of f that pass a parameter on as a code.
func findCarriers(f *ast.File, carry carriers) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		var names []string
		for _, field := range fn.Type.Params.List {
			for _, name := range field.Names {
				names = append(names, name.Name)
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if i := codeAt(call); i >= 0 && i < len(call.Args) {
				if id, ok := call.Args[i].(*ast.Ident); ok && slices.Contains(names, id.Name) {
					carry[fn.Name.Name] = slices.Index(names, id.Name)
				}
			}
			return true
		})
	}
}

// codeAt returns which argument of a call is a fault's code, or -1.
func codeAt(call *ast.CallExpr) int {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return -1
	}
	x, _ := sel.X.(*ast.Ident)
	switch {
	case x != nil && x.Name == "fault" && sel.Sel.Name == "New":
		return 1
	case sel.Sel.Name == "Add" && len(call.Args) >= 2 && (x == nil || x.Name != "fault"):
		return 1
	}
	return -1
}

// said returns what a call says: at most one key.
func said(fset *token.FileSet, call *ast.CallExpr, carry carriers) []use {
	name, page := "", false
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		page = name == "T" || name == "N"
	}
	at, rest, args := codeAt(call), 0, []string{}
	switch i, carried := carry[name]; {
	case at >= 0:
		rest = at + 1
	case page && name == "T":
		at, rest = 0, 1
	case page:
		at, rest, args = 0, 2, []string{"N"}
	case carried:
		at, rest = i, i+1
	}
	if at < 0 || at >= len(call.Args) {
		return nil
	}
	u, ok := keyOf(call.Args[at])
	if !ok {
		return nil
	}
	u.at = fset.Position(call.Pos()).String()
	u.args = named(call, rest, args)
	return []use{u}
}

// kept returns the code that is given to a variable or field whose name says
// that it holds one, to become a fault elsewhere.
func kept(fset *token.FileSet, to, value ast.Expr) []use {
	name := ""
	switch to := to.(type) {
	case *ast.Ident:
		name = to.Name
	case *ast.SelectorExpr:
		name = to.Sel.Name
	}
	if !slices.Contains([]string{"why", "code", "Code", "OrderFault"}, name) {
		return nil
	}
	key, ok := literal(value)
	if !ok || !keyForm.MatchString(key) {
		return nil
	}
	return []use{{at: fset.Position(value.Pos()).String(), key: key}}
}

// named returns the names among the alternating arguments from the n-th on, or
// nil if they cannot be read off.
func named(call *ast.CallExpr, n int, args []string) []string {
	if call.Ellipsis.IsValid() {
		return nil
	}
	for i := n; i < len(call.Args); i += 2 {
		s, ok := literal(call.Args[i])
		if !ok {
			return nil
		}
		args = append(args, s)
	}
	return args
}

// keyOf reads a key, or the beginning and end of one, off an expression.
func keyOf(e ast.Expr) (use, bool) {
	if s, ok := literal(e); ok {
		return use{key: s}, keyForm.MatchString(s)
	}
	sum, ok := e.(*ast.BinaryExpr)
	if !ok || sum.Op != token.ADD {
		return use{}, false
	}
	u := use{open: true}
	u.end, _ = literal(sum.Y)
	for ok {
		e = sum.X
		sum, ok = e.(*ast.BinaryExpr)
	}
	u.key, ok = literal(e)
	return u, ok && strings.Contains(u.key, ".")
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
