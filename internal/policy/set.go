package policy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sync/errgroup"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
)

//go:embed packs/*.yaml
var embedded embed.FS

// maxFiles bounds a directory of packs.
const maxFiles = 500

// A Set holds every version of every pack of this deployment. It never changes
// and may be shared.
type Set struct {
	packs map[string][]Pack // by code, the oldest version first
}

// Default returns the packs that come with the program. A fault in them is a
// bug of ours and panics; the package's test loads them. They are read once, for
// a start asks three times: nobody changes what a Set gives.
func Default() *Set { return builtin() }

var builtin = sync.OnceValue(func() *Set {
	s, err := loadAll(defaults())
	if err != nil {
		panic(fmt.Sprintf("policy: embedded packs:\n%s", strings.Join(Explain(err, i18n.For(i18n.EN)), "\n")))
	}
	return s
})

// Load reads every *.yaml at the top of fsys. Its error is one Invalid fault
// whose parts name each fault of each file, with the arguments File and Line
// and the field as a JSON pointer; Explain writes them out. An error of reading
// itself is returned as it is.
func Load(fsys fs.FS) (*Set, error) { return loadAll(fsys) }

// LoadDir reads the packs of a directory beside those that come with the
// program. A file may repeat an embedded version only byte for byte. Links that
// lead out of the directory are not followed. Errors are those of Load.
func LoadDir(dir string) (*Set, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open policy packs: %w", err)
	}
	defer root.Close() //nolint:errcheck // read only
	return loadAll(defaults(), root.FS())
}

// Explain writes an error of Load as lines a person can act on: file and line,
// place in the file, what is wrong and what would be right.
func Explain(err error, p *i18n.Printer) []string {
	e, ok := fault.As(err)
	if !ok {
		return []string{err.Error()}
	}
	lines := make([]string, 0, len(e.Parts))
	for _, part := range e.Parts {
		lines = append(lines, fmt.Sprintf("%v:%v: %s: %s", part.Args["File"], part.Args["Line"], cmp.Or(part.Field, "/"), p.Fault(part)))
	}
	return lines
}

// Current returns the version of a code that is in force at now. ok is false if
// the code is unknown or not in force yet.
func (s *Set) Current(code string, now time.Time) (Pack, bool) {
	for _, p := range slices.Backward(s.packs[code]) {
		if !now.Before(p.ValidFrom) {
			return p, true
		}
	}
	return Pack{}, false
}

// Get returns exactly the pack that ref names, digest included.
func (s *Set) Get(ref Ref) (Pack, bool) {
	p, ok := s.Version(ref.Code, ref.Version)
	return p, ok && p.Ref == ref
}

// Version returns one version of a code.
func (s *Set) Version(code string, version int) (Pack, bool) {
	for _, p := range s.packs[code] {
		if p.Version == version {
			return p, true
		}
	}
	return Pack{}, false
}

// All returns every pack, by code and then version.
func (s *Set) All() []Pack {
	var all []Pack
	for _, code := range s.Codes() {
		all = append(all, s.packs[code]...)
	}
	return all
}

// Codes returns the codes of all jurisdictions in order.
func (s *Set) Codes() []string { return slices.Sorted(maps.Keys(s.packs)) }

func defaults() fs.FS {
	sub, err := fs.Sub(embedded, "packs")
	if err != nil {
		panic(err) // the path is a constant
	}
	return sub
}

// A reading is one file on its way to a pack.
type reading struct {
	checker checker
	data    []byte
	pack    Pack
	ok      bool // no fault was found in it alone
}

// readAll reads the files of every source.
func readAll(sources []fs.FS) ([]*reading, error) {
	var read []*reading
	for _, src := range sources {
		names, err := fs.Glob(src, "*.yaml")
		if err != nil {
			return nil, fmt.Errorf("list policy packs: %w", err)
		}
		if len(names) > maxFiles {
			return nil, fault.New(fault.Invalid, "policy.files", "Limit", maxFiles)
		}
		for _, name := range names {
			data, err := readFile(src, name)
			if err != nil {
				return nil, fmt.Errorf("read policy pack %s: %w", name, err)
			}
			read = append(read, &reading{checker: checker{file: name}, data: data})
		}
	}
	return read, nil
}

func loadAll(sources ...fs.FS) (*Set, error) {
	read, err := readAll(sources)
	if err != nil {
		return nil, err
	}
	schema := compileSchema()
	var side errgroup.Group // on every processor: a start waits for nothing longer
	side.SetLimit(runtime.GOMAXPROCS(0))
	for _, r := range read {
		side.Go(func() error {
			r.pack, r.ok = r.checker.pack(schema, r.data)
			return nil
		})
	}
	if err := side.Wait(); err != nil {
		return nil, err
	}
	s := &Set{packs: map[string][]Pack{}}
	var all fault.Checker
	files := map[Ref]string{}
	for _, r := range read {
		if r.ok {
			s.add(&r.checker, files, r.pack)
		}
		r.checker.report(&all)
	}
	s.checkOrder(files, &all)
	if err := all.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// readFile reads one byte more than a pack may have, so that parse refuses a
// huge file without it ever being in memory.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

// pack makes a pack of one file's bytes; ok is false if a fault was added.
func (c *checker) pack(schema *jsonschema.Schema, data []byte) (Pack, bool) {
	t, err := parse(data)
	if err != nil {
		f := err.(*yamlFault) //nolint:errcheck,errorlint // parse returns no other
		c.addLine(f.line, f.pointer, f.err)
		return Pack{}, false
	}
	c.tree = t
	if c.checkSchema(schema, t); len(c.faults) > 0 {
		return Pack{}, false
	}
	p, ok := c.decode(t)
	if !ok {
		return Pack{}, false
	}
	digest := sha256.Sum256(data)
	p.Ref = Ref{Code: p.Code, Version: p.Version, Digest: hex.EncodeToString(digest[:])}
	c.check(&p)
	return p, len(c.faults) == 0
}

// decode turns a tree that fits the schema into a typed pack. What can still go
// wrong is a time that looks right but does not exist.
func (c *checker) decode(t tree) (Pack, bool) {
	root := t.root.(map[string]any) //nolint:errcheck,forcetypeassert // the schema says so
	if err := new(time.Time).UnmarshalText([]byte(root["valid_from"].(string))); err != nil {
		c.add("/valid_from", "policy.time", "Got", root["valid_from"])
		return Pack{}, false
	}
	x := index{leaves: map[string]string{}, leafAt: map[string]string{}, sources: root["sources"].(map[string]any)}
	x.walk(root, "", "")
	b, err := json.Marshal(root)
	if err != nil {
		panic(fmt.Sprintf("policy: encode a checked tree: %v", err))
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var p Pack
	if err := dec.Decode(&p); err != nil {
		panic(fmt.Sprintf("policy: the schema allows what Pack does not hold: %v", err))
	}
	p.leaves, p.leafAt, p.lines = x.leaves, x.leafAt, t.lines
	p.figures = x.typed(t)
	return p, true
}

// typed returns the figures in the order of the file.
func (x *index) typed(t tree) []Figure {
	out := make([]Figure, len(x.figures))
	for i, m := range x.figures {
		b, err := json.Marshal(m)
		if err == nil {
			err = json.Unmarshal(b, &out[i])
		}
		if err != nil {
			panic(fmt.Sprintf("policy: the schema allows what Figure does not hold: %v", err))
		}
	}
	slices.SortFunc(out, func(a, b Figure) int {
		return cmp.Or(t.line(a.Pointer)-t.line(b.Pointer), strings.Compare(a.Pointer, b.Pointer))
	})
	return out
}

// add puts p into the set unless its version is there already.
func (s *Set) add(c *checker, files map[Ref]string, p Pack) {
	if have, ok := s.Version(p.Code, p.Version); ok {
		if have.Ref != p.Ref {
			c.add("/version", "policy.version-twice", "Code", p.Code, "Version", p.Version, "Other", files[have.Ref])
		}
		return
	}
	files[p.Ref] = c.file
	s.packs[p.Code] = append(s.packs[p.Code], p)
}

// checkOrder sorts each code's versions and wants a later one to come into
// force later, so that Current is never in doubt.
func (s *Set) checkOrder(files map[Ref]string, all *fault.Checker) {
	for _, code := range s.Codes() {
		packs := s.packs[code]
		slices.SortFunc(packs, func(a, b Pack) int { return a.Version - b.Version })
		for i := 1; i < len(packs); i++ {
			if p, before := packs[i], packs[i-1]; !p.ValidFrom.After(before.ValidFrom) {
				c := checker{file: files[p.Ref], tree: tree{lines: p.lines}}
				c.add("/valid_from", "policy.version-order", "Version", p.Version, "Before", before.Version,
					"Time", before.ValidFrom.Format(time.RFC3339))
				c.report(all)
			}
		}
	}
}

// fileName returns the name that a pack's file must have.
func fileName(p *Pack) string { return fmt.Sprintf("%s-%d.yaml", p.Code, p.Version) }
