package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

// BoardOptions of [NewBoard]. The zero value is the default.
type BoardOptions struct {
	Methods []cam.Method // nil is all of cam.Methods
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
	Milliseconds float64     `json:"milliseconds"`
	Rank         float64     `json:"rank"`  // mean over the ranked columns, 1 is best
	Cells        []*Estimate `json:"cells"` // one for each column; nil where the metric does not apply
}

// Settings with which the methods that run the network over and over are measured, so
// that thousands of images take minutes.
var economical = map[string]struct {
	options cam.Options
	text    string
}{
	"scorecam":            {cam.Options{Channels: 32}, "32 channels"},
	"sscam":               {cam.Options{Channels: 8, Samples: 2}, "8 channels, 2 noises"},
	"iscam":               {cam.Options{Channels: 8, Samples: 3}, "8 channels, 3 steps"},
	"rise":                {cam.Options{Samples: 64}, "64 masks"},
	"integratedgradients": {cam.Options{Samples: 8}, "8 steps"},
	"smoothgrad":          {cam.Options{Samples: 4}, "4 noises"},
}

// contestant is one row in the making.
type contestant struct {
	Row
	method  *cam.Method // nil for a baseline
	options cam.Options
	explain Explain
	result  *cam.Result
}

// board is a Board in the making.
type board struct {
	Board
	opts    BoardOptions
	backend compute.Backend
	net     cam.Network
	rows    []*contestant
	done    int
}

// Metrics that are no merit in themselves: a map of nothing is the most robust, the most
// compact one points at one pixel; and the parts of road.
var unranked = []string{"sensitivity-max", "sparseness", "complexity", "road-morf", "road-lerf"}

// The metrics that a board adds to [Metrics].
var places = []Column{
	{"grid-pointing", "higher", "share of a class's map that is in its cell of a mosaic; chance is 0.25", 0, true},
	{"pointing", "higher", "share of maps whose highest place is in the class's cell of a mosaic", 0, true},
	{"max-box-acc", "higher", "MaxBoxAccV2: boxes around the map that fit the cell", 0, false},
	{"trigger", "higher", "share of the map on a planted pattern that the class depends on", 0, true},
	{"blind", "lower", "share of the map where the head sees nothing", 0, true},
	{"completeness", "lower", "what the map adds up to misses the score by, relative", 0, false},
}

// NewBoard measures methods, and the four baselines beside them, on the images of a data
// set and the classes that the network predicts for them, with the [Meter]'s metrics in
// their default settings but fewer steps, and with [GridPointing], [Pointing] and
// [MaxBoxAcc] on mosaics, [WithTrigger] and [Blind]. Methods whose maps are those of an
// earlier one up to a factor share its values. Every mean has a 95 % interval.
//
// A metric that a method cannot have, such as that of a head that CAM does not take,
// leaves its cell empty. Any other failure, ctx's too, ends the board: it comes back with
// the error and the rows that were done.
func NewBoard(ctx context.Context, backend compute.Backend, net cam.Network, ds *cifar10.Dataset, opts BoardOptions) (*Board, error) {
	if opts.Images < 0 || opts.Again < 0 || opts.Mosaics < 0 {
		return nil, fmt.Errorf("measure: board: %d images, %d again, %d mosaics, want 0 or more", opts.Images, opts.Again, opts.Mosaics)
	}
	opts.Images = min(cmp.Or(opts.Images, 2000), ds.Len())
	opts.Again = min(cmp.Or(opts.Again, 100), opts.Images)
	opts.Mosaics = cmp.Or(opts.Mosaics, 50)
	if opts.Progress == nil {
		opts.Progress = func(int, int, string) {}
	}
	if opts.Methods == nil {
		opts.Methods = cam.Methods()
	}
	b := &board{opts: opts, backend: backend, net: net}
	b.Images, b.Seed = opts.Images, opts.Seed
	for _, m := range opts.Methods {
		e := economical[m.Name]
		b.rows = append(b.rows, &contestant{
			Row: Row{Name: m.Name, Setting: e.text}, method: &m, options: e.options, explain: Explaining(backend, m, e.options),
		})
	}
	for _, base := range []struct {
		name    string
		explain Explain
	}{{"random", Random(16, 16, opts.Seed)}, {"centre", Centre(0)}, {"edge", Edge()}, {"uniform", Uniform()}} {
		b.rows = append(b.rows, &contestant{Row: Row{Name: base.name, Baseline: true}, explain: base.explain})
	}
	err := b.run(ctx, ds)
	b.rank()
	return &b.Board, err
}

func (b *board) run(ctx context.Context, ds *cifar10.Dataset) error {
	meter, err := New(b.backend, b.net, Options{
		Steps: 4, Deletion: MeanColour, ROAD: ROADOptions{Percentages: []float64{50}}, Infidelity: InfidelityOptions{Perturbations: 16},
		Sensitivity: SensitivityOptions{Samples: 2}, Seed: b.Seed,
	})
	if err != nil {
		return err
	}
	all := cam.FromDataset(ds).Part(0, b.opts.Images)
	subject, err := meter.Prepare(ctx, all, nil)
	if err != nil {
		return err
	}
	few := all.Part(0, b.opts.Again)
	again, err := meter.Prepare(ctx, few, subject.Classes()[:few.N])
	if err != nil {
		return err
	}
	for _, m := range Metrics() {
		n := all.N
		if m.Explain {
			n = few.N
		}
		ranked := !slices.Contains(unranked, m.Name)
		b.Columns = append(b.Columns, Column{m.Name, m.Better.String(), m.Meaning, n, ranked})
	}
	for i, n := range []int{b.opts.Mosaics, b.opts.Mosaics, b.opts.Mosaics, few.N, few.N, all.N} {
		c := places[i]
		c.N = n
		b.Columns = append(b.Columns, c)
	}
	mosaics, err := NewMosaics(ds, b.opts.Mosaics, b.Seed, MosaicOptions{})
	if err != nil {
		return err
	}
	for _, row := range b.rows {
		if err := b.measure(ctx, row, subject, again, mosaics); err != nil {
			return err
		}
		row.result.Maps = compared(row.result) // all that later rows need
		b.Rows = append(b.Rows, row.Row)
	}
	return nil
}

// measure fills in a row.
func (b *board) measure(ctx context.Context, row *contestant, subject, again *Subject, mosaics *Mosaics) error {
	b.progress(row.Name)
	if err := row.makeMaps(ctx, b.net, subject); err != nil {
		return err
	}
	if same := b.same(row); same != nil {
		row.SameAs, row.Cells = same.Name, slices.Clone(same.Cells[:len(same.Cells)-1])
		return b.complete(row) // a matter of the factor
	}
	whole, err := subject.Case(row.result, row.explain)
	if err != nil {
		return err
	}
	part, err := Pick(row.result, count(again.Images().N), again.Classes())
	if err != nil {
		return err
	}
	few, err := again.Case(part, row.explain)
	if err != nil {
		return err
	}
	for _, m := range Metrics() {
		c := whole
		if m.Explain {
			c = few
		}
		values, err := m.Compute(ctx, c)
		if err := b.add(row, values, err); err != nil {
			return err
		}
	}
	if err := b.places(ctx, row, again, mosaics); err != nil {
		return err
	}
	return b.complete(row)
}

// makeMaps makes the maps of all images, the first of them apart, while the graphs are
// compiled.
func (row *contestant) makeMaps(ctx context.Context, net cam.Network, s *Subject) error {
	x, classes := s.Images(), s.Classes()
	n := min(100, (x.N+1)/2)
	for start, end := 0, n; start < x.N; start, end = end, x.N {
		clock := time.Now()
		r, err := row.explain(ctx, net, x.Part(start, end), classes[start:end])
		if err != nil {
			return fmt.Errorf("measure: board: %w", err)
		}
		row.Milliseconds = float64(time.Since(clock).Microseconds()) / 1000 / float64(end-start)
		if row.result == nil {
			row.result = r
			continue
		}
		all := row.result
		all.N += r.N
		all.Maps, all.Class = append(all.Maps, r.Maps...), append(all.Class, r.Class...)
		all.Score, all.Residual = append(all.Score, r.Score...), append(all.Residual, r.Residual...)
	}
	return nil
}

// compared returns a result's maps divided by their largest magnitude.
func compared(r *cam.Result) []float32 { return r.Normalised(cam.PerImage).Maps }

// same returns the earlier row whose maps these are, but for a factor.
func (b *board) same(row *contestant) *contestant {
	mine := compared(row.result)
	for _, other := range b.rows {
		if other == row {
			return nil
		}
		if other.SameAs == "" && !row.Baseline && len(other.result.Maps) == len(mine) && alike(other.result.Maps, mine) {
			return other
		}
	}
	return nil
}

func alike(a, b []float32) bool {
	for i, v := range a {
		if d := v - b[i]; d > 1e-4 || d < -1e-4 {
			return false
		}
	}
	return true
}

// places fills in the metrics of where.
func (b *board) places(ctx context.Context, row *contestant, again *Subject, mosaics *Mosaics) error {
	cells, err := b.mosaicMaps(ctx, row, mosaics)
	if err != nil {
		return err
	}
	truth := mosaics.Truth()
	grid, err := Energy(cells, truth)
	if err := b.add(row, PerMosaic(grid), err); err != nil {
		return err
	}
	hits, err := Pointing(cells, truth, 0)
	if err := b.add(row, PerMosaic(hits), err); err != nil {
		return err
	}
	if err := b.boxes(row, cells, truth); err != nil {
		return err
	}
	const class = 0
	net, err := WithTrigger(b.net, Trigger{Class: class})
	if err != nil {
		return err
	}
	x, square, err := Stamp(again.Images(), b.Seed)
	if err != nil {
		return err
	}
	values, err := row.judge(ctx, net, x, slices.Repeat([]int{class}, x.N), func(r *cam.Result) ([]float64, error) { return Energy(r, square) })
	if err := b.add(row, values, err); err != nil {
		return err
	}
	region, err := b.lowerHalf(ctx, again.Images())
	if err != nil {
		return err
	}
	if net, err = Blind(b.net, region); err != nil {
		return err
	}
	values, err = row.judge(ctx, net, again.Images(), again.Classes(), func(r *cam.Result) ([]float64, error) { return BlindShare(r, region) })
	return b.add(row, values, err)
}

// judge is what a metric makes of a row's maps of a network.
func (row *contestant) judge(ctx context.Context, net cam.Network, x cam.Images, classes []int, metric func(r *cam.Result) ([]float64, error)) ([]float64, error) {
	r, err := row.explain(ctx, net, x, classes)
	if err != nil {
		return nil, err
	}
	return metric(r)
}

// mosaicMaps returns the map of each cell's class. Trials are the same for all classes, so
// that methods with trials are asked for all of them at once.
func (b *board) mosaicMaps(ctx context.Context, row *contestant, m *Mosaics) (*cam.Result, error) {
	if row.method != nil && row.method.Trials != nil && row.method.Linear == nil {
		e, err := cam.New(b.backend, b.net, row.options)
		if err != nil {
			return nil, err
		}
		r, err := e.Explain(ctx, *row.method, m.Images, cam.All)
		if err != nil {
			return nil, fmt.Errorf("measure: board: mosaics: %w", err)
		}
		return m.Maps(r)
	}
	x, _ := m.Repeated()
	r, err := row.explain(ctx, b.net, x, m.Labels)
	if err != nil {
		return nil, fmt.Errorf("measure: board: mosaics: %w", err)
	}
	return r, nil
}

// boxes is MaxBoxAccV2, a number of all maps together: the bootstrap draws mosaics.
func (b *board) boxes(row *contestant, r *cam.Result, t Truth) error {
	hits, err := MaxBoxAcc(r, t, BoxOptions{})
	if err != nil {
		return err
	}
	e := resample(hits.N/Cells, Resampling{Seed: b.Seed}, func(mosaics []int) float64 {
		var maps []int
		for _, m := range mosaics {
			for c := range Cells {
				maps = append(maps, m*Cells+c)
			}
		}
		return hits.Accuracy(maps)
	})
	row.Cells = append(row.Cells, &e)
	return nil
}

// lowerHalf is the part of the network's grid that [Blind] hides.
func (b *board) lowerHalf(ctx context.Context, x cam.Images) (Truth, error) {
	e, err := cam.New(b.backend, b.net, cam.Options{})
	if err != nil {
		return Truth{}, err
	}
	random, err := cam.Lookup("randomcam")
	if err != nil {
		return Truth{}, err
	}
	r, err := e.Explain(ctx, random, x.Part(0, 1), cam.Predicted)
	if err != nil {
		return Truth{}, fmt.Errorf("measure: board: %w", err)
	}
	mask := make([]bool, r.Height*r.Width)
	for p := range mask {
		mask[p] = p/r.Width >= r.Height/2
	}
	return NewTruth(1, r.Height, r.Width, mask)
}

// complete fills in the last column.
func (b *board) complete(row *contestant) error {
	if row.result.Residual == nil {
		row.Cells = append(row.Cells, nil)
		return nil
	}
	values, err := Completeness(row.result.Residual, row.result.Score)
	if err != nil {
		return err
	}
	return b.add(row, values, nil)
}

// add appends the estimate of a metric's values to a row, or an empty cell where the
// method does not take the network.
func (b *board) add(row *contestant, values []float64, err error) error {
	if errors.Is(err, cam.ErrHead) || errors.Is(err, cam.ErrLayer) {
		row.Cells = append(row.Cells, nil)
		return nil
	}
	if err != nil {
		return err
	}
	e, err := Bootstrap(values, Resampling{Seed: b.Seed})
	if err != nil {
		return err
	}
	row.Cells = append(row.Cells, &e)
	return nil
}

func (b *board) progress(what string) {
	b.opts.Progress(b.done, len(b.rows), what)
	b.done++
}

// count returns 0 to n−1.
func count(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// rank gives each row the mean of its ranks in the ranked columns, equal means sharing
// theirs, and sorts the rows by it.
func (b *board) rank() {
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
				case better == (column.Better == Higher.String()):
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
