package metric_test

import (
	"context"
	"testing"

	"github.com/camlab-go/camlab/camlib/metric"
)

// first is a metric that camlab does not have.
var first = metric.Metric{
	Name: "first", Better: metric.Higher, Meaning: "the map's first value",
	Compute: func(_ context.Context, c *metric.Case) ([]float64, error) {
		out := make([]float64, c.Result.N)
		for i := range out {
			out[i] = float64(c.Result.Maps[i*c.Result.Height*c.Result.Width])
		}
		return out, nil
	},
}

func init() {
	if err := metric.Register(first); err != nil {
		panic(err)
	}
}

// TestRegister: a metric from outside is among all and found by its name, and one that
// is not whole or has a name that is taken is refused.
func TestRegister(t *testing.T) {
	all := metric.Metrics()
	if last := all[len(all)-1]; last.Name != "first" || last.Meaning != first.Meaning {
		t.Errorf("the last of all metrics is %q, want that from outside", last.Name)
	}
	c := judge(t, batch(t, odds(), metric.Options{}, pictures(2, 2, white, white)), []float32{1, 2, 3, 4}, []float32{5, 6, 7, 8})
	got, err := valuesOf(t, c, "first")
	want(t, "first", got, []float64{1, 5}, err)

	change := func(f func(m *metric.Metric)) metric.Metric {
		m := first
		f(&m)
		return m
	}
	for text, m := range map[string]metric.Metric{
		`metric: register: there is a metric "first", want another name`:              first,
		`metric: register: there is a metric "deletion", want another name`:           change(func(m *metric.Metric) { m.Name = "deletion" }),
		`metric: register: name "First one", want lower-case words joined by hyphens`: change(func(m *metric.Metric) { m.Name = "First one" }),
		`metric: register: name "", want lower-case words joined by hyphens`:          change(func(m *metric.Metric) { m.Name = "" }),
		`metric: register: second has no Meaning or no Compute, want both`:            change(func(m *metric.Metric) { m.Name, m.Compute = "second", nil }),
		`metric: register: third has no Meaning or no Compute, want both`:             change(func(m *metric.Metric) { m.Name, m.Meaning = "third", "" }),
	} {
		wantError(t, metric.Register(m), metric.ErrMetric, text)
	}
	if n := len(metric.Metrics()); n != len(all) {
		t.Errorf("%d metrics, want %d: those that are refused are not among them", n, len(all))
	}
	_, err = metric.Lookup("fourth")
	wantError(t, err, metric.ErrMetric, `metric: metric "fourth", want one of average-drop, increase, average-gain, deletion, insertion,`)
}
