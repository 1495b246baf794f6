package cell

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// parse parses a part of the cell between prefix and suffix.
func (r *rewriter) parse(p part, prefix, suffix string) (*ast.File, *token.FileSet, error) {
	fset := token.NewFileSet()
	src := "package p\n" + prefix + r.at(p.start) + r.text[p.start:p.end] + suffix
	f, err := parser.ParseFile(fset, r.u.Name, src, parser.SkipObjectResolution)
	var list scanner.ErrorList
	if errors.As(err, &list) {
		e := &Error{Name: r.u.Name, Line: list[0].Pos.Line, Column: list[0].Pos.Column, Text: list[0].Msg}
		if end := r.position(p.end); e.Line > end.Line || e.Line == end.Line && e.Column >= end.Column { // in the suffix
			end.Text, _, _ = strings.Cut(e.Text, ", found")
			end.Incomplete = strings.TrimSpace(r.text[p.end:]) == ""
			if _, err := parser.ParseFile(fset, "", "package p\n"+prefix+r.text[p.start:p.end]+" {}"+suffix, parser.SkipObjectResolution); err == nil {
				end.Text = "expected { at the end of the line"
			}
			e = end
		}
		for _, wrapper := range []string{"expected ';', found ", "expected '}', found ", "expected statement, found "} {
			if found, ok := strings.CutPrefix(e.Text, wrapper); ok {
				e.Text = "unexpected " + found
			}
		}
		return nil, nil, e
	}
	for _, d := range f.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body == nil {
			e := r.position(p.end)
			e.Text, e.Incomplete = "expected { at the end of the line", strings.TrimSpace(r.text[p.end:]) == ""
			return nil, nil, e
		}
	}
	return f, fset, err
}

// read parses the parts of the cell.
func (r *rewriter) read() error {
	parts, err := split(r.u.Name, r.text)
	if err != nil {
		return err
	}
	var wrong []error
	for i, p := range parts {
		var err error
		switch p.kind {
		case packageClause: // a whole program in a cell
		case statement, varDecl:
			err = r.readStmt(p, i == len(parts)-1)
		default:
			err = r.readDecl(p)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, st := range r.stmts {
		for _, name := range st.vars {
			wrong = append(wrong, r.hides(name, st.start))
		}
	}
	for _, d := range r.decls {
		wrong = append(wrong, r.hides(d.name, d.from))
	}
	for r.names[r.u.Function] {
		r.u.Function += "_"
	}
	return errors.Join(wrong...)
}

// hides is the error of a name that would hide one of Go's types from all cells,
// whose variables are declared by their types' names; else nil.
func (r *rewriter) hides(name string, at int) error {
	if _, ok := types.Universe.Lookup(name).(*types.TypeName); !ok {
		return nil
	}
	e := r.errorAt(at, name+" is one of Go's types, which this would hide from later cells")
	e.Help = "Use another name."
	return e
}

func (r *rewriter) readDecl(p part) error {
	f, fset, err := r.parse(p, "", "")
	if err != nil {
		return err
	}
	header := len("package p\n") + len(r.at(p.start))
	offset := func(at token.Pos) int { return fset.PositionFor(at, false).Offset - header + p.start }
	for _, d := range f.Decls {
		r.identifiers(d, r.inner)
		switch d := d.(type) {
		case *ast.FuncDecl:
			if err := r.readFunc(d, offset); err != nil {
				return err
			}
		case *ast.GenDecl:
			if err := r.readGen(d, offset); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rewriter) readFunc(d *ast.FuncDecl, offset func(token.Pos) int) error {
	from, end := offset(d.Pos()), offset(d.End())
	y := &symbol{name: d.Name.Name, kind: funcDecl, from: from, end: end}
	generic := d.Type.TypeParams != nil
	if d.Recv != nil && len(d.Recv.List) == 1 {
		t := d.Recv.List[0].Type
		if star, ok := t.(*ast.StarExpr); ok {
			t = star.X
		}
		switch x := t.(type) {
		case *ast.IndexExpr:
			t, generic = x.X, true
		case *ast.IndexListExpr:
			t, generic = x.X, true
		}
		if id, ok := t.(*ast.Ident); ok {
			y.name = id.Name + "." + y.name
		}
	}
	if !generic {
		y.body = offset(d.Body.Pos())
	}
	if d.Recv == nil && (d.Name.Name == "main" || d.Name.Name == "init") {
		if d.Type.Params.NumFields() > 0 || d.Type.Results.NumFields() > 0 || generic {
			return r.errorAt(from, "func "+d.Name.Name+" must have no arguments and no return values")
		}
		if d.Name.Name == "init" { // there may be several; they run before the statements
			y.name = fmt.Sprintf("init_%d", len(r.calls))
			r.edits = append(r.edits, edit{offset(d.Name.Pos()), len("init"), y.name})
		}
		r.calls = append(r.calls, y.name)
	}
	r.add(y)
	return nil
}

func (r *rewriter) readGen(d *ast.GenDecl, offset func(token.Pos) int) error {
	if d.Tok == token.CONST {
		y := symbol{kind: constDecl, from: offset(d.Pos()), end: offset(d.End())}
		for _, spec := range d.Specs {
			for _, n := range spec.(*ast.ValueSpec).Names {
				y.group = append(y.group, mark{n.Name, offset(n.Pos())})
			}
		}
		for _, m := range y.group {
			one := y
			one.name = m.name
			r.add(&one)
		}
		return nil
	}
	for _, spec := range d.Specs {
		from := offset(spec.Pos())
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			r.add(&symbol{name: spec.Name.Name, kind: typeDecl, from: from, end: offset(spec.End())})
		case *ast.ImportSpec:
			if err := r.readImport(spec, from); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rewriter) readImport(spec *ast.ImportSpec, from int) error {
	path, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return r.errorAt(from, "an import path is a string")
	}
	if path == "C" {
		e := r.errorAt(from, `import "C" does not work in a cell`)
		e.Help = "Put the C code into a package of its own and import that one here."
		return e
	}
	pkg, err := r.s.Importer.Import(path)
	if err != nil {
		e := r.errorAt(from, err.Error())
		if !strings.Contains(e.Text, path) {
			e.Text = fmt.Sprintf("import %q: %s", path, e.Text)
		}
		e.Help = r.helpImport(path)
		return e
	}
	name := pkg.Name()
	if spec.Name != nil {
		name = spec.Name.Name
	}
	switch name {
	case "_":
		if !slices.Contains(r.u.blanks, path) {
			r.u.blanks = append(r.u.blanks, path)
		}
	case ".":
		if !slices.Contains(r.u.dots, path) {
			r.u.dots = append(r.u.dots, path)
		}
	default:
		r.u.imports[name], r.imported[name] = path, true
	}
	return nil
}

func (r *rewriter) add(y *symbol) {
	r.decls = append(r.decls, y)
	r.own[y.name] = y
}

func (r *rewriter) readStmt(p part, last bool) error {
	prefix := "func _() {\n"
	f, fset, err := r.parse(p, prefix, "\n}")
	st := stmt{part: p, define: -1}
	if err != nil && last && expressions(r.text[p.start:p.end]) > 1 { // a, b shows both
		st.prefix, st.suffix = "_ = []any{\n", "}"
		prefix += st.prefix
		f, fset, err = r.parse(p, prefix, st.suffix+"\n}")
	}
	if err != nil {
		return err
	}
	st.fset = fset
	st.shift = p.start - len("package p\n") - len(prefix) - len(r.at(p.start))
	if len(f.Decls) != 1 {
		return r.errorAt(p.start, "unexpected }")
	}
	for _, node := range f.Decls[0].(*ast.FuncDecl).Body.List {
		st := st
		st.node = node
		r.identifiers(node, nil)
		switch x := node.(type) {
		case *ast.LabeledStmt:
			if _, empty := x.Stmt.(*ast.EmptyStmt); empty { // not the label of the next
				st.suffix = ";"
			}
		case *ast.AssignStmt:
			if x.Tok == token.DEFINE {
				for _, l := range x.Lhs {
					if id, ok := l.(*ast.Ident); ok && id.Name != "_" {
						st.vars = append(st.vars, id.Name)
					}
				}
				st.define = st.offset(x.TokPos)
			}
		case *ast.DeclStmt:
			for _, spec := range x.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, n := range v.Names {
						if n.Name != "_" {
							st.vars = append(st.vars, n.Name)
						}
					}
				}
			}
		}
		for _, name := range st.vars {
			if r.own[name] == nil {
				r.own[name] = &symbol{name: name, kind: varDecl}
			}
		}
		r.stmts = append(r.stmts, st)
	}
	return nil
}

// expressions is the number of expressions of a text that has nothing else.
func expressions(text string) int {
	x, err := parser.ParseExpr("f(" + text + ")")
	if err != nil {
		return 0
	}
	call, ok := x.(*ast.CallExpr)
	if !ok || call.Ellipsis.IsValid() {
		return 0
	}
	if id, ok := call.Fun.(*ast.Ident); !ok || id.Name != "f" {
		return 0
	}
	return len(call.Args)
}

func (st *stmt) offset(p token.Pos) int { return st.fset.PositionFor(p, false).Offset + st.shift }

// identifiers adds the names in n to those of the cell and to a set.
func (r *rewriter) identifiers(n ast.Node, set map[string]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Ident:
			r.names[x.Name] = true
			if set != nil {
				set[x.Name] = true
			}
		case *ast.SelectorExpr:
			if id, ok := x.X.(*ast.Ident); ok {
				r.bases[id.Name] = true
				r.selected[id.Name] = append(r.selected[id.Name], x.Sel.Name)
			}
		}
		return true
	})
}
