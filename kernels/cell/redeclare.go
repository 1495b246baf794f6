package cell

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// redeclare finds what of earlier cells is carried, declared again or dropped.
func (r *rewriter) redeclare() error {
	s := r.s
	anew := make(map[string]bool) // names that do not mean what they did
	for name, y := range r.own {
		old := s.symbols[name]
		switch {
		case y.kind == typeDecl && old != nil && old.kind == typeDecl && bare(old.text) == bare(y.text):
		case old != nil && (y.kind != varDecl || old.kind != varDecl || r.changed[name]):
			anew[name] = true
		}
	}
	for name := range r.own { // a new method makes a new type
		if t, _, ok := strings.Cut(name, "."); ok && s.symbols[t] != nil && s.symbols[name] == nil && !strings.HasPrefix(name, "main.") {
			anew[t] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for _, name := range s.Names() {
			y := s.symbols[name]
			words := y.uses
			if y.kind == funcDecl {
				words = y.needs // functions call what is declared last
			}
			if anew[name] || !slices.ContainsFunc(slices.Collect(maps.Keys(words)), func(n string) bool { return anew[n] }) {
				continue
			}
			anew[name], changed = true, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(anew)) {
		old := s.symbols[name]
		if old == nil || r.own[name] != nil {
			continue
		}
		if old.kind == varDecl {
			r.u.Dropped = append(r.u.Dropped, name)
			continue
		}
		again := *old
		again.from, again.end = 0, 0
		r.add(&again)
		for n, path := range old.needs {
			r.names[n], r.inner[n] = true, true
			if path != "" && r.u.imports[n] == "" && !strings.HasPrefix(n, ". ") {
				r.u.imports[n] = path
			}
		}
	}
	// A type that is what it was is not declared again, unless it has changed with another.
	for name, y := range r.own {
		if old := s.symbols[name]; y.kind == typeDecl && old != nil && !anew[name] {
			delete(r.own, name)
			r.decls = slices.DeleteFunc(r.decls, func(d *symbol) bool { return d == y })
		}
	}
	r.carried = make(map[string]*symbol)
	for todo := slices.Collect(maps.Keys(r.names)); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		y := s.symbols[name]
		if y == nil || r.own[name] != nil || r.carried[name] != nil || slices.Contains(r.u.Dropped, name) {
			continue
		}
		r.carried[name] = y
		todo = append(todo, slices.Collect(maps.Keys(y.uses))...)
		for _, other := range s.Names() {
			if strings.HasPrefix(other, name+".") {
				todo = append(todo, other)
			}
		}
	}
	for name := range r.names {
		if r.u.imports[name] == "" && r.s.symbols[name] == nil && r.own[name] == nil && s.Find != nil {
			if path, ok := s.Find(name); ok {
				r.u.imports[name] = path
			}
		}
	}
	return nil
}

// bare is a declaration without its line.
func bare(text string) string {
	before, after, _ := strings.Cut(text, "//line")
	_, after, _ = strings.Cut(after, "\n")
	return before + after
}

// imports are the import declarations for names, without those that skip lists.
func imports(b *bytes.Buffer, names map[string]string, dots []string, want func(name string) bool) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if want(name) {
			fmt.Fprintf(b, "import %s %q\n", name, names[name])
		}
	}
	for _, path := range dots {
		if want(". " + path) {
			fmt.Fprintf(b, "import . %q\n", path)
		}
	}
}

// prelude declares what is carried, in files whose imports do not clash.
func (r *rewriter) prelude() (files [][]byte) {
	type file struct {
		imports map[string]string
		dots    []string
		body    bytes.Buffer
	}
	var all []*file
	groups := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(r.carried)) {
		y := r.carried[name]
		if y.kind == constDecl {
			if groups[y.text] {
				continue
			}
			groups[y.text] = true
		}
		var f *file
		for _, g := range all {
			ok := true
			for n, path := range y.uses {
				ok = ok && (path == "" || g.imports[n] == "" || g.imports[n] == path)
			}
			if ok {
				f = g
				break
			}
		}
		if f == nil {
			f = &file{imports: make(map[string]string)}
			all = append(all, f)
		}
		for n, path := range y.uses {
			switch {
			case strings.HasPrefix(n, ". "):
				if !slices.Contains(f.dots, path) {
					f.dots = append(f.dots, path)
				}
			case path != "":
				f.imports[n] = path
			}
		}
		fmt.Fprintf(&f.body, "%s\n", y.head)
	}
	for _, f := range all {
		var b bytes.Buffer
		fmt.Fprintf(&b, "package %s\n", PackagePath)
		imports(&b, f.imports, f.dots, func(string) bool { return true })
		b.Write(f.body.Bytes())
		files = append(files, b.Bytes())
	}
	return files
}
