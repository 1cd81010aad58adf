package pdq_test

import (
	"fmt"
	"image"
	"log"
	"os"

	"github.com/tangkal/tangkal/pdq"
	"github.com/tangkal/tangkal/pdq/synthetic"
)

func ExampleHasher_Decode() {
	data, err := os.ReadFile("testdata/synthetic/synthetic-7-00.png")
	if err != nil {
		log.Fatal(err)
	}
	var h pdq.Hasher
	r, err := h.Decode(data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Hash)
	fmt.Println("quality", r.Quality, "usable", r.Usable())
	// Output:
	// 818322c39e49fb32e426807c0b7c1f67de09f819e0f6c1fa6f80e587e87f303d
	// quality 100 usable true
}

func ExampleImage() {
	r := pdq.Image(image.NewGray(image.Rect(0, 0, 100, 100))) // all black
	fmt.Println("quality", r.Quality, "usable", r.Usable())
	// Output: quality 0 usable false
}

func ExampleDistance() {
	small, large := pdq.Image(synthetic.Photo(300, 200)), pdq.Image(synthetic.Photo(200, 300))
	d := pdq.Distance(small.Hash, large.Hash)
	fmt.Println("the same picture:", d <= pdq.MatchDistance)
	// Output: the same picture: false
}

func ExampleResult_Variants() {
	m := synthetic.Photo(200, 200)
	mirrored := image.NewRGBA(m.Bounds())
	for y := range 200 {
		for x := range 200 {
			mirrored.Set(199-x, y, m.At(x, y))
		}
	}
	bank := pdq.Image(m).Hash
	query := pdq.Image(mirrored)
	for o, v := range query.Variants() {
		if pdq.Distance(v, bank) <= pdq.MatchDistance {
			fmt.Println("found as", pdq.Orientation(o))
		}
	}
	// Output: found as flip-y
}

func ExampleParse() {
	_, err := pdq.Parse("d8f8f0ce")
	fmt.Println(err)
	// Output: pdq: not a PDQ hash: give 64 hexadecimal digits
}
