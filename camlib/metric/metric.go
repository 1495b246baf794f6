package measure

import "context"

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

// Metric is one way to judge maps.
type Metric struct {
	Name    string // lower case, words joined by hyphens
	Better  Better
	Meaning string // one line
	Explain bool   // whether it makes maps itself, so that the case needs an Explain
	// Compute returns one value per image. Metrics of one case share what they can.
	Compute func(ctx context.Context, c *Case) ([]float64, error)
}

// Metrics returns all metrics of maps of one class per image: faithfulness, then
// robustness, sparseness and sanity.
func Metrics() []Metric {
	return []Metric{
		{"average-drop", Lower, "share of the class's probability lost when only the map's part of the image is seen", false, each((*Case).AverageDrop)},
		{"increase", Higher, "share of images whose class is more probable when only the map's part is seen", false, each((*Case).Increase)},
		{"average-gain", Higher, "share of the missing probability gained when only the map's part is seen", false, each((*Case).AverageGain)},
		{"deletion", Lower, "mean score while the map's highest pixels are taken away first", false, area((*Case).Deletion)},
		{"insertion", Higher, "mean score while the map's highest pixels are put into the blurred image first", false, area((*Case).Insertion)},
		{"road-morf", Lower, "score without the map's highest pixels, which are imputed", false, road((*ROAD).MoRF)},
		{"road-lerf", Higher, "score without the map's lowest pixels, which are imputed", false, road((*ROAD).LeRF)},
		{"road", Higher, "half of road-lerf less road-morf", false, road((*ROAD).Combined)},
		{"infidelity", Lower, "squared error of the score's change as the map foretells it", false, each((*Case).Infidelity)},
		{"sensitivity-max", Lower, "largest relative change of the map when the image hardly changes", true, each((*Case).SensitivityMax)},
		{"sparseness", Higher, "Gini index: 0 for a flat map, near 1 for a few pixels", false, of((*Case).Sparseness)},
		{"complexity", Lower, "entropy of the map's shares, in nats", false, of((*Case).Complexity)},
		{"randomisation", Lower, "size of the rank correlation with the map of the network with permuted parameters", true, each((*Case).Randomisation)},
		{"random-logit", Lower, "rank correlation with the map of another class", true, each((*Case).RandomLogit)},
	}
}

type perImage = func(context.Context, *Case) ([]float64, error)

func each(f func(*Case, context.Context) ([]float64, error)) perImage {
	return func(ctx context.Context, c *Case) ([]float64, error) { return f(c, ctx) }
}

func area(curves func(*Case, context.Context) (*Curves, error)) perImage {
	return func(ctx context.Context, c *Case) ([]float64, error) {
		v, err := curves(c, ctx)
		if err != nil {
			return nil, err
		}
		return v.AUC(), nil
	}
}

func road(part func(*ROAD) []float64) perImage {
	return func(ctx context.Context, c *Case) ([]float64, error) {
		r, err := c.ROAD(ctx)
		if err != nil {
			return nil, err
		}
		return part(r), nil
	}
}

func of(f func(*Case) []float64) perImage {
	return func(_ context.Context, c *Case) ([]float64, error) { return f(c), nil }
}
