package board

import (
	"context"

	"github.com/camlab-go/camlab/camlib/metric"
)

// Entry is a column of a board in the making.
type Entry struct {
	metric.Metric // what is said of it; its own Compute is not called
	Over          Over
	// Compute returns a row's cell, nil where the metric does not apply. Where its error
	// is one of [cam.Refused], or matches [cam.ErrShape] or [truth.ErrTruth], the cell is
	// empty too.
	Compute func(ctx context.Context, c *Contestant) (*metric.Estimate, error)
}

// Over says what the values of an [Entry] are of.
type Over int

// What values are of.
const (
	AllImages   Over = iota
	FirstImages      // Options.Again of them
	AllMosaics
)

func (o Over) n(opts Options) int {
	switch o {
	case FirstImages:
		return opts.Again
	case AllMosaics:
		return opts.Mosaics
	}
	return opts.Images
}

// Entries returns all columns: the metrics of [metric.Metrics], and those of places, one
// file each.
func Entries() []Entry {
	var all []Entry
	for _, m := range metric.Metrics() {
		all = append(all, Of(m))
	}
	return append(all, gridPointing, pointing, maxBoxAcc, trigger, blind, completeness)
}

// Of returns the column of a metric: over all images, or the first where it makes maps
// itself.
func Of(m metric.Metric) Entry {
	e := Entry{Metric: m, Over: AllImages}
	if m.Explain {
		e.Over = FirstImages
	}
	e.Compute = func(ctx context.Context, c *Contestant) (*metric.Estimate, error) {
		of := c.Whole
		if m.Explain {
			of = c.Part
		}
		values, err := m.Compute(ctx, of)
		return c.Mean(values, err)
	}
	return e
}
