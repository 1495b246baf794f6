package best

import "github.com/camlab-go/camlab/camlib/network"

// Load returns the network with weights from a .safetensors file, or from the
// [network.ModelFile] of a checkpoint folder, named and laid out as in PyTorch's
// nn.Sequential: convolutions 0, 2, 6, 9, 13, 16 and 19, of which the first has a bias, batch
// normalization, and a linear layer. It fails as [network.Network.Load] does.
func Load(path string) (*network.Network, error) {
	net := New(0)
	if err := net.Load(path); err != nil {
		return nil, err
	}
	return net, nil
}
