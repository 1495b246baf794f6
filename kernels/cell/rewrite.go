package cell

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Rewrite makes a Go package of a cell. The error is an [*Error], or several
// joined, if it is the cell's. The session does not change until [Unit.Keep].
func (s *Session) Rewrite(text string) (*Unit, error) {
	s.cells++
	// A variable turns out to have another type only when all is checked: then
	// what mentions it is read anew.
	changed := make(map[string]bool)
	for {
		r := &rewriter{
			s: s, text: text, changed: changed,
			u: &Unit{Name: fmt.Sprintf("cell[%d]", s.cells), Function: fmt.Sprintf("run%d", s.cells), session: s,
				symbols: make(map[string]*symbol), imports: maps.Clone(s.imports), dots: slices.Clone(s.dots)},
			own: make(map[string]*symbol),
		}
		if r.u.imports == nil {
			r.u.imports = make(map[string]string)
		}
		known := len(changed)
		for _, step := range []func() error{r.read, r.redeclare, r.check, r.finish} {
			if err := step(); err != nil {
				return nil, err
			}
		}
		if len(changed) == known {
			return r.u, nil
		}
	}
}

// rewriter is the work on one cell.
type rewriter struct {
	s     *Session
	u     *Unit
	text  string
	decls []*symbol          // consts, types, functions, in order
	own   map[string]*symbol // by name; variables too
	stmts []stmt
	names map[string]bool // identifiers of the cell
	inner map[string]bool // identifiers in its declarations
	main  bool            // it declares func main
	// changed are variables that get another type.
	changed map[string]bool

	carried map[string]*symbol
	fset    *token.FileSet
	info    *types.Info
	pkg     *types.Package
	file    *ast.File
	run     *ast.FuncDecl
	edits   []edit
}

// stmt is a statement at the top level of a cell.
type stmt struct {
	part
	node ast.Stmt
	// shift is what to add to a position's offset to have the cell's.
	shift int
	fset  *token.FileSet
	// vars are the variables that it declares. define is where its := is; what
	// remains of a var declaration is assign.
	vars   []string
	define int
	assign string
}

// position is a place in the cell, as an error without its text.
func (r *rewriter) position(offset int) *Error {
	before := r.text[:offset]
	return &Error{Name: r.u.Name, Line: strings.Count(before, "\n") + 1, Column: offset - strings.LastIndexByte(before, '\n')}
}

// at is the //line directive for an offset of the cell.
func (r *rewriter) at(offset int) string {
	p := r.position(offset)
	return fmt.Sprintf("//line %s:%d:%d\n", p.Name, p.Line, p.Column)
}

// parse parses a part of the cell between prefix and suffix.
func (r *rewriter) parse(p part, prefix, suffix string) (*ast.File, *token.FileSet, error) {
	fset := token.NewFileSet()
	src := "package p\n" + prefix + r.at(p.start) + r.text[p.start:p.end] + suffix
	f, err := parser.ParseFile(fset, r.u.Name, src, parser.SkipObjectResolution)
	var list scanner.ErrorList
	if errors.As(err, &list) {
		e := &Error{Name: r.u.Name, Line: list[0].Pos.Line, Column: list[0].Pos.Column, Text: list[0].Msg}
		if end := r.position(p.end); e.Line > end.Line || e.Line == end.Line && e.Column > end.Column { // in the suffix
			end.Text, _, _ = strings.Cut(e.Text, ", found")
			e = end
		}
		return nil, nil, e
	}
	return f, fset, err
}

// read parses the parts of the cell.
func (r *rewriter) read() error {
	parts, err := split(r.u.Name, r.text)
	if err != nil {
		return err
	}
	r.names, r.inner = make(map[string]bool), make(map[string]bool)
	for _, p := range parts {
		if p.kind == statement || p.kind == varDecl {
			if err := r.readStmt(p); err != nil {
				return err
			}
			continue
		}
		f, fset, err := r.parse(p, "", "")
		if err != nil {
			return err
		}
		header := len("package p\n") + len(r.at(p.start))
		slice := func(n ast.Node) (string, int) {
			from := fset.PositionFor(n.Pos(), false).Offset - header + p.start
			return r.text[from : fset.PositionFor(n.End(), false).Offset-header+p.start], from
		}
		for _, d := range f.Decls {
			identifiers(d, r.names)
			identifiers(d, r.inner)
			switch d := d.(type) {
			case *ast.FuncDecl:
				r.readFunc(d, slice)
			case *ast.GenDecl:
				if err := r.readGen(d, slice); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *rewriter) readFunc(d *ast.FuncDecl, slice func(ast.Node) (string, int)) {
	text, from := slice(d)
	y := &symbol{name: d.Name.Name, kind: funcDecl, text: r.at(from) + text, from: from, end: from + len(text)}
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
	y.head = y.text
	if !generic && d.Body != nil {
		y.head = r.at(from) + text[:int(d.Body.Pos()-d.Pos())]
	}
	r.main = r.main || y.name == "main"
	r.add(y)
}

func (r *rewriter) readGen(d *ast.GenDecl, slice func(ast.Node) (string, int)) error {
	if d.Tok == token.CONST {
		text, from := slice(d)
		var group []string
		for _, spec := range d.Specs {
			for _, n := range spec.(*ast.ValueSpec).Names {
				group = append(group, n.Name)
			}
		}
		for _, name := range group {
			y := &symbol{name: name, kind: constDecl, text: r.at(from) + text}
			y.head = y.text
			r.add(y)
		}
		return nil
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			text, from := slice(spec)
			y := &symbol{name: spec.Name.Name, kind: typeDecl, text: "type (\n" + r.at(from) + text + "\n)"}
			y.from, y.end, y.head = from, from+len(text), y.text
			r.add(y)
		case *ast.ImportSpec:
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if path == "C" {
				_, from := slice(spec)
				e := r.position(from)
				e.Text = `import "C" works in a package of its own only; import that one here`
				return e
			}
			switch {
			case spec.Name != nil && spec.Name.Name == ".":
				if !slices.Contains(r.u.dots, path) {
					r.u.dots = append(r.u.dots, path)
				}
			case spec.Name != nil:
				r.u.imports[spec.Name.Name] = path
			default:
				pkg, err := r.s.Importer.Import(path)
				if err != nil {
					_, from := slice(spec)
					e := r.position(from)
					e.Text = err.Error()
					return e
				}
				r.u.imports[pkg.Name()] = path
			}
		}
	}
	return nil
}

func (r *rewriter) add(y *symbol) {
	r.decls = append(r.decls, y)
	r.own[y.name] = y
}

func (r *rewriter) readStmt(p part) error {
	prefix := "func _() {\n"
	f, fset, err := r.parse(p, prefix, "\n}")
	if err != nil {
		return err
	}
	body := f.Decls[0].(*ast.FuncDecl).Body.List
	shift := p.start - len("package p\n") - len(prefix) - len(r.at(p.start))
	for _, node := range body {
		st := stmt{part: p, node: node, shift: shift, fset: fset, define: -1}
		identifiers(node, r.names)
		cut := func(n ast.Node) string {
			return r.text[st.offset(n.Pos()):st.offset(n.End())]
		}
		switch x := node.(type) {
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
				v := spec.(*ast.ValueSpec)
				var names []string
				for _, n := range v.Names {
					names = append(names, n.Name)
					if n.Name != "_" {
						st.vars = append(st.vars, n.Name)
					}
				}
				from := r.at(st.offset(v.Pos()))
				if len(v.Values) == 0 {
					for _, n := range names {
						st.assign += from + n + " = *new(" + cut(v.Type) + ")\n"
					}
					continue
				}
				values := r.text[st.offset(v.Values[0].Pos()):st.offset(v.End())]
				st.assign += from + strings.Join(names, ", ") + " = " + values + "\n"
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

func (st *stmt) offset(p token.Pos) int { return st.fset.PositionFor(p, false).Offset + st.shift }

// identifiers adds the names in n to a set.
func identifiers(n ast.Node, set map[string]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			set[id.Name] = true
		}
		return true
	})
}
