package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels"
)

// The states of a check. Only stateFailed makes the command fail.
const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateFailed  = "failed"
)

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"`
}

const mendSetup = "run `camlab setup`"

func newDoctor() *cobra.Command {
	var asJSON bool
	var probe string
	var sample bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that notebooks and training depend on",
		Long: `Doctor checks everything that notebooks and training depend on and says what
mends what is missing. Outside a checkout, as with a release, it checks what the
command line alone needs: the XLA plugin and the data.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if probe != "" {
				return probeBackend(cmd, probe)
			}
			if sample {
				return timeSample(cmd)
			}
			env, err := kernels.FindEnv()
			outside := err != nil
			failed := false
			var all []finding
			for _, check := range checks {
				if outside && !check.outside {
					continue
				}
				f := check.run(cmd.Context(), env)
				f.Check = check.name
				failed = failed || f.State == stateFailed
				all = append(all, f)
				if !asJSON {
					fmt.Fprintln(cmd.OutOrStdout(), f)
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), all); err != nil {
					return err
				}
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	c.Flags().StringVar(&probe, "probe", "", "run one small computation on this backend and print what ran it")
	c.Flags().BoolVar(&sample, "sample", false, "for each line of input do a piece of a training step and print the seconds it took")
	for _, own := range []string{"probe", "sample"} {
		_ = c.Flags().MarkHidden(own) // fails only for a flag that does not exist
	}
	return c
}

func (f finding) String() string {
	line := fmt.Sprintf("%-8s %-15s %s", f.State, f.Check, f.Detail)
	if f.Mend != "" {
		line += "; " + f.Mend
	}
	return line
}

// checks in the order in which one depends on another.
var checks = []struct {
	name    string
	run     func(context.Context, kernels.Env) finding
	outside bool // needs no checkout; the environment is then the zero one
}{
	{"checkout", checkCheckout, true},
	{"Go", checkGo, false},
	{"gcc", checkGCC, false},
	{"disk space", checkDisk, false},
	{"Jupyter", checkJupyter, false},
	{"GoNB", programCheck("gonb", stateFailed, "no cell runs without it", mendSetup), false},
	{"goimports", programCheck("goimports", stateFailed, "no cell runs without it", mendSetup), false},
	{"gopls", programCheck("gopls", stateWarning, "no completion and help in JupyterLab", "run `camlab setup --lab`"), false},
	{"XLA plugin", checkPlugin, true},
	{"kernels", checkKernels, false},
	{"import camlib", checkImport, false},
	{"data", checkData, true},
}

func checkCheckout(_ context.Context, env kernels.Env) finding {
	if env.Root == "" {
		return warning("run camlab inside one for notebooks", "none here; what notebooks need is not checked")
	}
	return ok("%s", env.Root)
}

func ok(format string, args ...any) finding {
	return finding{State: stateOK, Detail: fmt.Sprintf(format, args...)}
}

func failed(mend, format string, args ...any) finding {
	return finding{State: stateFailed, Detail: fmt.Sprintf(format, args...), Mend: mend}
}

func warning(mend, format string, args ...any) finding {
	return finding{State: stateWarning, Detail: fmt.Sprintf(format, args...), Mend: mend}
}

// checkGo has the go command load go.mod, which it refuses to when it is older
// than go.mod wants.
func checkGo(ctx context.Context, env kernels.Env) finding {
	out, err := output(ctx, env.Root, "go", "version")
	if err == nil {
		_, err = output(ctx, env.Root, "go", "list", "-m")
	}
	if err != nil {
		return failed("install Go from https://go.dev/dl and put it into PATH", "%v", err)
	}
	return ok("%s", strings.TrimPrefix(out, "go version "))
}

func checkGCC(ctx context.Context, env kernels.Env) finding {
	const mend = "install gcc (Debian: apt install gcc)"
	out, err := output(ctx, env.Root, "gcc", "-dumpfullversion")
	if err != nil {
		return failed(mend, "%v", err)
	}
	cgo, err := output(ctx, env.Root, "go", "env", "CGO_ENABLED")
	if err == nil && cgo != "1" {
		return failed("unset CGO_ENABLED", "gcc %s, but Go does not use it (CGO_ENABLED=%s)", out, cgo)
	}
	return ok("gcc %s", out)
}

func checkDisk(_ context.Context, env kernels.Env) finding {
	const gb = 1e9
	var stat syscall.Statfs_t
	if err := syscall.Statfs(env.Root, &stat); err != nil {
		return warning("", "unknown: %v", err)
	}
	free := float64(stat.Bavail) * float64(stat.Bsize) / gb
	switch { // the environment takes 0.5 GB, Go's caches 1.5 GB, CIFAR-10 0.2 GB
	case free < 0.5:
		return failed("free some space", "%.1f GB free beside %s", free, env.Root)
	case free < 3:
		return warning("a first setup needs about 2 GB", "%.1f GB free beside %s", free, env.Root)
	}
	return ok("%.0f GB free", free)
}

func checkJupyter(ctx context.Context, env kernels.Env) finding {
	const ask = `import importlib.metadata as m; print("JupyterLab", m.version("jupyterlab") + ", nbconvert", m.version("nbconvert"))`
	out, err := output(ctx, env.Root, env.Bin("python"), "-c", ask)
	if err != nil {
		return failed(mendSetup, "%v", err)
	}
	return ok("%s", out)
}

// programCheck looks for a program in the environment, where the kernels look
// for it first.
func programCheck(name, state, without, mend string) func(context.Context, kernels.Env) finding {
	return func(_ context.Context, env kernels.Env) finding {
		path, err := exec.LookPath(env.Bin(name))
		if err != nil {
			return finding{State: state, Detail: "no " + env.Bin(name) + ": " + without, Mend: mend}
		}
		return ok("%s", path)
	}
}

// checkPlugin loads the plugin in a process of its own, which a broken library
// may take down.
func checkPlugin(ctx context.Context, env kernels.Env) finding {
	if !plugin.Loads {
		return warning("", "none: this camlab was built without cgo, which loads one, so the pure-Go backend computes, tens of times slower")
	}
	path, source, err := plugin.Find("cpu")
	if err != nil {
		return warning(mendSetup+", or name the folder of one in "+plugin.PathEnv, "none: the pure-Go backend computes, tens of times slower")
	}
	exe, err := os.Executable()
	if err != nil {
		return warning("", "%s, not loaded: %v", path, err)
	}
	out, err := output(ctx, env.Root, exe, "doctor", "--probe", camlib.XLACPU)
	if err != nil {
		return failed(fmt.Sprintf("remove %s and run `camlab setup`", path), "%s (%s) does not compute: %v", path, source, err)
	}
	flags, err := os.ReadFile(filepath.Join(filepath.Dir(path), plugin.FlagsFile))
	if err == nil {
		source += ", XLA_FLAGS=" + strings.TrimSpace(string(flags))
	}
	return ok("%s (%s)", out, source)
}

// probeBackend adds two numbers on a backend and prints what did it.
func probeBackend(cmd *cobra.Command, name string) error {
	b, err := camlib.Backend(name)
	if err != nil {
		return err
	}
	add, err := graph.NewExec(b, graph.Add)
	if err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	sum, err := add.Exec1(float32(2), float32(3))
	if err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	if got := sum.Value(); got != float32(5) {
		return fmt.Errorf("doctor: 2 + 3 = %v on %s", got, camlib.Describe(b))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s, devices: %d\n", camlib.Describe(b), b.NumDevices())
	return err
}

// timeSample is what `camlab setup` compares XLA's flags by.
func timeSample(cmd *cobra.Command) error {
	b, err := camlib.Backend(camlib.XLACPU)
	if err != nil {
		return err
	}
	run, err := cnn.Sample(b)
	if err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), "ready")
	for lines := bufio.NewScanner(cmd.InOrStdin()); lines.Scan(); {
		start := time.Now()
		if err := run(); err != nil {
			return fmt.Errorf("doctor: %w", err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), time.Since(start).Seconds())
	}
	return nil
}

// checkKernels asks Jupyter itself which of our kernels it finds, and looks at
// what they start.
func checkKernels(ctx context.Context, env kernels.Env) finding {
	const ask = `import json; from jupyter_client.kernelspec import KernelSpecManager
print(json.dumps({n: s["spec"]["argv"][0] for n, s in KernelSpecManager().get_all_specs().items()}))`
	out, err := output(ctx, env.Root, env.Bin("python"), "-c", ask)
	if err != nil {
		return failed(mendSetup, "%v", err)
	}
	var found map[string]string
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return failed(mendSetup, "Jupyter lists its kernels as %q", out)
	}
	missing, err := kernels.Unavailable()
	if err != nil {
		return failed(mendSetup, "%v", err)
	}
	var names []string
	for name, program := range found {
		if !strings.HasPrefix(name, "camlab-") {
			continue
		}
		if _, err := exec.LookPath(program); err != nil {
			return failed(mendSetup, "%s starts %s, which is not there", name, program)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return failed(mendSetup, "Jupyter finds none of ours")
	}
	slices.Sort(names)
	gpus, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is good
	for _, m := range missing {
		if m.Name == kernels.XLACUDA && len(gpus) > 0 {
			return warning(m.Mend, "%s; %s: %s", strings.Join(names, ", "), m.Display, m.Why)
		}
	}
	f := ok("%s", strings.Join(names, ", "))
	for _, m := range missing {
		f.Detail += "; not installed: " + m.String()
	}
	return f
}

func checkImport(ctx context.Context, env kernels.Env) finding {
	if err := env.CheckImport(ctx); err != nil {
		return failed(mendSetup, "%v", err)
	}
	return ok("from an empty folder, without network")
}

func checkData(ctx context.Context, _ kernels.Env) finding {
	where, err := cifar10.Verify(ctx, "")
	switch {
	case errors.Is(err, cifar10.ErrNoData):
		return warning("`camlab data --download` fetches it, or set CAMLAB_DATA", "no CIFAR-10; only the sample of 1,000 images inside camlab")
	case err != nil:
		return failed("remove it and run `camlab data --download`", "%v", err)
	}
	return ok("CIFAR-10 in %s", where)
}

// output runs a program and returns what it prints; its error is one line that
// ends in the first one that the program wrote on standard error.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); line != "" {
			err = fmt.Errorf("%w: %s", err, line)
		}
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}
