package web

import "github.com/tangkal/tangkal/internal/web/components"

// ErrorPage says what happened, what was kept, what to do, and a code to ask
// with.
type ErrorPage struct {
	components.PublicPage
	Console *components.ConsolePage // the frame of somebody who is signed in; nil for the public's
	Icon    string
	What    string // the fault's own sentence
	Parts   []string
	Kept    string // what became of what was sent; "" if nothing was
	Advice  string
	Code    string // "" where there is nothing to look up
	Back    Option // Value is the address
}
