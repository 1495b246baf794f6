package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels"
)

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
	try := func(environ []string) error { _, err := probe(ctx, env, camlib.XLACPU, environ); return err }
	out, err := probe(ctx, env, camlib.XLACPU, os.Environ())
	if err != nil {
		mend := fmt.Sprintf("remove %s and run `camlab setup`", path)
		if name := culprit(os.Environ(), try); name != "" {
			return failed("unset "+name, "%s=%s: %s (%s) does not compute: %v", name, os.Getenv(name), path, source, err)
		}
		return failed(mend, "%s (%s) does not compute: %v", path, source, err)
	}
	if own, foreign, err := plugin.Flags(path); err == nil && own+foreign != "" {
		source += ", XLA_FLAGS=" + own
		if foreign != own {
			source += ", for networks from files " + foreign
		}
		if dir := compiled.Dir(); dir != "" {
			source += ", what it compiles is kept in " + dir
		}
	}
	return ok("%s (%s)", out, source)
}

// probe has a process of its own compute on a backend.
func probe(ctx context.Context, env kernels.Env, backend string, environ []string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, exe, "doctor", "--probe", backend)
	cmd.Dir, cmd.Env = env.Root, environ
	return output(cmd)
}

// culprit returns the name of the variable without which try succeeds, or "" if it
// takes more than one, or none: it fails with PATH and HOME alone too, and then no
// other variable is at fault.
func culprit(environ []string, try func([]string) error) string {
	var base, rest []string
	for _, v := range environ {
		if strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "HOME=") {
			base = append(base, v)
		} else {
			rest = append(rest, v)
		}
	}
	if try(base) != nil {
		return ""
	}
	// The shortest beginning of the list with which it fails ends in the variable.
	n := sort.Search(len(rest), func(n int) bool { return try(slices.Concat(base, rest[:n+1])) != nil })
	if n == len(rest) || try(slices.Concat(base, slices.Delete(slices.Clone(rest), n, n+1))) != nil {
		return ""
	}
	name, _, _ := strings.Cut(rest[n], "=")
	return name
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
	sum, err := add.Call1(float32(2), float32(3))
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
func timeSample(cmd *cobra.Command, name string) error {
	prepare, ok := map[string]func(compute.Backend) (func() error, error){"own": article.Sample, "files": onnx.Sample}[name]
	if !ok {
		return fmt.Errorf("doctor: --sample %q, want own or files", name)
	}
	b, err := camlib.Backend(camlib.XLACPU)
	if err != nil {
		return err
	}
	run, err := prepare(b)
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
