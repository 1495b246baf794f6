package kernels

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// CheckImport builds, in an empty folder and with no network, a program that
// imports the public packages of camlib under the settings of an installed kernel:
// what the first cell of a notebook anywhere depends on.
func (e Env) CheckImport(ctx context.Context) error {
	vars, err := e.installedVars()
	if err != nil {
		return err
	}
	if err := e.tryImport(ctx, e.kernelEnv(offline(vars))); err != nil {
		return fmt.Errorf("kernels: %w", err)
	}
	return nil
}

// offline cuts the proxies that are not files out of Vars.
func offline(vars []string) []string {
	out := slices.Clone(vars)
	for i, v := range out {
		list, ok := strings.CutPrefix(v, "GOPROXY=")
		if !ok {
			continue
		}
		proxies := slices.DeleteFunc(strings.Split(list, ","), func(p string) bool { return !strings.HasPrefix(p, "file://") })
		out[i] = "GOPROXY=" + strings.Join(append(proxies, "off"), ",")
	}
	return out
}

// tryImport builds a program that imports the public packages of camlib in a
// temporary folder, the way GoNB does, under the given environment. Then it
// runs more commands there.
func (e Env) tryImport(ctx context.Context, env []string, more ...[]string) error {
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
	commands := [][]string{{"go", "mod", "init", "cell"}, {"go", "get"}, {"go", "build", "-o", "cell"}}
	for _, args := range append(commands, more...) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("import camlib: %s %s: %w: %s", filepath.Base(args[0]), args[1], err, tail(string(out)))
		}
	}
	return nil
}
