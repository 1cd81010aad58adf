// Package hamming finds, among many 256-bit hashes, every one within a small
// distance of a given one. None is missed, and no neighbour is reported that
// is not one: answers are those of comparing with each entry in turn.
//
// It is made for perceptual hashes of pictures such as PDQ, where two pictures
// are taken for the same when their hashes differ in at most 31 bits, and for
// banks of thousands to a hundred million of them.
//
// # Use
//
//	x := hamming.New(hamming.Config{})
//	defer x.Close()
//	id, err := x.Add(hash, 1<<0|1<<5)      // an entry in sets 0 and 5
//	matches, err := x.Within(query, 31)    // numbers and distances
//	x.Delete(id)
//
// A hash of package pdq becomes one of these by conversion, Hash(r.Hash).
//
// [Index.Search] looks in some of the sets only, stops after a number of
// matches, and reuses memory; [Index.SearchAll] answers many queries together;
// [Index.Orientations] takes the hashes of a picture turned and mirrored.
// [Build] makes an index of many entries at once.
//
// Entries are numbered from 1 in the order they come, and no number is given
// twice: a slice or map of the caller's says what each stands for.
//
// # Sharing
//
// Every method may be called by any goroutine at any time. Searches take no
// lock and are not held up by changes, nor by the building of tables that
// changes lead to. A search sees each change that returned before it began.
//
// # How it searches
//
// The 256 bits are put in a random order and cut into bands, and each band has
// a table from its bits to the entries that have them. Two hashes that differ
// in at most r bits differ in few bits of at least one band, so it is enough to
// look into the few buckets around the query's in each band (multi-index
// hashing; Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with
// Multi-Index Hashing", CVPR 2012), and in few bits of that band and the next
// together (Qin, Xiao, "Pigeonring", VLDB 2018), which a posting tells without the
// hash being read: it has bits of the next band beside the entry's position. Up
// to 32 million entries 16 bands of 16 bits are used, one bit around, and beyond
// 11 wider ones, two bits around. A smaller radius looks into fewer buckets.
//
// Real banks are not uniform: one picture comes in thousands of variants, and
// almost empty pictures resemble each other. So a search counts the postings of
// all its buckets before it reads one, and where reading them would cost more
// than comparing with every entry in order, it does that instead: 128 of the
// 256 bits first, eight or more entries at a time with AVX2 or AVX-512 where the
// processor has them. The random order of bits, which differs from
// index to index, keeps anyone from preparing hashes that are all expensive.
//
// # Memory
//
// An entry takes 32 bytes for its hash, 4 for its sets, and 4 or 5 for each
// band: 64 for the 16 bands of up to four million entries, 80 up to 32 million,
// and 49 for the 11 of larger ones. The buckets of the tables add up to 8
// bytes an entry, and gaps 4 more once entries were deleted. While segments are
// joined, both the old and the new stand in memory, and each worker that builds
// tables takes 8 bytes an entry for the time being. On Linux all of it is outside
// the Go heap, on huge pages where the system gives them, and goes back to the
// system after a garbage collection. Where most of a table's entries were
// deleted it is made anew without them. Where the system has no memory left the
// index panics, as the Go runtime does, if need be on a goroutine of its own:
// bound the number of entries.
//
// # Snapshots
//
// [Index.Snapshot] freezes the index at once; [Snapshot.WriteFile] writes it
// while changes go on; [Open] maps the file, and the index answers before the
// file is read. Every page carries a sum (CRC-32C) that is checked when a search
// first touches it. A file that is damaged is refused, at once or when the
// damage is touched, with [ErrCorrupt]: build the index again from its source.
// Sums guard against what a disk returns wrongly, not against whoever may write
// the file, and not against a disk that returns nothing: reading a mapped page
// that cannot be read ends the process.
package hamming
