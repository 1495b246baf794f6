package metric

import (
	"math"
	"slices"

	"github.com/camlab-go/camlab/internal/parallel"
)

// rank returns the rank of every pixel of every image, [n, height, width]: 0 for
// the largest value of the map. Maps are full of ties, those behind a ReLU above
// all, and to break them by position would delete an image from its top down;
// a permutation of the pixels that the seed fixes, the same for all images,
// breaks them instead.
func (c *Case) rank() ([]int32, error) {
	return c.ranks.Get(func() ([]int32, error) {
		ranks := make([]int32, len(c.maps))
		order, err := c.evaluator.tieOrder(c.pixels())
		if err != nil {
			return nil, err
		}
		_ = parallel.Each(c.images.N, func(i int) error {
			rankMap(ranks[i*c.pixels():(i+1)*c.pixels()], c.mapOf(i), order)
			return nil
		})
		return ranks, nil
	})
}

// rankMap writes the ranks of a map.
func rankMap(ranks []int32, m []float32, ties tieOrder) {
	keys := make([]uint64, len(m))
	for i, v := range m {
		if v == 0 {
			v = 0 // one kind of zero
		}
		b := math.Float32bits(v)
		if b>>31 == 0 {
			b = ^b &^ (1 << 31) // the larger, the earlier
		}
		keys[i] = uint64(b)<<32 | uint64(ties.number[i])
	}
	slices.Sort(keys)
	for rank, key := range keys {
		ranks[ties.pixel[uint32(key)]] = int32(rank)
	}
}

// tieOrder is a permutation of pixels and its inverse.
type tieOrder struct{ number, pixel []int32 }

func (e *Evaluator) tieOrder(pixels int) (tieOrder, error) {
	return e.orders.Get(pixels, func() (tieOrder, error) {
		t := tieOrder{make([]int32, pixels), make([]int32, pixels)}
		for number, pixel := range e.random(ties).Perm(pixels) {
			t.number[pixel], t.pixel[number] = int32(number), int32(pixel)
		}
		return t, nil
	})
}
