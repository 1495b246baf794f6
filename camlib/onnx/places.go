package onnx

import (
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
)

// learnGrid takes the grid of tokens from a reshape that lays them out in it, or that takes
// them from it: [n, h, w, c] and [n, h·w, c].
func (s *study) learnGrid(n *node) {
	if n.op != "Reshape" || !s.depends[n.outputs[0]] {
		return
	}
	places, tokens := s.plan.tensors[n.inputs[0]].dims, s.plan.tensors[n.outputs[0]].dims
	if len(places) == 3 {
		places, tokens = tokens, places
	}
	if len(places) != 4 || len(tokens) != 3 || min(places[1], places[2]) < 2 {
		return
	}
	if grid := [2]int{places[1], places[2]}; places[0] == tokens[0] && grid[0]*grid[1] == tokens[1] && places[3] == tokens[2] && !slices.Contains(s.grids, grid) {
		s.grids = append(s.grids, grid)
	}
}

// channelsBy is the axis of a tensor's channels by what takes it, where that is not known by
// what makes it, as after a reshape: pools, convolutions and means over places say so.
func (s *study) channelsBy(name string, users []*node) int {
	for _, n := range users {
		axes := []int64(nil)
		switch {
		case n.inputs[0] != name:
			continue
		case n.op == "Conv" || n.op == "BatchNormalization" || strings.HasSuffix(n.op, "Pool"):
			return 1
		case n.op != "ReduceMean":
			continue
		case n.attributes["axes"] != nil:
			axes = slices.Clone(n.attributes["axes"].ints)
		case len(n.inputs) > 1 && s.m.graph.constants[n.inputs[1]] != nil:
			axes = slices.Clone(s.m.graph.constants[n.inputs[1]].ints())
		}
		for i, a := range axes {
			axes[i] = (a + 4) % 4
		}
		slices.Sort(axes)
		if slices.Equal(axes, []int64{2, 3}) {
			return 1
		}
		if slices.Equal(axes, []int64{1, 2}) {
			return 3
		}
	}
	return 0
}

// layerShape is the shape of a tensor as a layer: of images, or of tokens in a grid that
// images before it had.
func (s *study) layerShape(f fact) (shape [3]int, tokens int, ok bool) {
	n := max(s.im.batch, 1)
	if len(f.dims) < 3 || f.dims[0] != n || f.dtype != dtypes.Float32 {
		return shape, -1, false
	}
	if (&value{dims: f.dims, channels: f.channels}).places() > 1 {
		d := f.dims
		if f.channels == 1 {
			d = lastDims(d)
		}
		if grid := [2]int{d[1], d[2]}; !slices.Contains(s.grids, grid) {
			s.grids = append(s.grids, grid)
		}
		return [3]int{d[1], d[2], d[3]}, -1, true
	}
	if len(f.dims) != 3 || f.dims[2] == 1 {
		return shape, -1, false
	}
	const most = 16 // class, distillation and register tokens
	for _, grid := range slices.Backward(s.grids) {
		if extra := f.dims[1] - grid[0]*grid[1]; extra >= 0 && extra <= most {
			return [3]int{grid[0], grid[1], f.dims[2]}, extra, true
		}
	}
	return shape, -1, false
}
