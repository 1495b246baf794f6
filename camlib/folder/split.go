package folder

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// Split cuts the data set into parts, such as 0.8, 0.1 and 0.1 of it for training,
// validation and test, at random, and the same for the same seed and pictures. Every part
// has that share of each class, to one image, and at least one of it; no image is in two.
// What the fractions leave of 1 is in none. The draw of a class depends on its name and
// pictures alone: other classes may come and go.
//
// The parts share the cache. It fails for a fraction that is not above 0, for more than 1
// in all, and for a class with fewer images than parts.
func (d *Dataset) Split(seed uint64, fractions ...float64) ([]*Dataset, error) {
	all := 0.0
	for _, f := range fractions {
		if !(f > 0 && f <= 1) {
			return nil, fmt.Errorf("folder: split: fractions %v, want each above 0 and at most 1", fractions)
		}
		all += f
	}
	if len(fractions) == 0 || all > 1+1e-9 {
		return nil, fmt.Errorf("folder: split: fractions %v, want at least one, and at most 1 in all", fractions)
	}
	chosen := make([][]int, len(fractions)) // positions, for each part
	for label, name := range d.classes {
		var positions []int
		for i, f := range d.files {
			if f.label == label {
				positions = append(positions, i)
			}
		}
		if len(positions) < len(fractions) {
			return nil, fmt.Errorf("folder: split: class %s has %d images, want at least %d, one for each part", name, len(positions), len(fractions))
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(name)) // never fails
		rand.New(rand.NewPCG(seed, h.Sum64())).Shuffle(len(positions), func(i, j int) { positions[i], positions[j] = positions[j], positions[i] })
		for part, n := range shares(len(positions), fractions) {
			chosen[part], positions = append(chosen[part], positions[:n]...), positions[n:]
		}
	}
	parts := make([]*Dataset, len(fractions))
	for p, positions := range chosen {
		slices.Sort(positions)
		parts[p] = &Dataset{options: d.options, classes: d.classes, cache: d.cache}
		for _, i := range positions {
			parts[p].files = append(parts[p].files, d.files[i])
		}
	}
	return parts, nil
}

// shares cuts n into parts of at least one, each as near to its fraction as can be.
func shares(n int, fractions []float64) []int {
	counts, all := make([]int, len(fractions)), 0.0
	for p, f := range fractions {
		counts[p] = 1
		all += f
	}
	for rest := max(int(float64(n)*all+0.5), len(counts)) - len(counts); rest > 0; rest-- {
		least := 0 // the part that has least of what it should
		for p := range counts {
			if float64(n)*fractions[p]-float64(counts[p]) > float64(n)*fractions[least]-float64(counts[least])+1e-9 {
				least = p
			}
		}
		counts[least]++
	}
	return counts
}
