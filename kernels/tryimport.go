package kernels

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tryImport builds a program that imports the public packages of camlib in a
// temporary folder, the way GoNB does, under the given environment.
func (e Env) tryImport(ctx context.Context, env []string) error {
	files, _, err := e.packFiles()
	if err != nil {
		return err
	}
	imports := []string{"github.com/janpfeifer/gonb/gonbui"}
	for _, f := range files {
		dir := filepath.ToSlash(filepath.Dir(f.Path()))
		if strings.HasSuffix(f.Path(), ".go") && strings.HasPrefix(dir+"/", "camlib/") && !strings.Contains(dir+"/", "/internal/") {
			imports = append(imports, ModulePath+"/"+dir)
		}
	}
	slices.Sort(imports)
	var source strings.Builder
	source.WriteString("package main\n\n")
	for _, path := range slices.Compact(imports) {
		fmt.Fprintf(&source, "import _ %q\n", path)
	}
	source.WriteString("\nfunc main() {}\n")
	dir, err := e.mkdirTemp("camlab-import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source.String()), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{{"go", "mod", "init", "cell"}, {"go", "get"}, {"go", "build", "-o", "cell"}} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("import camlib: %s %s: %w: %s", filepath.Base(args[0]), args[1], err, tail(string(out)))
		}
	}
	return nil
}
