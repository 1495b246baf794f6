package cell

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// useUnused has the cell use the variables that it declares in functions and
// blocks and does not use. Those at its top level are no mistake.
func (r *rewriter) useUnused(kept map[string]bool) {
	top := make(map[[2]int]bool)
	for _, node := range r.run.Body.List {
		for name, obj := range r.declared(node) {
			if kept[name] {
				p := r.fset.Position(obj.Pos())
				top[[2]int{p.Line, p.Column}] = true
			}
		}
	}
	r.u.Warnings = slices.DeleteFunc(r.u.Warnings, func(w *Error) bool {
		name, ok := strings.CutPrefix(w.Text, unused+": ")
		if label, is := strings.CutPrefix(name, "label "); is { // it is taken out
			at := r.place(w)
			r.edits = append(r.edits, edit{at, strings.IndexByte(r.text[at:], ':') + 1, ""})
			w.Text = unused + ": label " + label
			return false
		}
		if !ok || w.Name != r.u.Name {
			return false
		}
		if top[[2]int{w.Line, w.Column}] {
			return true
		}
		if at, in := r.usePlace(w.Line, w.Column, name); in != "" {
			r.edits = append(r.edits, edit{at, 0, in})
		}
		return false
	})
}

// usePlace says where and how to use the variable declared at a line and column.
func (r *rewriter) usePlace(line, column int, name string) (at int, in string) {
	var path []ast.Node
	ast.Inspect(r.file, func(n ast.Node) bool {
		if n == nil {
			path = path[:len(path)-1]
			return true
		}
		path = append(path, n)
		id, ok := n.(*ast.Ident)
		if !ok || in != "" || id.Name != name {
			return true
		}
		if p := r.fset.Position(id.Pos()); p.Line != line || p.Column != column || p.Filename != r.u.Name {
			return true
		}
		at, in = r.useIn(path, name)
		return true
	})
	return at, in
}

func (r *rewriter) useIn(path []ast.Node, name string) (int, string) {
	after := func(p token.Pos, before, behind string) (int, string) {
		return r.offset(p), before + "_ = " + name + behind
	}
	for i := len(path) - 1; i > 0; i-- {
		var body *ast.BlockStmt
		switch x := path[i].(type) {
		case *ast.IfStmt:
			body = x.Body
		case *ast.ForStmt:
			body = x.Body
		case *ast.RangeStmt:
			body = x.Body
		case *ast.SwitchStmt:
			body = x.Body
		case *ast.TypeSwitchStmt:
			body = x.Body
		case *ast.CommClause:
			return after(x.Colon+1, " ", ";")
		case *ast.AssignStmt, *ast.DeclStmt:
			switch path[i-1].(type) {
			case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
				if c, ok := path[i-1].(*ast.CommClause); ok && c.Comm == x {
					continue
				}
				return after(x.End(), "; ", "")
			}
			continue
		default:
			continue
		}
		if len(body.List) > 0 {
			if c, ok := body.List[0].(*ast.CaseClause); ok {
				return after(c.Colon+1, " ", ";")
			}
		}
		return after(body.Lbrace+1, " ", ";")
	}
	return 0, ""
}

// unnameable is a type in t that a declaration cannot name, or empty.
func unnameable(t types.Type, own *types.Package) (name string) {
	walk(t, make(map[types.Type]bool), func(obj *types.TypeName) {
		if obj.Pkg() != nil && (obj.Pkg() != own && !obj.Exported() || obj.Parent() != obj.Pkg().Scope()) {
			name = obj.Name()
		}
	})
	return name
}

// walk calls f for the named types that t is written with.
func walk(t types.Type, seen map[types.Type]bool, f func(*types.TypeName)) {
	if seen[t] {
		return
	}
	seen[t] = true
	args := func(l *types.TypeList) {
		for a := range l.Types() {
			walk(a, seen, f)
		}
	}
	switch x := t.(type) {
	case *types.Named:
		f(x.Obj())
		args(x.TypeArgs())
	case *types.Alias:
		f(x.Obj())
		args(x.TypeArgs())
	case *types.Struct:
		for v := range x.Fields() {
			walk(v.Type(), seen, f)
		}
	case *types.Signature:
		walk(x.Params(), seen, f)
		walk(x.Results(), seen, f)
	case *types.Tuple:
		for v := range x.Variables() {
			walk(v.Type(), seen, f)
		}
	case *types.Interface:
		for m := range x.ExplicitMethods() {
			walk(m.Type(), seen, f)
		}
		for e := range x.EmbeddedTypes() {
			walk(e, seen, f)
		}
	case *types.Map:
		walk(x.Key(), seen, f)
		walk(x.Elem(), seen, f)
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		walk(x.Elem(), seen, f)
	}
}

// identifiersOf are the identifiers in a text of Go.
func identifiersOf(text string) map[string]bool {
	set := make(map[string]bool)
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile("", -1, len(text)), []byte(text), nil, 0)
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return set
		}
		if tok == token.IDENT {
			set[lit] = true
		}
	}
}
