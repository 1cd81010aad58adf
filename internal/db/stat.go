package db

// A Pool is how busy some connections are. Waited is since the start; all else
// is now.
type Pool struct {
	Name       string // "writer" and "readers" on SQLite, "all" on PostgreSQL
	Max        int    // connections there may be
	Busy, Idle int    // of those there are
	Waiting    int    // writes in front of SQLite's writer
	Waited     int64  // callers who found no idle connection
}

// Pools returns how busy the database's connections are.
func (d *DB) Pools() []Pool {
	if d.pool != nil {
		s := d.pool.Stat()
		return []Pool{{Name: "all", Max: int(s.MaxConns()), Busy: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Waited: s.EmptyAcquireCount()}}
	}
	w, r := d.lite.writer.Stats(), d.lite.readers.Stats()
	return []Pool{
		{Name: "writer", Max: w.MaxOpenConnections, Busy: w.InUse, Idle: w.Idle, Waiting: len(d.lite.queue), Waited: w.WaitCount},
		{Name: "readers", Max: r.MaxOpenConnections, Busy: r.InUse, Idle: r.Idle, Waited: r.WaitCount},
	}
}
