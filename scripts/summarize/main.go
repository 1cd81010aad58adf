// Command summarize shows what "go test -json" reads as "go test" would have
// shown it, and closes with one line about what was skipped: without -v nothing
// is said of that, and a skipped test is taken for a passed one.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := summarize(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "summarize:", err)
		os.Exit(1)
	}
}

// An event is a line of "go test -json": see "go doc test2json".
type event struct {
	Action, Package, Test, Output string
}

// A pack is a package whose tests run.
type pack struct {
	said  []string         // by the package itself
	tests map[string]*test // that have not ended, or failed
	order []string         // of their beginning
}

// A test is what one test has said so far.
type test struct {
	verdict string   // its line "--- FAIL"
	said    []string // lines of its own
}

// summarize reads events until the end. What is no event is shown as it is.
func summarize(in io.Reader, out io.Writer) error {
	w := &bytes.Buffer{}
	packs, skips, failed := map[string]*pack{}, map[string]int{}, false
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if bad := json.Unmarshal(line, &e); bad != nil || e.Action == "" {
			w.Write(line)
		} else if e.Action == "build-output" {
			w.WriteString(e.Output)
		} else if e.Package != "" {
			p := packs[e.Package]
			if p == nil {
				p = &pack{tests: map[string]*test{}}
				packs[e.Package] = p
			}
			if reason, ok := p.take(e); ok {
				skips[reason]++
			}
			if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
				p.show(w, e.Action)
				failed = failed || e.Action == "fail"
				delete(packs, e.Package)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if lines.Buffered() == 0 {
			if _, err := w.WriteTo(out); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(packs)) { // broken off
		packs[name].show(w, "fail")
	}
	if failed {
		fmt.Fprintln(w, "FAIL")
	}
	closing(w, skips)
	_, err := w.WriteTo(out)
	return err
}

// take notes an event of a package, and returns why a test was skipped if it was.
func (p *pack) take(e event) (skipped string, ok bool) {
	if e.Test == "" {
		if e.Action == "output" {
			p.said = append(p.said, e.Output)
		}
		return "", false
	}
	t := p.tests[e.Test]
	if t == nil {
		t = &test{}
		p.tests[e.Test] = t
		p.order = append(p.order, e.Test)
	}
	switch e.Action {
	case "output":
		if strings.HasPrefix(strings.TrimLeft(e.Output, " "), "--- ") {
			t.verdict = e.Output
		} else if !strings.HasPrefix(e.Output, "=== ") {
			t.said = append(t.said, e.Output)
		}
	case "pass", "skip":
		delete(p.tests, e.Test)
		if e.Action == "skip" {
			return reason(t.said), true
		}
	}
	return "", false
}

// show writes what "go test" says of a package that has ended: of one that
// passed its last line alone.
func (p *pack) show(w *bytes.Buffer, how string) {
	if how != "fail" {
		if len(p.said) > 0 {
			w.WriteString(p.said[len(p.said)-1])
		}
		return
	}
	last := len(p.said) - 1 // FAIL, and the package with its time
	for last > 0 && strings.HasPrefix(p.said[last-1], "FAIL") {
		last--
	}
	for _, line := range p.said[:max(last, 0)] {
		w.WriteString(line)
	}
	for _, name := range p.order {
		if t := p.tests[name]; t != nil {
			w.WriteString(t.verdict)
			for _, line := range t.said {
				w.WriteString(line)
			}
			delete(p.tests, name) // begun again, it is shown once
		}
	}
	for _, line := range p.said[max(last, 0):] {
		w.WriteString(line)
	}
}

// position is where in a file a test said something.
var position = regexp.MustCompile(`^\s*[\w./-]+\.go:\d+: `)

// reason is the last thing that a test said, without its place.
func reason(said []string) string {
	for _, line := range slices.Backward(said) {
		if position.MatchString(line) {
			return cmp.Or(strings.TrimSpace(position.ReplaceAllString(line, "")), "for no reason")
		}
	}
	return "for no reason"
}

// most is how many reasons the closing line names.
const most = 5

// closing says in one line what was skipped, the commonest reasons first; nothing
// if nothing was.
func closing(w *bytes.Buffer, skips map[string]int) {
	if len(skips) == 0 {
		return
	}
	reasons := slices.SortedFunc(maps.Keys(skips), func(a, b string) int {
		return cmp.Or(cmp.Compare(skips[b], skips[a]), cmp.Compare(a, b))
	})
	total := 0
	for _, n := range skips {
		total += n
	}
	fmt.Fprintf(w, "summary: %d tests skipped:", total)
	for i, r := range reasons[:min(most, len(reasons))] {
		if i > 0 {
			w.WriteByte(';')
		}
		fmt.Fprintf(w, " %s (%d)", r, skips[r])
	}
	if len(reasons) > most {
		fmt.Fprintf(w, "; and %d reasons more", len(reasons)-most)
	}
	w.WriteByte('\n')
}
