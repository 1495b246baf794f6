package cell

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
)

// Rewrite makes a Go package of a cell. The error is an [*Error], or several
// joined, if it is the cell's. The session does not change until [Unit.Keep].
func (s *Session) Rewrite(text string) (*Unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	s.cells++
	// A variable turns out to have another type only when all is checked: then
	// what mentions it is read anew.
	changed := make(map[string]bool)
	for {
		r := s.rewriter(text, changed)
		known := len(changed)
		for _, step := range []func() error{r.read, r.redeclare, r.check, r.finish} {
			if err := step(); err != nil {
				return nil, err
			}
		}
		if len(changed) == known {
			return r.u, nil
		}
	}
}

func (s *Session) rewriter(text string, changed map[string]bool) *rewriter {
	r := &rewriter{
		s: s, changed: changed,
		u: &Unit{Name: fmt.Sprintf("cell[%d]", s.cells), Number: s.cells, Function: fmt.Sprintf("run%d", s.cells), session: s,
			made: make(map[string]int), symbols: make(map[string]*symbol), imports: maps.Clone(s.imports), dots: slices.Clone(s.dots)},
		own: make(map[string]*symbol), names: make(map[string]bool), inner: make(map[string]bool), bases: make(map[string]bool), selected: make(map[string][]string), imported: make(map[string]bool),
	}
	if r.u.imports == nil {
		r.u.imports = make(map[string]string)
	}
	var directives []mark
	r.text, directives = clean(text)
	for _, d := range directives {
		r.warn(d.at, d.name+" does nothing in a cell")
	}
	return r
}

// rewriter is the work on one cell.
type rewriter struct {
	s     *Session
	u     *Unit
	text  string
	lines []int              // where lines begin
	decls []*symbol          // consts, types, functions, in order
	own   map[string]*symbol // by name; variables too
	stmts []stmt
	names map[string]bool // identifiers of the cell
	inner map[string]bool // identifiers in its declarations
	bases map[string]bool // identifiers before a dot
	// selected are the identifiers behind it, by those before.
	selected map[string][]string
	// imported are the names of the packages that the cell itself imports.
	imported map[string]bool
	calls    []string // functions that run without being called: init, main
	// changed are variables that get another type.
	changed map[string]bool

	// remade are names whose values are made otherwise than they were.
	remade map[string]bool

	carried map[string]*symbol
	// past are variables that the cell uses as they are, before it sets them by := or
	// var, as in x := append(x, 1).
	past  []*symbol
	fset  *token.FileSet
	info  *types.Info
	pkg   *types.Package
	files []*ast.File
	file  *ast.File // the first
	run   *ast.FuncDecl
	edits []edit
}

// stmt is a statement at the top level of a cell.
type stmt struct {
	part
	node ast.Stmt
	// shift is what to add to a position's offset to have the cell's.
	shift int
	fset  *token.FileSet
	// vars are the variables that it declares; define is where its := is.
	vars   []string
	define int
	// prefix and suffix go around a last line of several expressions, of which
	// Go's grammar makes no statement; suffix ends a label without one.
	prefix, suffix string
}

// position is a place in the cell, as an error without its text.
func (r *rewriter) position(offset int) *Error {
	line, found := slices.BinarySearch(r.lineStarts(), offset)
	if !found {
		line--
	}
	return &Error{Name: r.u.Name, Line: line + 1, Column: offset - r.lineStarts()[line] + 1}
}

// place is the offset of a position.
func (r *rewriter) place(e *Error) int { return r.lineStarts()[e.Line-1] + e.Column - 1 }

func (r *rewriter) lineStarts() []int {
	if r.lines == nil {
		r.lines = []int{0}
		for i := range len(r.text) {
			if r.text[i] == '\n' {
				r.lines = append(r.lines, i+1)
			}
		}
	}
	return r.lines
}

func (r *rewriter) errorAt(offset int, text string) *Error {
	e := r.position(offset)
	e.Text = text
	return e
}

func (r *rewriter) warn(offset int, text string) {
	r.u.Warnings = append(r.u.Warnings, r.errorAt(offset, text))
}

// at is the //line directive for an offset of the cell.
func (r *rewriter) at(offset int) string {
	p := r.position(offset)
	return fmt.Sprintf("//line %s:%d:%d\n", p.Name, p.Line, p.Column)
}
