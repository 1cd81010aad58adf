package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// reportCmd files a report through the public API, as the form does.
type reportCmd struct {
	Server      string   `help:"Address of the exchange." default:"http://localhost:8080" env:"TANGKAL_URL" placeholder:"URL"`
	URL         []string `name:"url" help:"Link or handle; may be given more than once." placeholder:"LINK" sep:"none"`
	Attach      []string `name:"file" help:"Picture, film, PDF or text that shows it; may be given more than once." type:"existingfile" placeholder:"FILE" sep:"none"`
	Category    string   `help:"What it seems to be about: ${enum}." enum:"incitement,recruitment,instructions,financing,threat,unsure" default:"unsure"`
	Description string   `help:"What you saw; sealed."`
	Agency      string   `help:"Code of the agency to report to; default: the one responsible."`
	Contact     string   `help:"How to reach you; sealed, and not needed."`
	Lang        string   `help:"Language of the answers: id or en; default: that of the shell." enum:",id,en" default:""`
	Key         string   `help:"API key of a partner; without one the report is from the public." env:"TANGKAL_KEY" placeholder:"KEY"`
	JSON        bool     `name:"json" help:"As JSON."`
}

// Help shows by example.
func (reportCmd) Help() string {
	return `Examples:

  tangkal report --url https://ruangsuara.example/v/9931 --category recruitment
  tangkal report --server https://tangkal.example --url @contoh_akun --url https://berkas.example/f/77 \
      --file screenshot.png --description "Seen on Monday"

Prints a receipt, once. Keep it: with it, and with nothing else, you follow what becomes of the report on the server's
pages, add to it and talk with the agency. No account is needed, and your address is not kept.`
}

// reported is the server's answer.
type reported struct {
	Receipt string `json:"receipt"`
	Ref     string `json:"ref"`
	Follow  string `json:"follow"`
}

// Run files the report and prints the receipt.
func (c *reportCmd) Run(sh *shell) error {
	if len(c.URL) == 0 && len(c.Attach) == 0 {
		return usageError{errors.New("say where it is with --url, or show it with --file")}
	}
	base, err := url.Parse(c.Server)
	if err != nil || base.Host == "" {
		return usageError{fmt.Errorf("--server %q: want an address as https://tangkal.example", c.Server)}
	}
	var token struct {
		Token string `json:"token"`
	}
	if err := c.call(sh.ctx, base, "/api/v1/reports/tokens", nil, "", "", &token); err != nil {
		return err
	}
	var out reported
	if err := c.send(sh, base, token.Token, &out); err != nil {
		return err
	}
	out.Follow = base.JoinPath("receipt").String()
	if c.JSON {
		return json.NewEncoder(sh.stdout).Encode(out)
	}
	fmt.Fprintf(sh.stdout, "Receipt    %s\nReference  %s\nFollow it  %s\n", out.Receipt, out.Ref, out.Follow)
	return nil
}

// send streams the report with its files; nothing is held in memory whole.
func (c *reportCmd) send(sh *shell, base *url.URL, token string, out *reported) error {
	size, err := total(c.Attach)
	if err != nil {
		return err
	}
	bar := meter(sh, size, "uploading")
	defer bar.done()
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() { w.CloseWithError(errors.Join(c.write(form, bar), form.Close())) }()
	err = c.call(sh.ctx, base, "/api/v1/reports", r, form.FormDataContentType(), token, out)
	return errors.Join(err, r.Close()) // ends the writer if the server answered early
}

func total(files []string) (int64, error) {
	var n int64
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

// write writes the parts: the report first, then its files.
func (c *reportCmd) write(form *multipart.Writer, bar bar) error {
	lang := c.Lang
	if lang == "" {
		lang = string(language())
	}
	head := textproto.MIMEHeader{}
	head.Set("Content-Disposition", `form-data; name="report"`)
	head.Set("Content-Type", "application/json")
	part, err := form.CreatePart(head)
	if err != nil {
		return err
	}
	err = json.NewEncoder(part).Encode(struct {
		Locations   []string `json:"locations,omitempty"`
		Category    string   `json:"category"`
		Description string   `json:"description,omitempty"`
		Lang        string   `json:"lang"`
		Agency      string   `json:"agency,omitempty"`
		Contact     string   `json:"contact,omitempty"`
	}{c.URL, c.Category, c.Description, lang, c.Agency, c.Contact})
	if err != nil {
		return err
	}
	for _, name := range c.Attach {
		if err := attach(form, name, bar); err != nil {
			return err
		}
	}
	return nil
}

func attach(form *multipart.Writer, name string, bar bar) error {
	f, err := os.Open(name) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	part, err := form.CreateFormFile("file", filepath.Base(name))
	if err != nil {
		return err
	}
	_, err = io.Copy(part, io.TeeReader(f, counter(bar.add)))
	return err
}

// counter is told how many bytes pass.
type counter func(int64)

// Write counts.
func (c counter) Write(p []byte) (int, error) {
	c(int64(len(p)))
	return len(p), nil
}

// maxAnswer bounds an answer of the server in bytes.
const maxAnswer = 1 << 20

// call posts body and reads the answer into out. A problem of the server
// (RFC 9457) becomes an error with every part of it.
func (c *reportCmd) call(ctx context.Context, base *url.URL, path string, body io.Reader, media, token string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath(path).String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Language", string(language()))
	for name, value := range map[string]string{"Content-Type": media, "Idempotency-Key": token} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.Key)
	}
	client := &http.Client{Timeout: 30 * time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("reach %s: %w", base, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return problem(resp.Status, raw)
	}
	return json.NewDecoder(bytes.NewReader(raw)).Decode(out)
}

// problem reads problem details.
func problem(status string, raw []byte) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	}
	if json.Unmarshal(raw, &p) != nil || p.Title == "" && p.Detail == "" {
		return fmt.Errorf("the server answered %s", status)
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimSpace(e.Pointer+" "+e.Detail)
	}
	return errors.New(text)
}
