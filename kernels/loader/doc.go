// Package loader loads compiled Go packages into the running program, so that the
// cells of a notebook live in one process.
//
// It does what cmd/link does, in memory: it reads the objects that the compiler
// has written, gives each symbol an address, and tells the runtime of the new
// functions, types and variables. A symbol is looked for in this order:
//
//  1. what the cell itself declares,
//  2. what has been loaded before,
//  3. the running program,
//  4. the archive of its package: functions and types that the linker has left out
//     of the program are loaded from there, packages that it lacks are loaded whole.
//
// The program must be linked so that it can be looked into:
//
//   - It imports package plugin, even as _. The linker then keeps all exported
//     methods, and the symbol table has the types, and the packages with a hash of
//     what they export.
//   - -ldflags=-pruneweakmap=false. The linker otherwise leaves out map variables
//     that the program does not use, and their initialization with them.
//   - Not with -s, which leaves out the symbol table; and not as PIE.
//
// What is loaded stays until the program ends.
//
// The format of objects and the structures of the runtime are those of Go 1.26 on
// linux/amd64. Elsewhere New fails.
package loader

// Cell is a compiled package of cells. All cells are one package for the
// compiler: what one of them declares is known to those that come later.
type Cell struct {
	// Package is the path by which the cells are compiled.
	Package string
	// Archive is the compiler's output, made with -pack.
	Archive string
	// Function is the function of the package that runs the cell. It has neither
	// parameters nor results.
	Function string
	// Carried are the names that earlier cells have declared and this one mentions;
	// Declared those that it declares. A method of T is "T.m".
	Carried, Declared []string
}
