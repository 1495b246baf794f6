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
//   - The last expression is passed to a function that shows it.
//   - Imports that are not used are left out, missing ones are added. A variable
//     in a function that is not used is a warning.
//
// A variable that is declared again with the same type stays the same variable,
// so that functions of earlier cells see its new value. A function, or a
// variable of another type, that is declared again makes the functions that
// mention it be compiled anew. A type that is declared again with another text
// is a new type; variables of the old one are gone: Unit.Dropped lists them.
package cell

import (
	"go/types"
	"maps"
	"slices"
	"strings"
)

// PackagePath is the path of the package that all cells make.
const PackagePath = "cell"

// Session is what the cells so far have declared. Its zero value lacks Importer.
type Session struct {
	// Importer finds the packages that cells import.
	Importer types.Importer
	// Find names the path of a package that a cell uses without importing it;
	// nil finds none.
	Find func(name string) (path string, ok bool)
	// Shower is the import path of the package whose functions Value, Pair and
	// Check take a last expression: of one value, of values with an error
	// after them, and of an error alone.
	Shower string

	symbols map[string]*symbol
	imports map[string]string // paths by the names that cells have given them
	dots    []string          // paths of dot imports
	cells   int
}

// symbol is a declaration that lives on. Methods are named "T.m".
type symbol struct {
	name string
	kind kind
	text string // of the whole declaration, as it was written
	head string // what stands for it in later cells
	// uses are the names in head, for packages with their paths; needs are those
	// in text.
	uses, needs map[string]string
	typ         types.Type // of a variable
	// from and end are where a declaration is in the cell that is being read.
	from, end int
}

// Unit is a cell made into Go. Its files have //line directives for its own
// lines and for those of earlier cells.
type Unit struct {
	// Name is the cell's in errors and traces, such as "cell[3]".
	Name string
	// Files are the files of the package: the cell's and those that declare
	// again what it uses.
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
	// Dropped are variables of a type that this cell declares anew.
	Dropped []string
	// Warnings do not keep the cell from running.
	Warnings []*Error

	session *Session
	symbols map[string]*symbol
	imports map[string]string
	dots    []string
}

// Keep makes what the unit declares known to the cells after it. Call it when
// the unit has been loaded: its variables exist even if it fails then.
func (u *Unit) Keep() {
	s := u.session
	if s.symbols == nil {
		s.symbols = make(map[string]*symbol)
	}
	for _, name := range u.Dropped {
		delete(s.symbols, name)
	}
	for _, name := range u.Declared {
		for old := range s.symbols { // the methods go with their type
			if strings.HasPrefix(old, name+".") {
				delete(s.symbols, old)
			}
		}
	}
	maps.Copy(s.symbols, u.symbols)
	s.imports, s.dots = u.imports, u.dots
}

// Names are the names that live on, sorted.
func (s *Session) Names() []string { return slices.Sorted(maps.Keys(s.symbols)) }

// TypeOf is the type of a variable that lives on, or nil.
func (s *Session) TypeOf(name string) types.Type {
	if y := s.symbols[name]; y != nil {
		return y.typ
	}
	return nil
}
