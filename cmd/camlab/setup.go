package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/gomlx/go-xla/installer"
	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels"
)

func newSetup() *cobra.Command {
	var asJSON bool
	var opts kernels.SetupOptions
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make the notebooks' environment: JupyterLab, XLA plugin, kernels",
		Long: `Setup makes the folder .venv in the checkout: JupyterLab and nbconvert at pinned
versions, the XLA plugin, and a Jupyter kernel for every backend present, in which
camlib can be imported in any folder without a network. A second run only does what
has changed.

The kernels keep the cells of a notebook in one process, with Go 1.26 on linux/amd64.
Elsewhere GoNB runs each cell as a program of its own.

The XLA plugin is one that PJRT_PLUGIN_LIBRARY_PATH or go-xla's standard folders
hold, else a pinned wheel from PyPI, else what go-xla's installer downloads.
With none of them notebooks run on the pure-Go backend.

Outside a checkout, where notebooks cannot be, it installs the plugin alone, into
~/.local/lib/go-xla. It needs Python 3 with its venv module there too.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			opts.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			opts.InstallPlugin = func(dir string) error {
				return installer.CPUAutoInstall(dir, false, installer.Quiet)
			}
			setup, next := setupPlugin, "notebooks need a checkout"
			if env, err := kernels.FindEnv(); err == nil {
				setup, next = env.Setup, "`make lab` opens JupyterLab, `camlab doctor` checks everything"
			}
			report, err := setup(ctx, opts)
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
			fmt.Fprintf(cmd.OutOrStdout(), "%s in %.1f s; %s\n", state, report.Seconds, next)
			return nil
		},
	}
	c.Flags().BoolVar(&opts.GoNB, "gonb", false, "also install kernels that run each cell by GoNB, as a program of its own")
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

// setupPlugin is the setup outside a checkout.
func setupPlugin(ctx context.Context, opts kernels.SetupOptions) (*kernels.SetupReport, error) {
	dir, err := plugin.UserDir()
	if err != nil {
		return nil, err
	}
	camlab, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return kernels.SetupPlugin(ctx, dir, camlab, opts)
}

func newKernels() *cobra.Command {
	c := &cobra.Command{
		Use:   "kernels",
		Short: "List, install or take away the Jupyter kernels",
		Long: `Kernels works on the kernels of one Jupyter: the one in .venv unless --user (the
user's own, JUPYTER_DATA_DIR if set), --sys-prefix (of the Python environment in
use) or --prefix (of another environment) names another. Without any of them list
shows our kernels in every folder in which .venv's Jupyter looks, JUPYTER_PATH
included, in its order: of two kernels of one name Jupyter takes the first.`,
	}
	var user, sysPrefix, dev, gonb, asJSON bool
	var prefix string
	c.PersistentFlags().BoolVar(&user, "user", false, "the user's own kernels; JUPYTER_DATA_DIR moves them")
	c.PersistentFlags().BoolVar(&sysPrefix, "sys-prefix", false, "the kernels of the Python environment in use: VIRTUAL_ENV, CONDA_PREFIX or the first python3 in PATH")
	c.PersistentFlags().StringVar(&prefix, "prefix", "", "the kernels of the environment in this folder")
	c.PersistentFlags().BoolVar(&asJSON, "json", false, jsonUsage)
	c.MarkFlagsMutuallyExclusive("user", "sys-prefix", "prefix")

	// chosen is the place that the flags name.
	chosen := func(env kernels.Env) (kernels.Place, error) {
		place := kernels.Place{Name: "environment", Dir: env.KernelDir()}
		var err error
		switch {
		case user:
			place.Name = "user"
			place.Dir, err = kernels.UserKernelDir()
		case sysPrefix:
			var dir string
			dir, err = kernels.SysPrefix()
			place = kernels.Place{Name: "sys.prefix", Dir: kernels.PrefixKernelDir(dir)}
		case prefix != "":
			place = kernels.Place{Name: "prefix", Dir: kernels.PrefixKernelDir(prefix)}
		}
		return place, err
	}
	command := func(use, short string, run func(env kernels.Env, place kernels.Place) (any, string, error)) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := kernels.FindEnv()
			if err != nil {
				return err
			}
			place, err := chosen(env)
			if err != nil {
				return err
			}
			result, text, err := run(env, place)
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
	list := command("list", "List the kernels", func(env kernels.Env, place kernels.Place) (any, string, error) {
		places := []kernels.Place{place}
		if !user && !sysPrefix && prefix == "" {
			var err error
			if places, err = env.Places(); err != nil {
				return nil, "", err
			}
		}
		return listKernels(places)
	})
	install := command("install", "Install the kernels of the backends present", func(env kernels.Env, place kernels.Place) (any, string, error) {
		flavor := kernels.Plain
		if dev {
			flavor = kernels.Dev
		} else if gonb {
			flavor = kernels.GoNB
		}
		if err := env.CanInstall(flavor); err != nil {
			return nil, "", err
		}
		_, changed, err := env.Install(place.Dir, flavor)
		if err != nil {
			return nil, "", err
		}
		list, text, err := listKernels([]kernels.Place{place})
		list.Changed = &changed
		if !changed {
			text += "nothing had changed\n"
		}
		return list, text, err
	})
	install.Flags().BoolVar(&dev, "dev", false, "kernels of their own that import camlib from this checkout as it is when they start")
	install.Flags().BoolVar(&gonb, "gonb", false, "kernels of their own that run each cell by GoNB, as a program of its own")
	install.MarkFlagsMutuallyExclusive("dev", "gonb")
	c.AddCommand(list, install,
		command("uninstall", "Take our kernels away, those of --dev and --gonb too", func(_ kernels.Env, place kernels.Place) (any, string, error) {
			gone, err := kernels.Uninstall(place.Dir)
			return gone, fmt.Sprintf("%d kernels taken out of %s\n", len(gone), place.Dir), err
		}),
	)
	return c
}

// kernelList is what list and install print.
type kernelList struct {
	Kernels []placedSpec      `json:"kernels"`
	Missing []kernels.Missing `json:"missing"`
	Changed *bool             `json:"changed,omitempty"` // by install
}

type placedSpec struct {
	kernels.Spec
	Place string `json:"place"`
}

func listKernels(places []kernels.Place) (list kernelList, text string, err error) {
	list.Kernels = []placedSpec{}
	for _, place := range places {
		specs, err := kernels.List(place.Dir)
		if err != nil {
			return list, "", err
		}
		for _, s := range specs {
			list.Kernels = append(list.Kernels, placedSpec{s, place.Name})
			text += fmt.Sprintf("%-18s  %-24s  %-12s  %s\n", s.Name, s.Display, place.Name, s.Dir)
		}
	}
	if text == "" {
		text = "no camlab kernels in"
		for _, place := range places {
			text += " " + place.Dir
		}
		text += "\n"
	}
	if list.Missing, err = kernels.Unavailable(); err != nil {
		return list, "", err
	}
	for _, m := range list.Missing {
		text += "not installed: " + m.String() + "\n"
	}
	return list, text, nil
}
