// Package cell turns the cells of a notebook into Go packages.
//
// All cells of a session make one package, so that a cell sees what earlier
// cells have declared, unexported names, fields and methods included. Every
// cell is compiled on its own:
//
//   - A variable that a cell declares at its top level, by := or var, becomes a
//     package variable; the statements become a function that sets it.
//   - What earlier cells have declared and the cell uses is declared again: types
//     and constants as they were written, variables with their type alone,
//     functions and methods without a body. A loader gives these the addresses
//     of the first declaration; Unit.Carried lists them.
//   - The last expression is passed to a function that shows it; loops, go
//     statements and calls that would end the process go through package live.
//   - Imports that are not used are left out, missing ones are added. A variable
//     in a function that is not used is a warning.
//
// A variable that is declared again with the same type stays the same variable,
// so that functions of earlier cells see its new value. A function, or a
// variable of another type, that is declared again makes the functions that
// mention it be compiled anew. A type that is declared again with another text
// is a new type; variables of the old one are gone: Unit.Dropped lists them. With
// another method a type is new, too, but its variables stay.
package cell

import (
	"fmt"
	"go/types"
	"maps"
	"slices"
	"strings"
	"sync"
)

// PackagePath is the path of the package that all cells make.
const PackagePath = "cell"

// Session is what the cells so far have declared. Its zero value lacks Importer.
// Its methods may be called from several goroutines.
type Session struct {
	// Importer finds the packages that cells import.
	Importer types.Importer
	// Find names the path of a package that a cell uses without importing it, as
	// the package of these names; nil finds none.
	Find func(name string, uses ...string) (path string, ok bool)
	// Packages lists the paths that cells may import; nil lists none.
	Packages func() []string
	// Dir is the folder of a package's source, or empty; nil knows none.
	Dir func(path string) string
	// Live is the import path of the package that cells call: to show a last
	// expression, to be interrupted, to end. Empty, they do none of this.
	Live string

	mu      sync.Mutex
	symbols map[string]*symbol
	imports map[string]string // paths by the names that cells have given them
	dots    []string          // paths of dot imports
	aliases map[string]string // paths by the names under which compiled text has them
	gone    map[string]string // why a name is there no longer
	cells   int
	docs    docs
	export  bool // cells become a program, without package live
}

// symbol is a declaration that lives on. Methods are named "T.m".
type symbol struct {
	name   string
	kind   kind
	source string // of the declaration, as it was written
	doc    string // the comment above it
	text   string // of the whole declaration, as it is compiled
	head   string // what stands for it in later cells
	// uses are the names in head, for packages with their paths; needs are those
	// in text.
	uses, needs map[string]string
	typ         types.Type // of a variable
	// from and end are where a declaration is in the cell that is being read,
	// body is where a function's body begins, if later cells do without.
	from, body, end int
	group           []mark // the names of a group of constants
	// pending says that the declaration is not in the process: it is compiled when
	// a cell uses it.
	pending bool
	// again says that an earlier cell's declaration is compiled with this one.
	again bool
	// hidden is a declaration of the session's own.
	hidden bool
}

// mark is where a name is in a text.
type mark struct {
	name string
	at   int
}

// Unit is a cell made into Go. Its file has //line directives for its own lines
// and for those of earlier cells.
type Unit struct {
	// Name is the cell's in errors and traces, such as "cell[3]". Number is the
	// number in it.
	Name   string
	Number int
	// Files are the files of the package.
	Files [][]byte
	// Function is the name of the function that runs the cell's statements.
	Function string
	// Imports are the paths of the packages that Files import.
	Imports []string
	// Carried are the names that earlier cells have declared: variables,
	// functions, types; methods as "T.m".
	Carried []string
	// Declared are the names that this cell declares anew.
	Declared []string
	// Dropped are variables of a type that this cell declares anew, and what can no
	// longer be compiled.
	Dropped []string
	// Flags are the names of the flags that the cell defines.
	Flags []string
	// Warnings do not keep the cell from running.
	Warnings []*Error

	session *Session
	made    map[string]int // the line at which a variable is made
	blanks  []string       // paths that it imports for what they do when loaded
	symbols map[string]*symbol
	imports map[string]string
	dots    []string
}

// Keep makes what the unit declares known to the cells after it. Call it when
// the unit has been loaded: its variables exist even if it fails then.
func (u *Unit) Keep() {
	s := u.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	for _, name := range u.Dropped {
		delete(s.symbols, name)
		s.gone[name] = fmt.Sprintf("%s is gone since %s declared anew what it is made of", name, u.Name)
	}
	for _, name := range u.Declared {
		for old := range s.symbols { // the methods go with their type
			if strings.HasPrefix(old, name+".") {
				delete(s.symbols, old)
			}
		}
	}
	maps.Copy(s.symbols, u.symbols)
	for name := range u.symbols {
		delete(s.gone, name)
	}
	s.imports, s.dots = u.imports, u.dots
}

func (s *Session) init() {
	if s.symbols == nil {
		s.symbols, s.aliases, s.gone = make(map[string]*symbol), make(map[string]string), make(map[string]string)
	}
}

// SetNumber makes n the number of the next cell. Numbers only grow while a
// process lives.
func (s *Session) SetNumber(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cells = n - 1
}

// Names are the names that live on, sorted.
func (s *Session) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(s.names(), func(n string) bool { return s.symbols[n].hidden })
}

func (s *Session) names() []string { return slices.Sorted(maps.Keys(s.symbols)) }

// TypeOf is the type of a variable that lives on, or nil.
func (s *Session) TypeOf(name string) types.Type {
	s.mu.Lock()
	defer s.mu.Unlock()
	if y := s.symbols[name]; y != nil {
		return y.typ
	}
	return nil
}

// Restart says that the process has ended: the values of variables are lost,
// which it lists. Types, constants and functions are compiled again when a cell
// uses them, so that text, a cell that declares them, is empty.
func (s *Session) Restart() (lost []string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	for _, name := range s.names() {
		y := s.symbols[name]
		if y.kind != varDecl {
			again := *y
			again.pending = true
			s.symbols[name] = &again
			continue
		}
		lost = append(lost, name)
		delete(s.symbols, name)
		s.gone[name] = name + " was lost when the process that held it ended: run the cell that makes it again"
	}
	return lost, ""
}

// Forget takes names away, types with their methods; without names all, imports
// too.
func (s *Session) Forget(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	if len(names) == 0 {
		names, s.imports, s.dots = s.names(), nil, nil
	}
	for _, name := range names {
		for _, old := range s.names() {
			if old == name || strings.HasPrefix(old, name+".") {
				s.remove(old, old+" has been taken away")
			}
		}
	}
}

// Failed says that a unit that is kept has ended at a line of its cell: variables
// that it would have made there or later are not there, and are returned.
func (u *Unit) Failed(line int) (unmade []string) {
	s := u.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range u.Declared {
		if end := u.made[name]; end >= line && s.symbols[name] != nil {
			unmade = append(unmade, name)
			s.remove(name, fmt.Sprintf("%s was not made: %s failed before, at line %d", name, u.Name, line))
		}
	}
	return unmade
}

// remove takes a name away. Functions that mention it, and who calls them, are
// compiled again when a cell uses them, with what has the name then.
func (s *Session) remove(name, why string) {
	delete(s.symbols, name)
	s.gone[name] = why
	stale := map[string]bool{name: true}
	for grown := true; grown; {
		grown = false
		for other, y := range s.symbols {
			if y.kind != funcDecl || stale[other] {
				continue
			}
			for word := range y.needs {
				if stale[word] {
					again := *y
					again.pending = true
					s.symbols[other], stale[other], grown = &again, true, true
					break
				}
			}
		}
	}
}

// alias is the name under which compiled text has a package. No two packages
// have the same.
func (s *Session) alias(path, name string) string {
	alias := name + "_"
	for n := 2; s.aliases[alias] != "" && s.aliases[alias] != path; n++ {
		alias = fmt.Sprintf("%s_%d", name, n)
	}
	s.aliases[alias] = path
	return alias
}

// qualifier names packages as compiled text does.
func (s *Session) qualifier(p *types.Package) string {
	if p.Path() == PackagePath {
		return ""
	}
	return s.alias(p.Path(), p.Name())
}

// packagesIn are the packages that a compiled text names, by their aliases.
func (s *Session) packagesIn(words map[string]bool) map[string]string {
	m := make(map[string]string)
	for w := range words {
		if path := s.aliases[w]; path != "" {
			m[w] = path
		}
	}
	return m
}
