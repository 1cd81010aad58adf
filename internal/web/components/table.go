package components

import "github.com/a-h/templ"

// A Column is a column of a table.
type Column struct {
	Label string
	Right bool // figures stand to the right
	Quiet bool // the head is for screen readers only, as over a check box
}

// A Row is a line of a table; its cells stand under the columns.
type Row struct {
	ID       string // value of its check box
	Name     string // names it for the check box
	Selected bool
	Cells    []templ.Component
}

// A Table is rows under columns. With Select it has check boxes that share the
// name Select, and a bar with data-bulk on the page shows while any is ticked.
type Table struct {
	Caption string // for screen readers
	Columns []Column
	Rows    []Row
	Select  string
	Public  bool // public size; becomes labelled rows on a phone
}

// A Toast is a short word at the edge that goes by itself. With Undo it offers
// to take back what just happened, by a POST, for ten seconds.
type Toast struct {
	Icon   string
	Text   string
	Undo   string // address; "" for none
	Fields []Hidden
	Way    string // words of a link that leads on; "" for none
	WayTo  string // its address
}
