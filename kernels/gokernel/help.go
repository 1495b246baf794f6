package main

import (
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/kernels/cell"
	"github.com/camlab-go/camlab/kernels/jupyter"
)

func goVersion() string { return runtime.Version() }

// version is camlab's.
func version() string { return moduleVersion("github.com/camlab-go/camlab") }

// moduleVersion is the version of a module that this program is made of.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == path {
			return m.Version
		}
	}
	return "(devel)"
}

// Complete completes names of Go, and of commands.
func (k *kernel) Complete(code string, cursor int) jupyter.Completion {
	begin := strings.LastIndexByte(code[:cursor], '\n') + 1
	if word := code[begin:cursor]; strings.HasPrefix(word, "%") && !strings.ContainsAny(word, " \t") {
		c := jupyter.Completion{Start: begin, End: cursor}
		for _, s := range spells {
			for _, name := range s.names {
				if strings.HasPrefix(name, word) {
					c.Matches = append(c.Matches, jupyter.Match{Text: name, Type: "magic"})
				}
			}
		}
		return c
	}
	c := jupyter.Completion{Start: cursor, End: cursor}
	if strings.ContainsAny(code[begin:min(begin+1, cursor)], "!%") && goOf(code)[begin] == ' ' { // a command's arguments are no Go
		return c
	}
	if got := k.session.Complete(goOf(code), cursor); got != nil {
		c.Start, c.End = got.Start, got.End
		for _, item := range got.Items {
			c.Matches = append(c.Matches, jupyter.Match{Text: item.Text, Type: item.Type, Signature: item.Signature})
		}
	}
	return c
}

// Inspect is help for the name at the cursor.
func (k *kernel) Inspect(code string, cursor, detail int) map[string]any {
	return k.inspect(goOf(code), cursor, detail)
}

func (k *kernel) inspect(text string, offset, detail int) map[string]any {
	markdown, plain, ok := k.session.Inspect(text, offset, detail)
	if !ok {
		return nil
	}
	return map[string]any{"text/markdown": markdown, "text/plain": plain}
}

// IsComplete reports whether the Go of a cell can be run.
func (k *kernel) IsComplete(code string) (status, indent string) {
	c := parseCell(code)
	if c.whole != nil || strings.TrimSpace(c.text) == "" {
		return "complete", ""
	}
	return cell.Status(c.text)
}

// goOf is a cell without the lines for the kernel, but for the names that they ask
// help for; offsets in it are the cell's.
func goOf(code string) string {
	lines, blank := strings.Split(code, "\n"), strings.Split(parseCell(code).text, "\n")
	for i := range lines {
		if i >= len(blank) || blank[i] == "" {
			name := strings.TrimLeft(lines[i], "?")
			if name == lines[i] {
				name = ""
			}
			lines[i] = strings.Repeat(" ", len(lines[i])-len(name)) + name
		}
	}
	return strings.Join(lines, "\n")
}

// History are the cells of this kernel's life.
func (k *kernel) History(r jupyter.HistoryRequest) []jupyter.Entry {
	k.mu.Lock()
	list := slices.Clone(k.history)
	k.mu.Unlock()
	switch r.Access {
	case "range":
		if r.Session > 1 || r.Session < 0 { // 0 is the current one
			return nil
		}
		list = slices.DeleteFunc(list, func(e jupyter.Entry) bool { return e.Line < r.Start || r.Stop > 0 && e.Line >= r.Stop })
	case "search":
		list = slices.DeleteFunc(list, func(e jupyter.Entry) bool { return !glob(r.Pattern, e.Input) })
		if r.Unique {
			seen := make(map[string]bool)
			slices.Reverse(list) // the newest of equal ones stays
			list = slices.DeleteFunc(list, func(e jupyter.Entry) bool {
				again := seen[e.Input]
				seen[e.Input] = true
				return again
			})
			slices.Reverse(list)
		}
	}
	if r.Access != "range" && r.N > 0 {
		list = list[max(0, len(list)-r.N):]
	}
	return list
}

// glob matches a text with * and ? in a pattern.
func glob(pattern, text string) bool {
	// path.Match stops at slashes, so there are none.
	flat := strings.NewReplacer("/", "\x01", `\`, "\x02").Replace
	ok, err := path.Match(flat(pattern), flat(text))
	return ok && err == nil
}

// expressions answers what a front-end wants to know of variables.
func (k *kernel) expressions(ask map[string]string) map[string]any {
	answers := make(map[string]any)
	for key, name := range ask {
		values, err := k.values([]string{name})
		switch {
		case err == nil && len(values) == 1:
			answers[key] = map[string]any{"status": "ok", "data": map[string]any{"text/plain": values[0].Text}, "metadata": map[string]any{}}
		case err == nil:
			answers[key] = map[string]any{"status": "error", "ename": "name", "evalue": name + " is no variable", "traceback": []string{}}
		default:
			answers[key] = map[string]any{"status": "error", "ename": "process", "evalue": err.Error(), "traceback": []string{}}
		}
	}
	return answers
}
