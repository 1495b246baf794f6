package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/kernels/compile"
	"github.com/camlab-go/camlab/kernels/jupyter"
)

// magic does the lines of a cell that are for the kernel.
type magic struct {
	kernel *kernel
	ctx    context.Context
	out    *output
	reply  *jupyter.Reply
	cell   parsed

	args   []string // of this cell, from %%; nil if there are none of its own
	timed  bool
	inputs *bool // the next command asks for input, or for a password if true
}

// spell is a command of the kernel.
type spell struct {
	names []string // the first is shown
	usage string   // behind the name
	help  string
	do    func(m *magic, l line, args []string) error
}

// spells are all commands, in the order of %help.
var spells []spell

func init() {
	spells = []spell{
		{[]string{"!"}, "COMMAND", "runs a shell command in the notebook's folder. One that fails fails the cell, unless it ends with `|| true`", func(m *magic, l line, _ []string) error {
			return m.shell(m.kernel.folder(), "", shellProgram(), "-c", l.args)
		}},
		{[]string{"!*"}, "COMMAND", "the same in the folder of the module in which cells are compiled, such as `!*go get PACKAGE`", func(m *magic, l line, _ []string) error {
			return m.shell(m.kernel.compiler.Module(), "", shellProgram(), "-c", l.args)
		}},
		{[]string{"?"}, "NAME", "help for a name; `??NAME` shows its source", (*magic).question},
		{[]string{"%%", "%main"}, "[ARGS]", "means nothing; with arguments, these are os.Args of the cell", func(m *magic, _ line, args []string) error {
			if len(args) > 0 {
				m.args = args
			}
			return nil
		}},
		{[]string{"%args"}, "[ARGS]", "os.Args of all following cells", func(m *magic, _ line, args []string) error {
			m.kernel.mu.Lock()
			defer m.kernel.mu.Unlock()
			m.kernel.args = args
			return nil
		}},
		{[]string{"%time", "%%time"}, "", "shows how long the cell's Go took, with compiling", func(m *magic, l line, args []string) error {
			if len(args) > 0 {
				return usage("%s takes no arguments: the Go to be timed stands on the lines below it", l.name)
			}
			m.timed = true
			return nil
		}},
		{[]string{"%env"}, "[NAME [VALUE]]", "sets an environment variable of cells and commands; without VALUE shows it", (*magic).setenv},
		{[]string{"%cd"}, "[FOLDER]", "changes the folder of cells and commands", (*magic).chdir},
		{[]string{"%ls", "%list"}, "", "lists what cells have declared", (*magic).list},
		{[]string{"%whos", "%who"}, "[NAMES]", "shows variables with their types and values", (*magic).whos},
		{[]string{"%rm", "%remove"}, "NAMES", "forgets declarations", (*magic).forget},
		{[]string{"%reset"}, "", "forgets all: values, declarations, imports", func(m *magic, _ line, args []string) error {
			if len(args) > 0 && !slices.Equal(args, []string{"go.mod"}) {
				return usage("%%reset takes no arguments")
			}
			m.kernel.reset()
			return nil
		}},
		{[]string{"%%writefile"}, "[-a] FILE", "writes the rest of the cell to a file, or appends it with -a", (*magic).writeFile},
		{[]string{"%%bash"}, "", "runs the rest of the cell with bash", scripted("bash")},
		{[]string{"%%sh"}, "", "runs the rest of the cell with sh", scripted("sh")},
		{[]string{"%%script"}, "PROGRAM [ARGS]", "runs the rest of the cell with a program, as its standard input", func(m *magic, l line, args []string) error {
			if len(args) == 0 {
				return usage("%%%%script: no program, want %%%%script PROGRAM [ARGS]")
			}
			return m.shell(m.kernel.folder(), l.body+"\n", args...)
		}},
		{[]string{"%with_inputs"}, "", "the next `!` command asks for input under the cell", func(m *magic, _ line, _ []string) error {
			m.inputs = new(bool)
			return nil
		}},
		{[]string{"%with_password"}, "", "the same, and what is typed is hidden", func(m *magic, _ line, _ []string) error {
			hide := true
			m.inputs = &hide
			return nil
		}},
		{[]string{"%widgets"}, "", "connects the page for widgets; they do so themselves when they are first used", func(m *magic, _ line, _ []string) error {
			m.kernel.front.reach(m.out)
			return nil
		}},
		{[]string{"%history", "%hist"}, "[N]", "shows the last cells, or N of them", (*magic).showHistory},
		{[]string{"%version"}, "", "shows the versions of camlab and Go", func(m *magic, _ line, _ []string) error {
			m.out.Stream("stdout", fmt.Sprintf("camlab %s, %s\n", version(), goVersion()))
			return nil
		}},
		{[]string{"%help", "%lsmagic"}, "", "shows this", (*magic).help},
		{[]string{"%goflags"}, "", "has no effect: cells are not built by `go build`", func(m *magic, _ line, args []string) error {
			if len(args) > 0 {
				m.out.Stream("stderr", "%goflags has no effect here: cells are not built by `go build`\n")
			}
			return nil
		}},
		{[]string{"%autoget", "%noautoget"}, "", "whether an import of a module that is not there is fetched by go get, as it is at first", func(m *magic, l line, _ []string) error {
			if c, ok := m.kernel.compiler.(*compile.Compiler); ok {
				c.AutoGet = l.name == "%autoget"
			}
			return nil
		}},
	}
}

// elsewhere are commands of GoNB that cannot be here, and what to use.
var elsewhere = map[string]string{
	"%test":      "cells are no tests here: write a file with %%writefile and run `!*go test ./...`, or call the function that checks",
	"%wasm":      "cells cannot run in the browser here: use package gonbui/widgets or camlib/notebook for what moves",
	"%track":     "files are not tracked here: import their package",
	"%untrack":   "files are not tracked here: import their package",
	"%exec":      "there is no main function here: call the function in the cell",
	"%capture":   "output is not captured here: write to a file or a strings.Builder in the cell",
	"%goworkfix": "there is no go.work here: `!*go mod edit -replace` names a module's folder",
	"%cgo":       "cells cannot use cgo here: put it into a package of its own and import that",
	"%cgo_flags": "cells cannot use cgo here: put it into a package of its own and import that",
	"%%gx":       "use `%%script gx`",
}

func usage(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &failure{"usage", text, text}
}

// do does one line.
func (m *magic) do(l line) error {
	if m.ctx.Err() != nil {
		return &failure{"interrupted", "the cell was interrupted", "interrupted: the cell was interrupted"}
	}
	if wholes[l.name] && m.cell.whole == nil {
		return usage("%s must be the first line of its cell", l.name)
	}
	for _, s := range spells {
		if slices.Contains(s.names, l.name) {
			var args []string
			if l.name[0] == '%' {
				args = words(l.args)
			}
			return s.do(m, l, args)
		}
	}
	if why, ok := elsewhere[l.name]; ok {
		return usage("%s: %s", l.name, why)
	}
	if l.name == "%" {
		return usage("%%: no command, want one of those that %%help lists")
	}
	var near []string
	for _, s := range spells {
		for _, name := range s.names {
			if distance(strings.TrimLeft(l.name, "%"), strings.TrimLeft(name, "%")) <= 2 && len(name) > 2 {
				near = append(near, name)
			}
		}
	}
	text := l.name + " is no command of this kernel"
	if len(near) > 0 {
		text += "; do you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("%s (%%help lists them all)", text)
}

// distance is Levenshtein's between two short words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}

func shellProgram() string {
	if path, err := exec.LookPath("bash"); err == nil {
		return path
	}
	return "/bin/sh"
}

func scripted(program string) func(*magic, line, []string) error {
	return func(m *magic, l line, args []string) error {
		return m.shell(m.kernel.folder(), l.body+"\n", append([]string{program}, args...)...)
	}
}

// help shows all commands.
func (m *magic) help(line, []string) error {
	var b, plain strings.Builder
	b.WriteString("**Go cells.** What a cell declares stays for the cells after it. The last expression of a cell is shown. " +
		"Interrupt stops a cell and keeps all values.\n\n| command | what it does |\n|---|---|\n")
	for _, s := range spells {
		names := "`" + strings.TrimSpace(strings.Join(s.names, "`, `")+" "+s.usage) + "`"
		fmt.Fprintf(&b, "| %s | %s |\n", strings.ReplaceAll(names, "|", `\|`), strings.ReplaceAll(s.help, "|", `\|`))
		fmt.Fprintf(&plain, "%-26s %s\n", strings.TrimSpace(strings.Join(s.names, ", ")+" "+s.usage), s.help)
	}
	rest := "A command stands at the begin of its line and goes on on the next one behind `\\`. Commands are done in the order of their lines: " +
		"those behind the last line of Go after it, all others before it."
	b.WriteString("\n" + rest + "\n")
	plain.WriteString(rest + "\n")
	m.out.Display(map[string]any{"text/markdown": b.String(), "text/plain": plain.String()}, nil, "", false)
	return nil
}

func expand(path string) string {
	if home, err := os.UserHomeDir(); err == nil && (path == "~" || strings.HasPrefix(path, "~/")) {
		path = home + path[1:]
	}
	return os.ExpandEnv(path)
}
