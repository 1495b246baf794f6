package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
)

type measureFlags struct {
	comparison
	metrics []string
	images  int
	asJSON  bool
	options metric.Options
}

// measured is one line of `camlab measure`.
type measured struct {
	Method string          `json:"method"`
	Metric string          `json:"metric"`
	Better string          `json:"better"`
	Value  metric.Estimate `json:"value"`
}

func newMeasure() *cobra.Command {
	var o measureFlags
	c := &cobra.Command{
		Use:   "measure",
		Short: "Measure methods by metrics on the first images of a split",
		Long: `Measure makes maps of the classes that the network predicts and prints, for each method and
metric, the mean over the images and its bootstrap 95 % interval. The metrics:

` + metricList(),
		Example: `  camlab measure --split sample --images 200 --method gradcam,layercam --metric deletion,insertion,road`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := c.Flags()
	o.flags(f, "cam")
	f.StringSliceVar(&o.metrics, "metric", []string{"all"}, "all, or some of those above")
	f.IntVar(&o.images, "images", 100, "images, the first of the split")
	f.IntVar(&o.options.Steps, "steps", 0, "intervals of the deletion and insertion curves (default 8)")
	f.Uint64Var(&o.options.Seed, "seed", 1, "of everything that is drawn")
	f.BoolVar(&o.asJSON, "json", false, jsonUsage)
	return c
}

func metricList() string {
	var s strings.Builder
	for _, m := range metric.Metrics() {
		fmt.Fprintf(&s, "  %-16s %s is better: %s\n", m.Name, m.Better, m.Meaning)
	}
	return strings.TrimSuffix(s.String(), "\n")
}

func (o *measureFlags) run(cmd *cobra.Command) error {
	metrics, err := lookupMetrics(o.metrics)
	if err != nil {
		return err
	}
	methods, net, ds, backend, err := o.open(cmd)
	if err != nil {
		return err
	}
	if o.images < 1 || o.images > ds.Len() {
		return fmt.Errorf("measure: --images %d, want 1 to %d", o.images, ds.Len())
	}
	x, err := images.FromDataset(ds, 0, o.images)
	if err != nil {
		return err
	}
	explainer, err := cam.New(backend, net, cam.Options{})
	if err != nil {
		return err
	}
	if methods, err = fitting(cmd, explainer, net, false, o.methods, methods); err != nil {
		return err
	}
	evaluator, err := metric.New(backend, net, o.options)
	if err != nil {
		return err
	}
	batch, err := evaluator.Prepare(cmd.Context(), x, nil)
	if err != nil {
		return err
	}
	var lines []measured
	for _, method := range methods {
		explain := metric.Explaining(backend, method, cam.Options{})
		r, err := explain(cmd.Context(), net, x, batch.Classes())
		if err != nil {
			return err
		}
		c, err := batch.Case(r, explain)
		if err != nil {
			return err
		}
		for _, one := range metrics {
			values, err := one.Compute(cmd.Context(), c)
			if err != nil {
				return err
			}
			e, err := metric.Bootstrap(values, metric.Resampling{Seed: o.options.Seed})
			if err != nil {
				return err
			}
			lines = append(lines, measured{method.Spec().Name, one.Name, one.Better.String(), e})
		}
	}
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), lines)
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "method\tmetric\tbetter\tmean of %d [95 %% interval]\n", o.images)
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", l.Method, l.Metric, l.Better, l.Value)
	}
	return t.Flush()
}

// lookupMetrics returns the metrics of those names, of "all" all.
func lookupMetrics(names []string) (metrics []metric.Metric, err error) {
	var known []string
	for _, m := range metric.Metrics() {
		known = append(known, m.Name)
	}
	want := "want all, or some of " + strings.Join(known, ", ")
	for _, name := range names {
		m, err := metric.Lookup(name)
		switch {
		case name == "all":
			metrics = append(metrics, metric.Metrics()...)
		case err != nil:
			return nil, fmt.Errorf("measure: metric %q, %s", name, want)
		default:
			metrics = append(metrics, m)
		}
	}
	if len(metrics) == 0 {
		return nil, fmt.Errorf("measure: no metric, %s", want)
	}
	return metrics, nil
}
