package cnn

import (
	_ "embed"
	"fmt"
)

//go:embed article/model.safetensors
var articleModel []byte

//go:embed article/log.json
var articleLog []byte

// Pretrained returns the article's model as shipped with this package: trained
// by [Train] with the zero [TrainConfig] and Seed 1 on the 50,000 training
// images. `make train` makes it again.
func Pretrained() (*Model, error) {
	m, err := Decode(articleModel)
	if err != nil {
		return nil, fmt.Errorf("cnn: shipped model: %w", err)
	}
	return m, nil
}

// PretrainedHistory returns the record of the training that made [Pretrained].
func PretrainedHistory() (*History, error) { return decodeHistory("shipped log", articleLog) }
