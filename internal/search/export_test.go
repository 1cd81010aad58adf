package search

// Lately sets how many of the latest texts are looked at first.
func (x *Index) Lately(n int) { x.lately = n }
