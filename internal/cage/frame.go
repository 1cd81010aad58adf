package cage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// What passes between server and worker are frames: one byte that says what
// comes, four that say how long it is (big endian), and so many bytes. Neither
// side believes the other's length beyond what it has agreed to take.
const (
	frameHello   = 'h' // worker: how it is locked in (hello)
	frameJob     = 'j' // server: what to do (order)
	frameData    = 'd' // either: a piece of the file
	frameEnd     = 'e' // either: the file is complete
	frameDone    = 'r' // worker: it was done, the data follows (done)
	frameRefused = 'x' // worker: why not (refusal)
)

const (
	maxPiece = 64 << 10 // of a file, in one frame
	maxWords = 4 << 10  // of a frame that is not a piece of a file
	headSize = 5
)

var errFrame = errors.New("cage: a frame that does not belong here")

// writeFrame writes one frame.
func writeFrame(w io.Writer, kind byte, body []byte) error {
	if len(body) > maxPiece {
		return errFrame
	}
	head := [headSize]byte{kind}
	binary.BigEndian.PutUint32(head[1:], uint32(len(body))) //nolint:gosec // checked above
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

// readFrame reads one frame of at most max bytes into buf, which it grows.
func readFrame(r io.Reader, buf []byte, limit int) (kind byte, body []byte, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if int64(n) > int64(limit) {
		return 0, nil, errFrame
	}
	if cap(buf) < int(n) {
		buf = make([]byte, n)
	}
	_, err = io.ReadFull(r, buf[:n])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return head[0], buf[:n], err
}

// writeWords writes a value as the JSON of one frame.
func writeWords(w io.Writer, kind byte, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxWords {
		return errFrame
	}
	return writeFrame(w, kind, body)
}

// readWords reads a frame of the wanted kind into v.
func readWords(r io.Reader, want byte, v any) error {
	kind, body, err := readFrame(r, nil, maxWords)
	if err != nil {
		return err
	}
	if kind != want {
		return fmt.Errorf("%w: %q instead of %q", errFrame, kind, want)
	}
	return json.Unmarshal(body, v)
}

// writeFile sends a whole file in pieces.
func writeFile(w io.Writer, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), maxPiece)
		if err := writeFrame(w, frameData, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return writeFrame(w, frameEnd, nil)
}

// readFile receives a whole file of at most limit bytes.
func readFile(r io.Reader, limit int64) ([]byte, error) {
	var out []byte
	piece := make([]byte, maxPiece)
	for {
		kind, body, err := readFrame(r, piece, maxPiece)
		switch {
		case err != nil:
			return nil, err
		case kind == frameEnd && len(body) == 0:
			return out, nil
		case kind != frameData || int64(len(out)+len(body)) > limit:
			return nil, errFrame
		}
		out = append(out, body...)
	}
}
