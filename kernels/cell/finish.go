package cell

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
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
func (r *rewriter) cut(from, end int) string { return r.at(from) + r.edited(from, end) }

func (r *rewriter) edited(from, end int) string {
	var b strings.Builder
	for _, e := range r.edits {
		if e.at >= from && e.at <= end && e.at+e.out <= end {
			b.WriteString(r.text[from:e.at] + e.in)
			from = e.at + e.out
		}
	}
	b.WriteString(r.text[from:end])
	return b.String()
}

// offset is the place in the cell of a position in the checked file.
func (r *rewriter) offset(pos token.Pos) int {
	p := r.fset.Position(pos)
	return r.place(&Error{Line: p.Line, Column: p.Column})
}

// finish makes the unit of what has been checked.
func (r *rewriter) finish() error {
	kept := r.variables()
	for name, y := range r.own {
		if y.kind == varDecl && !kept[name] {
			delete(r.own, name)
		}
	}
	r.useUnused(kept)
	r.printf()
	r.live()
	slices.SortStableFunc(r.edits, func(a, b edit) int { return a.at - b.at })

	for _, d := range r.decls {
		if !d.again {
			r.compiled(d)
		}
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(r.own)) {
		y := r.own[name]
		if y.kind == varDecl {
			r.variable(y)
			fmt.Fprintln(&b, y.head)
			continue
		}
		if slices.Contains(r.calls, name) {
			continue
		}
		r.u.Declared = append(r.u.Declared, name)
		r.u.symbols[name] = y
	}
	r.promoted()
	texts := make(map[string]bool)
	for _, d := range r.decls {
		if !d.again && !texts[d.text] {
			texts[d.text] = true
			fmt.Fprintf(&b, "%s\n", d.text)
		}
	}
	r.function(&b, kept)
	r.assemble(b.Bytes())
	return nil
}

// promoted has the methods declared that types of earlier cells have by embedding
// one whose method has another body now.
func (r *rewriter) promoted() {
	for _, y := range r.own {
		t, method, _ := strings.Cut(y.name, ".")
		if !r.rebodied(y) {
			continue
		}
		for name, c := range r.carried {
			if obj, ok := r.pkg.Scope().Lookup(name).(*types.TypeName); ok && c.kind == typeDecl && name != t {
				sel := types.NewMethodSet(types.NewPointer(obj.Type())).Lookup(r.pkg, method)
				if sel != nil && len(sel.Index()) > 1 && !slices.Contains(r.u.Declared, name+"."+method) {
					r.u.Declared = append(r.u.Declared, name+"."+method)
				}
			}
		}
	}
}

// variables has variables become the package's, those whose types have names.
func (r *rewriter) variables() (kept map[string]bool) {
	kept = make(map[string]bool)
	for i, st := range r.stmts {
		objects := r.declared(r.run.Body.List[i])
		local := ""
		for name, obj := range objects {
			if why := unnameable(obj.Type(), r.pkg); why != "" {
				local = fmt.Sprintf("%s lives only in this cell: its type %s has no name outside its package", name, why)
			}
		}
		if local != "" {
			r.warn(st.start, local)
			continue
		}
		for name, obj := range objects {
			if !kept[name] {
				kept[name], r.u.made[name] = true, r.position(st.end).Line
				r.own[name].typ = obj.Type()
			}
		}
		if st.define >= 0 {
			r.edits = append(r.edits, edit{st.define, 2, " ="})
		}
	}
	return kept
}

// compiled gives a declaration of the cell its text, with the edits made.
func (r *rewriter) compiled(d *symbol) {
	d.source, d.doc = r.text[d.from:d.end], docBefore(r.text, d.from)
	d.text = r.cut(d.from, d.end)
	if d.kind == typeDecl {
		d.text = "type (\n" + d.text + "\n)"
	}
	d.head = d.text
	if d.body > 0 {
		d.head = r.cut(d.from, d.body)
	}
	if d.kind == constDecl {
		d.group = slices.Clone(d.group) // which its other names have too
		for i, m := range d.group {
			d.group[i].at = len(r.cut(d.from, m.at))
		}
	}
	d.uses, d.needs = r.wants(d, d.head), r.wants(d, d.text)
}

// wants are the names in a text of a declaration, with the paths of packages.
func (r *rewriter) wants(d *symbol, text string) map[string]string {
	for _, m := range d.group { // what it declares it does not want
		text = text[:m.at] + strings.Repeat(" ", len(m.name)) + text[m.at+len(m.name):]
	}
	words := identifiersOf(text)
	uses := r.s.packagesIn(words)
	for n := range words {
		if n != d.name && uses[n] == "" && (r.own[n] != nil || r.carried[n] != nil || r.s.symbols[n] != nil) {
			uses[n] = ""
		}
	}
	if t, _, ok := strings.Cut(d.name, "."); ok {
		uses[t] = ""
	}
	return uses
}

// variable declares a variable of the cell, which may be an earlier one.
func (r *rewriter) variable(y *symbol) {
	y.head = "var " + y.name + " " + types.TypeString(y.typ, r.s.qualifier)
	y.uses = r.s.packagesIn(identifiersOf(y.head))
	walk(y.typ, make(map[types.Type]bool), func(obj *types.TypeName) {
		if obj.Pkg() != nil && obj.Pkg().Path() == PackagePath {
			y.uses[obj.Name()] = ""
		}
	})
	old := r.s.symbols[y.name]
	same := old != nil && old.kind == varDecl && old.head == y.head && !r.remade[y.name]
	if old != nil && !same {
		r.changed[y.name] = true
	}
	if same {
		r.u.Carried = append(r.u.Carried, y.name)
	} else {
		r.u.Declared = append(r.u.Declared, y.name)
	}
	r.u.symbols[y.name] = y
}

// function writes the function that runs the cell's statements.
func (r *rewriter) function(b *bytes.Buffer, kept map[string]bool) {
	step := ""
	if r.s.Live != "" {
		step = fmt.Sprintf("%s.Step(%d); ", r.s.alias(r.s.Live, "live"), r.u.Number)
	}
	fmt.Fprintf(b, "func %s() {\n", r.u.Function)
	for _, name := range r.calls {
		if name != "main" {
			fmt.Fprintf(b, "%s()\n", name)
		}
	}
	for i, st := range r.stmts {
		if r.s.export {
			b.WriteString(commented(docBefore(r.text, st.start)))
		}
		switch text := r.edited(st.start, st.end); {
		case st.kind == varDecl && len(st.vars) > 0 && kept[st.vars[0]]:
			r.assign(b, st, step)
		case i == len(r.stmts)-1 && r.show(b, st, r.run.Body.List[i], step+"%s("+text+")"):
		default:
			fmt.Fprintf(b, "%s%s%s%s%s\n", r.at(st.start), step, strings.TrimSuffix(st.prefix, "\n"), text, st.suffix)
		}
	}
	if slices.Contains(r.calls, "main") {
		fmt.Fprintf(b, "%smain()\n", step)
	}
	b.WriteString("}\n")
}

// assign writes what remains of a declaration of variables.
func (r *rewriter) assign(b *bytes.Buffer, st stmt, step string) {
	for _, spec := range st.node.(*ast.DeclStmt).Decl.(*ast.GenDecl).Specs {
		v := spec.(*ast.ValueSpec)
		from := r.at(st.offset(v.Pos())) + step
		var names []string
		for _, n := range v.Names {
			names = append(names, n.Name)
		}
		if len(v.Values) > 0 {
			fmt.Fprintf(b, "%s%s = %s\n", from, strings.Join(names, ", "), r.edited(st.offset(v.Values[0].Pos()), st.offset(v.End())))
			continue
		}
		zero := r.edited(st.offset(v.Type.Pos()), st.offset(v.Type.End()))
		for _, n := range names {
			fmt.Fprintf(b, "%s%s = *new(%s)\n", from, n, zero)
		}
	}
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
		if x.Tok == token.DEFINE {
			for _, l := range x.Lhs {
				add(l.(*ast.Ident))
			}
		}
	case *ast.DeclStmt:
		for _, spec := range x.Decl.(*ast.GenDecl).Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				for _, id := range v.Names {
					add(id)
				}
			}
		}
	}
	return m
}

// assemble makes the file, with the imports that it needs.
func (r *rewriter) assemble(body []byte) {
	body = append(r.prelude(), body...)
	used := r.s.packagesIn(identifiersOf(string(body)))
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n", PackagePath)
	for _, path := range r.u.blanks {
		fmt.Fprintf(&b, "import _ %q\n", path)
	}
	imports(&b, used)
	b.Write(body)
	r.u.Files = [][]byte{b.Bytes()}
	r.u.Carried = append(r.u.Carried, slices.Sorted(maps.Keys(r.carried))...)
	r.u.Imports = append(slices.Collect(maps.Values(used)), r.u.blanks...)
	slices.Sort(r.u.Imports)
	r.u.Imports = slices.Compact(r.u.Imports)
	slices.Sort(r.u.Declared)
}
