package cell

import (
	"errors"
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"strings"
)

// half checks a cell that is being typed: what stands before start, a word in
// the place of what follows, and the declarations after it. It returns nil if
// nothing can be made of it.
func (s *Session) half(text string, start, end int, word string) *rewriter {
	begin := partStart(text, start)
	before := parsable(text[:begin], false)
	body := text[begin:start] + word
	after := ""
	if rest := text[end:]; rest != "" {
		after = parsable(rest[partEnd("x"+rest, len(open(body)))-1:], true) // x stands for the word
	}
	if part, ok := mended(body); ok {
		if r := s.looked(before + part + "\n" + after); r != nil {
			return r
		}
	}
	at := operandStart(text[:start], begin)
	return s.looked(before + strings.Repeat(" ", at-begin) + text[at:start] + word + "\n" + after)
}

// looked is a cell with the types that are known in it, mistakes or not.
func (s *Session) looked(text string) *rewriter {
	r := s.rewriter(text, make(map[string]bool))
	_ = r.read() // of the parts that are wrong nothing is known
	_ = r.redeclare()
	_ = r.types()
	if len(r.files) < 2 || r.pkg == nil {
		return nil
	}
	return r
}

// lexeme is a token and where it is.
type lexeme struct {
	tok     token.Token
	at, end int
	lit     string
}

func lex(text string, mode scanner.Mode) (list []lexeme) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	s.Init(file, []byte(text), func(token.Position, string) {}, mode)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return list
		}
		at := file.Offset(pos)
		n := len(lit)
		if lit == "" {
			n = len(tok.String())
		} else if tok == token.SEMICOLON && lit == "\n" {
			n = 0
		}
		list = append(list, lexeme{tok, at, min(at+n, len(text)), lit})
	}
}

// partStart is where the part of a cell begins that has an offset in it.
func partStart(text string, offset int) int {
	start, depth := -1, 0
	var tokens []token.Token
	for _, l := range lex(text[:offset], 0) {
		if start < 0 && l.tok != token.SEMICOLON {
			start = l.at
		}
		if l.tok == token.SEMICOLON && depth == 0 && start >= 0 && (l.lit == ";" || strings.Contains(text[l.at:offset], "\n")) &&
			(l.lit != ";" || !header(tokens, text[start:l.at])) {
			start, tokens = -1, tokens[:0]
			continue
		}
		switch l.tok {
		case token.LPAREN, token.LBRACE, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth = max(0, depth-1)
		}
		if l.tok != token.SEMICOLON || start >= 0 {
			tokens = append(tokens, l.tok)
		}
	}
	if start < 0 {
		return offset
	}
	return start
}

// partEnd is where a part ends that goes on in a text with brackets open.
func partEnd(rest string, depth int) int {
	for _, l := range lex(rest, 0) {
		switch l.tok {
		case token.LPAREN, token.LBRACE, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth--
		case token.SEMICOLON:
			if depth <= 0 {
				return l.end
			}
		}
	}
	return len(rest)
}

// parsable is a text without the parts that Go cannot read, or its declarations
// alone.
func parsable(text string, declarations bool) string {
	b := []byte(text)
	blank := func(from, end int) {
		for i := from; i < end; i++ {
			if b[i] != '\n' {
				b[i] = ' '
			}
		}
	}
	parts, err := split("", text)
	for e := new(Error); errors.As(err, &e); parts, err = split("", string(b)) { // without the lines that upset all
		lines := strings.SplitAfter(string(b), "\n")
		from := len(strings.Join(lines[:e.Line-1], ""))
		if end := from + len(lines[e.Line-1]); strings.TrimSpace(string(b[from:end])) != "" {
			blank(from, end)
			continue
		}
		blank(0, len(b))
	}
	text = string(b)
	for _, p := range parts {
		if status, _ := Status(text[p.start:p.end]); status == "complete" && (!declarations || p.kind != statement && p.kind != packageClause) {
			continue
		}
		blank(p.start, p.end)
	}
	return string(b)
}

// mended completes a part that ends anywhere.
func mended(body string) (string, bool) {
	var closers strings.Builder
	stack := open(body)
	for i := len(stack) - 1; i >= 0; i-- {
		closers.WriteString(map[byte]string{'(': ")", '[': "]", '{': "}"}[body[stack[i]]])
	}
	for _, inner := range []string{"", " {}", "()", ":", "{}", "; true {}", "; {}", " = 0"} {
		for _, outer := range []string{"", " {}", "{}", "()"} {
			part := body + inner + closers.String() + outer
			if status, _ := Status(part); status == "complete" {
				return part, true
			}
		}
	}
	return "", false
}

// operandStart is where the operand begins whose name ends a text: a.b(c)[d].
func operandStart(text string, from int) int {
	list := lex(text[from:], 0)
	for len(list) > 0 && list[len(list)-1].tok == token.SEMICOLON {
		list = list[:len(list)-1]
	}
	at := len(text)
	for i := len(list) - 1; i >= 1 && list[i].tok == token.PERIOD; i-- {
		for i--; i >= 0; i-- { // what is called, indexed or selected
			depth := 0
			for ; i >= 0; i-- {
				switch list[i].tok {
				case token.RPAREN, token.RBRACK, token.RBRACE:
					depth++
				case token.LPAREN, token.LBRACK, token.LBRACE:
					depth--
				}
				if depth <= 0 {
					break
				}
			}
			if i < 0 {
				return at
			}
			at = from + list[i].at
			if list[i].tok == token.IDENT || i == 0 || (list[i-1].tok != token.IDENT && list[i-1].tok != token.RPAREN && list[i-1].tok != token.RBRACK) {
				break
			}
		}
	}
	return at
}

// identifierAt finds the cell's identifier at an offset and the nodes around it,
// the innermost first.
func (r *rewriter) identifierAt(offset int, name string) (found *ast.Ident, nodes []ast.Node) {
	var path []ast.Node
	for _, d := range r.file.Decls {
		ast.Inspect(d, func(n ast.Node) bool {
			if n == nil {
				path = path[:len(path)-1]
				return true
			}
			path = append(path, n)
			id, ok := n.(*ast.Ident)
			if !ok || id.Name != name || r.fset.Position(id.Pos()).Filename != r.u.Name || r.offset(id.Pos()) != offset {
				return true
			}
			if found == nil || r.info.Uses[found] == nil && r.info.Defs[found] == nil || r.run != nil && id.Pos() >= r.run.Pos() {
				found, nodes = id, nil
				for i := len(path) - 1; i >= 0; i-- {
					nodes = append(nodes, path[i])
				}
			}
			return true
		})
	}
	return found, nodes
}

// short names packages by their names.
func short(p *types.Package) string {
	if p.Path() == PackagePath {
		return ""
	}
	return p.Name()
}
