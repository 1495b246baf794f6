// Command skips reads the output of `go test -json` and says which tests were skipped and
// why. It fails when a test fails, when one is skipped that the list of expected skips does
// not have, and, with -exact, when one on the list was not skipped.
//
//	go test -json ./... | go run ./internal/skips -expect internal/skips/alone.txt -exact
//
// The list has a line for each test: its package's folder, its name and the reason, as
// the test gives it, of which the beginning is enough. A name that ends in * stands for all
// tests that begin so. A line that begins with ? is of a test that is skipped on some
// machines and not on others. Lines that begin with # are remarks.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	expect := flag.String("expect", "", "file with the expected skips")
	exact := flag.Bool("exact", false, "fail when an expected skip did not happen")
	flag.Parse()
	list, err := os.ReadFile(*expect)
	if err == nil {
		err = run(os.Stdin, os.Stdout, string(list), *exact)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

// event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string  // of a build
	Elapsed                       float64 // seconds
}

// test is a test by its package's folder in the module and its name.
type test struct{ folder, name string }

func run(in io.Reader, out io.Writer, list string, exact bool) error {
	expected, err := parse(list)
	if err != nil {
		return err
	}
	skipped := make(map[test]string) // reason
	output := make(map[test][]string)
	var failed []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<24)
	passed := 0
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // what go itself says
			continue
		}
		folder := strings.TrimPrefix(strings.TrimPrefix(e.Package, "github.com/camlab-go/camlab"), "/")
		t := test{folder, e.Test}
		switch e.Action {
		case "output":
			output[t] = append(output[t], e.Output)
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "pass":
			passed++
			delete(output, t)
			if e.Test == "" {
				fmt.Fprintf(out, "ok    %-28s %6.1f s\n", folder, e.Elapsed)
			}
		case "skip":
			if e.Test != "" {
				skipped[t] = reason(output[t])
			}
			delete(output, t)
		case "fail", "build-fail":
			if e.Test == "" || len(output[t]) > 0 {
				fmt.Fprint(out, strings.Join(output[t], ""))
			}
			failed = append(failed, strings.TrimSpace(folder+e.ImportPath+" "+e.Test))
			delete(output, t)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	byName := func(a, b test) int { return strings.Compare(a.folder+" "+a.name, b.folder+" "+b.name) }
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%d passed, %d skipped:\n", passed, len(skipped))
	var wrong []string
	for _, t := range slices.SortedFunc(maps.Keys(skipped), byName) {
		fmt.Fprintf(table, "skip\t%s\t%s\t%s\n", t.folder, t.name, skipped[t])
		i := slices.IndexFunc(expected, func(e expectation) bool { return e.is(t, skipped[t]) })
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("%s %s was skipped: %s", t.folder, t.name, skipped[t]))
			continue
		}
		expected[i].happened = true
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range expected {
		if exact && !e.happened && !e.may {
			wrong = append(wrong, fmt.Sprintf("%s %s was not skipped: take it off the list", e.folder, e.name))
		}
	}
	var errs []error // all that is wrong: a run takes long
	if len(failed) > 0 {
		errs = append(errs, fmt.Errorf("%d failed: %s", len(failed), strings.Join(failed, ", ")))
	}
	if passed == 0 {
		errs = append(errs, errors.New("no test passed, want some"))
	}
	if len(wrong) > 0 {
		errs = append(errs, fmt.Errorf("other skips than expected:\n%s", strings.Join(wrong, "\n")))
	}
	return errors.Join(errs...)
}

// reason is what a skipped test said last before the line that says that it was skipped.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		if _, text, ok := strings.Cut(line, ".go:"); ok { // file.go:12: text
			_, line, _ = strings.Cut(text, ": ")
		}
		return line
	}
	return ""
}

// expectation is a line of the list.
type expectation struct {
	test
	reason        string
	may, happened bool
}

// is reports whether the line is of a test that was skipped for a reason.
func (e expectation) is(t test, reason string) bool {
	prefix, many := strings.CutSuffix(e.name, "*")
	return e.folder == t.folder && (e.name == t.name || many && strings.HasPrefix(t.name, prefix)) && strings.HasPrefix(reason, e.reason)
}

// parse reads a list of expected skips.
func parse(list string) (all []expectation, err error) {
	for i, line := range strings.Split(list, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, may := strings.CutPrefix(line, "?")
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("line %d: %q, want folder, test and reason", i+1, line)
		}
		all = append(all, expectation{test: test{f[0], f[1]}, reason: strings.Join(f[2:], " "), may: may})
	}
	return all, nil
}
