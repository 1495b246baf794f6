package cell

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// docs are the documentations of packages, by path; nil is none.
type docs map[string]*documentation

type documentation struct {
	*doc.Package
	fset *token.FileSet
	dir  string
}

// documentation reads what a package's source says of it, once.
func (s *Session) documentation(path string) *documentation {
	if d, ok := s.docs[path]; ok || s.Dir == nil {
		return d
	}
	if s.docs == nil {
		s.docs = make(docs)
	}
	s.docs[path] = nil
	dir := s.Dir(path)
	if dir == "" {
		return nil
	}
	pkg, err := build.ImportDir(dir, 0)
	if pkg == nil || err != nil && len(pkg.GoFiles) == 0 {
		return nil
	}
	d := &documentation{fset: token.NewFileSet(), dir: dir}
	var files []*ast.File
	for _, names := range [][]string{pkg.GoFiles, pkg.CgoFiles, pkg.TestGoFiles, pkg.XTestGoFiles} {
		for _, name := range names {
			if f, err := parser.ParseFile(d.fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution); err == nil {
				files = append(files, f)
			}
		}
	}
	var mode doc.Mode
	if path == "builtin" {
		mode = doc.AllDecls
	}
	if d.Package, err = doc.NewFromFiles(d.fset, files, path, mode); err != nil {
		return nil
	}
	s.docs[path] = d
	return d
}

// entry is what a documentation has of a name.
type entry struct {
	decl     ast.Node
	text     string
	examples []*doc.Example
}

// find looks a name up; owner is the type of a method or field.
func (d *documentation) find(owner, name string) *entry {
	values := func(groups ...[]*doc.Value) *entry {
		for _, group := range groups {
			for _, v := range group {
				for _, spec := range v.Decl.Specs {
					for _, n := range spec.(*ast.ValueSpec).Names {
						if n.Name == name {
							return d.value(v, spec.(*ast.ValueSpec))
						}
					}
				}
			}
		}
		return nil
	}
	functions := func(list []*doc.Func) *entry {
		for _, f := range list {
			if f.Name == name {
				return &entry{f.Decl, f.Doc, f.Examples}
			}
		}
		return nil
	}
	for _, t := range d.Types {
		switch {
		case owner == t.Name:
			if e := functions(t.Methods); e != nil {
				return e
			}
			return member(t, name)
		case owner != "":
			continue
		case t.Name == name:
			return &entry{t.Decl, t.Doc, t.Examples}
		}
		if e := functions(t.Funcs); e != nil {
			return e
		}
		if e := values(t.Consts, t.Vars); e != nil {
			return e
		}
	}
	if owner != "" {
		return nil
	}
	if e := functions(d.Funcs); e != nil {
		return e
	}
	return values(d.Consts, d.Vars)
}

// value is a constant or variable, without the rest of a long group.
func (d *documentation) value(v *doc.Value, spec *ast.ValueSpec) *entry {
	text := v.Doc
	if spec.Doc != nil {
		text = spec.Doc.Text()
	} else if spec.Comment != nil && text == "" {
		text = spec.Comment.Text()
	}
	if len(v.Decl.Specs) <= 12 {
		return &entry{v.Decl, text, nil}
	}
	return &entry{&ast.GenDecl{Tok: v.Decl.Tok, TokPos: spec.Pos(), Specs: []ast.Spec{spec}}, text, nil}
}

// member is a field of a struct, or a method of an interface.
func member(t *doc.Type, name string) (found *entry) {
	ast.Inspect(t.Decl, func(n ast.Node) bool {
		f, ok := n.(*ast.Field)
		if !ok || found != nil {
			return found == nil
		}
		for _, id := range f.Names {
			if id.Name == name {
				found = &entry{text: f.Doc.Text() + f.Comment.Text()}
			}
		}
		return true
	})
	return found
}

// declaration is a declaration as Go's documentation has it.
func (d *documentation) declaration(n ast.Node) string {
	if g, ok := n.(*ast.GenDecl); ok {
		c := *g
		c.Doc = nil
		n = &c
	}
	if f, ok := n.(*ast.FuncDecl); ok {
		c := *f
		c.Doc, c.Body = nil, nil
		n = &c
	}
	var b strings.Builder
	if format.Node(&b, d.fset, n) != nil {
		return ""
	}
	return b.String()
}

// source is a declaration as it stands in its file, with its comment.
func (d *documentation) source(n ast.Node) string {
	at := d.fset.Position(n.Pos())
	text, err := os.ReadFile(at.Filename)
	if err != nil {
		return ""
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, at.Filename, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return ""
	}
	for _, decl := range f.Decls {
		from, to := fset.Position(decl.Pos()).Offset, fset.Position(decl.End()).Offset
		if at.Offset < from || at.Offset >= to {
			continue
		}
		switch x := decl.(type) {
		case *ast.FuncDecl:
			if x.Doc != nil {
				from = fset.Position(x.Doc.Pos()).Offset
			}
		case *ast.GenDecl:
			if x.Doc != nil {
				from = fset.Position(x.Doc.Pos()).Offset
			}
		}
		return string(text[from:to])
	}
	return ""
}

// example is the code of the first example, with what it prints.
func (d *documentation) example(list []*doc.Example) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	if err := format.Node(&b, d.fset, &printer.CommentedNode{Node: list[0].Code, Comments: list[0].Comments}); err != nil {
		return ""
	}
	code := b.String()
	if block, ok := list[0].Code.(*ast.BlockStmt); ok && block != nil {
		code = strings.TrimSuffix(strings.TrimPrefix(code, "{"), "}")
		code = strings.Trim(strings.ReplaceAll(code, "\n\t", "\n"), "\n")
	}
	code, _, _ = strings.Cut(code, "// Output:")
	code = strings.TrimRight(code, "\n\t ")
	if out := strings.TrimSpace(list[0].Output); out != "" {
		code += "\n// Output:\n// " + strings.ReplaceAll(out, "\n", "\n// ")
	}
	return code
}
