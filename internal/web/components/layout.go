package components

import (
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/i18n"
)

type link struct{ Key, Href string }

// publicNav is the public's main navigation, by catalogue key.
func publicNav() []link {
	return []link{{"report", "/report"}, {"status", "/receipt"}, {"figures", "/#figures"}}
}

type linkGroup struct {
	Key   string
	Links []link
}

func footLinks() []linkGroup {
	return []linkGroup{
		{"public", []link{{"report", "/report"}, {"status", "/receipt"}}},
		{"open", []link{{"figures", "/#figures"}, {"api", "/api/docs"}}},
		{"site", []link{{"signin", "/sign-in"}, {"licences", "/static/LICENCES.md"}}},
	}
}

func langCode(l i18n.Lang) string { return strings.ToUpper(string(l)) }

// zoneName is what a browser's Intl knows the zone as.
func zoneName(z *time.Location) string {
	if z == time.Local {
		return ""
	}
	return z.String()
}

func orRoot(href string) string {
	if href == "" {
		return "/"
	}
	return href
}

func (e Exposure) thousandths() string {
	if e.Limit <= 0 {
		return "0"
	}
	return strconv.FormatInt(min(1000, int64(e.Seen*1000/e.Limit)), 10)
}

// paletteGroups are the page's own commands, then where one can go, then what
// every page can do.
func (c ConsolePage) paletteGroups() []CommandGroup {
	groups := append([]CommandGroup(nil), c.Commands...)
	var to CommandGroup
	to.Title = c.P.T("ui.palette.goto")
	for _, g := range c.Nav {
		for _, n := range g.Items {
			cmd := Command{Icon: n.Icon, Label: n.Label, Href: n.Href}
			if n.Key != "" {
				cmd.Keys = []string{"G", n.Key}
			}
			to.Items = append(to.Items, cmd)
		}
	}
	other := i18n.EN
	if c.P.Lang() == i18n.EN {
		other = i18n.ID
	}
	var system []Command
	if c.BreakURL != "" {
		system = append(system, Command{Icon: "coffee", Label: c.P.T("ui.break"), Keys: []string{"B"}, Click: `#go [data-key="B"]`})
	}
	return append(groups, to, CommandGroup{Title: c.P.T("ui.palette.system"), Items: append(system, []Command{
		{Icon: "languages", Label: i18n.For(other).T("ui.palette.language"), Click: `.lang a[lang="` + string(other) + `"]`},
		{Icon: "sun-moon", Label: c.P.T("ui.theme"), Click: "[data-theme-toggle]"},
		{Icon: "keyboard", Label: c.P.T("ui.keys"), Keys: []string{"?"}, Click: `[data-open="keys"]`},
	}...)})
}

// script is the page's module.
func (pg PublicPage) script() string {
	if pg.Signs {
		return "js/signin.js"
	}
	return "js/app.js"
}
