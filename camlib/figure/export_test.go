package figure

// ScaleTicks returns the labels of the colour bar's ticks, for the tests.
func ScaleTicks(lo, hi float64, n int, apart float64) (labels []string, at []float64) {
	for _, t := range scaleTicks(lo, hi, n, apart) {
		labels, at = append(labels, t.label), append(at, t.at)
	}
	return labels, at
}

// Lines returns the lines of a text from left to right, for the tests.
func Lines(s string) []string { return lines(s) }

// Drawn returns the grid with every tile as one image, for the tests.
func (g Grid) Drawn() (Grid, error) { return g.drawn() }
