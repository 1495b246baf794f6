package metric

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Metric is one way to judge maps, with all that is said of it.
type Metric struct {
	Name    string // lower case, words joined by hyphens
	Better  Better
	Meaning string // one line
	Group   string // title of the table that it belongs to, such as [Faithful]
	// Ranked says that a method is the better for a better value. It does not hold of a
	// metric whose best value a map of nothing has.
	Ranked bool
	// Detail says that it is a part of another metric: it is in files, not in tables.
	Detail bool
	// Relative says that a factor on all values of a map changes nothing, so that methods
	// that differ in such a factor alone share the value.
	Relative bool
	// Explain says that it makes maps itself, so that the case needs an [Explain].
	Explain bool
	// Flat is what a flat map ([Uniform]) gets, whatever the image and the network; nil if
	// that depends on them.
	Flat *float64
	// Economy sets what an [Evaluator] needs to measure it on thousands of images in
	// minutes; nil is nothing.
	Economy func(o *Options)
	// Compute returns one value per image. Metrics of one case share what they can.
	Compute func(ctx context.Context, c *Case) ([]float64, error)
}

// The groups of the metrics here and in package board. Any other title is one too.
const (
	Faithful  = "Faithful to the network"
	Localized = "In the right place"
	Robust    = "Robust, sane, compact, complete"
)

// Better says which way a metric's values are good.
type Better int

// The two ways.
const (
	Lower  Better = iota // the lower, the better
	Higher               // the higher, the better
)

// String returns "lower" or "higher".
func (b Better) String() string {
	if b == Higher {
		return "higher"
	}
	return "lower"
}

// The metrics, one file each. [Register] adds others.
var (
	mu      sync.RWMutex
	metrics = []Metric{
		averageDrop, increase, averageGain, deletion, insertion, roadMoRF, roadLeRF, road, infidelity,
		sensitivityMax, sparseness, complexity, randomization, randomLogit,
	}
)

// Metrics returns all metrics of maps of one class per image: faithfulness, then
// robustness, sparseness and sanity, and those of [Register].
func Metrics() []Metric {
	mu.RLock()
	defer mu.RUnlock()
	return slices.Clone(metrics)
}

// Lookup returns the metric of that name. Its error matches [ErrMetric].
func Lookup(name string) (Metric, error) {
	var names []string
	for _, m := range Metrics() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Metric{}, fail(ErrMetric, "metric %q, want one of %s", name, strings.Join(names, ", "))
}

var isName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString

// Register makes a metric known to [Metrics] and [Lookup], and by these to the command line
// and the board. It fails with [ErrMetric] when the metric lacks a name, meaning or Compute,
// and when there is one of its name.
func Register(m Metric) error {
	switch {
	case !isName(m.Name):
		return fail(ErrMetric, "register: name %q, want lower-case words joined by hyphens", m.Name)
	case m.Meaning == "" || m.Compute == nil:
		return fail(ErrMetric, "register: %s has no Meaning or no Compute, want both", m.Name)
	}
	mu.Lock()
	defer mu.Unlock()
	if slices.ContainsFunc(metrics, func(other Metric) bool { return other.Name == m.Name }) {
		return fail(ErrMetric, "register: there is a metric %q, want another name", m.Name)
	}
	metrics = append(metrics, m)
	return nil
}
