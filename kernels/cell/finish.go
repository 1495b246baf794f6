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

// edit puts text in at an offset of the cell and takes bytes out behind it.
type edit struct {
	at, out int
	in      string
}

// cut is a stretch of the cell with the edits made.
func (r *rewriter) cut(from, end int) string {
	var b strings.Builder
	b.WriteString(r.at(from))
	for _, e := range r.edits {
		if e.at >= from && e.at <= end && e.at+e.out <= end {
			b.WriteString(r.text[from:e.at] + e.in)
			from = e.at + e.out
		}
	}
	b.WriteString(r.text[from:end])
	return b.String()
}

// offset is the place in the cell of a node of the checked file.
func (r *rewriter) offset(line, column int) int {
	at := 0
	for range line - 1 {
		at += strings.IndexByte(r.text[at:], '\n') + 1
	}
	return at + column - 1
}

// finish makes the unit of what has been checked.
func (r *rewriter) finish() error {
	kept := make(map[string]bool) // variables that become the package's
	for i, st := range r.stmts {
		objects := r.declared(r.run.Body.List[i])
		local := ""
		for name, obj := range objects {
			if why := unnameable(obj.Type(), r.pkg); why != "" {
				local = fmt.Sprintf("%s lives only in this cell: its type %s has no name outside its package", name, why)
			}
		}
		if local != "" {
			w := r.position(st.start)
			w.Text = local
			r.u.Warnings = append(r.u.Warnings, w)
			continue
		}
		for name, obj := range objects {
			if !kept[name] {
				kept[name] = true
				r.own[name].typ = obj.Type()
			}
		}
		if st.define >= 0 {
			r.edits = append(r.edits, edit{st.define, 2, " ="})
		}
	}
	for name, y := range r.own {
		if y.kind == varDecl && !kept[name] {
			delete(r.own, name)
		}
	}
	r.useUnused(kept)
	slices.SortStableFunc(r.edits, func(a, b edit) int { return a.at - b.at })

	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(r.own)) {
		y := r.own[name]
		if y.kind == varDecl {
			y.uses = make(map[string]string)
			y.head = "var " + name + " " + types.TypeString(y.typ, qualifier(y.uses))
			for n := range r.names { // the package's own names in the type
				if r.own[n] != nil || r.s.symbols[n] != nil {
					if mentions(y.typ, n) {
						y.uses[n] = ""
					}
				}
			}
			old := r.s.symbols[name]
			same := old != nil && old.kind == varDecl && old.head == y.head && !slices.Contains(r.u.Dropped, name)
			if old != nil && !same {
				r.changed[name] = true
			}
			if same {
				r.u.Carried = append(r.u.Carried, name)
			} else {
				r.u.Declared = append(r.u.Declared, name)
			}
			fmt.Fprintln(&b, y.head)
		} else if name != "main" {
			r.u.Declared = append(r.u.Declared, name)
		}
		if name != "main" {
			r.u.symbols[name] = y
		}
	}
	for _, d := range r.decls {
		if d.end > 0 && r.own[d.name] == d && d.kind == funcDecl {
			d.text = r.cut(d.from, d.end)
			if d.head[len(d.head)-1] == '}' {
				d.head = d.text
			}
		}
	}
	r.declarations(&b)
	fmt.Fprintf(&b, "func %s() {\n", r.u.Function)
	for i, st := range r.stmts {
		switch text := r.cut(st.start, st.end); {
		case st.kind == varDecl && kept[first(st.vars)]:
			b.WriteString(st.assign)
		case i == len(r.stmts)-1 && r.show(&b, r.run.Body.List[i], text, st.quiet):
		default:
			b.WriteString(text + "\n")
		}
	}
	if r.main {
		b.WriteString("main()\n")
	}
	b.WriteString("}\n")
	return r.assemble(b.Bytes())
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// declared are the variables that a statement at the top level declares or sets
// by :=.
func (r *rewriter) declared(node ast.Stmt) map[string]types.Object {
	m := make(map[string]types.Object)
	add := func(id *ast.Ident) {
		if id.Name == "_" {
			return
		}
		if obj := r.info.Defs[id]; obj != nil {
			m[id.Name] = obj
		} else if obj := r.info.Uses[id]; obj != nil {
			m[id.Name] = obj
		}
	}
	switch x := node.(type) {
	case *ast.AssignStmt:
		if x.Tok.String() == ":=" {
			for _, l := range x.Lhs {
				add(l.(*ast.Ident))
			}
		}
	case *ast.DeclStmt:
		for _, spec := range x.Decl.(*ast.GenDecl).Specs {
			for _, id := range spec.(*ast.ValueSpec).Names {
				add(id)
			}
		}
	}
	return m
}

// show has a last expression shown. It reports whether it is one with a value
// that a reader wants to see: not the number of bytes that fmt has printed.
func (r *rewriter) show(b *bytes.Buffer, node ast.Stmt, text string, quiet bool) bool {
	x, ok := node.(*ast.ExprStmt)
	if !ok || r.s.Shower == "" {
		return false
	}
	t := r.info.Types[x.X]
	if t.IsVoid() || t.Type == nil {
		return false
	}
	values := 1
	last := t.Type
	if tuple, ok := t.Type.(*types.Tuple); ok {
		values = tuple.Len()
		last = tuple.At(values - 1).Type()
	}
	fails := types.Identical(last, types.Universe.Lookup("error").Type())
	call := "Value"
	switch {
	case fails && values == 1:
		call = "Check"
	case fails:
		call = "Pair"
	}
	if quiet || r.prints(x.X) {
		if !fails {
			return false
		}
		if values > 1 {
			call = "Quiet"
		}
	}
	fmt.Fprintf(b, "%sshow_.%s(\n%s)\n", text[:strings.IndexByte(text, '\n')+1], call, text)
	return true
}

// prints reports whether an expression is a call of package fmt, whose results
// nobody looks at.
func (r *rewriter) prints(x ast.Expr) bool {
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := r.info.Uses[sel.Sel].(*types.Func)
	return ok && f.Pkg() != nil && f.Pkg().Path() == "fmt" && strings.HasPrefix(strings.ToLower(strings.TrimPrefix(f.Name(), "F")), "print")
}

// qualifier names packages so that no name of a cell's means another, and
// collects what to import.
func qualifier(uses map[string]string) types.Qualifier {
	return func(p *types.Package) string {
		if p.Path() == PackagePath {
			return ""
		}
		name := p.Name() + "_"
		for n := 0; uses[name] != "" && uses[name] != p.Path(); n++ {
			name = fmt.Sprintf("%s_%d", p.Name(), n)
		}
		uses[name] = p.Path()
		return name
	}
}

// assemble gives the files their imports: those that are used.
func (r *rewriter) assemble(body []byte) error {
	used := make(map[string]bool)
	dots := make(map[string]bool)
	ast.Inspect(r.file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		switch obj := r.info.Uses[id].(type) {
		case nil:
		case *types.PkgName:
			used[obj.Name()] = true
		default:
			if p := obj.Pkg(); p != nil && obj.Parent() == p.Scope() {
				dots[". "+p.Path()] = true
			}
		}
		return true
	})
	names := make(map[string]string)
	for name, p := range r.u.imports {
		if used[name] {
			names[name] = p
		}
	}
	for _, y := range r.own {
		if y.kind == varDecl {
			for n, p := range y.uses {
				if p != "" {
					names[n] = p
				}
			}
			continue
		}
	}
	r.remember(used, dots)
	if bytes.Contains(body, []byte("show_.")) {
		names["show_"] = r.s.Shower
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n", PackagePath)
	imports(&b, names, r.u.dots, func(n string) bool { return !strings.HasPrefix(n, ". ") || dots[n] })
	b.Write(body)
	r.u.Files = append([][]byte{b.Bytes()}, r.prelude()...)
	r.u.Carried = append(r.u.Carried, slices.Sorted(maps.Keys(r.carried))...)
	for _, f := range r.u.Files {
		for line := range strings.Lines(string(f)) {
			if rest, ok := strings.CutPrefix(line, "import "); ok {
				if _, p, ok := strings.Cut(strings.TrimSpace(rest), ` "`); ok {
					r.u.Imports = append(r.u.Imports, strings.TrimSuffix(p, `"`))
				}
			}
		}
	}
	slices.Sort(r.u.Imports)
	r.u.Imports = slices.Compact(r.u.Imports)
	slices.Sort(r.u.Declared)
	return nil
}

// remember notes for every declaration what its text in later cells needs.
func (r *rewriter) remember(used, dots map[string]bool) {
	for _, d := range r.decls {
		if r.own[d.name] != d || d.end == 0 && d.kind != constDecl {
			continue
		}
		d.uses, d.needs = r.wants(d, d.head, used, dots), r.wants(d, d.text, used, dots)
	}
}

// wants are the names in a text of a declaration, with the paths of packages.
func (r *rewriter) wants(d *symbol, text string, used, dots map[string]bool) map[string]string {
	uses := make(map[string]string)
	words := identifiersOf(text)
	for n := range words {
		switch {
		case used[n] && r.u.imports[n] != "":
			uses[n] = r.u.imports[n]
		case n != d.name && (r.own[n] != nil || r.carried[n] != nil):
			uses[n] = ""
		}
	}
	if t, _, ok := strings.Cut(d.name, "."); ok {
		uses[t] = ""
	}
	for _, p := range r.u.dots {
		if pkg, err := r.s.Importer.Import(p); err == nil && dots[". "+p] && slices.ContainsFunc(pkg.Scope().Names(), func(n string) bool { return words[n] && ast.IsExported(n) }) {
			uses[". "+p] = p
		}
	}
	return uses
}
