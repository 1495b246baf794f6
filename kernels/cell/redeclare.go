package cell

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// redeclare finds what of earlier cells is carried, declared again or dropped.
func (r *rewriter) redeclare() error {
	s := r.s
	anew, remade := r.anew()
	r.remade = remade
	// What is as it was is not declared again, unless it has changed with another.
	for name, y := range r.own {
		if y.kind != varDecl && !anew[name] && r.same(y) {
			delete(r.own, name)
			r.decls = slices.DeleteFunc(r.decls, func(d *symbol) bool { return d == y })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(anew)) {
		switch old := s.symbols[name]; {
		case old == nil || r.own[name] != nil:
		case old.kind == varDecl:
			if remade[name] {
				r.u.Dropped = append(r.u.Dropped, name)
			}
		default:
			r.again(old)
		}
	}
	r.must()
	if err := r.usesPast(); err != nil {
		return err
	}
	r.carried = make(map[string]*symbol)
	todo := slices.Collect(maps.Keys(r.names))
	for _, y := range r.past {
		todo = append(todo, slices.Collect(maps.Keys(y.uses))...)
	}
	for _, y := range r.own {
		todo = append(todo, slices.Collect(maps.Keys(y.needs))...)
		if t, _, _ := strings.Cut(y.name, "."); r.rebodied(y) { // what embeds the type may have its method
			made := map[string]bool{t: true}
			s.spread(made)
			for name := range made {
				if other := s.symbols[name]; other != nil && other.kind == typeDecl {
					todo = append(todo, name)
				}
			}
		}
	}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		y := s.symbols[name]
		if y == nil || r.own[name] != nil || r.carried[name] != nil || slices.Contains(r.u.Dropped, name) || r.imported[name] {
			continue
		}
		if y.pending {
			r.again(y)
			todo = append(todo, slices.Collect(maps.Keys(y.needs))...)
		} else {
			r.carried[name] = y
			todo = append(todo, slices.Collect(maps.Keys(y.uses))...)
		}
		if y.kind != typeDecl {
			continue
		}
		for other := range s.symbols {
			if strings.HasPrefix(other, name+".") {
				todo = append(todo, other)
			}
		}
	}
	for name := range r.bases {
		if own := r.own[name]; r.u.imports[name] == "" && s.symbols[name] == nil && (own == nil || own.kind == varDecl) && s.Find != nil {
			if path, ok := s.Find(name, r.selected[name]...); ok {
				r.u.imports[name] = path
			}
		}
	}
	return nil
}

// usesPast finds the variables of earlier cells that the cell uses before it sets them
// by := or var.
func (r *rewriter) usesPast() error {
	r.past = nil
	set := make(map[string]bool)
	for _, st := range r.stmts {
		declares := make(map[*ast.Ident]bool)
		switch x := st.node.(type) {
		case *ast.AssignStmt:
			for _, l := range x.Lhs {
				if id, ok := l.(*ast.Ident); ok && st.define >= 0 {
					declares[id] = true
				}
			}
		case *ast.DeclStmt:
			for _, spec := range x.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, id := range v.Names {
						declares[id] = true
					}
				}
			}
		}
		var err error
		ast.Inspect(st.node, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok { // not the name behind a dot
				ast.Inspect(sel.X, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && err == nil {
						err = r.usesNow(st, id, set)
					}
					return true
				})
				return false
			}
			if id, ok := n.(*ast.Ident); ok && !declares[id] && err == nil {
				err = r.usesNow(st, id, set)
			}
			return true
		})
		if err != nil {
			return err
		}
		for _, v := range st.vars {
			set[v] = true
		}
	}
	return nil
}

// usesNow looks whether an identifier is a variable that the cell sets later.
func (r *rewriter) usesNow(st stmt, id *ast.Ident, set map[string]bool) error {
	old, own := r.s.symbols[id.Name], r.own[id.Name]
	if set[id.Name] || old == nil || old.kind != varDecl || own == nil || own.kind != varDecl || r.inner[id.Name] || slices.Contains(r.past, old) {
		return nil
	}
	if r.u.imports[id.Name] != "" && r.bases[id.Name] { // the package, as in image := image.NewGray(r)
		return nil
	}
	if r.remade[id.Name] && !r.changed[id.Name] { // gone with its type
		return nil
	}
	if r.changed[id.Name] {
		return r.errorAt(st.offset(id.Pos()), fmt.Sprintf("%s is used here with its old type, %s, and gets another in this cell: give the new one another name",
			id.Name, types.TypeString(old.typ, short)))
	}
	r.past = append(r.past, old)
	return nil
}

// anew are the names that do not mean what they did; remade are those of them
// whose values are made otherwise. A type that has a method more is anew, and its
// values stay.
func (r *rewriter) anew() (anew, remade map[string]bool) {
	s := r.s
	anew, remade = make(map[string]bool), make(map[string]bool)
	for name, y := range r.own {
		old := s.symbols[name]
		switch {
		case old == nil || old.pending:
		case r.same(y):
		case r.rebodied(y): // whose callers are compiled again
			_, method, _ := strings.Cut(name, ".")
			for caller, f := range s.symbols {
				if f.kind == funcDecl && caller != name && identifiersOf(f.source)[method] {
					anew[caller] = true
				}
			}
		case y.kind != varDecl || old.kind != varDecl || r.changed[name]:
			anew[name], remade[name] = true, true
		}
	}
	for name, y := range r.own { // a new method makes a new type
		if t, _, ok := strings.Cut(name, "."); ok && s.symbols[t] != nil && !s.symbols[t].pending && !r.same(y) && !r.rebodied(y) {
			anew[t] = true
		}
	}
	s.spread(anew)
	s.spread(remade)
	return anew, remade
}

// spread adds the names that use those of a set.
func (s *Session) spread(set map[string]bool) {
	for changed := len(set) > 0; changed; {
		changed = false
		for name, y := range s.symbols {
			words := y.uses
			if y.kind == funcDecl {
				words = y.needs // functions call what is declared last
			}
			for word := range words {
				if set[word] && !set[name] {
					set[name], changed = true, true
				}
			}
		}
	}
}

// same reports whether a declaration of the cell is one that lives on.
func (r *rewriter) same(y *symbol) bool {
	old := r.s.symbols[y.name]
	if y.kind == varDecl || old == nil || old.pending || old.kind != y.kind || old.source != r.text[y.from:y.end] {
		return false
	}
	paths := slices.Collect(maps.Values(old.needs))
	for word := range identifiersOf(old.source) {
		if path := r.u.imports[word]; path != "" && r.bases[word] && !slices.Contains(paths, path) {
			return false
		}
	}
	return true
}

// rebodied reports whether a method of the cell is one that lives on, with another
// body: the loader gives it to the values that are there. (Methods of generic types
// are compiled into their users.)
func (r *rewriter) rebodied(y *symbol) bool {
	old := r.s.symbols[y.name]
	return strings.Contains(y.name, ".") && !y.again && old != nil && !old.pending && old.body > 0 && y.body > 0 &&
		signature(old.source) == signature(r.text[y.from:y.end])
}

// again has a declaration of an earlier cell compiled with this one.
func (r *rewriter) again(old *symbol) {
	y := *old
	y.again, y.pending = true, false
	r.add(&y)
	for name, path := range y.needs {
		if path == "" {
			r.inner[name] = true
		}
	}
}

// must declares Must and Check, which a cell need not import.
func (r *rewriter) must() {
	live, fail, path := "", "", r.s.Live
	switch {
	case r.s.export:
		path = "log"
		live, fail = r.s.alias(path, "log"), "Fatal"
	case path != "":
		live, fail = r.s.alias(path, "live"), "Fail"
	default:
		return
	}
	for name, text := range map[string]string{
		"Must":  "func Must[T any](v T, err error) T { if err != nil { " + live + "." + fail + "(err) }; return v }",
		"Check": "func Check(err error) { if err != nil { " + live + "." + fail + "(err) } }",
	} {
		if !r.names[name] || r.own[name] != nil || r.s.symbols[name] != nil || r.dotted(name) {
			continue
		}
		y := symbol{name: name, kind: funcDecl, source: text, text: "//line must:1:1\n" + text, needs: map[string]string{live: path}, uses: map[string]string{live: path}, hidden: true}
		y.head = y.text
		r.again(&y)
	}
}

// dotted reports whether a dot import declares the name.
func (r *rewriter) dotted(name string) bool {
	return ast.IsExported(name) && slices.ContainsFunc(r.u.dots, func(path string) bool {
		pkg, err := r.s.Importer.Import(path)
		return err == nil && pkg.Scope().Lookup(name) != nil
	})
}

// prelude declares what is carried and what is declared again, and has no
// package clause.
func (r *rewriter) prelude() []byte {
	var b bytes.Buffer
	groups := make(map[string]bool)
	write := func(y *symbol, text string) {
		if y.kind == constDecl {
			if groups[text] {
				return
			}
			groups[text] = true
			text = r.group(y)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	for _, name := range slices.Sorted(maps.Keys(r.carried)) {
		write(r.carried[name], r.carried[name].head)
	}
	for _, d := range r.decls {
		if d.again {
			write(d, d.text)
		}
	}
	return b.Bytes()
}

// group is the text of an earlier cell's group of constants, without the names
// that are declared anew since.
func (r *rewriter) group(y *symbol) string {
	text := y.text
	for _, m := range slices.Backward(y.group) {
		other := r.s.symbols[m.name]
		if own := r.own[m.name]; own != nil {
			other = own
		}
		if other == nil || other.kind != constDecl || other.text != y.text {
			text = text[:m.at] + "_" + text[m.at+len(m.name):]
		}
	}
	return text
}

// imports are the import declarations for names.
func imports(b *bytes.Buffer, names map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(b, "import %s %q\n", name, names[name])
	}
}
