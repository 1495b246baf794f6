package board

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
)

// Options of [NewBoard]. The zero value is the default.
type Options struct {
	Methods []cam.Method // nil is all of cam.MethodsFor the network; see [Economical]
	Entries []Entry      // the columns; nil is all of [Entries]
	Images  int          // of the data set, the first; 0 is 2,000, or all of a smaller set
	// Again bounds the images of the metrics that make a method's maps again: of changed
	// images, another class, another network; 0 is 100.
	Again   int
	Mosaics int    // of the grid pointing game; 0 is 50
	Seed    uint64 // of everything that is drawn
	// Progress is told what is going on; nil is nobody.
	Progress func(done, all int, what string)
}

// Board is a table of methods and metrics, the best method first.
type Board struct {
	Images  int      `json:"images"`
	Seed    uint64   `json:"seed"`
	Columns []Column `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Column is a metric of a [Board].
type Column struct {
	Name    string `json:"name"`
	Better  string `json:"better"` // higher or lower
	Meaning string `json:"meaning"`
	N       int    `json:"n"`      // images, or mosaics
	Ranked  bool   `json:"ranked"` // whether it counts for the rank
}

// Row is a method of a [Board].
type Row struct {
	Name     string `json:"name"`
	Setting  string `json:"setting,omitempty"` // where it is not the method's own
	Baseline bool   `json:"baseline,omitempty"`
	// SameAs is an earlier method whose maps, up to a factor for each image, these are.
	SameAs string `json:"same_as,omitempty"`
	// Milliseconds is the time for one map among many, without compiling.
	Milliseconds float64            `json:"milliseconds"`
	Rank         float64            `json:"rank"`  // mean over the ranked columns, 1 is best
	Cells        []*metric.Estimate `json:"cells"` // one for each column; nil where the metric does not apply
}

// NewBoard measures methods, and the four baselines beside them, on the images of a data
// set and the classes that the network predicts for them. A method whose maps are those of
// an earlier one up to a factor shares its values, where the metric is Relative.
//
// A metric that a method, the network or the data set cannot have, such as one of mosaics
// of four classes where there are three, leaves its cell empty, and a method that does not
// take the network is left out. Any other failure, ctx's too, ends the board: it comes back
// with the error and the rows that were done.
func NewBoard(ctx context.Context, backend compute.Backend, net *network.Network, ds images.Dataset, opts Options) (*Board, error) {
	if opts.Images < 0 || opts.Again < 0 || opts.Mosaics < 0 {
		return nil, fmt.Errorf("board: %d images, %d again, %d mosaics, want 0 or more", opts.Images, opts.Again, opts.Mosaics)
	}
	opts.Images = min(cmp.Or(opts.Images, 2000), images.Len(ds))
	opts.Again = min(cmp.Or(opts.Again, 100), opts.Images)
	opts.Mosaics = cmp.Or(opts.Mosaics, 50)
	if opts.Progress == nil {
		opts.Progress = func(int, int, string) {}
	}
	if opts.Methods == nil {
		opts.Methods = cam.MethodsFor(net)
	}
	if opts.Entries == nil {
		opts.Entries = Entries()
	}
	b := &Board{Images: opts.Images, Seed: opts.Seed}
	common, err := prepare(ctx, backend, net, ds, opts)
	if err != nil {
		return b, err
	}
	for _, e := range opts.Entries {
		b.Columns = append(b.Columns, Column{e.Name, e.Better.String(), e.Meaning, e.Over.n(opts), e.Ranked})
	}
	err = b.measure(ctx, common, opts)
	b.rank()
	return b, err
}

// measure adds the rows.
func (b *Board) measure(ctx context.Context, common *Common, opts Options) error {
	all := common.contestants(opts.Methods)
	var done []*Contestant
	for i, c := range all {
		opts.Progress(i, len(all), c.Name)
		err := c.makeMaps(ctx)
		if cam.Refused(err) {
			opts.Progress(i, len(all), fmt.Sprintf("%s is left out: %v", c.Name, err))
			continue
		}
		if err != nil {
			return err
		}
		same := c.same(done)
		for k, e := range opts.Entries {
			if same != nil && e.Relative && same.Cells[k] != nil {
				c.Cells = append(c.Cells, same.Cells[k])
				continue
			}
			cell, err := e.Compute(ctx, c)
			if cam.Refused(err) || unfit(err) {
				cell, err = nil, nil
			}
			if err != nil {
				return err
			}
			c.Cells = append(c.Cells, cell)
		}
		c.forget()
		done = append(done, c)
		b.Rows = append(b.Rows, c.Row)
	}
	return nil
}

// unfit reports whether an error says that a column's changed images cannot be made of the
// data set's, as mosaics of three classes, or that the network does not take them.
func unfit(err error) bool {
	return errors.Is(err, truth.ErrTruth) || errors.Is(err, cam.ErrShape)
}

// rank gives each row the mean of its ranks in the ranked columns, equal means sharing
// theirs, and sorts the rows by it. A row that is the same as another is not counted and
// has that one's rank.
func (b *Board) rank() {
	for r := range b.Rows {
		if b.Rows[r].SameAs != "" {
			continue // that one's, below
		}
		sum, n := 0.0, 0
		for c, column := range b.Columns {
			mine := b.Rows[r].Cells[c]
			if !column.Ranked || mine == nil {
				continue
			}
			rank := 1.0
			for o := range b.Rows {
				other := b.Rows[o].Cells[c]
				if o == r || other == nil || b.Rows[o].SameAs != "" {
					continue
				}
				switch better := other.Mean > mine.Mean; {
				case other.Mean == mine.Mean:
					rank += 0.5
				case better == (column.Better == metric.Higher.String()):
					rank++
				}
			}
			sum, n = sum+rank, n+1
		}
		b.Rows[r].Rank = sum / float64(max(n, 1))
	}
	for r, row := range b.Rows {
		for _, other := range b.Rows {
			if other.Name == row.SameAs {
				b.Rows[r].Rank = other.Rank
			}
		}
	}
	slices.SortStableFunc(b.Rows, func(x, y Row) int { return cmp.Compare(x.Rank, y.Rank) })
}
