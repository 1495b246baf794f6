package cell

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// Export makes a program of the cells of a notebook: what they declare, and a
// main that does what they do and prints their last expressions. Variables are
// the package's; a name that a later cell declares as something else gets a
// number. The session finds packages and is not changed.
func (s *Session) Export(cells []string) ([]byte, error) {
	x := &exporter{s: &Session{Importer: s.Importer, Find: s.Find, Packages: s.Packages, export: true},
		types: make(map[string]string), names: make(map[string]string), taken: make(map[string]bool), locals: make(map[string]bool), read: make(map[string]bool)}
	for _, text := range cells {
		u, err := x.s.Rewrite(text)
		if err != nil {
			return nil, fmt.Errorf("cell: export: %s", x.s.Explain(text, err))
		}
		x.collect(u)
		for word := range identifiersOf(text) {
			x.taken[word] = true
		}
		u.Keep()
	}
	for _, u := range x.units {
		if err := x.unit(u); err != nil {
			return nil, err
		}
	}
	return x.program()
}

// exporter writes units as one program.
type exporter struct {
	s     *Session
	units []*Unit
	// names are the program's for the declarations so far, taken are all words of
	// the cells, locals are the names of variables in functions, read are packages
	// that cells call by other names than their own.
	names               map[string]string
	taken, locals, read map[string]bool
	types               map[string]string // sources of types
	vars, main          bytes.Buffer
	decls               []declaration
	last                string // declarations that go to the end
}

func (x *exporter) collect(u *Unit) {
	x.units = append(x.units, u)
	for name, path := range u.imports {
		if pkg, err := x.s.Importer.Import(path); err == nil && pkg.Name() != name {
			x.read[path] = true
		}
	}
	for _, path := range u.dots {
		x.read[path] = true
	}
}

// renewed are the types that a unit declares with another text, and those made of them.
func (x *exporter) renewed(u *Unit) map[string]bool {
	renewed := make(map[string]bool)
	for grown := true; grown; {
		grown = false
		for _, name := range u.Declared {
			y := u.symbols[name]
			if y == nil || y.kind != typeDecl || renewed[name] {
				continue
			}
			made := x.types[name] != y.source
			for other := range y.needs {
				made = made || renewed[other]
			}
			if made {
				renewed[name], grown = true, true
			}
		}
	}
	return renewed
}

// name is a new name of the program for a declaration of a unit.
func (x *exporter) name(name string) {
	if _, again := x.names[name]; !again && name != "main" && name != "init" {
		x.names[name] = name
		return
	}
	for n := 2; ; n++ {
		if next := fmt.Sprintf("%s%d", name, n); !x.taken[next] {
			x.taken[next], x.names[name] = true, next
			return
		}
	}
}

// unit adds what a unit declares and does.
func (x *exporter) unit(u *Unit) error {
	src := u.Files[0]
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", src, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("cell: export: %s: %w", u.Name, err)
	}
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: x.s.Importer, Error: func(error) {}} // functions of other units have no body here
	pkg, _ := config.Check(PackagePath, fset, []*ast.File{f}, info)
	declared := make(map[string]bool)
	renewed := x.renewed(u)
	for _, name := range u.Declared {
		y := u.symbols[name]
		if y != nil && y.kind == typeDecl && !renewed[name] { // it has another method
			continue
		}
		declared[name] = true
		if !strings.Contains(name, ".") {
			x.name(name)
		}
		if y != nil && y.kind == typeDecl {
			x.types[name] = y.source
		}
	}
	for _, d := range f.Decls { // init and main are called, not declared
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && fn.Recv == nil && (fn.Name.Name == "main" || strings.HasPrefix(fn.Name.Name, "init_")) {
			declared[fn.Name.Name] = true
			x.name(fn.Name.Name)
		}
	}
	offset := func(p token.Pos) int { return fset.PositionFor(p, false).Offset }
	var edits []edit
	ast.Inspect(f, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		obj := info.Uses[id]
		if obj == nil {
			obj = info.Defs[id]
		}
		if obj == nil {
			return true
		}
		if obj.Parent() == pkg.Scope() {
			if name := x.names[id.Name]; name != "" && name != id.Name {
				edits = append(edits, edit{offset(id.Pos()), len(id.Name), name})
			}
		} else if info.Defs[id] != nil {
			x.locals[id.Name] = true
		}
		return true
	})
	slices.SortFunc(edits, func(a, b edit) int { return a.at - b.at })
	r := &rewriter{text: string(src), edits: edits}
	cut := func(n ast.Node) string { return r.edited(offset(n.Pos()), offset(n.End())) }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			x.gen(u, d, declared, cut)
		case *ast.FuncDecl:
			if d.Name.Name == u.Function {
				x.statements(u, d.Body, r.edited(offset(d.Body.Lbrace)+1, offset(d.Body.Rbrace)))
				continue
			}
			name := receiver(d) + d.Name.Name
			if y := u.symbols[name]; d.Body != nil && declared[name] && y != nil && y.hidden {
				x.last += cut(d) + "\n\n"
			} else if d.Body != nil && declared[name] {
				x.declare(x.method(d), "%s%s\n\n", remark(u, name), cut(d))
			}
		}
	}
	return nil
}

// declaration is one of the program; method names one, by the program's name of its
// type.
type declaration struct{ method, text string }

// declare adds a declaration. A method that is there takes the place of the old one,
// as it does for values that are there in a notebook.
func (x *exporter) declare(method, format string, args ...any) {
	d := declaration{method, fmt.Sprintf(format, args...)}
	if i := slices.IndexFunc(x.decls, func(old declaration) bool { return method != "" && old.method == method }); i >= 0 {
		x.decls[i] = d
		return
	}
	x.decls = append(x.decls, d)
}

func (x *exporter) declarations() string {
	var b strings.Builder
	for _, d := range x.decls {
		b.WriteString(d.text)
	}
	return b.String()
}

// method is the name of a method, by the program's name of its type; empty for a function.
func (x *exporter) method(d *ast.FuncDecl) string {
	t := strings.TrimSuffix(receiver(d), ".")
	if t == "" {
		return ""
	}
	return x.names[t] + "." + d.Name.Name
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name + "."
		}
		return name == ""
	})
	return name
}

// remark is the comment above a declaration in its cell.
func remark(u *Unit, name string) string {
	if y := u.symbols[name]; y != nil {
		return commented(y.doc)
	}
	return ""
}

// commented is a text as a comment; an empty one is none.
func commented(text string) string {
	if text == "" {
		return ""
	}
	return "// " + strings.ReplaceAll(text, "\n", "\n// ") + "\n"
}

func (x *exporter) gen(u *Unit, d *ast.GenDecl, declared map[string]bool, cut func(ast.Node) string) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if declared[spec.Name.Name] {
				x.declare("", "%stype %s\n\n", remark(u, spec.Name.Name), cut(spec))
			}
		case *ast.ValueSpec:
			name := spec.Names[0].Name
			if d.Tok == token.VAR && declared[name] {
				fmt.Fprintf(&x.vars, "%s\n", cut(spec))
			}
			if d.Tok == token.CONST && slices.ContainsFunc(d.Specs, func(s ast.Spec) bool {
				return slices.ContainsFunc(s.(*ast.ValueSpec).Names, func(n *ast.Ident) bool { return declared[n.Name] })
			}) {
				x.declare("", "%s%s\n\n", remark(u, name), cut(d))
				return
			}
		}
	}
}

// statements adds a unit's statements to main. Those that may return, defer or
// declare something stay a function.
func (x *exporter) statements(u *Unit, body *ast.BlockStmt, text string) {
	if len(body.List) == 0 {
		return
	}
	apart := false
	for _, st := range body.List {
		switch s := st.(type) {
		case *ast.DeclStmt, *ast.LabeledStmt:
			apart = true
		case *ast.AssignStmt:
			apart = apart || s.Tok == token.DEFINE
		}
		ast.Inspect(st, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.ReturnStmt, *ast.DeferStmt:
				apart = true
			}
			return true
		})
	}
	if apart {
		text = "func() {\n" + text + "\n}()\n"
	}
	fmt.Fprintf(&x.main, "\n// %s\n%s", u.Name, strings.TrimLeft(text, "\n"))
}

// program puts all together.
func (x *exporter) program() ([]byte, error) {
	var body bytes.Buffer
	if x.vars.Len() > 0 {
		fmt.Fprintf(&body, "var (\n%s)\n\n", x.vars.String())
	}
	fmt.Fprintf(&body, "%sfunc main() {\n%s}\n\n%s", x.declarations(), strings.TrimPrefix(x.main.String(), "\n"), x.last)
	var lines []string
	for line := range strings.Lines(body.String()) {
		if !strings.HasPrefix(line, "//line ") {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "")
	names := x.packages(x.s.packagesIn(identifiersOf(text)))
	list := lex(text, 0)
	var b bytes.Buffer
	b.WriteString("package main\n\nimport (\n")
	for _, alias := range slices.SortedFunc(maps.Keys(names), func(a, b string) int { return strings.Compare(x.s.aliases[a], x.s.aliases[b]) }) {
		name := names[alias]
		if pkg, err := x.s.Importer.Import(x.s.aliases[alias]); err == nil && pkg.Name() == name {
			name = ""
		}
		fmt.Fprintf(&b, "%s %q\n", name, x.s.aliases[alias])
	}
	for _, u := range x.units {
		for _, path := range u.blanks {
			fmt.Fprintf(&b, "_ %q\n", path)
		}
	}
	b.WriteString(")\n\n")
	at := 0
	for _, l := range list {
		if name := names[l.lit]; l.tok == token.IDENT && name != "" {
			b.WriteString(text[at:l.at] + name)
			at = l.end
		}
	}
	b.WriteString(text[at:])
	src := strings.Replace(b.String(), "import (\n)\n\n", "", 1)
	out, err := format.Source([]byte(src))
	if err != nil {
		return nil, fmt.Errorf("cell: export: the program: %w\n%s", err, src)
	}
	return out, x.compiles(out)
}

// packages are the program's names of packages, by their aliases: their own where
// nothing else has it.
func (x *exporter) packages(aliases map[string]string) map[string]string {
	top := make(map[string]bool)
	for _, name := range x.names {
		top[name] = true
	}
	names := make(map[string]string)
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		names[alias] = alias
		if pkg, err := x.s.Importer.Import(aliases[alias]); err == nil && !top[pkg.Name()] && (!x.locals[pkg.Name()] || !x.read[aliases[alias]]) {
			names[alias] = pkg.Name()
			top[pkg.Name()] = true
		}
	}
	return names
}

// compiles checks the program's types.
func (x *exporter) compiles(src []byte) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "main.go", src, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("cell: export: the program: %w", err)
	}
	config := types.Config{Importer: x.s.Importer}
	if _, err := config.Check("main", fset, []*ast.File{f}, nil); err != nil {
		return fmt.Errorf("cell: export: the program: %w", err)
	}
	return nil
}
