package cell

import (
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/analysis/passes/printf"
)

// printf warns of calls whose format does not fit the values, as go vet does.
func (r *rewriter) printf() {
	pass := &analysis.Pass{
		Fset: r.fset, Files: r.files, Pkg: r.pkg, TypesInfo: r.info, TypesSizes: types.SizesFor("gc", "amd64"),
		ResultOf:          make(map[*analysis.Analyzer]any),
		ImportPackageFact: func(*types.Package, analysis.Fact) bool { return false },
		ExportPackageFact: func(analysis.Fact) {},
		AllObjectFacts:    func() []analysis.ObjectFact { return nil },
		AllPackageFacts:   func() []analysis.PackageFact { return nil },
	}
	facts := make(map[types.Object]analysis.Fact) // of the cell's own functions
	pass.ExportObjectFact = func(obj types.Object, f analysis.Fact) { facts[obj] = f }
	pass.ImportObjectFact = func(obj types.Object, f analysis.Fact) bool {
		known, ok := facts[obj]
		if ok {
			reflect.ValueOf(f).Elem().Set(reflect.ValueOf(known).Elem())
		}
		return ok
	}
	pass.Analyzer = inspect.Analyzer
	inspected, err := inspect.Analyzer.Run(pass)
	if err != nil {
		return
	}
	pass.ResultOf[inspect.Analyzer] = inspected
	pass.Analyzer = printf.Analyzer
	pass.Report = func(d analysis.Diagnostic) {
		if p := r.fset.Position(d.Pos); p.Filename == r.u.Name {
			r.warn(r.offset(d.Pos), strings.TrimPrefix(d.Message, PackagePath+"."))
		}
	}
	_, _ = printf.Analyzer.Run(pass) // what it cannot look at it does not warn of
}
