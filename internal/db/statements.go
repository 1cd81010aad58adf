package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"strings"
)

// maxStatements is how many statements a connection to SQLite keeps prepared.
// The program has some 400; those of one page or act are far fewer.
const maxStatements = 200

// preparing is a connector whose connections keep the statements that they have
// prepared: parsing and planning an INSERT costs SQLite more than doing it.
type preparing struct{ driver.Connector }

// Connect opens a connection.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &liteConn{Conn: c, kept: map[string]*list.Element{}, used: list.New()}, nil
}

// liteConn is one connection. database/sql lets one goroutine at a time at it.
type liteConn struct {
	driver.Conn
	kept map[string]*list.Element // by text; the values are *statement
	used *list.List               // the last used first
}

// A statement is a prepared one. While its rows are read it is busy: the same
// text asked again meanwhile is prepared for that once.
type statement struct {
	driver.Stmt
	text string
	busy bool
}

// keeps reports whether a statement is worth keeping: one that is made again
// and again, and changes neither schema nor settings.
func keeps(query string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(query[:min(len(query), 40)]), " ")
	switch strings.ToUpper(strings.TrimRight(word, "\n\t")) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK":
		return true
	default:
		return false
	}
}

// take returns the query prepared and marked as busy, nil if it is not to be
// kept or in use.
func (c *liteConn) take(ctx context.Context, query string) (*statement, error) {
	if !keeps(query) {
		return nil, nil
	}
	if e, ok := c.kept[query]; ok {
		s := e.Value.(*statement)
		if s.busy {
			return nil, nil
		}
		c.used.MoveToFront(e)
		s.busy = true
		return s, nil
	}
	prepared, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &statement{Stmt: prepared, text: query, busy: true}
	c.kept[query] = c.used.PushFront(s)
	return s, c.drop()
}

// drop closes the statement that was not used for longest, if there are too
// many; one that is busy stays until the next time.
func (c *liteConn) drop() error {
	oldest := c.used.Back()
	if c.used.Len() <= maxStatements || oldest.Value.(*statement).busy {
		return nil
	}
	s := c.used.Remove(oldest).(*statement)
	delete(c.kept, s.text)
	return s.Close()
}

// ExecContext runs a statement, kept or not.
func (c *liteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	}
	defer func() { s.busy = false }()
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext runs a query, kept or not. A kept one is busy until its rows are
// closed.
func (c *liteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		s.busy = false
		return nil, err
	}
	return &keptRows{rows, s}, nil
}

// keptRows give their statement back when they are closed.
type keptRows struct {
	driver.Rows
	of *statement
}

// Close ends the query.
func (r *keptRows) Close() error {
	defer func() { r.of.busy = false }()
	return r.Rows.Close()
}

// BeginTx begins a transaction.
func (c *liteConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// PrepareContext prepares a statement that its caller closes.
func (c *liteConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// Ping reports whether the connection answers.
func (c *liteConn) Ping(ctx context.Context) error { return c.Conn.(driver.Pinger).Ping(ctx) }

// ResetSession looks whether the connection can be used again.
func (c *liteConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid reports whether the connection may go back into its pool.
func (c *liteConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }

// Close closes what is prepared, and the connection.
func (c *liteConn) Close() error {
	for e := c.used.Front(); e != nil; e = e.Next() {
		if err := e.Value.(*statement).Close(); err != nil {
			return err
		}
	}
	return c.Conn.Close()
}
