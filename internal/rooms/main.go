// Command rooms draws which packages of camlib import which: the arrows that README.md
// shows and .golangci.yml enforces. An arrow that others imply is left out.
package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
)

const module = "github.com/camlab-go/camlab/"

func main() {
	text, err := draw(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "rooms:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

// draw returns a line for each package of camlib, those that it imports after it. Whoever
// is imported stands above.
func draw(dir string) (string, error) {
	imports, err := load(dir)
	if err != nil {
		return "", err
	}
	deep := make(map[string]map[string]bool) // all that a room stands on
	var below func(room string) map[string]bool
	below = func(room string) map[string]bool {
		if deep[room] == nil {
			deep[room] = make(map[string]bool)
			for _, to := range imports[room] {
				deep[room][to] = true
				maps.Copy(deep[room], below(to))
			}
		}
		return deep[room]
	}
	rooms := slices.Collect(maps.Keys(imports))
	for _, room := range rooms {
		below(room)
	}
	slices.SortFunc(rooms, func(a, b string) int {
		if d := len(deep[a]) - len(deep[b]); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	for _, room := range rooms {
		var direct []string
		for _, to := range imports[room] {
			implied := slices.ContainsFunc(imports[room], func(other string) bool { return deep[other][to] })
			if !implied {
				direct = append(direct, to)
			}
		}
		if len(direct) > 0 {
			fmt.Fprintf(t, "%s\t→ %s\n", room, strings.Join(direct, ", "))
		} else {
			fmt.Fprintln(t, room)
		}
	}
	if err := t.Flush(); err != nil {
		return "", err
	}
	return b.String(), nil
}

// load returns what each package of camlib imports of camlib.
func load(dir string) (map[string][]string, error) {
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./camlib/...")
	list.Dir, list.Stderr = dir, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	imports := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		room := name(f[0])
		imports[room] = []string{}
		for _, path := range f[1:] {
			if path == module+"camlib" || strings.HasPrefix(path, module+"camlib/") {
				imports[room] = append(imports[room], name(path))
			}
		}
		slices.Sort(imports[room])
	}
	return imports, nil
}

// name is a package's path in camlib.
func name(path string) string {
	if path == module+"camlib" {
		return "camlib"
	}
	return strings.TrimPrefix(path, module+"camlib/")
}
