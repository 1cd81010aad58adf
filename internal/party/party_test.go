package party_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
)

// faultsAt returns the fields and codes of what err names, as "field code".
func faultsAt(err error) []string {
	var at []string
	if e, ok := fault.As(err); ok {
		for _, p := range e.Parts {
			at = append(at, p.Field+" "+p.Code)
		}
	}
	slices.Sort(at)
	return at
}

func TestAPartysFaultsAreNamedAtOnce(t *testing.T) {
	sound := party.Party{Code: "agency-1", Kind: party.Agency, Name: "Agency", Zone: "Asia/Jakarta"}
	for name, c := range map[string]struct {
		change func(*party.Party)
		want   []string
	}{
		"sound": {func(*party.Party) {}, nil},
		"a platform with kinds": {func(p *party.Party) {
			p.Kind, p.PlatformKinds, p.PlatformKey = party.Platform, []string{"social", "cdn"}, "x"
		}, nil},
		"no name":                 {func(p *party.Party) { p.Name = " \t" }, []string{"/name fault.required"}},
		"a name without end":      {func(p *party.Party) { p.Name = strings.Repeat("n", 201) }, []string{"/name party.too-long"}},
		"no code":                 {func(p *party.Party) { p.Code = "" }, []string{"/code party.code"}},
		"a code of one letter":    {func(p *party.Party) { p.Code = "a" }, []string{"/code party.code"}},
		"a code of 41":            {func(p *party.Party) { p.Code = strings.Repeat("a", 41) }, []string{"/code party.code"}},
		"a code in capitals":      {func(p *party.Party) { p.Code = "Agency" }, []string{"/code party.code"}},
		"a code that starts at -": {func(p *party.Party) { p.Code = "-agency" }, []string{"/code party.code"}},
		"a code that ends in -":   {func(p *party.Party) { p.Code = "agency-" }, []string{"/code party.code"}},
		"a path as code":          {func(p *party.Party) { p.Code = "a/../b" }, []string{"/code party.code"}},
		"an unknown kind":         {func(p *party.Party) { p.Kind = "cartel" }, []string{"/kind party.kind"}},
		"no kind":                 {func(p *party.Party) { p.Kind = "" }, []string{"/kind party.kind"}},
		"an agency as platform":   {func(p *party.Party) { p.PlatformKinds = []string{"social"} }, []string{"/platform_kinds party.platform-kind"}},
		"an agency's platform":    {func(p *party.Party) { p.PlatformKey = "x" }, []string{"/platform_key party.not-platform"}},
		"an unknown platform":     {func(p *party.Party) { p.Kind, p.PlatformKinds = party.Platform, []string{"fax"} }, []string{"/platform_kinds party.platform-kind"}},
		"no zone":                 {func(p *party.Party) { p.Zone = "" }, []string{"/zone party.zone"}},
		"a zone that is no zone":  {func(p *party.Party) { p.Zone = "Mars/Olympus" }, []string{"/zone party.zone"}},
		"everything":              {func(p *party.Party) { *p = party.Party{PlatformKey: "x"} }, []string{"/code party.code", "/kind party.kind", "/name fault.required", "/platform_key party.not-platform", "/zone party.zone"}},
	} {
		p := sound
		c.change(&p)
		if got := faultsAt(p.Validate()); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestAPersonsFaultsAreNamedAtOnce(t *testing.T) {
	sound := party.Person{Name: "Ana", Email: "ana@agency.example", Roles: []party.Role{party.Analyst}, Lang: "id", Zone: "UTC"}
	for name, c := range map[string]struct {
		change func(*party.Person)
		want   []string
	}{
		"sound":             {func(*party.Person) {}, nil},
		"every role":        {func(p *party.Person) { p.Roles = party.Roles() }, nil},
		"no name":           {func(p *party.Person) { p.Name = "" }, []string{"/name fault.required"}},
		"a long name":       {func(p *party.Person) { p.Name = strings.Repeat("n", 201) }, []string{"/name party.too-long"}},
		"no roles":          {func(p *party.Person) { p.Roles = nil }, []string{"/roles fault.required"}},
		"an unknown role":   {func(p *party.Person) { p.Roles = []party.Role{party.Admin, "root"} }, []string{"/roles party.role"}},
		"another language":  {func(p *party.Person) { p.Lang = "tlh" }, []string{"/lang party.lang"}},
		"no zone":           {func(p *party.Person) { p.Zone = "" }, []string{"/zone party.zone"}},
		"everything at all": {func(p *party.Person) { *p = party.Person{} }, []string{"/email party.email", "/lang party.lang", "/name fault.required", "/roles fault.required", "/zone party.zone"}},
	} {
		p := sound
		c.change(&p)
		if got := faultsAt(p.Validate()); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	for _, bad := range []string{"", "ana", "@agency.example", "ana@", "a na@agency.example", "ana@agency.example\r\nBcc: x", "<ana@agency.example>", "a@b.example,c@d.example", strings.Repeat("a", 250) + "@b.example"} {
		p := sound
		p.Email = bad
		if got := faultsAt(p.Validate()); !slices.Equal(got, []string{"/email party.email"}) {
			t.Errorf("%q as an address: %v", bad, got)
		}
	}
}

func TestTheListsHoldEachWordOnce(t *testing.T) {
	for name, words := range map[string][]string{
		"kinds": asStrings(party.Kinds()), "roles": asStrings(party.Roles()), "platform kinds": party.PlatformKinds(),
	} {
		slices.Sort(words)
		if n := len(slices.Compact(slices.Clone(words))); n != len(words) || words[0] == "" {
			t.Errorf("%s: %v", name, words)
		}
	}
}

func asStrings[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
