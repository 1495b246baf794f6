package cell

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
)

var (
	mismatch    = regexp.MustCompile(`^assignment mismatch: (\d+) variables? but .* returns? (\d+) values?`)
	undefined   = regexp.MustCompile(`^undefined: (?:(\w+)\.)?(\w+)`)
	unexported  = regexp.MustCompile(`^name (\w+) not exported by package`)
	noMember    = regexp.MustCompile(`undefined \(type .* has no field or method (\w+)\)$`)
	wrongNumber = regexp.MustCompile(`^cannot use (.+?) \(.*of (?:int\w* |uint\w* |float\w* )?type u?(?:int|float)\d*\) as (u?(?:int|float)\d*) value`)
)

// help is how to mend what go/types says of a place, or empty.
func (r *rewriter) help(text string, pos token.Pos) string {
	nodes, _ := astutil.PathEnclosingInterval(r.file, pos, pos)
	if m := mismatch.FindStringSubmatch(text); m != nil {
		return r.helpMismatch(nodes)
	}
	if m := undefined.FindStringSubmatch(text); m != nil {
		return r.helpUndefined(m[1], m[2], nodes)
	}
	if m := unexported.FindStringSubmatch(text); m != nil {
		return "Only names that begin with a capital letter are seen outside their package." + r.meant(m[1], r.members(nodes))
	}
	if m := noMember.FindStringSubmatch(text); m != nil {
		return strings.TrimSpace(r.meant(m[1], r.members(nodes)))
	}
	if m := wrongNumber.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("Go converts no numbers by itself: %s(%s)", m[2], m[1])
	}
	switch {
	case strings.Contains(text, "cannot refer to unexported"):
		return "Only names that begin with a capital letter are seen outside their package."
	case strings.HasPrefix(text, "no new variables on left side of :="):
		return r.helpAgain(nodes)
	case strings.HasSuffix(text, "is not used"):
		return "Only the last expression of a cell shows itself: fmt.Println shows the others."
	case strings.Contains(text, "mismatched types") && strings.Contains(text, "string") && !strings.Contains(text, "rune"):
		return "Strings are joined with strings only: fmt.Sprint(x) makes one of any value."
	case strings.Contains(text, "mismatched types") && !strings.Contains(text, "rune"), strings.Contains(text, "truncated"):
		return "Go converts no numbers by itself: write float64(x) or int(x)."
	case strings.HasPrefix(text, "multiple-value"):
		if call := enclosing[*ast.CallExpr](nodes); call != nil && r.returnsError(call) {
			return fmt.Sprintf("It returns an error too. Must takes it off and stops the cell if there is one: Must(%s)", r.original(call))
		}
	case strings.Contains(text, "non-boolean condition"):
		return "Go's conditions are of type bool: write x != 0, x != nil or len(x) > 0."
	case strings.Contains(text, "cannot indirect") || strings.Contains(text, "must be a pointer"):
		if line := r.line(pos); strings.Contains(line, "**") {
			return "Go has no ** operator: math.Pow(x, y), with float64 values."
		}
	case strings.HasSuffix(text, "(type) is not an expression"):
		return "A type is no value: T(x) converts x, var x T declares one, T{} makes one."
	case strings.HasPrefix(text, "too many return values"):
		return "return ends a cell and has no value."
	case strings.HasPrefix(text, "use of package"):
		return "A package is no value: write a name of it after a dot."
	case strings.Contains(text, "already declared through dot-import"):
		return "The dot import has this name too: import that package without the dot, or use another name."
	}
	return ""
}

// enclosing is the innermost node of a kind.
func enclosing[N ast.Node](nodes []ast.Node) (none N) {
	for _, n := range nodes {
		if x, ok := n.(N); ok {
			return x
		}
	}
	return none
}

// original is the cell's text of a node.
func (r *rewriter) original(n ast.Node) string {
	if r.fset.Position(n.Pos()).Filename != r.u.Name {
		return ""
	}
	return r.text[r.offset(n.Pos()):r.offset(n.End())]
}

func (r *rewriter) line(pos token.Pos) string {
	lines := strings.Split(r.text, "\n")
	if n := r.fset.Position(pos).Line; n <= len(lines) {
		return lines[n-1]
	}
	return ""
}

func (r *rewriter) returnsError(x ast.Expr) bool {
	tuple, ok := r.info.Types[x].Type.(*types.Tuple)
	return ok && tuple.Len() > 0 && types.Identical(tuple.At(tuple.Len()-1).Type(), types.Universe.Lookup("error").Type())
}

// helpMismatch offers the reader's assignment with all values on its left.
func (r *rewriter) helpMismatch(nodes []ast.Node) string {
	var left []string
	var right ast.Expr
	tok := ":="
	if x := enclosing[*ast.AssignStmt](nodes); x != nil && len(x.Rhs) == 1 {
		for _, l := range x.Lhs {
			left = append(left, r.original(l))
		}
		right, tok = x.Rhs[0], x.Tok.String()
	} else if x := enclosing[*ast.ValueSpec](nodes); x != nil && len(x.Values) == 1 {
		for _, l := range x.Names {
			left = append(left, l.Name)
		}
		right = x.Values[0]
	}
	call, ok := right.(*ast.CallExpr)
	if !ok {
		return ""
	}
	text, name := r.original(call), r.original(call.Fun)
	tuple, ok := r.info.Types[call].Type.(*types.Tuple)
	n := 1
	if ok {
		n = tuple.Len()
	}
	if len(left) > n {
		if n == 0 {
			return name + " returns nothing: " + text
		}
		return fmt.Sprintf("Write %s %s %s", strings.Join(left[:n], ", "), tok, text)
	}
	fails := r.returnsError(call)
	if fails && n == 2 && len(left) == 1 {
		return fmt.Sprintf("%s returns an error too. Must takes it off and stops the cell if there is one:\n    %s %s Must(%s)", name, left[0], tok, text)
	}
	for len(left) < n {
		left = append(left, "_")
	}
	if fails {
		left[n-1] = "err"
	}
	return fmt.Sprintf("Write\n    %s %s %s", strings.Join(left, ", "), tok, text)
}

func (r *rewriter) helpAgain(nodes []ast.Node) string {
	if x := enclosing[*ast.AssignStmt](nodes); x != nil {
		if text := r.original(x); !strings.Contains(text, "\n") {
			at := r.offset(x.TokPos) - r.offset(x.Pos())
			return "The cell has declared it: write\n    " + text[:at] + text[at+1:]
		}
	}
	return "The cell has declared it: write = in the place of :="
}

// What Go has in the place of Python's names.
var builtins = map[string]string{
	"True": "true", "False": "false", "None": "nil", "null": "nil", "self": "the receiver's name, as in func (m *Model) Name()",
	"str": "fmt.Sprint(x)", "float": "float64(x)", "list": "a slice, []T", "dict": "a map, map[K]V", "set": "map[T]bool", "abs": "math.Abs(x)", "pow": "math.Pow(x, y)",
	"round": "math.Round(x)", "sorted": "slices.Sort(xs)", "input": "fmt.Scanln(&x)", "open": "os.Open(name)", "enumerate": "for i, x := range xs {",
	"range": "for i := range n {", "sum": "a loop, or floats.Sum of gonum.org/v1/gonum/floats", "type": `fmt.Printf("%T", x)`, "isinstance": "x, ok := v.(T)",
	"printf": "fmt.Printf", "println": "fmt.Println", "exit": "os.Exit(0)", "while": "for", "double": "float64", "boolean": "bool", "char": "rune", "object": "any",
}

// helpUndefined is for a name, of a package if there is one.
func (r *rewriter) helpUndefined(pkg, name string, nodes []ast.Node) string {
	if pkg != "" {
		if why := r.s.gone[pkg]; why != "" { // a variable, whose name a package has too
			return why + "."
		}
		help := strings.TrimSpace(r.meant(name, r.members(nodes)))
		if path := r.u.imports[pkg]; help == "" && path != "" && !r.imported[pkg] {
			help = fmt.Sprintf("There is no variable %s: has the cell that makes it run? %s is taken for the package %q, which has no %s.", pkg, pkg, path, name)
		}
		return help
	}
	for _, w := range r.u.Warnings { // an earlier declaration that can no longer be compiled
		if missing, ok := strings.CutPrefix(w.Text, name+" is gone: undefined: "); ok && r.s.gone[missing] != "" {
			return fmt.Sprintf("%s needs %s.", name, r.s.gone[missing])
		} else if strings.HasPrefix(w.Text, name+" is gone: ") {
			return w.Text + "."
		}
	}
	if why := r.s.gone[name]; why != "" {
		return why + "."
	}
	if x := enclosing[*ast.AssignStmt](nodes); x != nil && x.Tok == token.ASSIGN {
		for _, l := range x.Lhs {
			if id, ok := l.(*ast.Ident); ok && id.Name == name {
				help := "A new variable is made with :=."
				if text := r.original(x); !strings.Contains(text, "\n") {
					at := r.offset(x.TokPos) - r.offset(x.Pos())
					help = "A new variable is made with :=\n    " + text[:at] + ":" + text[at:]
				}
				return help + r.meant(name, r.scope())
			}
		}
	}
	if go_ := builtins[name]; go_ != "" {
		return "Go's form: " + go_
	}
	if r.s.Find != nil && !r.bases[name] {
		if p, ok := r.s.Find(name); ok && len(nodes) > 1 {
			if _, is := nodes[1].(*ast.ExprStmt); is {
				return fmt.Sprintf("%s is a package, %q: write a name of it after a dot.", name, p)
			}
		}
	}
	for _, p := range append(slices.Sorted(maps.Values(r.u.imports)), "fmt", "math", "strings", "os", "errors", "slices") {
		if imported, err := r.s.Importer.Import(p); err == nil && ast.IsExported(name) && imported.Scope().Lookup(name) != nil {
			return fmt.Sprintf("It is in package %s: %s.%s", p, imported.Name(), name)
		}
	}
	names := r.scope()
	if r.bases[name] { // before a dot stands a package or a value
		names = slices.DeleteFunc(names, func(n string) bool { return types.Universe.Lookup(n) != nil })
		if r.s.Packages != nil {
			for _, p := range r.s.Packages() {
				names = append(names, path.Base(p))
			}
		}
	}
	return strings.TrimSpace(r.meant(name, names))
}

func (r *rewriter) meant(name string, others []string) string {
	if other := near(name, others); other != "" {
		return "\nDid you mean " + other + "?"
	}
	return ""
}

// scope are the names that a cell can use.
func (r *rewriter) scope() []string {
	names := append(slices.Collect(maps.Keys(r.own)), r.s.names()...)
	names = append(names, slices.Collect(maps.Keys(r.u.imports))...)
	names = append(names, types.Universe.Names()...)
	return slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, ".") })
}

// members are the names that may follow the dot of the innermost selector.
func (r *rewriter) members(nodes []ast.Node) (names []string) {
	x := enclosing[*ast.SelectorExpr](nodes)
	if x == nil {
		return nil
	}
	for _, m := range r.membersOf(x.X) {
		names = append(names, m.Name())
	}
	return names
}

// membersOf are what may follow the dot after an expression: the names that a
// package exports, or fields and methods.
func (r *rewriter) membersOf(x ast.Expr) (list []types.Object) {
	if id, ok := x.(*ast.Ident); ok {
		if p, ok := r.info.Uses[id].(*types.PkgName); ok {
			scope := p.Imported().Scope()
			for _, n := range scope.Names() {
				if ast.IsExported(n) {
					list = append(list, scope.Lookup(n))
				}
			}
			return list
		}
	}
	t := r.info.Types[x].Type
	if t == nil {
		return nil
	}
	return fieldsAndMethods(t, r.pkg)
}

// helpImport is what to do about a package that is not there.
func (r *rewriter) helpImport(p string) string {
	var paths []string
	if r.s.Packages != nil {
		paths = r.s.Packages()
	}
	for _, other := range paths {
		if path.Base(other) == path.Base(p) && other != p && p == path.Base(p) {
			return fmt.Sprintf("Did you mean %q?", other)
		}
	}
	if other := near(p, paths); other != "" {
		return fmt.Sprintf("Did you mean %q?", other)
	}
	if strings.Contains(strings.Split(p, "/")[0], ".") {
		return "If the path is right, get its module: a line !*go get " + p + " in a cell of its own."
	}
	return "The standard library has no such package; others have a path that begins with a host, such as github.com."
}
