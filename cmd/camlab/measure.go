package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/measure"
)

type measureFlags struct {
	comparison
	metrics []string
	images  int
	asJSON  bool
	options measure.Options
}

// measured is one line of `camlab measure`.
type measured struct {
	Method string           `json:"method"`
	Metric string           `json:"metric"`
	Better string           `json:"better"`
	Value  measure.Estimate `json:"value"`
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
	for _, m := range measure.Metrics() {
		fmt.Fprintf(&s, "  %-16s %s is better: %s\n", m.Name, m.Better, m.Meaning)
	}
	return strings.TrimSuffix(s.String(), "\n")
}

func (o *measureFlags) run(cmd *cobra.Command) error {
	metrics, err := lookupMetrics(o.metrics)
	if err != nil {
		return err
	}
	methods, network, ds, backend, err := o.open(cmd)
	if err != nil {
		return err
	}
	if o.images < 1 || o.images > ds.Len() {
		return fmt.Errorf("measure: --images %d, want 1 to %d", o.images, ds.Len())
	}
	x := cam.FromDataset(ds).Part(0, o.images)
	meter, err := measure.New(backend, network, o.options)
	if err != nil {
		return err
	}
	subject, err := meter.Prepare(cmd.Context(), x, nil)
	if err != nil {
		return err
	}
	var lines []measured
	for _, method := range methods {
		explain := measure.Explaining(backend, method, cam.Options{})
		r, err := explain(cmd.Context(), network, x, subject.Classes())
		if err != nil {
			return err
		}
		c, err := subject.Case(r, explain)
		if err != nil {
			return err
		}
		for _, metric := range metrics {
			values, err := metric.Compute(cmd.Context(), c)
			if err != nil {
				return err
			}
			e, err := measure.Bootstrap(values, measure.Resampling{Seed: o.options.Seed})
			if err != nil {
				return err
			}
			lines = append(lines, measured{method.Name, metric.Name, metric.Better.String(), e})
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
func lookupMetrics(names []string) (metrics []measure.Metric, err error) {
	known := measure.Metrics()
	var all []string
	for _, m := range known {
		all = append(all, m.Name)
	}
	for _, name := range names {
		found := name == "all"
		for _, m := range known {
			if name == "all" || m.Name == name {
				metrics, found = append(metrics, m), true
			}
		}
		if !found {
			return nil, fmt.Errorf("measure: metric %q, want all, or some of %s", name, strings.Join(all, ", "))
		}
	}
	if len(metrics) == 0 {
		return nil, fmt.Errorf("measure: no metric, want all, or some of %s", strings.Join(all, ", "))
	}
	return metrics, nil
}
