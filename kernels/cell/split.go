package cell

import (
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
)

// kind says what a part of a cell is.
type kind int

const (
	statement kind = iota
	importDecl
	constDecl
	typeDecl
	varDecl
	funcDecl
	packageClause
)

// part is a declaration or statement at the top level of a cell.
type part struct {
	kind       kind
	start, end int // bytes of the cell
	quiet      bool
}

// split cuts a cell's text into its declarations and statements. A part that a
// semicolon of the reader's ends is quiet: it does not show itself.
func split(name, text string) ([]part, error) {
	var (
		s      scanner.Scanner
		first  error
		fset   = token.NewFileSet()
		file   = fset.AddFile(name, -1, len(text))
		parts  []part
		tokens []token.Token // of the part so far
		depth  int
		start  = -1
		end    int
	)
	s.Init(file, []byte(text), func(pos token.Position, msg string) {
		if first == nil {
			first = &Error{Name: name, Line: pos.Line, Column: pos.Column, Text: msg,
				Incomplete: msg == "raw string literal not terminated" || msg == "comment not terminated"}
		}
	}, 0)
	for {
		pos, tok, lit := s.Scan()
		if first != nil {
			return nil, first
		}
		at := file.Offset(pos)
		if start < 0 && tok != token.SEMICOLON && tok != token.EOF {
			start = at
		}
		if tok == token.EOF || tok == token.SEMICOLON && depth == 0 && (lit != ";" || !header(tokens, text[max(start, 0):at])) {
			if start >= 0 {
				parts = append(parts, part{kindOf(tokens), start, end, lit == ";"})
			}
			start, tokens = -1, tokens[:0]
			if tok == token.EOF {
				break
			}
			continue
		}
		switch tok {
		case token.LPAREN, token.LBRACE, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth--
		}
		if depth < 0 {
			p := file.Position(pos)
			return nil, &Error{Name: name, Line: p.Line, Column: p.Column, Text: fmt.Sprintf("unexpected %s, want no more than are open", tok)}
		}
		tokens = append(tokens, tok)
		if lit == "" {
			lit = tok.String()
		}
		if end = at + len(lit); tok == token.SEMICOLON {
			end = at
		}
	}
	if depth > 0 {
		at := open(text)[0]
		p := file.Position(file.Pos(at))
		return nil, &Error{Name: name, Line: p.Line, Column: p.Column, Text: text[at:at+1] + " is not closed", Incomplete: true}
	}
	return parts, nil
}

// open are the offsets of the brackets that are not closed in a text, which may
// end anywhere.
func open(text string) (stack []int) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	s.Init(file, []byte(text), func(token.Position, string) {}, 0)
	for {
		pos, tok, _ := s.Scan()
		switch tok {
		case token.EOF:
			return stack
		case token.LPAREN, token.LBRACE, token.LBRACK:
			stack = append(stack, file.Offset(pos))
		case token.RPAREN, token.RBRACE, token.RBRACK:
			stack = stack[:max(0, len(stack)-1)]
		}
	}
}

// header reports whether a semicolon after the text is one of those in the head
// of an if, for or switch.
func header(tokens []token.Token, text string) bool {
	if !slices.ContainsFunc(tokens, func(t token.Token) bool { return t == token.IF || t == token.FOR || t == token.SWITCH }) {
		return false
	}
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() {\n"+text+"\n}", parser.SkipObjectResolution)
	return err != nil
}

// kindOf tells a declaration by its first tokens. A function literal that is
// called is a statement.
func kindOf(tokens []token.Token) kind {
	switch tokens[0] {
	case token.PACKAGE:
		return packageClause
	case token.IMPORT:
		return importDecl
	case token.CONST:
		return constDecl
	case token.TYPE:
		return typeDecl
	case token.VAR:
		return varDecl
	case token.FUNC:
		if len(tokens) > 1 && tokens[1] == token.IDENT {
			return funcDecl
		}
		// func (receiver) name(...), or a literal: func(...) {...}(...)
		depth := 0
		for i, t := range tokens[1:] {
			switch t {
			case token.LPAREN:
				depth++
			case token.RPAREN:
				depth--
			}
			if depth == 0 {
				if rest := tokens[i+2:]; len(rest) > 1 && rest[0] == token.IDENT && rest[1] == token.LPAREN {
					return funcDecl
				}
				break
			}
		}
	}
	return statement
}

// Error is a mistake in a cell. Line and Column count from 1, Column in bytes.
type Error struct {
	Name         string // of the cell
	Line, Column int
	Text         string
	// Help is how to mend it, or empty.
	Help string
	// Incomplete reports whether more text could mend it.
	Incomplete bool
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Text) }
