package cell

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// check has go/types look at the cell as it was written.
func (r *rewriter) check() error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n", PackagePath)
	imports(&b, r.u.imports, r.u.dots, func(name string) bool {
		if path, ok := strings.CutPrefix(name, ". "); ok { // its names clash with the package's own
			pkg, err := r.s.Importer.Import(path)
			return err == nil && slices.ContainsFunc(pkg.Scope().Names(), func(n string) bool {
				return ast.IsExported(n) && r.names[n] && r.own[n] == nil && r.carried[n] == nil
			})
		}
		return r.names[name]
	})
	r.declarations(&b)
	for _, st := range r.stmts {
		for _, v := range st.vars { // declarations see these
			if r.inner[v] {
				if st.kind == varDecl {
					fmt.Fprintf(&b, "%s%s\n", r.at(st.start), r.text[st.start:st.end])
				} else {
					fmt.Fprintf(&b, "var (\n%s%s\n)\n", r.at(st.start), strings.Replace(r.text[st.start:st.end], ":=", " =", 1))
				}
				break
			}
		}
	}
	fmt.Fprintf(&b, "func %s() {\n", r.u.Function)
	for _, st := range r.stmts {
		fmt.Fprintf(&b, "%s%s\n", r.at(st.start), r.text[st.start:st.end])
	}
	b.WriteString("}\n")
	err := r.types(b.Bytes())
	if r.outdated(err) {
		return r.check()
	}
	return err
}

// outdated drops declarations of earlier cells that a type declared again has
// made wrong. It reports whether there are any.
func (r *rewriter) outdated(err error) (any bool) {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return false
	}
	for _, err := range list.Unwrap() {
		var e *Error
		if !errors.As(err, &e) || e.Name == r.u.Name {
			continue
		}
		for _, d := range r.decls {
			var line, column int
			_, directive, _ := strings.Cut(strings.TrimSuffix(d.text, "\n)"), "//line ")
			name, rest, _ := strings.Cut(directive, ":")
			if _, err := fmt.Sscanf(rest, "%d:%d", &line, &column); err != nil || name != e.Name || e.Line < line || e.Line >= line+strings.Count(directive, "\n") {
				continue
			}
			r.u.Warnings = append(r.u.Warnings, &Error{Name: e.Name, Line: e.Line, Column: e.Column, Text: d.name + " is gone: " + e.Text})
			r.u.Dropped = append(r.u.Dropped, d.name)
			delete(r.own, d.name)
			any = true
		}
	}
	r.decls = slices.DeleteFunc(r.decls, func(d *symbol) bool { return slices.Contains(r.u.Dropped, d.name) })
	return any
}

func (r *rewriter) declarations(b *bytes.Buffer) {
	groups := make(map[string]bool)
	for _, d := range r.decls {
		if d.kind == constDecl && groups[d.text] {
			continue
		}
		groups[d.text] = true
		fmt.Fprintf(b, "%s\n", d.text)
	}
}

// unused is what go/types says of a variable, before its name or behind it.
const unused = "declared and not used"

// isLast reports whether an error is where the last expression begins, which is
// shown.
func (r *rewriter) isLast(e *Error) bool {
	if len(r.stmts) == 0 {
		return false
	}
	st := r.stmts[len(r.stmts)-1]
	x, ok := st.node.(*ast.ExprStmt)
	p := r.position(st.offset(st.node.Pos()))
	return ok && x != nil && r.s.Shower != "" && *p == Error{Name: e.Name, Line: e.Line, Column: e.Column}
}

// types has the cell checked with what it uses of earlier ones.
func (r *rewriter) types(src []byte) error {
	r.fset = token.NewFileSet()
	var files []*ast.File
	for i, text := range append([][]byte{src}, r.prelude()...) {
		f, err := parser.ParseFile(r.fset, fmt.Sprintf("%s#%d", r.u.Name, i), text, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("cell: %s: made of it: %w\n%s", r.u.Name, err, text)
		}
		files = append(files, f)
	}
	r.info = &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)}
	var wrong []error
	seen := make(map[Error]bool)
	config := types.Config{Importer: r.s.Importer, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) {
			wrong = append(wrong, err)
			return
		}
		p := r.fset.Position(e.Pos)
		if e.Soft && strings.HasSuffix(e.Msg, "imported and not used") || strings.Contains(e.Msg, "missing function body") || strings.Contains(e.Msg, "func body") {
			return
		}
		if strings.HasPrefix(e.Msg, "\t") { // where else, of the error before
			return
		}
		x := &Error{Name: p.Filename, Line: p.Line, Column: p.Column, Text: e.Msg}
		if seen[*x] { // a variable that declarations see is checked twice
			return
		}
		seen[*x] = true
		if strings.HasSuffix(e.Msg, " is not used") && r.isLast(x) {
			return
		}
		if e.Soft && strings.Contains(e.Msg, unused) {
			x.Text = unused + ": " + strings.Trim(strings.Replace(e.Msg, unused, "", 1), ": ")
			r.u.Warnings = append(r.u.Warnings, x)
			return
		}
		wrong = append(wrong, x)
	}}
	r.pkg, _ = config.Check(PackagePath, r.fset, files, r.info)
	r.file = files[0]
	for _, d := range r.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == r.u.Function {
			r.run = f
		}
	}
	slices.SortStableFunc(wrong, func(a, b error) int {
		x, y := new(Error), new(Error)
		errors.As(a, &x)
		errors.As(b, &y)
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	return errors.Join(wrong...)
}
