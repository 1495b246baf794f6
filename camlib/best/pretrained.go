package best

import (
	_ "embed"
	"fmt"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
)

//go:embed weights/model.safetensors
var shippedModel []byte

//go:embed weights/log.json
var shippedLog []byte

// Pretrained returns the network as shipped with this package: trained by [train.Train] with
// the [train.Recipe] best and Seed 1 on the 50,000 training images, its weights rounded to
// float16. `make train-best` makes it again.
func Pretrained() (*network.Network, error) {
	net := New(0)
	if err := net.Decode(shippedModel); err != nil {
		return nil, fmt.Errorf("best: shipped weights: %w", err)
	}
	return net, nil
}

// Log returns the record of the training that made [Pretrained].
func Log() (*train.History, error) {
	h, err := train.DecodeHistory(shippedLog)
	if err != nil {
		return nil, fmt.Errorf("best: shipped log: %w", err)
	}
	return h, nil
}
