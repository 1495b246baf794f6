package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

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
	var probe, sample string
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
			if sample != "" {
				return timeSample(cmd, sample)
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
	c.Flags().StringVar(&sample, "sample", "", "for each line of input do a piece of work and print the seconds it took: own, of a training step, or files, what is common in networks from files")
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
	{"settings", checkSettings, true},
	{"folders", checkFolders, false},
	{"Go", checkGo, false},
	{"gcc", checkGCC, false},
	{"disk space", checkDisk, false},
	{"Jupyter", checkJupyter, false},
	{"cells", checkPrograms, false},
	{"XLA plugin", checkPlugin, true},
	{"kernels", checkKernels, false},
	{"cell", checkCell, false},
	{"data", checkData, true},
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

// output runs a program and returns what it prints; its error is one line that
// ends in the first one that the program wrote on standard error.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		for line := range strings.Lines(stderr.String()) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "WARNING: All log messages") { // XLA's first
				return "", fmt.Errorf("%w: %s", err, line)
			}
		}
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}
