package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/outdir"
)

type leaderboardFlags struct {
	comparison
	out     string
	options board.Options
}

func newLeaderboard() *cobra.Command {
	var o leaderboardFlags
	c := &cobra.Command{
		Use:   "leaderboard",
		Short: "Measure every method by every metric and rank them on 2,000 images, which takes a while",
		Long: `Leaderboard measures methods, beside random, center-Gaussian, edge and uniform maps, and writes into --out

  leaderboard.md    tables: means with bootstrap 95 % intervals, the best bold
  leaderboard.csv   one line for each method and metric
  leaderboard.json  all of it, for programs (board.Read)

The maps are of the class that the network predicts. Metrics that make a method's maps over
and over (robustness, sanity, triggers, blind regions) take the first --again images, and
the slowest methods fewer masks, noises or steps than they would take alone; the tables
say so.`,
		Example: `  camlab leaderboard --data DIR
  camlab leaderboard --split sample --images 100 --method cam,gradcam,scorecam`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := c.Flags()
	o.flags(f, "all")
	f.IntVar(&o.options.Images, "images", 2000, "images, the first of the split")
	f.IntVar(&o.options.Again, "again", 100, "images for the metrics that make maps over and over")
	f.IntVar(&o.options.Mosaics, "mosaics", 50, "mosaics of four images for the grid pointing game")
	f.Uint64Var(&o.options.Seed, "seed", 1, "of everything that is drawn")
	f.StringVar(&o.out, "out", "out/leaderboard", "folder to write into")
	return c
}

func (o *leaderboardFlags) run(cmd *cobra.Command) error {
	methods, net, ds, backend, err := o.open(cmd)
	if err != nil {
		return err
	}
	if err := outdir.Ready(o.out, "leaderboard.md", "leaderboard.csv", "leaderboard.json"); err != nil {
		return fmt.Errorf("leaderboard: --out: %w", err)
	}
	start := time.Now()
	for _, m := range methods {
		o.options.Methods = append(o.options.Methods, board.Economical(m))
	}
	o.options.Progress = func(done, all int, what string) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%5.0f s  %2d of %d  %s\n", time.Since(start).Seconds(), done+1, all, what)
	}
	b, failed := board.NewBoard(cmd.Context(), backend, net, ds, o.options)
	if failed != nil && (b == nil || len(b.Rows) == 0) {
		return failed
	}
	took, whole := time.Since(start), ""
	if failed != nil {
		whole = "**Not whole**, it stopped early: "
	}
	for name, write := range map[string]func(w io.Writer) error{
		"leaderboard.md": func(w io.Writer) error {
			fmt.Fprintf(w, "%s%d images of the %s split, model %s, seed %d, %s, %.0f minutes.\n\n",
				whole, b.Images, o.split, o.model.name, b.Seed, camlib.Describe(backend), took.Minutes())
			return b.Markdown(w)
		},
		"leaderboard.csv": b.CSV, "leaderboard.json": b.JSON,
	} {
		if err := atomicfile.Write(filepath.Join(o.out, name), write); err != nil {
			// The folder could be written when the work began; what took so long is not lost.
			return errors.Join(fmt.Errorf("leaderboard: %w; leaderboard.json follows on standard output", err), b.JSON(cmd.OutOrStdout()))
		}
	}
	for i, r := range b.Rows {
		fmt.Fprintf(cmd.OutOrStdout(), "%2d  %-20s mean rank %.1f\n", i+1, r.Name, r.Rank)
	}
	if failed != nil {
		return fmt.Errorf("%w; the %d rows that were done are in %s", failed, len(b.Rows), o.out)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%.0f s; the tables are in %s\n", took.Seconds(), o.out)
	return err
}
