package i18n

import (
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

var numbers = map[Lang]*message.Printer{
	ID: message.NewPrinter(language.Indonesian),
	EN: message.NewPrinter(language.English),
}

// Number returns n with the language's thousands separator.
func (p *Printer) Number(n int64) string { return numbers[p.lang].Sprintf("%d", n) }
