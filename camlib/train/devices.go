package train

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/exec"
)

// The work of a step is divided by images: each device has the whole data set, all weights and
// all that an optimizer keeps, and its share of a chunk's picks. What comes of it is the same
// graph's as on one device; XLA's partitioner sees to the sums over the devices. So a chunk
// stays what batch normalization has its averages of, however many devices have a part in it.

// placed has the inputs of steps on the devices that make them.
type placed struct {
	devices *exec.Devices

	pixels *tensors.Tensor // those of the data set
	data   []exec.Value    // its pixels and labels
}

func placing(b compute.Backend, devices int) (*placed, error) {
	d, err := exec.Among(b, devices)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return &placed{devices: d}, nil
}

// arePicks says which input of a step the devices have shares of, noInput that they have none.
func arePicks(input int) bool { return input == 2 }
func noInput(int) bool        { return false }

// inputs places those of a step, of which it takes over picks and last.
func (p *placed) inputs(pixels, labels, picks, last *tensors.Tensor) (in []exec.Value, err error) {
	if p.pixels != pixels { // once
		p.pixels, p.data = pixels, nil
		for _, t := range []*tensors.Tensor{pixels, labels} {
			v, err := p.devices.Keep(t)
			if err != nil {
				return nil, fmt.Errorf("train: step: %w", err)
			}
			p.data = append(p.data, v)
		}
	}
	shares, err := p.devices.Shares(picks)
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	copies, err := p.devices.Copies(last)
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return append(p.data[:2:2], shares, copies), nil
}

// chunk is how many of n images the network's own gradients are computed of at a time.
func (p *placed) chunk(b compute.Backend, net *network.Network, n int) int {
	switch {
	case net.Chunk > 0:
		return exec.ChunkSize(n, net.Chunk)
	case backend.KindOf(b).OnCPU():
		return p.devices.ChunkSize(n, exec.Batch)
	}
	return n
}

// uneven says that devices do not divide the images that a step takes at a time, if they do not.
func (c Config) uneven(b compute.Backend, net *network.Network) string {
	place, err := placing(b, c.Devices)
	if err != nil {
		return "" // which a step says
	}
	n, mend := c.BatchSize, "a batch size that they divide makes faster steps"
	if c.Step != Plain {
		if n = place.chunk(b, net, n); net.Chunk > 0 {
			mend = "a number of devices that divides them makes faster steps"
		}
	}
	count := place.devices.Count()
	if n%count == 0 {
		return ""
	}
	return fmt.Sprintf("%d devices do not divide the %d images that a step takes at a time, so that each computes a part of them for itself; %s", count, n, mend)
}
