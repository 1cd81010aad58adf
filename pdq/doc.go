// Package pdq turns pictures into PDQ hashes: 256 bits that stay nearly the
// same when a picture is scaled, compressed or lightly edited, and by which
// platforms exchange what they have found. Equal pixels give the hash and the
// quality of the reference implementation, to the bit.
//
// # Hashing
//
// [Hasher.Decode] takes the bytes of a file, [Hasher.Image] a decoded picture,
// [Hasher.RGB] and [Hasher.Grey] bare pixels. A [Hasher] keeps its memory; use
// one per goroutine for many pictures.
//
//	var h pdq.Hasher
//	r, err := h.Decode(data)
//	if err != nil { … }
//	if r.Usable() { // quality 50 or more
//		fmt.Println(r.Hash, r.Quality)
//	}
//
// Two hashes are taken for the same picture at a [Distance] of [MatchDistance]
// (31) or less. A picture that was turned or mirrored has one of eight hashes:
// keep one of a picture and ask for all of [Result.Variants].
//
// # Which pixels are hashed
//
// A picture of more than 512 columns or rows is first reduced to 512x512, each
// pixel being the nearest of the original. The programs of the reference do so,
// and banks filled with them hold such hashes. Bindings that call the core of
// the reference on whole pictures do not reduce: for their banks set
// [Hasher.FullResolution]. The two differ by some bits (0 to 8 on the
// reference's own photographs), well inside the distance of a match.
//
// Transparency and the orientation noted in a file do not count, as in the
// reference.
//
// Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
// Algorithm", Facebook 2019, in the repository facebook/ThreatExchange, and the
// behaviour of the reference implementation there (pdq/cpp).
package pdq
