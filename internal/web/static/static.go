// Package static holds what browsers fetch besides pages: the stylesheet, the
// scripts, fonts and icons, embedded and named by their content, so that they
// may be kept for ever and are never stale.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed *.css *.svg *.js js kit fonts licences LICENCES.md
var files embed.FS

// Prefix is the path under which Handler serves.
const Prefix = "/static/"

type asset struct {
	kind    string // media type
	version string // start of the content's SHA-256, in hex
	plain   []byte
	gzipped func() []byte // packed at the first request; nil where that does not help
}

var assets = mustLoad(files)

// URL returns the address of the file with its version. An unknown name is a
// bug of ours and stops the program where a test renders it.
func URL(name string) string {
	a, ok := assets[name]
	if !ok {
		panic("static: no file " + name)
	}
	return Prefix + name + "?v=" + a.version
}

// Icons lists the names of the icons in the sprite.
func Icons() []string {
	var names []string
	for _, part := range strings.Split(string(assets["icons.svg"].plain), `id="i-`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		names = append(names, name)
	}
	return names
}

// Handler serves the files under Prefix. An address with the version may be
// kept for a year; one without it (a script's import) is asked for again and
// answered by its entity tag (RFC 9110, section 8.8.3).
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[strings.TrimPrefix(r.URL.Path, Prefix)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.kind)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == a.version {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		body, tag := a.plain, a.version
		if zipped := a.gzipped(); zipped != nil {
			h.Set("Vary", "Accept-Encoding")
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				h.Set("Content-Encoding", "gzip")
				body, tag = zipped, a.version+"-gz"
			}
		}
		h.Set("ETag", `"`+tag+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

func mustLoad(fsys fs.FS) map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		// Packing takes a start longer than all its other work with files does.
		zipped := sync.OnceValue(func() []byte { return pack(name, b) })
		all[name] = asset{kind: kindOf(name), version: hex.EncodeToString(sum[:6]), plain: b, gzipped: zipped}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return all
}

// kindOf names the media type itself where the machine's table may differ.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".md", ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}

// pack compresses text; fonts are compressed already.
func pack(name string, b []byte) []byte {
	if path.Ext(name) == ".woff2" {
		return nil
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := z.Write(b); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
