package main

import (
	"context"
	"go/types"
	"os"

	"github.com/camlab-go/camlab/kernels/cell"
	"github.com/camlab-go/camlab/kernels/compile"
)

// compiler is what the kernel needs of [compile.Compiler].
type compiler interface {
	Ready() error
	Importer() types.Importer
	Within(ctx context.Context)
	Find(name string, uses ...string) (path string, ok bool)
	Packages() []string
	Dir(path string) string
	Compile(ctx context.Context, u *cell.Unit) (archive string, err error)
	Files() map[string]string
	Module() string
	Host() string
}

// open makes the compiler of a session: from a folder that `camlab setup` has made,
// with a folder of its own. It says what takes long.
var open = func(cells, work string, say func(line string)) compiler {
	return compile.Open(cells, work, os.Environ(), say)
}

// live is the package that cells call.
const live = "github.com/camlab-go/camlab/camlib/notebook/live"

// unready is a compiler of which nothing can be had.
type unready struct {
	compiler
	err error
}

func (u unready) Ready() error { return u.err }
