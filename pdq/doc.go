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
// # Files
//
// JPEG is read by a decoder of the package's own: the luminance of the pixels
// that are hashed and nothing else, whether baseline or progressive, grey, YCbCr,
// RGB, CMYK or YCCK. Its luminance is that of libjpeg to the bit, but the
// reference makes red, green and blue of it and luminance again, so that hashes
// of JPEG files can differ by a bit or two (mean 0.2 on the reference's
// photographs; their rule allows 10). Arithmetic coding, lossless files and more
// than 8 bits a sample are refused as [Unsupported].
//
// PNG, GIF (the first frame), WebP (the first frame) and BMP are read whole by
// the decoders of the standard library and golang.org/x/image. Of 16 bits a
// sample the upper 8 count.
//
// # Untrusted files
//
// No input makes the package panic. The size in a file's header is checked
// against [Hasher.MaxPixels] before memory is taken for pixels, and of PNG and
// BMP against the file's length; [Hasher.Memory] tells beforehand what the pixels
// will take. A baseline JPEG takes less than two megabytes, whatever its size. A
// progressive one takes two bytes a pixel for each component that is read: 2 in
// grey and YCbCr, 6 in RGB, 8 in CMYK and YCCK. PNG and BMP take 1 to 4 bytes a
// pixel, PNG with 16 bits a sample up to 8 and interlaced PNG half as much again;
// GIF takes 1, WebP up to 8. With [Hasher.FullResolution] a JPEG takes up to 7
// bytes a pixel more. A JPEG file may go over its blocks about as often as common
// encoders do; scans beyond that are not read. A JPEG file that ends early or is damaged inside is
// hashed as far as it goes, and [Result.Partial] says so; whether such a hash is
// kept is the caller's decision. A file of another format is refused whole.
//
// # Speed
//
// On amd64 processors with AVX2 the filter and the transforms run in assembly,
// elsewhere in Go; the hashes are the same. The build tag purego leaves the
// assembly out. Figures and how to repeat them are in docs/performance.md of the
// repository; "tangkal bench hash" measures the machine at hand.
//
// Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
// Algorithm", Facebook 2019, in the repository facebook/ThreatExchange, and the
// behaviour of the reference implementation there (pdq/cpp).
package pdq
