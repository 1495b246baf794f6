package truth

import (
	"math/rand/v2"
	"slices"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
)

// Cells is the number of images in a mosaic, and side the number along an edge.
const (
	Cells = side * side
	side  = 2
)

// Mosaics are pictures of four images each, of four different classes, for a network
// that takes images of any size: truth about where a class is that needs no boxes. A
// mosaic's cells are numbered row by row, and what there is one of for each cell is in
// the order of the mosaics, then of their cells.
type Mosaics struct {
	Images images.Batch // [n], twice as high and wide as the data set's
	Labels []int        // [4n], the class of each cell
	Index  []int        // [4n], the position of each cell's image in the data set
}

// MosaicOptions say which images mosaics are made of. The zero value takes all.
type MosaicOptions struct {
	// Scores are those of a network (before softmax) for the images of the data set,
	// [n, classes]. With them only images enter to whose own class it gives at least
	// MinProbability, 0 to 1: a network that does not see the class in the image alone
	// cannot be expected to find it in a mosaic (Böhle et al. 2021 take the most
	// confident ones).
	Scores         []float32
	MinProbability float64
}

// NewMosaics makes n mosaics of a data set's images. All classes are equally frequent,
// with a difference of one at most, and an image comes again only after all others of its
// class. The same seed gives the same mosaics. It fails with [ErrTruth] when n is below 1,
// when there are not four classes with an image to take, or when the scores do not fit.
func NewMosaics(ds images.Dataset, n int, seed uint64, opts MosaicOptions) (*Mosaics, error) {
	if n < 1 {
		return nil, fail("mosaics: %d of them, want at least 1", n)
	}
	if err := images.CheckDataset(ds); err != nil {
		return nil, fail("mosaics: %w", err)
	}
	classes := len(ds.Classes())
	if opts.Scores != nil && len(opts.Scores) != ds.Len()*classes {
		return nil, fail("mosaics: %d scores, want %d for each of %d images", len(opts.Scores), classes, ds.Len())
	}
	if opts.MinProbability != 0 && opts.Scores == nil || !(opts.MinProbability >= 0 && opts.MinProbability <= 1) {
		return nil, fail("mosaics: probability of at least %v, want 0 to 1 and the scores that it is of", opts.MinProbability)
	}
	positions := make([][]int, classes)
	for i, label := range images.Labels(ds) {
		if opts.Scores != nil {
			p := score.Softmax(opts.Scores[i*classes : (i+1)*classes])
			if p[label] < opts.MinProbability {
				continue
			}
		}
		positions[label] = append(positions[label], i)
	}
	var decks []*deck
	rng := rand.New(rand.NewPCG(seed, 0x6d6f73616963)) // the second word spells "mosaic"
	for c, p := range positions {
		if len(p) > 0 {
			decks = append(decks, &deck{class: c, images: p, next: len(p)})
		}
	}
	if len(decks) < Cells {
		return nil, fail("mosaics: images of %d classes, want of at least %d", len(decks), Cells)
	}
	m := &Mosaics{}
	for range n {
		for _, d := range leastUsed(decks, rng) {
			m.Labels = append(m.Labels, d.class)
			m.Index = append(m.Index, d.draw(rng))
		}
	}
	var err error
	m.Images, err = tile(ds, m.Index)
	return m, err
}

// deck is the images of one class, drawn like cards.
type deck struct {
	class, next, used int
	images            []int
}

func (d *deck) draw(rng *rand.Rand) int {
	if d.next == len(d.images) {
		rng.Shuffle(len(d.images), func(i, j int) { d.images[i], d.images[j] = d.images[j], d.images[i] })
		d.next = 0
	}
	d.next, d.used = d.next+1, d.used+1
	return d.images[d.next-1]
}

// leastUsed returns the decks of a mosaic, in the order of its cells.
func leastUsed(decks []*deck, rng *rand.Rand) []*deck {
	rng.Shuffle(len(decks), func(i, j int) { decks[i], decks[j] = decks[j], decks[i] })
	slices.SortStableFunc(decks, func(a, b *deck) int { return a.used - b.used })
	return decks[:Cells]
}

// tile puts images of a data set, by position, into mosaics.
func tile(ds images.Dataset, positions []int) (images.Batch, error) {
	chosen, err := images.Subset(ds, positions...)
	if err != nil {
		return images.Batch{}, err
	}
	cells, err := images.FromDataset(chosen, 0, len(positions))
	if err != nil {
		return images.Batch{}, err
	}
	h, row := cells.Height, cells.Width*cells.Channels
	x := images.NewBatch(cells.N/Cells, images.Size{Height: side * h, Width: side * cells.Width, Channels: cells.Channels})
	for k := range cells.N {
		for y := range h {
			at := (k/side*h+y)*side*row + k%side*row // cells k and k+1 stand side by side, as do all rows of cells
			copy(x.Pixels[at:at+row], cells.Pixels[(k*h+y)*row:])
		}
	}
	return x, nil
}

// Len returns the number of mosaics.
func (m *Mosaics) Len() int { return m.Images.N }

// Truth returns the truth of each cell, [4n, height, width]: the quarter that the cell is.
func (m *Mosaics) Truth() Truth {
	t := Truth{len(m.Labels), m.Images.Height, m.Images.Width, make([]bool, len(m.Labels)*m.Images.Height*m.Images.Width)}
	for k := range t.N {
		mask := t.Mask(k)
		for p := range mask {
			mask[p] = p/t.Width*side/t.Height*side+p%t.Width*side/t.Width == k%Cells
		}
	}
	return t
}

// Repeated returns every mosaic four times, and as target the classes of its cells. That
// is dearer than the target [cam.All] where a method is cheap once the network has run,
// as all are that look at its last layer, and cheaper where each class costs a run.
func (m *Mosaics) Repeated() (images.Batch, cam.Target) {
	x, size := m.Images, len(m.Images.Pixels)/m.Images.N
	x.N, x.Pixels = len(m.Labels), make([]float32, 0, Cells*len(m.Images.Pixels))
	for one := range slices.Chunk(m.Images.Pixels, size) {
		for range Cells {
			x.Pixels = append(x.Pixels, one...)
		}
	}
	return x, cam.Classes(m.Labels...)
}

// Maps returns, for each cell, the map of its class. r is of m.Images and all classes, or
// of what [Mosaics.Repeated] returns. It fails with [ErrTruth] otherwise.
func (m *Mosaics) Maps(r *cam.Result) (*cam.Result, error) {
	if r.K > 0 && r.N == m.Len() {
		mosaics := make([]int, len(m.Labels))
		for k := range mosaics {
			mosaics[k] = k / Cells
		}
		return Pick(r, mosaics, m.Labels)
	}
	if r.K > 0 || !slices.Equal(r.Class, m.Labels) {
		return nil, fail("mosaics: a result of %d maps, want one of the %d mosaics for all classes, or of their %d cells, each for its class",
			r.N, m.Len(), len(m.Labels))
	}
	return r, nil
}

// GridPointing plays the grid pointing game: how much of the positive part of the map of
// a cell's class is in that cell,
//
//	L_i = Σ_{p∈cell i} ReLU(M_p) / Σ_j Σ_{p∈cell j} ReLU(M_p),
//
// the localization score of Böhle et al. 2021 (arXiv:2104.00032), called GridPG by Rao et
// al. 2022 (arXiv:2205.10435). It is [Energy] of [Mosaics.Maps] and [Mosaics.Truth]. A map
// of another size is brought to that of the mosaic before, so that the row or column
// between two cells is shared out.
//
// r is what Maps takes. The result has a value from 0 to 1 for each cell, [4n], higher is
// better, 0.25 is chance, and a map without positive values has 0. Cells of one mosaic
// are not independent, so a bootstrap draws from [PerMosaic].
func GridPointing(r *cam.Result, m *Mosaics) ([]float64, error) {
	maps, err := m.Maps(r)
	if err != nil {
		return nil, err
	}
	return Energy(maps, m.Truth())
}

// PerMosaic returns the mean of the cells of each mosaic, [n], of a value for each cell,
// [4n]. Their mean is that of the values, and they are independent of each other where
// the mosaics have no image in common.
func PerMosaic(cells []float64) []float64 {
	means := make([]float64, len(cells)/Cells)
	for k := range len(means) * Cells {
		means[k/Cells] += cells[k] / Cells
	}
	return means
}
