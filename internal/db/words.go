package db

import "strings"

// A Term is one word that a text must hold, in any of its spellings, each of a
// to z and 0 to 9.
type Term []string

// MatchWords returns the condition that the column words of search_docs d holds
// every term, and its argument, for placeholder $n. SQLite asks its FTS5 table
// (https://sqlite.org/fts5.html), PostgreSQL its tsvector index.
func MatchWords(dialect Dialect, n string, terms []Term) (condition, argument string) {
	and, or, quote := " AND ", " OR ", `"`
	if dialect == Postgres {
		and, or, quote = " & ", " | ", ""
	}
	all := make([]string, len(terms))
	for i, t := range terms {
		each := make([]string, len(t))
		for j, s := range t {
			each[j] = quote + s + quote
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
