package feed

import "time"

// Unhurried lets one transaction order all that it read, however slow the
// machine is.
func (f *Feed) Unhurried() *Feed {
	f.yield = time.Hour
	return f
}
