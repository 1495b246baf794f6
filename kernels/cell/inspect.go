package cell

import (
	"go/ast"
	"go/doc/comment"
	"go/token"
	"go/types"
	"strings"
)

// Inspect tells what the name at an offset of a cell is, or, if there is none,
// the function whose arguments the offset is among: declaration, documentation
// and example, and with detail 1 the source.
func (s *Session) Inspect(text string, offset, detail int) (markdown, plain string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	offset = len(cleanLines(text[:max(0, min(offset, len(text)))]))
	text, _ = clean(text)
	start, end := wordAt(text, offset)
	if literalAt(text, offset) != nil || !s.known(text, start, end) {
		start, end = called(text, offset)
	}
	r, id, nodes := s.named(text, start, end)
	if id == nil {
		return "", "", false
	}
	return s.describe(r, id, nodes, detail)
}

func (s *Session) known(text string, start, end int) bool {
	_, id, _ := s.named(text, start, end)
	return id != nil
}

// named finds an identifier that means something.
func (s *Session) named(text string, start, end int) (*rewriter, *ast.Ident, []ast.Node) {
	name := text[start:end]
	if !token.IsIdentifier(name) {
		return nil, nil, nil
	}
	means := func(r *rewriter) (*ast.Ident, []ast.Node) {
		if r == nil {
			return nil, nil
		}
		id, nodes := r.identifierAt(start, name)
		if id == nil || r.object(id) == nil {
			return nil, nil
		}
		return id, nodes
	}
	if _, err := split("", text); err == nil {
		r := s.looked(text)
		if id, nodes := means(r); id != nil {
			return r, id, nodes
		}
	}
	r := s.half(text, start, end, name)
	id, nodes := means(r)
	return r, id, nodes
}

func (r *rewriter) object(id *ast.Ident) types.Object {
	if obj := r.info.Uses[id]; obj != nil {
		return obj
	}
	return r.info.Defs[id]
}

// called are the ends of the name of the function among whose arguments an
// offset is.
func called(text string, offset int) (start, end int) {
	stack := open(text[:offset])
	for i := len(stack) - 1; i >= 0; i-- {
		if text[stack[i]] != '(' {
			continue
		}
		before := strings.TrimRight(text[:stack[i]], " \t")
		if strings.HasSuffix(before, "]") { // a generic one's types
			if in := strings.LastIndexByte(before, '['); in > 0 {
				before = before[:in]
			}
		}
		if start, end = wordAt(text, len(before)); start < end && !token.IsKeyword(text[start:end]) {
			return start, end
		}
	}
	return offset, offset
}

// describe tells what an identifier of a checked cell is.
func (s *Session) describe(r *rewriter, id *ast.Ident, nodes []ast.Node, detail int) (markdown, plain string, ok bool) {
	obj := r.object(id)
	switch x := obj.(type) {
	case *types.Func:
		obj = x.Origin()
	case *types.Var:
		obj = x.Origin()
	}
	var p page
	path := "builtin"
	if obj.Pkg() != nil {
		path = obj.Pkg().Path()
	}
	if pkg, ok := obj.(*types.PkgName); ok {
		path = pkg.Imported().Path()
		p.code("package " + pkg.Imported().Name() + " // import \"" + path + "\"")
		if d := s.documentation(path); d != nil {
			p.doc(d, d.Doc)
		}
		return p.markdown.String(), p.plain.String(), true
	}
	owner := r.owner(obj, nodes)
	if path == PackagePath {
		s.describeOwn(&p, r, obj, owner, detail)
		return p.markdown.String(), p.plain.String(), true
	}
	d := s.documentation(path)
	var e *entry
	if d != nil {
		e = d.find(owner, obj.Name())
	}
	declaration := ""
	if e != nil && e.decl != nil {
		declaration = d.declaration(e.decl)
		if detail > 0 {
			declaration = d.source(e.decl)
		}
	}
	if declaration == "" {
		declaration = types.ObjectString(obj, short)
	}
	p.code(declaration)
	if e != nil && detail == 0 {
		p.doc(d, e.text)
		if code := d.example(e.examples); code != "" {
			p.text("Example:")
			p.code(code)
		}
	}
	return p.markdown.String(), p.plain.String(), true
}

// describeOwn tells of what a cell has declared.
func (s *Session) describeOwn(p *page, r *rewriter, obj types.Object, owner string, detail int) {
	name := obj.Name()
	if owner != "" {
		name = owner + "." + name
	}
	text, comment := "", ""
	if y := r.own[name]; y != nil && y.kind != varDecl && !y.again {
		text, comment = r.text[y.from:y.end], docBefore(r.text, y.from)
	} else if y := s.symbols[name]; y != nil && y.kind != varDecl {
		text, comment = y.source, y.doc
	}
	_, function := obj.(*types.Func)
	switch {
	case text == "":
		p.code(strings.TrimPrefix(types.ObjectString(obj, short), "field "))
	case function && detail == 0:
		p.code(signature(text))
	default:
		if _, ok := obj.(*types.TypeName); ok {
			text = "type " + text
		}
		p.code(text)
	}
	p.text(comment)
}

// owner is the name of the type whose method or field an object is, or empty.
func (r *rewriter) owner(obj types.Object, nodes []ast.Node) string {
	named := func(t types.Type) string {
		if p, ok := types.Unalias(t).(*types.Pointer); ok {
			t = p.Elem()
		}
		if n, ok := types.Unalias(t).(*types.Named); ok {
			return n.Obj().Name()
		}
		return ""
	}
	switch x := obj.(type) {
	case *types.Func:
		if recv := x.Signature().Recv(); recv != nil {
			return named(recv.Type())
		}
	case *types.Var:
		if !x.IsField() {
			return ""
		}
		if lit := enclosing[*ast.CompositeLit](nodes); lit != nil {
			if sel, ok := nodes[1].(*ast.SelectorExpr); !ok || sel.Sel != nodes[0] {
				return named(r.info.Types[lit].Type)
			}
		}
		sel, ok := nodes[1].(*ast.SelectorExpr)
		if !ok || r.info.Selections[sel] == nil {
			return ""
		}
		s := r.info.Selections[sel]
		t := s.Recv()
		for _, i := range s.Index()[:len(s.Index())-1] {
			if p, ok := t.Underlying().(*types.Pointer); ok {
				t = p.Elem()
			}
			t = t.Underlying().(*types.Struct).Field(i).Type()
		}
		return named(t)
	}
	return ""
}

// page is a description, as Markdown and as plain text.
type page struct{ markdown, plain strings.Builder }

func (p *page) gap() {
	if p.plain.Len() > 0 {
		p.markdown.WriteString("\n")
		p.plain.WriteString("\n")
	}
}

func (p *page) code(text string) {
	p.gap()
	p.markdown.WriteString("```go\n" + text + "\n```\n")
	p.plain.WriteString(text + "\n")
}

func (p *page) text(text string) {
	if text = strings.TrimSpace(text); text != "" {
		p.gap()
		p.markdown.WriteString(text + "\n")
		p.plain.WriteString(text + "\n")
	}
}

func (p *page) doc(d *documentation, text string) {
	if strings.TrimSpace(text) != "" {
		p.gap()
		printer := d.Printer()
		printer.DocLinkURL = func(link *comment.DocLink) string {
			if link.ImportPath == "" { // another name of the package: ?name shows it
				return ""
			}
			return link.DefaultURL("https://pkg.go.dev")
		}
		printer.HeadingID = func(*comment.Heading) string { return "" }
		p.markdown.Write(printer.Markdown(d.Parser().Parse(text)))
		p.plain.Write(d.Text(text))
	}
}

// docBefore is the comment right above an offset of a cell.
func docBefore(text string, at int) string {
	lines := strings.Split(text[:at], "\n")
	if line := strings.TrimSpace(lines[len(lines)-1]); line != "" && line != "type" {
		return ""
	}
	var doc []string
	for i := len(lines) - 2; i >= 0; i-- {
		line, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "//")
		if !ok || strings.HasPrefix(line, "go:") || strings.HasPrefix(line, " o:") {
			break
		}
		doc = append([]string{strings.TrimPrefix(line, " ")}, doc...)
	}
	return strings.Join(doc, "\n")
}
