package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/gomlx/go-xla/pkg/installer"
	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/kernels"
)

func newSetup() *cobra.Command {
	var asJSON bool
	var opts kernels.SetupOptions
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make the notebooks' environment: JupyterLab, GoNB, XLA plugin, kernels",
		Long: `Setup makes the folder .venv in the checkout: JupyterLab and nbconvert at pinned
versions, the XLA plugin, GoNB, and a Jupyter kernel for every backend present,
in which camlib can be imported in any folder without a network. A second run
only does what has changed.

The XLA plugin is one that PJRT_PLUGIN_LIBRARY_PATH or go-xla's standard folders
hold, else a pinned wheel from PyPI, else what go-xla's installer downloads.
With none of them notebooks run on the pure-Go backend.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			env, err := kernels.FindEnv()
			if err != nil {
				return err
			}
			opts.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			opts.InstallPlugin = func(dir string) error {
				return installer.CPUAutoInstall(dir, false, installer.Quiet)
			}
			report, err := env.Setup(ctx, opts)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			state := "ready"
			if !report.Changed {
				state = "ready, nothing had changed"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s in %.1f s; `make lab` opens JupyterLab, `camlab doctor` checks everything\n", state, report.Seconds)
			return nil
		},
	}
	c.Flags().BoolVar(&opts.Lab, "lab", false, "also install gopls, for completion and help in JupyterLab (builds for about a minute)")
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

func newKernels() *cobra.Command {
	c := &cobra.Command{
		Use:   "kernels",
		Short: "List, install or take away the Jupyter kernels",
		Long: `Kernels works on the kernels of one Jupyter: the one in .venv unless --user (the
user's own, JUPYTER_DATA_DIR if set) or --prefix (of another environment) names
another.`,
	}
	var user, asJSON bool
	var prefix string
	c.PersistentFlags().BoolVar(&user, "user", false, "the user's own kernels; JUPYTER_DATA_DIR moves them")
	c.PersistentFlags().StringVar(&prefix, "prefix", "", "the kernels of the environment in this folder")
	c.PersistentFlags().BoolVar(&asJSON, "json", false, jsonUsage)
	c.MarkFlagsMutuallyExclusive("user", "prefix")

	command := func(use, short string, run func(cmd *cobra.Command, env kernels.Env, dir string) (any, string, error)) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := kernels.FindEnv()
			if err != nil {
				return err
			}
			dir := env.KernelDir()
			if prefix != "" {
				dir = filepath.Join(prefix, "share", "jupyter", "kernels")
			}
			if user {
				if dir, err = kernels.UserKernelDir(); err != nil {
					return err
				}
			}
			result, text, err := run(cmd, env, dir)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), result)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		}}
	}
	c.AddCommand(
		command("list", "List the kernels", func(_ *cobra.Command, _ kernels.Env, dir string) (any, string, error) {
			specs, err := kernels.List(dir)
			return specs, specLines(specs, "no camlab kernels in "+dir+"\n"), err
		}),
		command("install", "Install the kernels of the backends present", func(_ *cobra.Command, env kernels.Env, dir string) (any, string, error) {
			if _, err := os.Stat(env.Bin("gonb")); err != nil {
				return nil, "", fmt.Errorf("kernels: GoNB is not built (%w); run `camlab setup` first", err)
			}
			specs, _, err := env.Install(dir)
			return specs, specLines(specs, ""), err
		}),
		command("uninstall", "Take our kernels away", func(_ *cobra.Command, _ kernels.Env, dir string) (any, string, error) {
			gone, err := kernels.Uninstall(dir)
			return gone, fmt.Sprintf("%d kernels taken out of %s\n", len(gone), dir), err
		}),
	)
	return c
}

func specLines(specs []kernels.Spec, none string) string {
	text := none
	for i, s := range specs {
		if i == 0 {
			text = ""
		}
		text += fmt.Sprintf("%-18s %-20s %s\n", s.Name, s.Display, s.Dir)
	}
	return text
}
