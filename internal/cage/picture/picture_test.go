package picture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/gif"
	"os"
	"strings"
	"testing"

	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/webp"

	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/picturetest"
)

func TestNothingIsLeftThatIsNotSeen(t *testing.T) {
	for kind, file := range picturetest.Traced(6) {
		if picturetest.Clean(file) == nil {
			t.Fatalf("%s: there is nothing to strip", kind)
		}
		p, err := picture.Strip(file)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if p.Type != kind || picture.TypeOf(p.Data) != kind {
			t.Errorf("%s became %s", kind, p.Type)
		}
		if err := picturetest.Clean(p.Data); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		samePixels(t, kind, p.Data, file)
		again, err := picture.Strip(p.Data)
		if err != nil || !bytes.Equal(again.Data, p.Data) {
			t.Errorf("%s: stripped twice it changes: %v", kind, err)
		}
	}
}

// samePixels wants two files to show the same.
func samePixels(t *testing.T, name string, got, want []byte) {
	t.Helper()
	a, _, err1 := image.Decode(bytes.NewReader(got))
	b, _, err2 := image.Decode(bytes.NewReader(want))
	if err1 != nil || err2 != nil {
		t.Errorf("%s: %v, %v", name, err1, err2)
		return
	}
	if a.Bounds() != b.Bounds() {
		t.Errorf("%s: %v became %v", name, b.Bounds(), a.Bounds())
		return
	}
	for y := b.Bounds().Min.Y; y < b.Bounds().Max.Y; y++ {
		for x := b.Bounds().Min.X; x < b.Bounds().Max.X; x++ {
			r1, g1, b1, a1 := a.At(x, y).RGBA()
			r2, g2, b2, a2 := b.At(x, y).RGBA()
			if r1 != r2 || g1 != g2 || b1 != b2 || a1 != a2 {
				t.Errorf("%s: the pixel at %d, %d changed", name, x, y)
				return
			}
		}
	}
}

func TestWhichSideIsUpIsKept(t *testing.T) {
	marks := map[string]string{picture.JPEG: "Exif\x00\x00MM\x00*", picture.PNG: "eXIfMM\x00*", picture.WebP: "EXIF\x1a\x00\x00\x00MM\x00*"}
	for orientation := range 10 {
		for kind, file := range picturetest.Traced(orientation) {
			p, err := picture.Strip(file)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			mark, ok := marks[kind]
			if !ok {
				continue // GIF has no sides
			}
			i := bytes.Index(p.Data, []byte(mark))
			if turned := orientation > 1 && orientation < 9; turned != (i >= 0) {
				t.Errorf("%s, %d: says so at %d", kind, orientation, i)
				continue
			}
			if i >= 0 {
				tiff := p.Data[i+len(mark)-4:]
				if n := binary.BigEndian.Uint16(tiff[8:]); n != 1 || int(binary.BigEndian.Uint16(tiff[18:])) != orientation {
					t.Errorf("%s, %d: %d entries, %x", kind, orientation, n, tiff[:26])
				}
			}
		}
	}
}

func TestAFilmKeepsItsFrames(t *testing.T) {
	p, err := picture.Strip(picturetest.Traced(1)[picture.GIF])
	if err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(bytes.NewReader(p.Data))
	if err != nil || len(g.Image) != 3 || p.Frames != 3 || g.LoopCount != 3 || g.Delay[2] != 10 {
		t.Errorf("%d frames, %+v, %v", p.Frames, g, err)
	}
	for name, frames := range map[string]int{"animated": 0, "alpha": 1, "lossless": 1, "plain": 1} {
		file, err := os.ReadFile("../../../pdq/testdata/" + name + ".webp")
		if err != nil {
			t.Fatal(err)
		}
		p, err := picture.Strip(file)
		if err != nil || frames > 0 && p.Frames != frames || frames == 0 && p.Frames < 2 {
			t.Errorf("%s: %d frames, %v", name, p.Frames, err)
			continue
		}
		if frames == 1 {
			samePixels(t, name, p.Data, file)
		}
	}
}

func TestAFileOfTwoNaturesIsRefused(t *testing.T) {
	all := picturetest.Polyglots()
	if len(all) < 40 {
		t.Fatalf("only %d", len(all))
	}
	for name, file := range all {
		if _, err := picture.Strip(file); reason(err) != picture.Twofold {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What phones and cameras append is no reason to refuse.
	film := "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
	for name, file := range map[string][]byte{
		"a film":            append(picturetest.JPEG(8, 8), film...),
		"a second picture":  append(picturetest.JPEG(8, 8), picturetest.JPEG(8, 8)...),
		"bytes to fill it":  append(picturetest.JPEG(8, 8), make([]byte, 4096)...),
		"no end of the GIF": picturetest.GIF(8, 8, 1)[:len(picturetest.GIF(8, 8, 1))-1],
	} {
		if _, err := picture.Strip(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func reason(err error) picture.Reason {
	if e, ok := errors.AsType[*picture.Error](err); ok {
		return e.Reason
	}
	return ""
}

func TestABombIsRefusedBeforeItIsOpened(t *testing.T) {
	for name, b := range picturetest.Bombs() {
		p, err := picture.Strip(b.File)
		if reason(err) != b.Want {
			t.Errorf("%s (%d bytes): %v", name, len(b.File), err)
		}
		if b.Want == "" && len(p.Data) > 1000 {
			t.Errorf("%s: %d bytes stay", name, len(p.Data))
		}
	}
	if p, err := picture.Strip(picturetest.Film(3)); err != nil || p.Frames != 3 {
		t.Errorf("a film of three frames: %v", err)
	}
}

func TestWhatIsCutOffIsNeverAPicture(t *testing.T) {
	for kind, file := range picturetest.Traced(6) {
		whole, err := picture.Strip(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole.Data {
			p, err := picture.Strip(whole.Data[:i])
			if err != nil {
				continue
			}
			// A GIF needs no end, and what decodes is whole.
			if _, _, err := image.Decode(bytes.NewReader(p.Data)); err != nil {
				t.Errorf("%s cut at %d of %d is given on and cannot be read: %v", kind, i, len(whole.Data), err)
			}
		}
	}
}

func TestOtherFilesAreNoPictures(t *testing.T) {
	for _, file := range []string{
		"", "x", "\xff\xd8", "\x89PNG", "GIF89a", "RIFF\x00\x00\x00\x00WEBPVP8 ", "BM" + strings.Repeat("\x00", 60), "II*\x00\x08\x00\x00\x00",
		"\x00\x00\x00\x18ftypheic", "<svg xmlns='http://www.w3.org/2000/svg'/>", "%PDF-1.7", "<html>\x89PNG\r\n\x1a\n",
	} {
		if p, err := picture.Strip([]byte(file)); err == nil {
			t.Errorf("%q is a %s", file, p.Type)
		}
	}
}

// FuzzStrip: never a panic; what comes out is a picture of the same kind, free
// of the canary, and stripping it again changes nothing.
func FuzzStrip(f *testing.F) {
	for orientation := range 3 {
		for _, file := range picturetest.Traced(orientation) {
			f.Add(file)
		}
	}
	f.Add(picturetest.Film(2))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		p, err := picture.Strip(file)
		if err != nil {
			if reason(err) == "" {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		if picture.TypeOf(p.Data) != picture.TypeOf(file) || p.Width*p.Height > picture.MaxPixels || p.Frames > picture.MaxFrames || len(p.Data) > len(file)+1024 {
			t.Fatalf("%+v of %d bytes", p, len(file))
		}
		again, err := picture.Strip(p.Data)
		if err != nil || !bytes.Equal(again.Data, p.Data) {
			t.Errorf("again: %v", err)
		}
	})
}
