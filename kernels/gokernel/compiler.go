package main

import (
	"errors"
	"go/types"

	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/kernels/cell"
)

// compiler makes cells into what the cell process loads.
type compiler interface {
	// Importer and Find are those of cell.Session.
	Importer() types.Importer
	Find(name string) (path string, ok bool)
	// Compile returns the file of the compiled package and those of the packages
	// that it needs, by import path.
	Compile(u *cell.Unit) (archive string, packages map[string]string, err error)
	// Host is the command that is the cell process.
	Host() (path string, args, env []string)
}

// live is the package that cells call.
const live = "github.com/camlab-go/camlab/camlib/notebook/live"

// compilerOptions are the flags that the compiler needs.
type compilerOptions struct{ host string }

func (o *compilerOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.host, "host", "", "the program in which cells run")
}

// newCompiler is set by the compiler's package.
var newCompiler = func(o compilerOptions) (compiler, error) {
	return nil, errors.New("no compiler in this program")
}
