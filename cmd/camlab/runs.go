package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib/runs"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/outdir"
)

func newRuns() *cobra.Command {
	c := &cobra.Command{
		Use:   "runs",
		Short: "List, show, compare and export trainings",
		Long: `Runs reads the folders that train wrote, of trainings that have finished, were
stopped, or still run, and says what is missing or damaged in them. It changes
nothing in them.`,
		Example: `  camlab runs list
  camlab runs show runs/article
  camlab runs compare runs/article runs/cosine --figure compare.png
  camlab runs export runs/article --csv out/article --tensorboard out/tensorboard`,
		Args: cobra.NoArgs, // a name that is no command's
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newRunsList(), newRunsShow(), newRunsCompare(), newRunsExport())
	return c
}

// listedRun is one run of `camlab runs list --json`.
type listedRun struct {
	Dir       string       `json:"dir"`
	State     runs.State   `json:"state"`
	RunningAs string       `json:"running_as,omitempty"`
	Problems  []string     `json:"problems,omitempty"`
	Summary   runs.Summary `json:"summary"`
}

func newRunsList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [FOLDER]",
		Short: "List the trainings below a folder, one a line",
		Long: `List looks for trainings in FOLDER (default runs) and in all folders below it. A
training is running, finished, stopped (it goes on when it is started again), or
damaged; below the table is what is to be said of them. The accuracy is on the
test images, after the last epoch and after the best.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := append(args, "runs")[0]
			found, err := runs.List(root)
			if err != nil {
				return err
			}
			if asJSON {
				lines := make([]listedRun, 0, len(found))
				for _, r := range found {
					lines = append(lines, listedRun{r.Dir, r.State, r.Holder, r.Problems, r.Summary()})
				}
				return printJSON(cmd.OutOrStdout(), lines)
			}
			if len(found) == 0 {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "no trainings in %s or below it; `camlab train` makes one\n", root)
				return err
			}
			return runs.WriteList(cmd.OutOrStdout(), found)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

// shownRun is what `camlab runs show --json` prints.
type shownRun struct {
	*runs.Run
	Summary runs.Summary `json:"summary"`
}

func newRunsShow() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show FOLDER",
		Short: "Show a training: its settings, every epoch, what it came to",
		Long: `Show prints the settings of a training, what it ran on, a line for each epoch and
what it came to. It reads the models and says if one is not that of the last or the best epoch.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := runs.Open(args[0])
			if err != nil {
				return err
			}
			if err := r.Verify(); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), shownRun{r, r.Summary()})
			}
			return r.Write(cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

func newRunsCompare() *cobra.Command {
	var asJSON bool
	var figure string
	c := &cobra.Command{
		Use:   "compare FOLDER FOLDER...",
		Short: "Compare trainings: the settings that differ, and what each came to",
		Example: `  camlab runs compare runs/article runs/cosine
  camlab runs compare runs/* --figure compare.png`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all []*runs.Run
			for _, dir := range args {
				r, err := runs.Open(dir)
				if err != nil {
					return err
				}
				all = append(all, r)
			}
			c, err := runs.Compare(all)
			if err != nil {
				return err
			}
			if figure != "" {
				if err := readyForPNG(figure); err != nil {
					return fmt.Errorf("runs compare: --figure: %w", err)
				}
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), c)
			} else {
				err = c.Write(cmd.OutOrStdout())
			}
			if err != nil || figure == "" {
				return err
			}
			picture, err := runs.CurvesOf(all)
			if err != nil {
				return err
			}
			if err := atomicfile.WriteFile(figure, picture); err != nil {
				return fmt.Errorf("runs compare: --figure: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&figure, "figure", "", "`file`, .png, for a picture of the curves of up to six trainings: loss and accuracy")
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

// readyForPNG fails if a picture cannot be written, or has no name of one.
func readyForPNG(path string) error {
	if strings.ToLower(filepath.Ext(path)) != ".png" {
		return fmt.Errorf("%s, want a name that ends in .png", path)
	}
	return outdir.Ready(filepath.Dir(path), filepath.Base(path))
}

type runsExportFlags struct{ csv, curves, confusion, tensorboard string }

func newRunsExport() *cobra.Command {
	var o runsExportFlags
	c := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write a training as CSV, as pictures, or for TensorBoard",
		Long: `Export writes what its flags ask for, over files that are there.

  --csv FOLDER          epochs.csv and, if the training kept its steps, steps.csv
  --curves FILE.png     loss and accuracy after each epoch
  --confusion FILE.png  confusion matrix on the test images after the last epoch
  --tensorboard FOLDER  an event file, in a folder of the training's name, so that
                        tensorboard --logdir FOLDER shows several side by side`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.csv, "csv", "", "`folder` for epochs.csv and steps.csv")
	f.StringVar(&o.curves, "curves", "", "`file` for the picture of the curves")
	f.StringVar(&o.confusion, "confusion", "", "`file` for the picture of the confusion matrix")
	f.StringVar(&o.tensorboard, "tensorboard", "", "`folder` for TensorBoard, its --logdir")
	return c
}

func (o *runsExportFlags) run(cmd *cobra.Command, dir string) error {
	if *o == (runsExportFlags{}) {
		return errors.New("runs export: nothing to write, want --csv, --curves, --confusion or --tensorboard, or several")
	}
	r, err := runs.Open(dir)
	if err != nil {
		return err
	}
	events := filepath.Join(o.tensorboard, r.Name())
	for flag, ready := range map[string]func() error{ // all before the first is written
		"csv":         func() error { return outdir.Ready(o.csv, runs.EpochsFile, "steps.csv") },
		"curves":      func() error { return readyForPNG(o.curves) },
		"confusion":   func() error { return readyForPNG(o.confusion) },
		"tensorboard": func() error { return outdir.Ready(events, runs.EventsFile) },
	} {
		if f := cmd.Flags().Lookup(flag); f.Value.String() != "" {
			if err := ready(); err != nil {
				return fmt.Errorf("runs export: --%s: %w", flag, err)
			}
		}
	}
	steps, err := r.Steps()
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "camlab: %v; such lines are left out\n", err)
	}
	write := func(path string, content func(w io.Writer) error) error {
		if err := atomicfile.Write(path, content); err != nil {
			return fmt.Errorf("runs export: %w", err)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is written\n", path)
		return err
	}
	if o.csv != "" {
		if err := write(filepath.Join(o.csv, runs.EpochsFile), r.EpochsCSV); err != nil {
			return err
		}
		if len(steps) > 0 {
			if err := write(filepath.Join(o.csv, "steps.csv"), func(w io.Writer) error { return runs.StepsCSV(w, steps) }); err != nil {
				return err
			}
		}
	}
	for _, picture := range []struct {
		path string
		draw func() ([]byte, error)
	}{{o.curves, r.Curves}, {o.confusion, r.Confusion}} {
		if picture.path == "" {
			continue
		}
		png, err := picture.draw()
		if err != nil {
			return err
		}
		if err := write(picture.path, func(w io.Writer) error { _, err := w.Write(png); return err }); err != nil {
			return err
		}
	}
	if o.tensorboard != "" {
		return write(filepath.Join(events, runs.EventsFile), func(w io.Writer) error { return r.Events(w, steps) })
	}
	return nil
}
