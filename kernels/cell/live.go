package cell

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// Functions that would end the process, by what stands for them in cells.
var ends = map[string]string{"os.Exit": "Exit", "log.Fatal": "Fatal", "log.Fatalf": "Fatalf", "log.Fatalln": "Fatalln"}

// live makes the edits by which a cell names packages as no other cell does, can
// be interrupted and does not end the process.
func (r *rewriter) live() {
	for _, d := range r.file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok != token.CONST && g.Tok != token.TYPE {
			continue // imports, and variables that are in a statement too
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Ident:
				r.liveName(x)
			case *ast.SelectorExpr:
				return !r.liveEnd(x, r.info.Uses[x.Sel])
			case *ast.ForStmt:
				r.liveHead(x.Body.Lbrace)
			case *ast.RangeStmt:
				r.liveHead(x.Body.Lbrace)
			case *ast.LabeledStmt: // a goto may make a loop of it
				switch x.Stmt.(type) {
				case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.EmptyStmt:
				default:
					r.liveHead(x.Colon)
				}
			case *ast.GoStmt:
				r.liveGo(x.Call)
			case *ast.CallExpr:
				r.liveFlag(x)
			}
			return true
		})
	}
}

// liveName gives a package the name that compiled text has for it, also where a
// dot import hides it.
func (r *rewriter) liveName(id *ast.Ident) {
	obj := r.info.Uses[id]
	if p, ok := obj.(*types.PkgName); ok {
		r.edits = append(r.edits, edit{r.offset(id.Pos()), len(id.Name), r.s.alias(p.Imported().Path(), p.Imported().Name())})
		return
	}
	if obj == nil || obj.Pkg() == nil || obj.Pkg() == r.pkg || obj.Parent() != obj.Pkg().Scope() || r.qualified(id) {
		return
	}
	if !r.liveEnd(id, obj) {
		r.edits = append(r.edits, edit{r.offset(id.Pos()), 0, r.s.qualifier(obj.Pkg()) + "."})
	}
}

// qualified reports whether a name of another package follows a dot.
func (r *rewriter) qualified(id *ast.Ident) bool {
	at := r.offset(id.Pos())
	return strings.HasSuffix(strings.TrimRight(r.text[:at], " \t\n"), ".")
}

func (r *rewriter) liveEnd(x ast.Node, obj types.Object) bool {
	f, ok := obj.(*types.Func)
	if !ok || r.s.Live == "" || ends[f.FullName()] == "" {
		return false
	}
	from := r.offset(x.Pos())
	r.edits = append(r.edits, edit{from, r.offset(x.End()) - from, r.s.alias(r.s.Live, "live") + "." + ends[f.FullName()]})
	return true
}

// liveHead lets a loop be interrupted whose body begins behind a position.
func (r *rewriter) liveHead(pos token.Pos) {
	if r.s.Live != "" {
		r.edits = append(r.edits, edit{r.offset(pos) + 1, 0, " " + r.s.alias(r.s.Live, "live") + ".Loop();"})
	}
}

// liveGo has a panic of a goroutine reported. A generic function must be given
// its types for that.
func (r *rewriter) liveGo(call *ast.CallExpr) {
	fun := ast.Unparen(call.Fun)
	if r.s.Live == "" || r.info.Types[fun].IsBuiltin() || r.info.Types[fun].IsType() {
		return
	}
	base := fun // without the types that it is given
	switch x := fun.(type) {
	case *ast.IndexExpr:
		base = x.X
	case *ast.IndexListExpr:
		base = x.X
	}
	id, _ := base.(*ast.Ident)
	if sel, ok := base.(*ast.SelectorExpr); ok {
		id = sel.Sel
	}
	from := r.offset(call.Fun.Pos())
	open, end := edit{from, 0, r.s.alias(r.s.Live, "live") + ".Go("}, r.offset(call.Fun.End())
	inst, ok := r.info.Instances[id]
	if id == nil || !ok || inst.TypeArgs.Len() == 0 {
		r.edits = append(r.edits, open, edit{end, 0, ")"})
		return
	}
	var list []string
	for t := range inst.TypeArgs.Types() {
		if unnameable(t, r.pkg) != "" {
			return
		}
		list = append(list, types.TypeString(t, r.s.qualifier))
	}
	at := r.offset(base.End())
	r.edits = append(r.edits, open, edit{at, r.offset(fun.End()) - at, "[" + strings.Join(list, ", ") + "]"}, edit{end, 0, ")"})
}

// liveFlag notes the name of a flag that a call of package flag defines.
func (r *rewriter) liveFlag(call *ast.CallExpr) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	f, ok := r.info.Uses[sel.Sel].(*types.Func)
	if !ok || f.Pkg() == nil || f.Pkg().Path() != "flag" || f.Signature().Recv() != nil {
		return
	}
	for i, arg := range call.Args[:min(2, len(call.Args))] {
		if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING && f.Signature().Params().At(i).Name() == "name" && !slices.Contains([]string{"Set", "Lookup", "NewFlagSet"}, f.Name()) {
			if name, err := strconv.Unquote(lit.Value); err == nil && !slices.Contains(r.u.Flags, name) {
				r.u.Flags = append(r.u.Flags, name)
			}
		}
	}
}

// show has a last expression shown; text has a place for the function that does.
// It reports whether it is one with a value that a reader wants to see: not the
// number of bytes that fmt has printed.
func (r *rewriter) show(b *bytes.Buffer, st stmt, node ast.Stmt, text string) bool {
	if r.s.Live == "" && !r.s.export {
		return false
	}
	call, values := "Value", 1
	var all []types.Type // of the values, if there is one expression
	if x, ok := node.(*ast.ExprStmt); ok {
		t := r.info.Types[x.X]
		if t.IsVoid() || t.Type == nil {
			return false
		}
		if t.Value != nil && t.Value.Kind() == constant.Int && !fits(t) { // no int holds it
			step, _, _ := strings.Cut(text, "%s(")
			text = step + "%s(" + strconv.Quote(t.Value.ExactString()) + ")"
		}
		last := t.Type
		all = []types.Type{last}
		if tuple, ok := t.Type.(*types.Tuple); ok {
			values = tuple.Len()
			last = tuple.At(values - 1).Type()
			all = nil
			for v := range tuple.Variables() {
				all = append(all, v.Type())
			}
		}
		fails := types.Identical(last, types.Universe.Lookup("error").Type())
		switch {
		case fails && values == 1:
			call = "Check"
		case fails:
			call = "Pair"
		}
		if r.s.export && r.prints(x.X) {
			return false
		}
		if st.quiet || r.prints(x.X) {
			if !fails && isStatement(x.X) {
				return false
			}
			if !fails || values > 1 {
				call = "Quiet"
			}
		}
	} else if st.prefix == "" || st.quiet {
		return false
	}
	if r.s.export {
		r.print(b, call, values, all, text[len("%s("):len(text)-1])
		return true
	}
	name := r.s.alias(r.s.Live, "live") + "." + call
	fmt.Fprintf(b, "%s%s\n", r.at(st.start), strings.Replace(text, "%s(", name+"(", 1))
	return true
}

// print is what show is in a program of its own. Of a picture it prints the size.
func (r *rewriter) print(b *bytes.Buffer, call string, values int, all []types.Type, x string) {
	println := r.s.alias("fmt", "fmt") + ".Println"
	if call == "Value" || call == "Quiet" && values == 1 {
		switch {
		case call == "Quiet":
			fmt.Fprintf(b, "_ = %s\n", x)
		case len(all) == 1 && isPicture(all[0]):
			fmt.Fprintf(b, "%s(\"picture\", (%s).Bounds().Size())\n", println, x)
		default:
			fmt.Fprintf(b, "%s(%s)\n", println, x)
		}
		return
	}
	var names []string
	for i := range values - 1 {
		if names = append(names, fmt.Sprintf("v%d", i+1)); call == "Quiet" {
			names[i] = "_"
		}
	}
	if strings.Contains(x, "{") { // a composite literal in the head of an if
		x = "(" + x + ")"
	}
	fmt.Fprintf(b, "if %s := %s; err != nil {\n%s.Fatal(err)\n}", strings.Join(append(names, "err"), ", "), x, r.s.alias("log", "log"))
	if call == "Pair" {
		for i := range names {
			if isPicture(all[i]) {
				names[i] = `"picture", ` + names[i] + ".Bounds().Size()"
			}
		}
		fmt.Fprintf(b, " else {\n%s(%s)\n}", println, strings.Join(names, ", "))
	}
	b.WriteString("\n")
}

// isPicture reports whether a type is an image of package image.
func isPicture(t types.Type) bool {
	m, _, _ := types.LookupFieldOrMethod(t, true, nil, "Bounds")
	f, ok := m.(*types.Func)
	return ok && f.Signature().Results().Len() == 1 && f.Signature().Results().At(0).Type().String() == "image.Rectangle"
}

// isStatement reports whether Go takes an expression as a statement.
func isStatement(x ast.Expr) bool {
	switch x := ast.Unparen(x).(type) {
	case *ast.CallExpr:
		return true
	case *ast.UnaryExpr:
		return x.Op == token.ARROW
	}
	return false
}

// fits reports whether an integer constant has a type that holds it.
func fits(t types.TypeAndValue) bool {
	if basic, ok := t.Type.(*types.Basic); !ok || basic.Kind() != types.UntypedInt {
		return true
	}
	_, exact := constant.Int64Val(t.Value)
	return exact
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
