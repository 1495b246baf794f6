package train

// Best is the recipe of the network of package best: stochastic gradient descent on smoothed
// labels with a learning rate that rises and falls, larger for the biases of batch
// normalization and smaller for the linear layer, after Jordan 2024 (arXiv:2404.00498).
// The zero [Config] is the article's recipe.
func Best() Config {
	return Config{
		Epochs: 16, BatchSize: 500, Optimizer: SGD, LearningRate: 0.75, Momentum: 0.85, WeightDecay: 0.009,
		Rates:    map[string]float64{"biases": 64, "dense/weights": 1. / 9, "dense/biases": 1. / 9},
		Schedule: Triangular, Warmup: 0.2, LabelSmoothing: 0.2, Average: 0.98, Augment: FlipCrop, Shift: 2,
	}
}
