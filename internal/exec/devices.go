package exec

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"

	"github.com/camlab-go/camlab/internal/backend"
)

// Devices are those of a backend among which XLA's partitioner divides the work of a graph,
// by the rows of its inputs. Nil is the first one alone.
type Devices struct {
	count       int
	mesh        *distributed.DeviceMesh
	rows, whole *distributed.ShardingSpec
}

// A variable knows the mesh that its copies belong to, so that there is one for each count.
var meshes Cache[int, *Devices]

// Among returns the first n devices of a backend; of 0 or 1 nil. It fails where there are
// fewer.
func Among(b compute.Backend, n int) (*Devices, error) {
	switch has := b.NumDevices(); {
	case n < 0:
		return nil, fmt.Errorf("%d devices, want 0 or more", n)
	case n < 2:
		return nil, nil
	case n > has:
		return nil, fmt.Errorf("%d devices, but %s has %d: %s", n, backend.Describe(b), has, more(b))
	}
	return meshes.Get(n, func() (*Devices, error) {
		const axis = "batch"
		mesh, err := distributed.NewDeviceMesh([]int{n}, []string{axis})
		if err != nil {
			return nil, err
		}
		rows, err := distributed.NewShardingSpec(mesh, distributed.AxisSpec{axis})
		return &Devices{n, mesh, rows, distributed.NewReplicatedShardingSpec(mesh)}, err
	})
}

// more says how a backend comes to have more devices.
func more(b compute.Backend) string {
	switch backend.KindOf(b) {
	case backend.XLACPU:
		return "a CPU's are virtual: camlib.BackendWith opens as many as it is asked for"
	case backend.XLACUDA:
		return "want no more than this machine has graphics cards that CUDA_VISIBLE_DEVICES, if that is set, lets it see"
	}
	return "want xla:cpu, which can have any number, or xla:cuda"
}

// Count is how many there are.
func (d *Devices) Count() int {
	if d == nil {
		return 1
	}
	return d.count
}

// ChunkSize is how many images of n are a chunk in which each device has most of them at most.
// It can be divided by the devices where n can.
func (d *Devices) ChunkSize(n, most int) int {
	if k := d.Count(); n%k == 0 {
		return k * ChunkSize(n/k, most)
	}
	return ChunkSize(n, d.Count()*most)
}

// Value is a tensor as devices have it: each has a copy, or its share of the rows. The last
// shares are filled up with zeros.
type Value struct {
	on   []*tensors.Tensor // one for each device
	fill int               // rows that were added
}

// Keep gives every device a tensor, which stays the caller's. On one device it is the value.
func (d *Devices) Keep(t *tensors.Tensor) (Value, error) {
	if d == nil {
		return Value{on: []*tensors.Tensor{t}}, nil
	}
	return split(d.whole, t, 0)
}

// Copies gives every device a tensor, which becomes the value's.
func (d *Devices) Copies(t *tensors.Tensor) (Value, error) {
	v, err := d.Keep(t)
	if d != nil {
		err = errors.Join(err, t.FinalizeAll())
	}
	return v, err
}

// Shares gives every device as many rows of a tensor, which becomes the value's.
func (d *Devices) Shares(t *tensors.Tensor) (v Value, err error) {
	if d == nil {
		return d.Copies(t)
	}
	defer func() { err = errors.Join(err, t.FinalizeAll()) }()
	n := t.Shape().Dim(0)
	fill := (d.count - n%d.count) % d.count
	if fill == 0 {
		return split(d.rows, t, 0)
	}
	shape := t.Shape().Clone()
	shape.Dimensions[0] += fill
	filled := tensors.FromShape(shape)
	var inner error
	err = t.ConstBytes(func(from []byte) {
		inner = filled.MutableBytes(func(to []byte) { clear(to[copy(to, from):]) })
	})
	if err = errors.Join(err, inner); err != nil {
		return Value{}, err
	}
	v, err = split(d.rows, filled, fill)
	return v, errors.Join(err, filled.FinalizeAll())
}

func split(how *distributed.ShardingSpec, t *tensors.Tensor, fill int) (Value, error) {
	all, err := dtensor.ShardTensor(how, t)
	if err != nil {
		return Value{}, err
	}
	return Value{all.Shards(), fill}, nil
}

// First is the first device's tensor.
func (v Value) First() *tensors.Tensor { return v.on[0] }

// FreeOthers frees all tensors but the first.
func (v Value) FreeOthers() error { return Value{on: v.on[1:]}.Free() }

// Free frees the value now rather than when the garbage collector, which does not see its
// size, comes to it.
func (v Value) Free() (err error) {
	for _, t := range v.on {
		err = errors.Join(err, t.FinalizeAll())
	}
	return err
}
