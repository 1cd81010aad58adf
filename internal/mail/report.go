package mail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"strings"
)

const (
	// maxIncoming bounds an incoming mail in bytes: a report that brings back
	// what we sent is smaller.
	maxIncoming = 1 << 20
	maxParts    = 20
	maxGroups   = 50
)

// An incoming is what we read of an incoming mail: to whom, and whether it is a
// delivery report. Its words are not looked at.
type incoming struct {
	to     []string // addresses of its headers
	report bool     // a delivery report
	failed bool     // that says that something did not arrive
	status string   // its status code, as "5.1.1" (RFC 3463)
}

// readIncoming reads a mail as a mail server hands it over, with or without the
// line "From …" of mailboxes before it.
func readIncoming(r io.Reader) (incoming, error) {
	var in incoming
	br := bufio.NewReader(io.LimitReader(r, maxIncoming))
	if first, err := br.Peek(5); err == nil && string(first) == "From " {
		if _, err := br.ReadString('\n'); err != nil {
			return in, fmt.Errorf("the line of the mailbox: %w", err)
		}
	}
	msg, err := netmail.ReadMessage(br)
	if err != nil {
		return in, err
	}
	for _, h := range []string{"To", "Delivered-To", "X-Original-To", "Envelope-To"} {
		for _, value := range msg.Header[textproto.CanonicalMIMEHeaderKey(h)] {
			list, err := netmail.ParseAddressList(value)
			if err != nil {
				continue // of no use, and nothing hangs on it
			}
			for _, a := range list {
				in.to = append(in.to, a.Address)
			}
		}
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || !strings.EqualFold(params["report-type"], "delivery-status") || params["boundary"] == "" {
		return in, nil //nolint:nilerr // then it is no report, which is all we want to know
	}
	return in, in.readReport(multipart.NewReader(msg.Body, params["boundary"]))
}

// readReport looks for the part that says per recipient what became of the
// letter (RFC 3464, section 2). A report that breaks off says nothing.
func (in *incoming) readReport(parts *multipart.Reader) error {
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || kind != "message/delivery-status" && kind != "message/global-delivery-status" {
			continue
		}
		in.report = true
		return in.readStatus(part)
	}
	return nil
}

// statusCode is a status code of RFC 3463, section 2.
var statusCode = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}$`)

// readStatus reads the groups of fields: the first is about the letter, each
// further one about one recipient (RFC 3464, section 2.1).
func (in *incoming) readStatus(r io.Reader) error {
	groups := textproto.NewReader(bufio.NewReader(r))
	for n := range maxGroups {
		h, err := groups.ReadMIMEHeader()
		if n > 0 && strings.EqualFold(strings.TrimSpace(h.Get("Action")), "failed") {
			in.failed = true
			if code, _, _ := strings.Cut(strings.TrimSpace(h.Get("Status")), " "); statusCode.MatchString(code) {
				in.status = code
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
