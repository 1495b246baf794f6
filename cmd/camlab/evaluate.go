package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// evaluation is what `camlab evaluate --json` prints.
type evaluation struct {
	score.Evaluation
	Model       string  `json:"model"`
	ModelSHA256 string  `json:"model_sha256"`
	Split       string  `json:"split"`
	Flips       bool    `json:"flips,omitempty"`
	Backend     string  `json:"backend"`
	Seconds     float64 `json:"seconds"`
}

func newEvaluate() *cobra.Command {
	var model modelFlags
	var data, split, backendName string
	var asJSON, flips bool
	var devices int
	c := &cobra.Command{
		Use:   "evaluate",
		Short: "Score a model on CIFAR-10: loss, accuracy, precision, recall and F1 of each class",
		Example: `  camlab evaluate --model article --data DIR
  camlab evaluate --model best --flips             the network of today's accuracy
  camlab evaluate --split sample          the 1,000 test images inside camlab, no download needed`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open := openerWith(cmd, backendName, devices)
			m, err := model.open(false, open)
			if err != nil {
				return err
			}
			ds, err := openSplit(cmd.Context(), split, data)
			if err != nil {
				return err
			}
			if err := m.takes(ds, true); err != nil {
				return fmt.Errorf("evaluate: %w", err)
			}
			backend, err := open()
			if err != nil {
				return err
			}
			evaluator, err := train.NewEvaluatorOn(backend, m.net, devices)
			if err != nil {
				return err
			}
			evaluator.Flips = flips
			start := time.Now()
			ev, err := evaluator.Evaluate(cmd.Context(), ds)
			if err != nil {
				return err
			}
			e := evaluation{*ev, model.name, m.sha, split, flips, camlib.Describe(backend), time.Since(start).Seconds()}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return e.print(cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&model.name, "model", "article", modelUsage)
	c.Flags().StringVar(&data, "data", "", dataUsage)
	c.Flags().StringVar(&split, "split", "test", splitUsage)
	c.Flags().BoolVar(&flips, "flips", false, "take for each image the mean of its scores and of its mirror image's")
	c.Flags().StringVar(&backendName, "backend", "", backendUsage)
	devicesFlag(c.Flags(), &devices)
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

func (e *evaluation) print(w io.Writer) error {
	flips := ""
	if e.Flips {
		flips = " and their mirror images"
	}
	fmt.Fprintf(w, "model %s (sha256 %.12s…) on %d %s images%s, %s, %.1f s\n\n", e.Model, e.ModelSHA256, e.Images, e.Split, flips, e.Backend, e.Seconds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "class\tprecision\trecall\tF1\t")
	for _, c := range e.PerClass {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t\n", c.Class, c.Precision, c.Recall, c.F1)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nloss %.4f   accuracy %.4f   macro-F1 %.4f   calibration error %.4f\n", e.Loss, e.Accuracy, e.MacroF1, e.CalibrationError)
	return err
}
