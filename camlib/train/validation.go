package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/camlab-go/camlab/camlib/images"
)

// held is which training images are held out for validation, and which are trained on, by
// their positions, ascending. The same fraction and seed hold out the same images.
func held(n int, fraction float64, seed int64) (trained, out []int) {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x76616c6964)) // the second word spells "valid"
	order := rng.Perm(n)
	size := int(math.Round(fraction * float64(n)))
	out, trained = order[:size], order[size:]
	slices.Sort(out)
	slices.Sort(trained)
	return trained, out
}

// holdOut splits the training images.
func (t *training) holdOut() error {
	c := t.config
	t.images = t.train.Len()
	if c.Validation == 0 {
		return nil
	}
	trained, out := held(t.train.Len(), c.Validation, c.Seed)
	if len(trained) == 0 || len(out) == 0 {
		return fmt.Errorf("train: validation %v: %d of %d training images, want at least one and not all", c.Validation, len(out), t.train.Len())
	}
	for _, p := range trained {
		t.positions = append(t.positions, int32(p))
	}
	t.images = len(trained)
	var err error
	t.validation, err = images.Subset(t.train, out...)
	return err
}

// order returns the images of an epoch.
func (t *training) order(epoch int) picks {
	c := t.config
	p := c.Augment.epochPicks(t.images, t.train.Size(), c.Shift, c.Seed, epoch)
	if t.positions == nil {
		return p
	}
	for row := range slices.Chunk(p, c.Augment.width()) {
		row[0] = t.positions[row[0]]
		if c.Augment == Mixup {
			row[4] = t.positions[row[4]]
		}
	}
	return p
}
