package cell

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Completion is what may stand at a place of a cell: any of Items for the bytes
// from Start to End.
type Completion struct {
	Start, End int
	Items      []Item
}

// Item is a name that may stand at a place. Type is "function", "variable",
// "type", "field", "method", "package", "constant" or "keyword"; Signature is
// the Go type, or a package's path.
type Item struct {
	Text, Type, Signature string
}

// cursor stands for the name that is being typed.
const cursor = "cursor_"

// order is in which order kinds are offered.
var order = []string{"field", "method", "variable", "function", "type", "constant", "package", "keyword"}

// Complete offers names for an offset of a cell, which may be half typed.
func (s *Session) Complete(text string, offset int) *Completion {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	offset = max(0, min(offset, len(text)))
	start, end := wordAt(text, offset)
	c := &Completion{Start: start, End: end}
	prefix := text[start:offset]
	cleaned, _ := clean(text)
	from, to := len(cleanLines(text[:start])), len(cleanLines(text[:end]))
	if in := literalAt(cleaned, len(cleanLines(text[:offset]))); in != nil {
		if in.importPath {
			c.Start, c.End = offset-(len(cleanLines(text[:offset]))-in.from), offset+in.rest
			c.Items = s.paths(text[c.Start:offset])
		}
		return c
	}
	r := s.half(cleaned, from, to, cursor)
	if r == nil {
		return c
	}
	id, nodes := r.identifierAt(from, cursor)
	if id == nil {
		return c
	}
	if sel, ok := nodes[1].(*ast.SelectorExpr); ok && sel.Sel == id {
		for _, m := range r.membersOf(sel.X) {
			c.Items = append(c.Items, item(m, false))
		}
	} else {
		c.Items = append(r.keys(id, nodes), r.visible(id.Pos())...)
		c.Items = append(c.Items, s.others(prefix)...)
	}
	c.Items = matching(c.Items, prefix)
	return c
}

func cleanLines(text string) string {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	return strings.ReplaceAll(text, "\r", "\n")
}

// wordAt are the ends of the identifier at an offset.
func wordAt(text string, offset int) (start, end int) {
	letter := func(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }
	start, end = offset, offset
	for start > 0 {
		c, n := utf8.DecodeLastRuneInString(text[:start])
		if !letter(c) {
			break
		}
		start -= n
	}
	for end < len(text) {
		c, n := utf8.DecodeRuneInString(text[end:])
		if !letter(c) {
			break
		}
		end += n
	}
	return start, end
}

// literal is a string or comment that an offset is in.
type literal struct {
	importPath bool
	from, rest int // where its text begins, and the bytes behind the offset
}

func literalAt(text string, offset int) *literal {
	var before []token.Token
	group := false
	for _, l := range lex(text, scanner.ScanComments) {
		if l.at >= offset {
			return nil
		}
		switch l.tok {
		case token.COMMENT, token.STRING, token.CHAR:
			closed := l.end
			if l.tok == token.STRING && (len(l.lit) < 2 || l.lit[len(l.lit)-1] != l.lit[0]) || strings.HasPrefix(l.lit, "//") {
				closed = l.end + 1 // nothing closes it on its line
			}
			if offset >= closed {
				break
			}
			n := len(before)
			in := &literal{from: l.at + 1, rest: max(0, closed-1-offset)}
			in.importPath = l.tok == token.STRING && (group || n > 0 && before[n-1] == token.IMPORT || n > 1 && before[n-2] == token.IMPORT)
			if in.importPath && (len(l.lit) < 2 || l.lit[len(l.lit)-1] != '"') {
				in.rest = 0
			}
			return in
		case token.LPAREN:
			group = group || len(before) > 0 && before[len(before)-1] == token.IMPORT
		case token.RPAREN:
			group = false
		}
		before = append(before, l.tok)
	}
	return nil
}

// paths are import paths that go on from a prefix.
func (s *Session) paths(prefix string) (items []Item) {
	if s.Packages == nil {
		return nil
	}
	for _, p := range s.Packages() {
		if strings.HasPrefix(p, prefix) {
			items = append(items, Item{p, "package", ""})
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Text, b.Text) })
	return items
}

// item is an object as it is offered.
func item(obj types.Object, qualified bool) Item {
	it := Item{Text: obj.Name(), Type: "variable"}
	switch x := obj.(type) {
	case *types.Func:
		it.Type = "function"
		if x.Signature().Recv() != nil {
			it.Type = "method"
		}
	case *types.Builtin:
		it.Type = "function"
		return it
	case *types.TypeName:
		it.Type, it.Signature = "type", types.TypeString(x.Type().Underlying(), short)
		if s, ok := x.Type().Underlying().(*types.Struct); ok && s.NumFields() > 0 {
			it.Signature = "struct"
		}
		return it
	case *types.Const:
		it.Type = "constant"
	case *types.PkgName:
		return Item{obj.Name(), "package", x.Imported().Path()}
	case *types.Nil:
		return Item{"nil", "constant", ""}
	case *types.Var:
		if x.IsField() {
			it.Type = "field"
		}
	}
	it.Signature = types.TypeString(obj.Type(), short)
	return it
}

// keys are the fields of a struct whose literal has the identifier as a key.
func (r *rewriter) keys(id *ast.Ident, nodes []ast.Node) (items []Item) {
	lit, ok := nodes[1].(*ast.CompositeLit)
	if kv, is := nodes[1].(*ast.KeyValueExpr); is && kv.Key == ast.Expr(id) {
		lit, ok = nodes[2].(*ast.CompositeLit)
	}
	if !ok || r.info.Types[lit].Type == nil {
		return nil
	}
	t := r.info.Types[lit].Type
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	set := make(map[string]bool)
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok {
				set[key.Name] = true
			}
		}
	}
	for f := range s.Fields() {
		if (f.Exported() || f.Pkg() == r.pkg) && !set[f.Name()] {
			items = append(items, item(f, false))
		}
	}
	return items
}

// visible are the names that the cell itself can use at a place.
func (r *rewriter) visible(pos token.Pos) (items []Item) {
	for scope := r.pkg.Scope().Innermost(pos); scope != nil && scope != types.Universe; scope = scope.Parent() {
		for _, name := range scope.Names() {
			obj := scope.Lookup(name)
			if _, seen := scope.LookupParent(name, pos); seen != obj || name == r.u.Function || name == cursor || strings.HasPrefix(name, "init_") || r.s.aliases[name] != "" {
				continue
			}
			items = append(items, item(obj, false))
		}
	}
	for name, p := range r.u.imports {
		items = append(items, Item{name, "package", p})
	}
	for _, p := range r.u.dots {
		if pkg, err := r.s.Importer.Import(p); err == nil {
			for _, name := range pkg.Scope().Names() {
				if obj := pkg.Scope().Lookup(name); obj.Exported() {
					items = append(items, item(obj, false))
				}
			}
		}
	}
	return items
}

// others are names that a cell can use without having mentioned them.
func (s *Session) others(prefix string) (items []Item) {
	for _, name := range s.names() {
		y := s.symbols[name]
		if strings.Contains(name, ".") || y.hidden {
			continue
		}
		it := Item{Text: name, Type: map[kind]string{constDecl: "constant", typeDecl: "type", varDecl: "variable", funcDecl: "function"}[y.kind]}
		switch {
		case y.typ != nil:
			it.Signature = types.TypeString(y.typ, short)
		case y.kind == funcDecl:
			it.Signature = "func" + strings.TrimPrefix(signature(y.source), "func "+name)
		}
		items = append(items, it)
	}
	if s.Live != "" {
		items = append(items, Item{"Must", "function", "func[T any](v T, err error) T"}, Item{"Check", "function", "func(err error)"})
	}
	if s.Packages != nil && s.Find != nil && prefix != "" {
		seen := make(map[string]bool)
		for _, p := range s.Packages() {
			if name := path.Base(p); strings.HasPrefix(name, prefix) && !seen[name] {
				seen[name] = true
				if found, ok := s.Find(name); ok {
					items = append(items, Item{name, "package", found})
				}
			}
		}
	}
	for _, name := range types.Universe.Names() {
		items = append(items, item(types.Universe.Lookup(name), false))
	}
	for tok := token.BREAK; tok <= token.VAR; tok++ {
		items = append(items, Item{tok.String(), "keyword", ""})
	}
	return items
}

// signature is a function's source without its body.
func signature(source string) string {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", "package p\n"+source, parser.SkipObjectResolution)
	if err != nil || len(f.Decls) == 0 {
		return source
	}
	d, ok := f.Decls[0].(*ast.FuncDecl)
	if !ok || d.Body == nil {
		return source
	}
	return strings.TrimSpace(source[:fset.Position(d.Body.Pos()).Offset-len("package p\n")])
}

// matching are the items that begin with prefix, each name once: those with its
// very letters before those with others' case.
func matching(items []Item, prefix string) (list []Item) {
	seen := make(map[string]bool)
	for _, it := range items {
		if !seen[it.Text] && len(it.Text) >= len(prefix) && strings.EqualFold(it.Text[:len(prefix)], prefix) {
			seen[it.Text] = true
			list = append(list, it)
		}
	}
	exact := func(it Item) int {
		if strings.HasPrefix(it.Text, prefix) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b Item) int {
		return cmp.Or(cmp.Compare(exact(a), exact(b)), cmp.Compare(slices.Index(order, a.Type), slices.Index(order, b.Type)), cmp.Compare(a.Text, b.Text))
	})
	return list
}
