package train

import "fmt"

// RecipeNames are the names that [Recipe] takes.
var RecipeNames = []string{"article", "best"}

// Recipe returns the settings of a named training, which a caller may change:
//
//   - article, that of the article's network, as published: Adam at a constant learning rate,
//     on the images and their flipped and cropped copies. It is the zero [Config] with its
//     numbers.
//   - best, that of the network of package best: stochastic gradient descent on smoothed labels
//     with a learning rate that rises and falls, larger for the biases of batch normalization
//     and smaller for the linear layer, and a moving average of the weights, after Jordan 2024
//     (arXiv:2404.00498).
func Recipe(name string) (Config, error) {
	switch name {
	case "article":
		return Config{Seed: 1}.withDefaults()
	case "best":
		return Config{
			Epochs: 30, BatchSize: 500, Optimizer: SGD, LearningRate: 0.75, Momentum: 0.85, WeightDecay: 0.009,
			Rates:    map[string]float64{"biases": 64, "dense/weights": 1. / 9, "dense/biases": 1. / 9},
			Schedule: Triangular, Warmup: 0.2, LabelSmoothing: 0.2, Average: 0.98, Augment: FlipCrop, Shift: 2, Seed: 1,
		}.withDefaults()
	}
	return Config{}, fmt.Errorf("train: recipe %q, want one of %q", name, RecipeNames)
}
