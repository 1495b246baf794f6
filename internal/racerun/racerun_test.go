package racerun

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const word = "Concurrent"

// TestRaceRun is the rule: a test that starts goroutines has the word in its name, and so has
// a test that reaches each function which starts some, if any test of its package does. What
// reaches what is told from the names in the source, so a name may stand for too much. It
// is no matter of tests that run notebooks, of the benchmarks, and of packages whose tests
// build their program with the detector.
func TestRaceRun(t *testing.T) {
	chosen := 0
	for dir, files := range packages(t, filepath.Join("..", "..")) {
		p := newPackage(files)
		if p.builds {
			continue
		}
		for _, d := range p.decls {
			if d.isTest() && d.isChosen() {
				chosen++
			}
			switch reached := p.reaches(d); {
			case !d.starts:
			case d.isTest() && !d.isChosen():
				t.Errorf("%s: %s starts goroutines: name it Test%s…, so that the race detector sees it", dir, d.name, word)
			case !d.inTest && len(reached) > 0 && !slices.ContainsFunc(reached, (*decl).isChosen):
				t.Errorf("%s: %s starts goroutines, and %s runs it, but no Test%s…: the race detector sees none", dir, d.name, reached[0].name, word)
			}
		}
	}
	if chosen < 5 {
		t.Errorf("%d tests with %s in their names, want more", chosen, word)
	}
}

// packages returns the files of the folders of the module's packages.
func packages(t *testing.T, root string) map[string][]*ast.File {
	t.Helper()
	all := make(map[string][]*ast.File)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name := e.Name()
		switch {
		case err != nil:
			return err
		case e.IsDir() && (name == "out" || name == "bench" || name == "testdata" || name != ".." && strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f.Name.Name = name // of the file, which nothing else tells
		dir := filepath.ToSlash(filepath.Dir(path))
		all[dir] = append(all[dir], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// decl is a function, a method, or the variables of a package.
type decl struct {
	name   string
	inTest bool // in a test file
	starts bool // goroutines
	uses   map[string]bool
}

func (d *decl) isTest() bool {
	return d.inTest && strings.HasPrefix(d.name, "Test") && !strings.HasPrefix(d.name, "TestNotebook") && d.name != "TestMain"
}
func (d *decl) isChosen() bool { return d.isTest() && strings.Contains(d.name, word) }

// pkg is a package, with its tests, from outside too.
type pkg struct {
	decls  []*decl
	builds bool // a program with the race detector, to test it
	byName map[string][]*decl
}

func newPackage(files []*ast.File) *pkg {
	p := &pkg{byName: make(map[string][]*decl)}
	for _, f := range files {
		imported := make(map[string]bool)
		for _, i := range f.Imports {
			name := strings.Trim(i.Path.Value, `"`)
			name = name[strings.LastIndex(name, "/")+1:]
			if i.Name != nil {
				name = i.Name.Name
			}
			imported[name] = true
		}
		inTest := strings.HasSuffix(f.Name.Name, "_test.go")
		ast.Inspect(f, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			p.builds = p.builds || inTest && ok && text.Value == `"-race"`
			return true
		})
		for _, node := range f.Decls {
			switch node := node.(type) {
			case *ast.FuncDecl:
				p.add(newDecl(node.Name.Name, node, imported, inTest))
			case *ast.GenDecl:
				for _, s := range node.Specs {
					if v, ok := s.(*ast.ValueSpec); ok {
						for _, name := range v.Names {
							p.add(newDecl(name.Name, v, imported, inTest))
						}
					}
				}
			}
		}
	}
	return p
}

func (p *pkg) add(d *decl) {
	p.decls = append(p.decls, d)
	p.byName[d.name] = append(p.byName[d.name], d)
}

// newDecl looks through a declaration. What starts goroutines is a go statement, the method Go
// of an errgroup.Group or sync.WaitGroup, and parallel.Each.
func newDecl(name string, node ast.Node, imported map[string]bool, inTest bool) *decl {
	d := &decl{name: name, inTest: inTest, uses: make(map[string]bool)}
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			d.starts = true
		case *ast.Ident:
			d.uses[n.Name] = true
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok {
				of, _ := f.X.(*ast.Ident)
				qualified := of != nil && imported[of.Name]
				d.starts = d.starts || f.Sel.Name == "Go" && len(n.Args) == 1 && !qualified || qualified && of.Name == "parallel" && f.Sel.Name == "Each"
			}
		}
		return true
	})
	return d
}

// reaches returns the tests that may run a declaration, in the order of their names.
func (p *pkg) reaches(target *decl) (tests []*decl) {
	if !target.starts {
		return nil
	}
	for _, d := range p.decls {
		if !d.isTest() {
			continue
		}
		seen := map[*decl]bool{d: true}
		next := append([]*decl{d}, slices.Concat(p.byName["init"], p.byName["TestMain"])...)
		for len(next) > 0 {
			from := next[0]
			next = next[1:]
			seen[from] = true
			for name := range maps.Keys(from.uses) {
				for _, to := range p.byName[name] {
					if !seen[to] {
						seen[to] = true
						next = append(next, to)
					}
				}
			}
		}
		if seen[target] {
			tests = append(tests, d)
		}
	}
	slices.SortFunc(tests, func(a, b *decl) int { return strings.Compare(a.name, b.name) })
	return tests
}
