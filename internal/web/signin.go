package web

import "github.com/tangkal/tangkal/internal/web/components"

// SignInPage is where staff sign in: with the key of their browser, or, in a
// demo of made-up people, with one press.
type SignInPage struct {
	components.PublicPage
	Challenge string // identifier of the challenge, auth.Challenge.ID
	Nonce     string // base64 of what is signed
	Next      string // path to go to afterwards, "" for the person's first page
	Failed    string // why the last attempt was refused, "" if there was none
	Demo      []DemoParty
}

// A DemoParty is an organisation of the demo with its people.
type DemoParty struct {
	Name   string
	Kind   string
	Icon   string
	People []DemoPerson
}

// A DemoPerson signs in by a POST to Action.
type DemoPerson struct {
	Name     string
	Initials string
	Role     string
	Does     string // what there is to try in this chair
	Action   string
}

// JoinPage is where an invited person makes their key.
type JoinPage struct {
	components.PublicPage
	Action string // POST: name, lang, zone, public, label
	Party  string
	Roles  string
	Name   string
	Zones  []Option
	Zone   string
	First  bool // the first administrator, who starts this instance with Secret
	Errors []components.FieldError
}

func (pg JoinPage) wrong(field string) string { return fieldError(pg.Errors, field) }
