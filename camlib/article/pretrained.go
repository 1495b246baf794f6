package article

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
)

//go:embed weights/model.safetensors
var shippedModel []byte

//go:embed weights/log.json
var shippedLog []byte

// Pretrained returns the network as shipped with this package: trained by [train.Train]
// with the zero [train.Config] and Seed 1 on the 50,000 training images. `make train`
// makes it again.
func Pretrained() (*network.Network, error) {
	net := New(0)
	if err := net.Decode(shippedModel); err != nil {
		return nil, fmt.Errorf("article: shipped weights: %w", err)
	}
	return net, nil
}

// IsPretrained reports whether a network's weights are, to the last bit, those that
// [Pretrained] returns.
func IsPretrained(net *network.Network) bool {
	data, err := net.Encode()
	return err == nil && bytes.Equal(data, shippedModel)
}

// Log returns the record of the training that made [Pretrained].
func Log() (*train.History, error) {
	h, err := train.DecodeHistory(shippedLog)
	if err != nil {
		return nil, fmt.Errorf("article: shipped log: %w", err)
	}
	return h, nil
}

// Load returns the network with weights from a .safetensors file, or from the
// [network.ModelFile] of a checkpoint folder. The tensors are named and laid out as in
// PyTorch's nn.Sequential of the article: convolutions 0, 2, 5, 7 and 9 with weight
// [out, in, 3, 3] and bias [out], dense 13 with weight [10, 128] and bias [10]. It fails
// as [network.Network.Load] does.
func Load(path string) (*network.Network, error) {
	net := New(0)
	if err := net.Load(path); err != nil {
		return nil, err
	}
	return net, nil
}
