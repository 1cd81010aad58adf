package fetch

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
)

// warcWriter writes WARC 1.1 (ISO 28500:2017), each record a gzip member of its
// own (Annex D), so that a reader can begin at any of them.
type warcWriter struct {
	w    io.Writer
	info string // record id of the warcinfo that describes the others
}

// field is one named field of a record; an empty value is left out.
type field struct{ name, value string }

// record writes one record and returns its id. Block is what the record holds;
// its digest and length are added (sections 5.3 and 5.8).
func (w *warcWriter) record(kind string, at time.Time, block []byte, fields ...field) (string, error) {
	id := "<urn:uuid:" + uuid.NewString() + ">"
	head := []field{
		{"WARC-Type", kind},
		{"WARC-Record-ID", id},
		{"WARC-Date", at.UTC().Format("2006-01-02T15:04:05.000000Z")},
		{"WARC-Warcinfo-ID", w.info},
	}
	head = append(head, fields...)
	head = append(head,
		field{"WARC-Block-Digest", digest(block)},
		field{"Content-Length", fmt.Sprint(len(block))})

	zip := gzip.NewWriter(w.w)
	var b bytes.Buffer
	b.WriteString("WARC/1.1\r\n")
	writeFields(&b, head)
	b.WriteString("\r\n")
	for _, part := range [][]byte{b.Bytes(), block, []byte("\r\n\r\n")} {
		if _, err := zip.Write(part); err != nil {
			return "", fmt.Errorf("write %s record: %w", kind, err)
		}
	}
	if err := zip.Close(); err != nil {
		return "", fmt.Errorf("write %s record: %w", kind, err)
	}
	return id, nil
}

// writeFields writes fields as lines. A line break in a value, which could
// begin a field of its own, becomes a space.
func writeFields(b *bytes.Buffer, fields []field) {
	for _, f := range fields {
		if f.value != "" {
			fmt.Fprintf(b, "%s: %s\r\n", f.name, oneLine.Replace(f.value))
		}
	}
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

// digest returns a labelled digest (section 5.8). Hexadecimal, since it is then
// a token without padding and equals the digest in our own tables.
func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// begin writes the warcinfo record (section 6.2).
func (w *warcWriter) begin(at time.Time, fields ...field) error {
	var b bytes.Buffer
	writeFields(&b, append([]field{
		{"format", "WARC File Format 1.1"},
		{"conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"},
	}, fields...))
	id, err := w.record("warcinfo", at, b.Bytes(), field{"Content-Type", "application/warc-fields"})
	w.info = id
	return err
}

// exchange writes a response, its request and their metadata (sections 6.3,
// 6.5 and 6.6); notes are further metadata. The response's payload is the body
// without its transfer coding.
func (w *warcWriter) exchange(x Exchange, notes ...field) error {
	target := field{"WARC-Target-URI", x.URL}
	remote := field{"WARC-IP-Address", x.Remote}
	id, err := w.record("response", x.At, x.rawResponse, target, remote,
		field{"WARC-Payload-Digest", digest(x.Body)},
		field{"Content-Type", "application/http;msgtype=response"})
	if err != nil {
		return err
	}
	concurrent := field{"WARC-Concurrent-To", id}
	if _, err := w.record("request", x.At, x.rawRequest, target, remote, concurrent,
		field{"Content-Type", "application/http;msgtype=request"}); err != nil {
		return err
	}
	notes = append(notes,
		field{"fetchTimeMs", fmt.Sprint(x.Took.Milliseconds())},
		field{"tlsVersion", x.TLSVersion},
		field{"tlsCertificateSHA256", x.Certificate})
	return w.metadata(x.At, notes, target, field{"WARC-Refers-To", id})
}

// metadata writes a metadata record (section 6.6).
func (w *warcWriter) metadata(at time.Time, notes []field, fields ...field) error {
	var b bytes.Buffer
	writeFields(&b, notes)
	_, err := w.record("metadata", at, b.Bytes(),
		append(fields, field{"Content-Type", "application/warc-fields"})...)
	return err
}
