package main

import (
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/kernels/wire"
)

func (m *magic) setenv(_ line, args []string) error {
	k := m.kernel
	if len(args) == 0 {
		env := k.environment()
		slices.Sort(env)
		m.out.Stream("stdout", strings.Join(env, "\n")+"\n")
		return nil
	}
	name, value, set := strings.Cut(args[0], "=")
	switch {
	case len(args) == 1 && !set:
		k.mu.Lock()
		value, ok := k.env[name]
		k.mu.Unlock()
		if !ok {
			value = os.Getenv(name)
		}
		m.out.Stream("stdout", value+"\n")
		return nil
	case len(args) == 2 && args[1] == "=" || name == "" || strings.ContainsRune(value, 0):
		return usage("%%env: want %%env NAME VALUE")
	case !set:
		if value = strings.Join(args[1:], " "); args[1] == "=" {
			value = strings.Join(args[2:], " ")
		}
	case len(args) > 1:
		value += " " + strings.Join(args[1:], " ")
	}
	k.mu.Lock()
	k.env[name] = value
	k.mu.Unlock()
	return k.tell(wire.Request{Op: wire.Setenv, Name: name, Value: value})
}

func (m *magic) chdir(_ line, args []string) error {
	k := m.kernel
	switch len(args) {
	case 0:
		m.out.Stream("stdout", k.folder()+"\n")
		return nil
	case 1:
	default:
		return usage("%%cd: %d arguments, want %%cd FOLDER, with quotes if there are spaces in it", len(args))
	}
	dir := expand(args[0])
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(k.folder(), dir)
	}
	if info, err := os.Stat(dir); err != nil {
		return usage("%%cd: %v", err)
	} else if !info.IsDir() {
		return usage("%%cd: %s is no folder", dir)
	}
	k.mu.Lock()
	k.dir, k.env[protocol.GONB_DIR_ENV] = dir, dir
	k.mu.Unlock()
	return errors.Join(k.tell(wire.Request{Op: wire.Chdir, Dir: dir}), k.tell(wire.Request{Op: wire.Setenv, Name: protocol.GONB_DIR_ENV, Value: dir}))
}

func (m *magic) list(_ line, _ []string) error {
	k := m.kernel
	var b strings.Builder
	for _, name := range k.session.Names() {
		b.WriteString(name)
		if t := k.session.TypeOf(name); t != nil {
			b.WriteString(" " + t.String())
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		b.WriteString("nothing has been declared\n")
	}
	m.out.Stream("stdout", b.String())
	return nil
}

func (m *magic) whos(_ line, args []string) error {
	values, err := m.kernel.values(args)
	if err != nil {
		return err
	}
	values = slices.DeleteFunc(values, func(v wire.Value) bool { return m.kernel.session.TypeOf(v.Name) == nil }) // gone, but not from the process
	var missing []string
	for _, name := range args {
		if !slices.ContainsFunc(values, func(v wire.Value) bool { return v.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return usage("%%whos: no variable %s", strings.Join(missing, ", "))
	}
	if len(values) == 0 {
		m.out.Stream("stdout", "no variables\n")
		return nil
	}
	width, types := 0, 0
	for _, v := range values {
		width, types = max(width, len(v.Name)), max(types, min(len(v.Type), 40))
	}
	var text, table strings.Builder
	table.WriteString("<table><thead><tr><th>variable</th><th>type</th><th>value</th></tr></thead><tbody>\n")
	for _, v := range values {
		fmt.Fprintf(&text, "%-*s  %-*s  %s\n", width, v.Name, types, v.Type, v.Text)
		fmt.Fprintf(&table, "<tr><td>%s</td><td><code>%s</code></td><td style=\"text-align:left\"><code>%s</code></td></tr>\n",
			html.EscapeString(v.Name), html.EscapeString(v.Type), html.EscapeString(v.Text))
	}
	table.WriteString("</tbody></table>")
	m.out.Display(map[string]any{"text/html": table.String(), "text/plain": strings.TrimSuffix(text.String(), "\n")}, nil, "", false)
	return nil
}

func (m *magic) forget(l line, args []string) error {
	if len(args) == 0 {
		return usage("%s: no names, want %s NAMES; %%reset forgets all", l.name, l.name)
	}
	known := m.kernel.session.Names()
	for _, name := range args {
		if !slices.Contains(known, name) {
			return usage("%s: no cell has declared %s", l.name, name)
		}
	}
	m.kernel.session.Forget(args...)
	return nil
}

func (m *magic) writeFile(l line, args []string) error {
	flag := os.O_TRUNC
	if len(args) == 2 && args[0] == "-a" {
		flag, args = os.O_APPEND, args[1:]
	}
	if len(args) != 1 {
		return usage("%%%%writefile: want %%%%writefile [-a] FILE")
	}
	path := expand(args[0])
	if !filepath.IsAbs(path) {
		path = filepath.Join(m.kernel.folder(), path)
	}
	body := l.body
	if !strings.HasSuffix(body, "\n") {
		body += "\n"
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o666)
	if err == nil {
		_, err = f.WriteString(body)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("%%%%writefile: %w", err)
	}
	what := "written"
	if flag == os.O_APPEND {
		what = "appended to"
	}
	m.out.Stream("stdout", fmt.Sprintf("%s %s\n", args[0], what))
	return nil
}

// question shows help for a name under the cell: a page, the protocol's payload, is
// not in a notebook that is executed by a program.
func (m *magic) question(l line, _ []string) error {
	name := strings.TrimLeft(l.args, "?")
	detail := len(l.args) - len(name) - 1
	data := m.kernel.inspect(name, len(name), detail)
	if data == nil { // a package, which nothing but a dot tells
		data = m.kernel.inspect(name+".X", len(name), detail)
	}
	if i := strings.LastIndexByte(name, '.'); data == nil && i > 0 { // a method of a type, by a pointer
		text := "new(" + name[:i] + ")" + name[i:]
		data = m.kernel.inspect(text, len(text), detail)
	}
	if data == nil {
		return usage("%s: no help for this name: it is not declared in a cell that has run, nor is it a package or in one", name)
	}
	m.out.Display(data, nil, "", false)
	return nil
}

func (m *magic) showHistory(l line, args []string) error {
	n := 20
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil || n < 1 || len(args) > 1 {
			return usage("%s %s: want a number of cells", l.name, strings.Join(args, " "))
		}
	}
	k := m.kernel
	k.mu.Lock()
	list := slices.Clone(k.history[max(0, len(k.history)-n):])
	k.mu.Unlock()
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%4d: %s\n", e.Line, strings.ReplaceAll(e.Input, "\n", "\n      "))
	}
	m.out.Stream("stdout", b.String())
	return nil
}
