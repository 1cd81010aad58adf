package auth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/party"
)

// RightsMarkdown spells the table of rights for people: every rule, and every
// act by every role. It is docs/rights.md.
func RightsMarkdown() string {
	var b strings.Builder
	b.WriteString(rightsHead)
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.Act, words(r.Kinds, "any"), words(r.Roles, "any"), r.Relation.words(), fresh(r.Fresh), r.Proof)
	}
	b.WriteString("\n## Every act by every role\n\nEach cell lists the kinds of organisation whose people may; an empty one means nobody may.\n\n| act |")
	for _, role := range party.Roles() {
		fmt.Fprintf(&b, " %s |", role)
	}
	b.WriteString("\n|---" + strings.Repeat("|---", len(party.Roles())) + "|\n")
	for _, act := range Acts() {
		fmt.Fprintf(&b, "| `%s` |", act)
		for _, role := range party.Roles() {
			fmt.Fprintf(&b, " %s |", words(seats(act, role), "any"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const rightsHead = `# Who may do what

This page is printed from the table that the program itself asks (` + "`Rules` in `internal/auth/may.go`" + `), and a
test holds the two together; ` + "`TANGKAL_UPDATE=1 go test ./internal/auth`" + ` prints it anew. What no row grants is
refused. Whoever may not even read an object is told that it does not exist.

"Another person" means: who took an earlier step of the same decision may not take this one, whatever their roles.

"Proof" is what the act asks for besides. *touch*: the person touched a passkey in this session within the last five minutes,
or, having none, used the key that signs them in once more. *signature*: their signature over exactly what is decided, by
passkey for who has one. An API key can touch nothing, so no program does an act that needs a touch, whoever's key it holds.

| act | organisation | role | stands to the object as | another person | proof |
|---|---|---|---|---|---|
`

// Acts returns every act that a rule grants to somebody, in the table's order.
func Acts() []Act {
	var acts []Act
	for _, r := range table {
		if !slices.Contains(acts, r.Act) {
			acts = append(acts, r.Act)
		}
	}
	return acts
}

// seats returns the kinds of party in which role may do act to some object;
// every kind is said as none, as in a Rule, and nobody as "–".
func seats(act Act, role party.Role) []party.Kind {
	var kinds []party.Kind
	for _, k := range party.Kinds() {
		if Seat(party.Actor{Person: "somebody", PartyKind: k, Roles: []party.Role{role}}, act) {
			kinds = append(kinds, k)
		}
	}
	switch len(kinds) {
	case 0:
		return []party.Kind{""}
	case len(party.Kinds()):
		return nil
	default:
		return kinds
	}
}

// words says a list, and none as whatever none means.
func words[S ~string](list []S, none string) string {
	if len(list) == 0 {
		return none
	}
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

func (r Relation) words() string {
	switch r {
	case Own:
		return "owner"
	case Proposer:
		return "proposer of the notice"
	case Issuer:
		return "issuer of the notice"
	case Addressee:
		return "addressee of the issued notice"
	case Receiver:
		return "receiver of a dossier"
	case Any:
		return "anybody"
	default:
		return string(r)
	}
}

func fresh(f bool) string {
	if f {
		return "yes"
	}
	return ""
}
