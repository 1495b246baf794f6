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
	for {
		err := r.types()
		if !r.outdated(err) {
			return err
		}
	}
}

// source is the cell as it was written, as a file of Go.
func (r *rewriter) source() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n", PackagePath)
	named := make(map[string]string)
	for name, path := range r.u.imports {
		if r.bases[name] && r.carried[name] == nil && (r.own[name] == nil || !r.inner[name]) {
			named[name] = path
		}
	}
	imports(&b, named)
	for _, path := range r.u.dots { // its names clash with the package's own
		pkg, err := r.s.Importer.Import(path)
		if err == nil && slices.ContainsFunc(pkg.Scope().Names(), func(n string) bool {
			return ast.IsExported(n) && r.names[n] && r.own[n] == nil && r.carried[n] == nil
		}) {
			fmt.Fprintf(&b, "import . %q\n", path)
		}
	}
	groups := make(map[int]bool)
	for _, d := range r.decls {
		switch {
		case d.again || groups[d.from]:
		case d.kind == typeDecl:
			fmt.Fprintf(&b, "type (\n%s%s\n)\n", r.at(d.from), r.text[d.from:d.end])
		case strings.HasPrefix(d.name, "init_"):
			fmt.Fprintf(&b, "%s%s\n", r.at(d.from), r.text[d.from:d.end])
		default:
			groups[d.from] = d.kind == constDecl
			fmt.Fprintf(&b, "%s%s\n", r.at(d.from), r.text[d.from:d.end])
		}
	}
	r.seen(&b)
	fmt.Fprintf(&b, "func %s() {\n", r.u.Function)
	for _, st := range r.stmts {
		fmt.Fprintf(&b, "%s%s%s%s\n", st.prefix, r.at(st.start), r.text[st.start:st.end], st.suffix)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// seen writes the variables of the cell that declarations see, and those of which
// they are made, as the package's; each where it is declared first.
func (r *rewriter) seen(b *bytes.Buffer) {
	inner := func(v string) bool { return r.inner[v] }
	for _, st := range slices.Backward(r.stmts) {
		if slices.ContainsFunc(st.vars, inner) {
			ast.Inspect(st.node, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && r.own[id.Name] != nil && r.own[id.Name].kind == varDecl {
					r.inner[id.Name] = true
				}
				return true
			})
		}
	}
	written := make(map[string]bool)
	for _, st := range r.stmts {
		if !slices.ContainsFunc(st.vars, func(v string) bool { return inner(v) && !written[v] }) {
			continue
		}
		if st.kind == varDecl {
			fmt.Fprintf(b, "%s%s\n", r.at(st.start), r.text[st.start:st.end])
		} else {
			b.WriteString("var (")
			for i, l := range st.node.(*ast.AssignStmt).Lhs {
				if i > 0 {
					b.WriteByte(',')
				}
				if id, ok := l.(*ast.Ident); ok && inner(id.Name) && !written[id.Name] {
					fmt.Fprintf(b, "\n%s%s", r.at(st.offset(id.Pos())), id.Name)
				} else {
					b.WriteString("\n_")
				}
			}
			fmt.Fprintf(b, " =\n%s%s\n)\n", r.at(st.define+2), r.text[st.define+2:st.end])
		}
		for _, v := range st.vars {
			written[v] = true
		}
	}
}

// outdated drops declarations of earlier cells that a type declared again, or a
// variable lost, has made wrong. It reports whether there are any.
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
			if _, err := fmt.Sscanf(rest, "%d:%d", &line, &column); err != nil || !d.again || name != e.Name || e.Line < line || e.Line >= line+strings.Count(directive, "\n") {
				continue
			}
			r.u.Warnings = append(r.u.Warnings, &Error{Name: e.Name, Line: e.Line, Column: e.Column, Text: d.name + " is gone: " + e.Text})
			r.u.Dropped = append(r.u.Dropped, d.name)
			delete(r.own, d.name)
			any = true
		}
	}
	r.decls = slices.DeleteFunc(r.decls, func(d *symbol) bool { return d.again && r.own[d.name] != d })
	return any
}

// unused is what go/types says of a variable, before its name or behind it.
const unused = "declared and not used"

// isLast reports whether an error is where the last expression begins, which is
// shown.
func (r *rewriter) isLast(e *Error) bool {
	if len(r.stmts) == 0 || r.s.Live == "" && !r.s.export {
		return false
	}
	st := r.stmts[len(r.stmts)-1]
	_, ok := st.node.(*ast.ExprStmt)
	p := r.position(st.offset(st.node.Pos()))
	return ok && *p == Error{Name: e.Name, Line: e.Line, Column: e.Column}
}

// types has the cell checked with what it uses of earlier ones.
func (r *rewriter) types() error {
	r.fset = token.NewFileSet()
	r.files = nil
	prelude := r.prelude()
	for _, y := range r.past {
		prelude = append(prelude, y.head+"\n"...)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n", PackagePath)
	imports(&b, r.s.packagesIn(identifiersOf(string(prelude))))
	b.Write(prelude)
	for i, text := range [][]byte{r.source(), b.Bytes()} {
		f, err := parser.ParseFile(r.fset, fmt.Sprintf("%s#%d", r.u.Name, i), text, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("cell: %s: made of it: %w\n%s", r.u.Name, err, text)
		}
		r.files = append(r.files, f)
	}
	r.file = r.files[0]
	r.info = &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object),
		Instances: make(map[*ast.Ident]types.Instance), Selections: make(map[*ast.SelectorExpr]*types.Selection),
	}
	r.u.Warnings = slices.DeleteFunc(r.u.Warnings, func(w *Error) bool { return strings.HasPrefix(w.Text, unused) })
	var wrong []error
	var at []token.Pos
	seen := make(map[Error]bool)
	config := types.Config{Importer: r.s.Importer, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) {
			wrong, at = append(wrong, err), append(at, token.NoPos)
			return
		}
		p := r.fset.Position(e.Pos)
		switch {
		case e.Soft && strings.Contains(e.Msg, " imported ") && strings.HasSuffix(e.Msg, "not used"),
			strings.Contains(e.Msg, "missing function body"), strings.Contains(e.Msg, "func body"),
			strings.Contains(e.Msg, "jumps over variable declaration"), // the package's
			strings.HasPrefix(e.Msg, "\t"):                             // where else, of the error before
			return
		}
		x := &Error{Name: p.Filename, Line: p.Line, Column: p.Column, Text: e.Msg}
		if strings.Contains(x.Name, "#") { // an import that the cell has not written itself
			x.Name, x.Line, x.Column = r.u.Name, 1, 0
		}
		if seen[*x] { // a variable that declarations see is checked twice
			return
		}
		seen[*x] = true
		if strings.HasSuffix(e.Msg, " is not used") && r.isLast(x) {
			return
		}
		if e.Soft && strings.Contains(e.Msg, unused) {
			if x.Name == r.u.Name {
				x.Text = unused + ": " + strings.Trim(strings.Replace(e.Msg, unused, "", 1), ": ")
				r.u.Warnings = append(r.u.Warnings, x)
			}
			return
		}
		wrong, at = append(wrong, x), append(at, e.Pos)
	}}
	r.pkg, _ = config.Check(PackagePath, r.fset, r.files, r.info)
	for _, d := range r.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == r.u.Function {
			r.run = f
		}
	}
	for i, err := range wrong {
		var e *Error
		if errors.As(err, &e) && e.Name == r.u.Name {
			e.Help = r.help(e.Text, at[i])
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
