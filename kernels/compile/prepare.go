package compile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/camlab-go/camlab/internal/atomicfile"
)

// modulePath is the module of camlab, and hostPath the program in which cells run.
const (
	modulePath = "github.com/camlab-go/camlab"
	hostPath   = modulePath + "/kernels/host"
)

// goVersion is the release of Go whose object files package loader reads.
const goVersion = "go1.26"

// hostFlags keep in the program what cells may need: the linker leaves out maps
// that nothing in the program uses otherwise, and the initialization of a map
// runs once. Debugging tables are of no use.
const hostFlags = "-ldflags=-w -pruneweakmap=false"

// ErrUnsupported says that cells cannot be loaded into a running program here.
var ErrUnsupported = errors.New("want Go 1.26 on linux/amd64")

// Source is where cells import camlib from.
type Source struct {
	// Version is that of the packed module that GOPROXY offers.
	Version string
	// Checkout, if not empty, is the folder of a checkout to be used instead.
	Checkout string
}

// state is what Prepare has found out, in its folder's file packages.json.
type state struct {
	GoVersion string             `json:"go_version"`
	Compiler  string             `json:"compiler"` // the program
	Source    Source             `json:"source"`
	Packages  map[string]Package `json:"packages"`
}

// Supported reports whether cells can stay in one process with the go command of
// env; the error says why not and wraps ErrUnsupported.
func Supported(ctx context.Context, env []string) error {
	got, err := goEnv(ctx, "", env, "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return err
	}
	if got[1] != "linux" || got[2] != "amd64" || got[0] != goVersion && !strings.HasPrefix(got[0], goVersion+".") {
		return fmt.Errorf("compile: this is %s on %s/%s, %w", got[0], got[1], got[2], ErrUnsupported)
	}
	return nil
}

// Prepare makes dir what Open needs: a module that requires camlab, the program in
// which cells run, and the list of compiled packages. A folder that is up to date
// is left alone. env is the environment of the go commands: the kernel's.
func Prepare(ctx context.Context, dir string, src Source, env []string) (changed bool, err error) {
	fail := func(err error) (bool, error) { return false, fmt.Errorf("compile: %s: %w", dir, err) }
	if err := Supported(ctx, env); err != nil {
		return false, err
	}
	got, err := goEnv(ctx, "", env, "GOVERSION", "GOTOOLDIR")
	if err != nil {
		return fail(err)
	}
	want := state{GoVersion: got[0], Compiler: filepath.Join(got[1], "compile"), Source: src}
	if old, err := readState(dir); err == nil && src.Checkout == "" &&
		old.GoVersion == want.GoVersion && old.Compiler == want.Compiler && old.Source == src && old.missing() == "" {
		if _, err := os.Stat(filepath.Join(dir, hostName)); err == nil {
			return false, nil
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(err)
	}
	commands := [][]string{{"mod", "init", "cell"}}
	if src.Checkout != "" {
		commands = append(commands, []string{"mod", "edit", "-require=" + modulePath + "@v0.0.0", "-replace=" + modulePath + "=" + src.Checkout})
	} else {
		commands = append(commands, []string{"get", hostPath + "@" + src.Version})
	}
	commands = append(commands, []string{"build", "-mod=mod", hostFlags, "-o", hostName, hostPath})
	for _, args := range commands {
		if _, err := goCommand(ctx, dir, env, args...); err != nil {
			return fail(err)
		}
	}
	if want.Packages, err = list(ctx, dir, env, "std", hostPath, modulePath+"/camlib/..."); err != nil {
		return fail(err)
	}
	text, err := json.Marshal(want)
	if err != nil {
		return fail(err)
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, Ready), text); err != nil {
		return fail(err)
	}
	return true, nil
}

// Ready is the file that Prepare writes last.
const Ready = "packages.json"

const hostName = "host"

func readState(dir string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, Ready))
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", Ready, err)
	}
	return &s, nil
}

// missing is a package whose compiled file is gone from Go's build cache, which
// forgets what has not been used for days; or empty.
func (s *state) missing() string {
	for path, p := range s.Packages {
		if _, err := os.Stat(p.Export); err != nil {
			return path
		}
	}
	return ""
}

// list has the go command compile packages and what they need.
func list(ctx context.Context, dir string, env []string, patterns ...string) (map[string]Package, error) {
	out, err := goCommand(ctx, dir, env, append([]string{"list", "-mod=mod", "-export", "-deps",
		"-f", "{{if .Export}}{{.ImportPath}}\t{{.Name}}\t{{.Export}}\t{{.Dir}}{{end}}"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	packages := make(map[string]Package)
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 {
			packages[f[0]] = Package{Name: f[1], Export: f[2], Dir: f[3]}
		}
	}
	return packages, nil
}

func goEnv(ctx context.Context, dir string, env []string, names ...string) ([]string, error) {
	out, err := goCommand(ctx, dir, env, append([]string{"env"}, names...)...)
	if err != nil {
		return nil, err
	}
	values := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(values) != len(names) {
		return nil, fmt.Errorf("go env printed %d lines, want %d", len(values), len(names))
	}
	return values, nil
}

// goCommand runs the go command and returns what it prints.
func goCommand(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, lookPath("go", env), args...)
	cmd.Dir, cmd.Env = dir, env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second // what it has started may live on
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("go %s: %w", args[0], ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// lookPath finds a program in the PATH of env.
func lookPath(name string, env []string) string {
	path := os.Getenv("PATH")
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}
