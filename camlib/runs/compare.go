package runs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Comparison is runs side by side.
type Comparison struct {
	Runs     []Compared `json:"runs"`
	Settings []Row      `json:"settings"` // those that are not the same in all runs
	results  []Row
}

// Compared is one run of a [Comparison].
type Compared struct {
	Name    string  `json:"name"` // its folder's, or its path where two would have the same
	Dir     string  `json:"dir"`
	State   State   `json:"state"`
	Summary Summary `json:"summary"`
}

// Row is a setting or a result of several runs.
type Row struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // one for each run; "" where its log does not tell
}

// Compare returns the settings in which runs differ and what they came to. It fails for
// fewer than two runs.
func Compare(runs []*Run) (*Comparison, error) {
	if len(runs) < 2 {
		return nil, errors.New("runs: one run to compare, want two or more")
	}
	c := &Comparison{Settings: []Row{}}
	var settings, results [][]Row // by run
	names := names(runs)
	for i, r := range runs {
		c.Runs = append(c.Runs, Compared{names[i], r.Dir, r.State, r.Summary()})
		settings, results = append(settings, r.settings()), append(results, r.results())
	}
	for _, row := range transpose(settings) {
		for _, v := range row.Values {
			if v != row.Values[0] {
				c.Settings = append(c.Settings, row)
				break
			}
		}
	}
	for _, row := range transpose(results) {
		if strings.Join(row.Values, "") != "" {
			c.results = append(c.results, row)
		}
	}
	return c, nil
}

// transpose makes rows of several runs from the rows of each.
func transpose(runs [][]Row) []Row {
	all := make([]Row, len(runs[0]))
	for i, row := range runs[0] {
		all[i].Name = row.Name
		for _, r := range runs {
			all[i].Values = append(all[i].Values, r[i].Values...)
		}
	}
	return all
}

// settings returns how a run was set, what it ran on, when and with what data, in a fixed
// order.
func (r *Run) settings() []Row {
	l, c, seed := &r.Log, &r.Log.Config, ""
	if l.Images > 0 { // else there is no log
		seed = strconv.FormatInt(c.Seed, 10)
	}
	var rates []string
	for _, path := range slices.Sorted(maps.Keys(c.Rates)) {
		rates = append(rates, fmt.Sprintf("%s × %.4g", path, c.Rates[path]))
	}
	return []Row{
		row("network", l.Architecture),
		row("weights at the start", c.Start),
		row("training images", count(l.Images)),
		row("held out for validation (%)", share(c.Validation)),
		row("augmentation", string(c.Augment)),
		row("shift of crops (pixels)", count(c.Shift)),
		row("epochs asked for", count(c.Epochs)),
		row("patience (epochs)", count(c.Patience)),
		row("batch size (images)", count(c.BatchSize)),
		row("optimizer", string(c.Optimizer)),
		row("momentum", number(c.Momentum)),
		row("weight decay", number(c.WeightDecay)),
		row("learning rate, largest", number(c.LearningRate)),
		row("factors of the learning rate", strings.Join(rates, ", ")),
		row("schedule", string(c.Schedule)),
		row("warmup (% of the steps)", share(c.Warmup)),
		row("label smoothing", number(c.LabelSmoothing)),
		row("weight average (decay)", number(c.Average)),
		row("seed", seed),
		row("training step", string(c.Step)),
		row("devices", count(c.Devices)),
		row("backend", l.Backend),
		row("processor", l.Processor),
		row("threads", count(l.Threads)),
		row("camlab", l.Versions["camlab"]),
		row("commit", l.Commit),
		row("Go", l.Versions["go"]),
		row("GoMLX", l.Versions["gomlx"]),
		row("go-xla", l.Versions["go-xla"]),
		row("started (UTC)", moment(l.Started)),
		row("training data (sha256)", short(l.TrainData)),
		row("test data (sha256)", short(l.TestData)),
	}
}

// results returns what a run came to, in a fixed order.
func (r *Run) results() []Row {
	s := r.Summary()
	return []Row{
		row("state", string(r.State)),
		row("ended", r.Log.Ended),
		row("epochs", count(s.Epochs)),
		row("steps", count(s.Steps)),
		row("best epoch", count(s.BestEpoch)),
		row("validation accuracy, best epoch (%)", percent(s.Validation)),
		row("test accuracy, best epoch (%)", percent(s.BestAccuracy)),
		row("test accuracy, last epoch (%)", percent(s.Accuracy)),
		row("macro-F1, last epoch (%)", percent(s.MacroF1)),
		row("test loss, last epoch", loss(s.TestLoss)),
		row("train loss, last epoch", loss(s.TrainLoss)),
		row("training time", duration(s.Seconds)),
		row("speed (images/s)", speed(s.ImagesPerSecond)),
	}
}

func row(name, value string) Row { return Row{name, []string{value}} }
