package cage

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/tangkal/tangkal/internal/cage/picture"
	"github.com/tangkal/tangkal/internal/cage/sheet"
)

// receive takes what a worker made. Nothing it says is believed: whoever has
// broken into a worker may answer what they like, but only with a picture of a
// known type, which is shown as one, or with a table, which is read as one.
func (w *worker) receive(o order, kind byte, body []byte) (product, error) {
	p := product{}
	if kind != frameDone || json.Unmarshal(body, &p.done) != nil {
		return product{}, errFrame
	}
	limit := o.Size + slack
	if o.Op == Rows {
		limit = sheet.MaxEncoded
	}
	var err error
	if p.data, err = readFile(w.out, limit); err != nil {
		return product{}, err
	}
	if o.Op == Strip && !p.valid(o, limit, p.data) {
		return product{}, errFrame
	}
	return p, nil
}

// slack is how much longer than its original a stripped picture can be: the
// few bytes that say which side is up.
const slack = 1 << 10

// readRefusal turns a worker's reason into a fault, if it is one of ours.
func readRefusal(body []byte) error {
	var r refusal
	if err := json.Unmarshal(body, &r); err != nil {
		return errFrame
	}
	if !slices.Contains(picture.Reasons(), picture.Reason(r.Reason)) && !slices.Contains(sheet.Reasons(), sheet.Reason(r.Reason)) {
		return errFrame
	}
	return refused(r.Reason)
}

// tail keeps the beginning of what a worker complains about, for the log.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu: os/exec writes, do reads
}

const maxTail = 200

// Write never fails and never grows.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p[:min(len(p), maxTail-t.b.Len())])
	return len(p), nil
}

// line is the first line.
func (t *tail) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, _, _ := strings.Cut(t.b.String(), "\n")
	return line
}
