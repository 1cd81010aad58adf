package main

import (
	"crypto/md5"  //nolint:gosec // banks exchange MD5
	"crypto/sha1" //nolint:gosec // and SHA-1
	"crypto/sha256"
	"fmt"

	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

// benchHashCmd measures hashing.
type benchHashCmd struct {
	measuring `embed:""`
}

// Help shows by example.
func (benchHashCmd) Help() string {
	return `Examples:

  tangkal bench hash
  tangkal bench hash --rounds 9 --json

Measures on pictures made on the spot, with one thread: from 512x512 pixels to the hash, the same with all eight
orientations, from the bytes of JPEG files to the hash, and MD5, SHA-1 and SHA-256 of 1 MiB.`
}

// Run measures and prints.
func (c *benchHashCmd) Run(sh *shell) error {
	var trials []trial
	var h pdq.Hasher
	m := synthetic.Photo(512, 512)
	pix := make([]byte, 0, 3*512*512)
	for i := 0; i < len(m.Pix); i += 4 {
		pix = append(pix, m.Pix[i:i+3]...)
	}
	trials = append(trials,
		trial{"pdq 512x512 pixels", 0, func() { h.RGB(pix, 3*512, 512, 512) }},
		trial{"pdq 512x512 pixels, eight orientations", 0, func() { r := h.RGB(pix, 3*512, 512, 512); r.Variants() }},
	)
	for _, size := range [][2]int{{512, 512}, {1920, 1080}, {4000, 3000}} {
		file := synthetic.JPEG(size[0], size[1])
		if _, err := h.Decode(file); err != nil {
			return err
		}
		trials = append(trials, trial{
			fmt.Sprintf("pdq %dx%d jpeg", size[0], size[1]), len(file),
			func() { _, _ = h.Decode(file) }, // it was read before
		})
	}
	block := make([]byte, 1<<20)
	trials = append(trials,
		trial{"md5 1 MiB", len(block), func() { md5.Sum(block) }},   //nolint:gosec // see above
		trial{"sha1 1 MiB", len(block), func() { sha1.Sum(block) }}, //nolint:gosec // see above
		trial{"sha256 1 MiB", len(block), func() { sha256.Sum256(block) }},
	)
	rows, err := c.measure(sh.ctx, trials)
	if err != nil {
		return err
	}
	return c.report(sh, pdq.Instructions(), rows)
}
