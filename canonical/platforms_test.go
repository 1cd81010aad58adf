package canonical_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tangkal/tangkal/canonical"
)

var variable = regexp.MustCompile(`\{(\w+)(?::(\w+))?(\.\.\.)?\}`)

// sample fills a rule's path with values that its variables take.
func sample(path string) string {
	path = variable.ReplaceAllStringFunc(path, func(v string) string {
		if strings.Contains(v, ":num") {
			return "4242"
		}
		return "contoh9"
	})
	return strings.Replace(path, "/**", "/more", 1)
}

// TestEveryRuleOfEveryPlatform reads one link per rule and host: it has the
// rule's kind, and its canonical form is read as the same thing.
func TestEveryRuleOfEveryPlatform(t *testing.T) {
	ps := known(t)
	for _, p := range ps.All() {
		for _, r := range p.Rules {
			for _, host := range hostsOf(p, r) {
				raw := "https://" + host + sample(r.Path)
				loc, err := canonical.Parse(raw, ps)
				if err != nil || loc.Platform != p.Key || loc.Kind != r.Kind {
					t.Errorf("%s: rule %q reads %s as %+v, %v", p.Key, r.Path, raw, loc, err)
					continue
				}
				again, err := canonical.Parse(loc.Canonical, ps)
				if diff := cmp.Diff(loc, again); err != nil || diff != "" {
					t.Errorf("%s: %s again: %v\n%s", p.Key, loc.Canonical, err, diff)
				}
				if collection := slices.Contains(loc.Broad, canonical.BroadCollection); collection != r.Broad {
					t.Errorf("%s: %s broad %v, want collection %v", p.Key, loc.Canonical, loc.Broad, r.Broad)
				}
			}
		}
	}
}

func hostsOf(p *canonical.Platform, r canonical.Rule) []string {
	if len(r.On) > 0 {
		return r.On
	}
	hosts := slices.Concat(p.Hosts, p.Aliases)
	if p.Host != "" {
		hosts = append(hosts, p.Host)
	}
	for _, w := range p.Wild {
		hosts = append(hosts, "user1."+w)
	}
	return hosts
}

func TestEveryHandleIsAnAccountOrChannel(t *testing.T) {
	ps := known(t)
	for _, p := range ps.All() {
		if p.Handle == "" || p.Host == "" {
			continue
		}
		loc, err := canonical.Parse(p.Key+":@contoh9", ps)
		if err != nil || loc.Platform != p.Key || loc.Kind != canonical.Account && loc.Kind != canonical.Channel || loc.ID != "contoh9" {
			t.Errorf("%s: %+v, %v", p.Key, loc, err)
		}
	}
}

func TestWholeLocations(t *testing.T) {
	ps := known(t)
	for raw, want := range map[string]canonical.Location{
		"hxxps://ruangsuara[.]example/v/84qe-90t": {
			Canonical: "https://ruangsuara.example/v/84qe-90t", Host: "ruangsuara.example",
			Registrable: "ruangsuara.example", Platform: "ruangsuara", Kind: canonical.Post, ID: "84qe-90t",
		},
		"pesanku[.]example/s/kx7/4431": {
			Canonical: "https://pesanku.example/s/kx7/4431", Host: "pesanku.example",
			Registrable: "pesanku.example", Platform: "pesanku", Kind: canonical.Post, ID: "kx7/4431",
		},
		"situs-khusus-7.example": {
			Canonical: "https://situs-khusus-7.example/", Host: "situs-khusus-7.example",
			Registrable: "situs-khusus-7.example", Kind: canonical.Domain, Broad: []string{"apex", "collection"},
		},
		"arsip.lembaga.example": {
			Canonical: "https://arsip.lembaga.example/", Host: "arsip.lembaga.example",
			Registrable: "lembaga.example", Kind: canonical.Site, Broad: []string{"collection"},
		},
		"site.example/buku.pdf": {
			Canonical: "https://site.example/buku.pdf", Host: "site.example",
			Registrable: "site.example", Kind: canonical.File,
		},
		"youtube.com": {
			Canonical: "https://www.youtube.com/", Host: "www.youtube.com", Registrable: "youtube.com",
			Platform: "youtube", Kind: canonical.Domain, Broad: []string{"apex", "collection", "popular"},
		},
		"https://8.8.8.8/x": {
			Canonical: "https://8.8.8.8/x", Host: "8.8.8.8", Registrable: "8.8.8.8",
			Kind: canonical.Post, Broad: []string{"ip-address"},
		},
		"8.8.8.8": {
			Canonical: "https://8.8.8.8/", Host: "8.8.8.8", Registrable: "8.8.8.8",
			Kind: canonical.Site, Broad: []string{"collection", "ip-address"},
		},
		"name.blogspot.com": {
			Canonical: "https://name.blogspot.com/", Host: "name.blogspot.com", Registrable: "name.blogspot.com",
			Platform: "blogspot", Kind: canonical.Site, ID: "name", Broad: []string{"apex"},
		},
	} {
		got, err := canonical.Parse(raw, ps)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", raw, err, diff)
		}
	}
}

func TestWideTargetsAreFlagged(t *testing.T) {
	ps := known(t)
	for raw, want := range map[string]string{
		"https://www.kominfo.go.id/page":                canonical.BroadGovernment,
		"https://moi.gov.tw/x":                          canonical.BroadGovernment,
		"https://agency.gov/x":                          canonical.BroadGovernment,
		"https://base.mil/x":                            canonical.BroadGovernment,
		"https://ui.ac.id/x":                            canonical.BroadAcademia,
		"https://cs.uni.edu/x":                          canonical.BroadAcademia,
		"https://uni.edu.au/x":                          canonical.BroadAcademia,
		"https://news.detik.com/a":                      canonical.BroadNews,
		"https://www.who.int/x":                         canonical.BroadHealth,
		"https://d111.cloudfront.net/":                  canonical.BroadShared,
		"https://co.id/":                                canonical.BroadShared,
		"https://drive.google.com/":                     canonical.BroadPopular,
		"https://WWW.Reuters.COM./world":                canonical.BroadNews,
		"https://archive.org/details/texts":             canonical.BroadCollection,
		"https://xn--pple-43d.com/":                     canonical.BroadHomograph,
		"https://аррӏе.com/":                            canonical.BroadHomograph,
		"https://site.example/?utm_source=x":            canonical.BroadApex,
		"https://kabarkita.example/search?q=a":          canonical.BroadCollection,
		"https://kabarkita.example/unknown/form/of/url": canonical.BroadPopular,
	} {
		loc, err := canonical.Parse(raw, ps)
		if err != nil || !slices.Contains(loc.Broad, want) {
			t.Errorf("%s: broad %v, %v, want %s", raw, loc.Broad, err, want)
		}
	}
	for _, raw := range []string{
		"https://youtu.be/dQw4w9WgXcQ", "https://t.me/channel/1", "https://site.example/page", "https://bücher.example/x",
		"https://пример.example/x", "https://日本語テスト.example/x", "https://gov.example/x", "https://mygov.example/x", "https://notgo.id/x",
	} {
		if loc, err := canonical.Parse(raw, ps); err != nil || loc.Broad != nil {
			t.Errorf("%s: broad %v, %v, want none", raw, loc.Broad, err)
		}
	}
}

func TestBadPlatformFilesAreRefused(t *testing.T) {
	ps := known(t)
	rule := func(r string) string {
		return "platforms: [{key: a, name: A, host: a.example, rules: [" + r + "]}]"
	}
	for name, data := range map[string]string{
		"unknown field":  "platforms: [{key: a, name: A, host: a.example, colour: red}]",
		"no host":        "platforms: [{key: a, name: A}]",
		"no name":        "platforms: [{key: a, host: a.example}]",
		"host taken":     "platforms: [{key: a, name: A, host: m.youtube.com}]",
		"host not plain": "platforms: [{key: a, name: A, host: 'https://A.example'}]",
		"unknown kind":   rule(`{path: "/x", kind: thing}`),
		"bad path":       rule(`{path: "x", kind: post}`),
		"bad class":      rule(`{path: "/{id:hex}", kind: post}`),
		"open brace":     rule(`{path: "/{id", kind: post}`),
		"handle":         "platforms: [{key: a, name: A, host: a.example, handle: /u}]",
		"alias":          "tracking: &a [x]\nwide: {popular: *a}",
		"reason":         "wide: {boring: [a.example]}",
		"wallet":         "wallets: [{scheme: x}]",
		"too large":      "tracking: [" + strings.Repeat("a,", 300<<10) + "]",
		"not yaml":       "{{{",
	} {
		if _, err := ps.With(name, []byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v does not name the file", name, err)
		}
	}
}

func TestAnotherFileAddsAndReplaces(t *testing.T) {
	ps := known(t)
	more, err := ps.With("more.yaml", []byte(`
platforms:
  - {key: berkas, name: Berkas Baru, host: berkas-baru.example, rules: [{path: "/x/{id}", kind: file}]}
tracking: [jejak]
wide: {news: [koran.example]}
`))
	if err != nil {
		t.Fatal(err)
	}
	loc, err := canonical.Parse("https://berkas-baru.example/x/1", more)
	if err != nil || loc.Platform != "berkas" || more.Lookup("berkas.example") != nil || ps.Lookup("berkas.example") == nil {
		t.Errorf("%+v, %v", loc, err)
	}
	loc, err = canonical.Parse("https://koran.example/a?jejak=1", more)
	if got := fmt.Sprint(loc.Canonical, loc.Broad); err != nil || got != "https://koran.example/a[news]" {
		t.Errorf("%s, %v", got, err)
	}
	if loc, _ := canonical.Parse("https://koran.example/a?jejak=1", ps); loc.Broad != nil {
		t.Errorf("the first set changed: %+v", loc)
	}
}
