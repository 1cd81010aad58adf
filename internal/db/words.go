package db

import "strings"

// A Term is one word that a text must hold. It is of a to z and 0 to 9, in any
// of its spellings; With prefix, a word that only begins so is found too.
type Term struct {
	Spellings []string
	Prefix    bool
}

// MatchWords returns the condition that the column words of search_docs d holds
// every term, and its argument, for placeholder $n. SQLite asks its FTS5 table
// (https://sqlite.org/fts5.html), PostgreSQL its tsvector index.
func MatchWords(dialect Dialect, n string, terms []Term) (condition, argument string) {
	and, or, quote, begins := " AND ", " OR ", `"`, "*"
	if dialect == Postgres {
		and, or, quote, begins = " & ", " | ", "", ":*"
	}
	all := make([]string, len(terms))
	for i, t := range terms {
		each := make([]string, len(t.Spellings))
		for j, s := range t.Spellings {
			each[j] = quote + s + quote
			if t.Prefix {
				each[j] += begins
			}
		}
		all[i] = "(" + strings.Join(each, or) + ")"
	}
	argument = strings.Join(all, and)
	if dialect == Postgres {
		return `to_tsvector('simple', d.words) @@ to_tsquery('simple', $` + n + `)`, argument
	}
	return `search_docs_fts MATCH $` + n, argument
}

// WordsTable is what a query with MatchWords reads from, as d.
func WordsTable(dialect Dialect) string {
	if dialect == Postgres {
		return `search_docs d`
	}
	return `search_docs_fts w CROSS JOIN search_docs d ON d.id = w.rowid`
}

// WordsID is the column that orders what MatchWords finds, without looking at
// the rows themselves.
func WordsID(dialect Dialect) string {
	if dialect == Postgres {
		return `d.id`
	}
	return `w.rowid`
}
