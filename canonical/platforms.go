package canonical

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of one data file. Anchors and aliases are refused, so that a small
// file cannot grow.
const (
	maxFileBytes     = 512 << 10
	maxPlatforms     = 1000
	maxRules         = 64
	maxListedEntries = 10000
)

//go:embed data/platforms.yaml
var platformsFile []byte

//go:embed data/lists.yaml
var listsFile []byte

//go:embed data/demo.yaml
var demoFile []byte

// Platforms is what is known of platforms and hosts. It never changes once
// made; [Platforms.With] makes another.
type Platforms struct {
	byKey    map[string]*Platform
	hosts    map[string]place
	wild     map[string]place // by the name below the star
	shapes   []Rule
	tracking nameList
	wide     map[string]*hostList // by Broad reason
	wallets  map[string]*walletRule
}

// A place is a host that a platform owns.
type place struct {
	platform *Platform
	host     string // where its links belong; "" for the host itself
	only     string // the host as rules name it in "on"; "" for all other rules
}

// A Platform is a service and how its links are read.
type Platform struct {
	Key  string `yaml:"key"`  // short, lower case, unique
	Name string `yaml:"name"` // as the platform writes itself

	Host    string   `yaml:"host"`    // the host that canonical links have
	Aliases []string `yaml:"aliases"` // hosts with the same paths: mobile, www, older names
	Hosts   []string `yaml:"hosts"`   // further hosts, each for itself: instances, national sites
	Wild    []string `yaml:"wild"`    // names under which each user has a host

	Handle   string   `yaml:"handle"`   // path of an account, with {name}; "" without such pages
	Lower    []string `yaml:"lower"`    // variables in which capitals mean nothing
	Reserved []string `yaml:"reserved"` // first segments that are no account
	Rules    []Rule   `yaml:"rules"`    // the first that fits decides

	lower    map[string]bool
	reserved map[string]bool
}

// A Rule reads one form of link. Its path has literal segments and variables
// as {id}, {id:num} (digits) or {user:name} (a name that is not reserved),
// each possibly behind a literal prefix; a last {rest...} takes all that
// follows and a last ** lets it be. Behind "?" stand parameters that are needed.
type Rule struct {
	Path     string   `yaml:"path"`
	Kind     Kind     `yaml:"kind"`
	On       []string `yaml:"on"`       // only on these hosts, which belong to the platform by it
	To       string   `yaml:"to"`       // canonical path on the platform's host, or //host/path; "" for Path
	Query    []string `yaml:"query"`    // further parameters that select content; "*" for all
	Fragment bool     `yaml:"fragment"` // the fragment selects content
	Broad    bool     `yaml:"broad"`    // names a collection, listing or search

	from, to template
	toHost   string
	on       map[string]bool
}

// A walletRule is the form of a payment address.
type walletRule struct {
	Scheme   string `yaml:"scheme"`
	Alphabet string `yaml:"alphabet"`
	Prefix   string `yaml:"prefix"`   // that every address has
	Prefix32 string `yaml:"prefix32"` // of addresses in checked base 32
	Min      int    `yaml:"min"`
	Max      int    `yaml:"max"`
	Lower    bool   `yaml:"lower"` // capitals mean nothing
}

// A file is one data file.
type file struct {
	Platforms []*Platform         `yaml:"platforms"`
	Shapes    []Rule              `yaml:"shapes"`   // forms of link on hosts of no known platform
	Tracking  []string            `yaml:"tracking"` // parameters that track people; name* for a beginning
	Wide      map[string][]string `yaml:"wide"`     // hosts by Broad reason
	Wallets   []*walletRule       `yaml:"wallets"`
}

// Builtin returns the platforms and lists that come with the package. They are
// read once: nobody changes what it gives.
func Builtin() (*Platforms, error) { return builtin() }

var builtin = sync.OnceValues(func() (*Platforms, error) {
	ps, err := (&Platforms{}).With("lists.yaml", listsFile)
	if err != nil {
		return nil, err
	}
	return ps.With("platforms.yaml", platformsFile)
})

// Demo returns [Builtin] with the invented platforms of the demonstration.
func Demo() (*Platforms, error) { return invented() }

var invented = sync.OnceValues(func() (*Platforms, error) {
	ps, err := Builtin()
	if err != nil {
		return nil, err
	}
	return ps.With("demo.yaml", demoFile)
})

// With returns ps and what the YAML data adds to it. A platform of a known key
// takes its place whole; a host belongs to one platform only. Unknown fields,
// anchors and more than 512 KiB are refused. The name is for errors.
func (ps *Platforms) With(name string, data []byte) (*Platforms, error) {
	f, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("platforms %s: %w", name, err)
	}
	out := &Platforms{
		byKey:    maps.Clone(ps.byKey),
		shapes:   slices.Concat(ps.shapes, f.Shapes),
		tracking: ps.tracking.with(f.Tracking),
		wallets:  maps.Clone(ps.wallets),
		wide:     maps.Clone(ps.wide),
	}
	if err := out.add(f); err != nil {
		return nil, fmt.Errorf("platforms %s: %w", name, err)
	}
	return out, nil
}

func (ps *Platforms) add(f *file) error {
	for i := range ps.shapes {
		if err := ps.shapes[i].compile(nil); err != nil {
			return err
		}
	}
	if ps.byKey == nil {
		ps.byKey = map[string]*Platform{}
	}
	for _, p := range f.Platforms {
		if err := p.compile(); err != nil {
			return fmt.Errorf("platform %q: %w", p.Key, err)
		}
		ps.byKey[p.Key] = p
	}
	if ps.wallets == nil {
		ps.wallets = map[string]*walletRule{}
	}
	for _, w := range f.Wallets {
		if w.Scheme == "" || w.Alphabet == "" || w.Min < 1 || w.Max < w.Min {
			return fmt.Errorf("wallet %q: scheme, alphabet, min and max are needed", w.Scheme)
		}
		ps.wallets[w.Scheme] = w
	}
	if ps.wide == nil {
		ps.wide = map[string]*hostList{}
	}
	for reason, hosts := range f.Wide {
		if !slices.Contains(listedReasons, reason) {
			return fmt.Errorf("wide: %q is not one of %v", reason, listedReasons)
		}
		ps.wide[reason] = ps.wide[reason].with(hosts)
	}
	return ps.claim()
}

// claim gives each host to its platform.
func (ps *Platforms) claim() error {
	ps.hosts, ps.wild = map[string]place{}, map[string]place{}
	for _, p := range ps.All() {
		for host, at := range p.places() {
			m := ps.hosts
			if below, ok := strings.CutPrefix(host, "*."); ok {
				host, m = below, ps.wild
			}
			if other, taken := m[host]; taken && other.platform != p {
				return fmt.Errorf("host %q belongs to %q and %q", host, other.platform.Key, p.Key)
			}
			m[host] = at
		}
	}
	return nil
}

// places returns the platform's hosts; those with a star stand for all below.
func (p *Platform) places() map[string]place {
	at := map[string]place{}
	for _, r := range p.Rules {
		for _, h := range r.On {
			at[h] = place{platform: p, host: h, only: h}
		}
	}
	for _, h := range p.Wild {
		at["*."+h] = place{platform: p}
	}
	for _, h := range p.Hosts {
		at[h] = place{platform: p}
	}
	if p.Host != "" {
		at[p.Host] = place{platform: p, host: p.Host}
	}
	for _, h := range p.Aliases {
		at[h] = place{platform: p, host: p.Host}
	}
	return at
}

// All returns the platforms by key. They must not be changed.
func (ps *Platforms) All() []*Platform {
	return slices.SortedFunc(maps.Values(ps.byKey), func(a, b *Platform) int { return strings.Compare(a.Key, b.Key) })
}

// Get returns the platform of a key, nil if there is none.
func (ps *Platforms) Get(key string) *Platform { return ps.byKey[key] }

// Lookup returns the platform that owns a canonical host, nil if none is known.
func (ps *Platforms) Lookup(host string) *Platform {
	at, _, _ := ps.find(host)
	return at.platform
}

// find returns the place of a host, and the user's part of a host below a star.
func (ps *Platforms) find(host string) (at place, sub string, ok bool) {
	if at, ok = ps.hosts[host]; ok {
		return at, "", true
	}
	for below := host; ; {
		_, rest, more := strings.Cut(below, ".")
		if !more {
			return place{}, "", false
		}
		if at, ok = ps.wild[rest]; ok {
			return at, strings.TrimSuffix(host, "."+rest), true
		}
		below = rest
	}
}

// decode reads a data file strictly.
func decode(data []byte) (*file, error) {
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%d bytes are more than %d", len(data), maxFileBytes)
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, err
	}
	for _, doc := range tree.Docs {
		if len(ast.Filter(ast.AnchorType, doc))+len(ast.Filter(ast.AliasType, doc)) > 0 {
			return nil, fmt.Errorf("anchors and aliases are not taken")
		}
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, fmt.Errorf("want one document")
	}
	var f file
	if err := yaml.NodeToValue(tree.Docs[0].Body, &f, yaml.Strict()); err != nil {
		return nil, err
	}
	if len(f.Platforms) > maxPlatforms || len(f.Shapes) > maxRules || len(f.Wallets) > maxRules {
		return nil, fmt.Errorf("more than %d platforms or %d shapes", maxPlatforms, maxRules)
	}
	for _, l := range append(slices.Collect(maps.Values(f.Wide)), f.Tracking) {
		if len(l) > maxListedEntries {
			return nil, fmt.Errorf("a list of more than %d", maxListedEntries)
		}
	}
	return &f, nil
}
