package export

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
)

// gather picks windows, which may be of one place, by the numbers of their first places along
// some axes; a window that would not lie within is the nearest one that does.
func (f *file) gather(o *op) (*stored, error) {
	a, x, indices := o.args.(gatherArgs), o.in[0], o.in[1]
	remaining, kept := rest(len(x.dims), a.starts), rest(len(x.dims), a.collapsed)
	for _, axis := range remaining {
		if a.sizes[axis] != whole {
			return nil, o.fail("of a part of an axis without numbers, which camlab does not write as ONNX")
		}
	}
	most, sizes := make([]int, len(a.starts)), make([]int, len(a.starts))
	var windows []int // of the picked axes, those that the result has too, by their places in starts
	for i, axis := range a.starts {
		if x.dims[axis].batch {
			return nil, o.fail("along the batch, want Together set in the network")
		}
		if sizes[i] = a.sizes[axis]; sizes[i] == whole {
			sizes[i] = x.dims[axis].n
		}
		most[i] = x.dims[axis].n - sizes[i]
		if slices.Contains(kept, axis) {
			windows = append(windows, i)
		}
	}
	t, err := f.full(x, slices.Concat(a.starts, remaining))
	if err != nil {
		return nil, err
	}
	first, err := f.firstPlaces(indices, a.vector, len(windows))
	if err != nil {
		return nil, err
	}
	i := f.node("Min", []string{f.node("Max", []string{first, f.ints(0)}), f.ints(most...)})
	if len(windows) > 0 {
		i = f.node("Add", []string{i, f.grid(sizes, windows)})
	}
	order := rest(len(o.dims), a.offsets)
	for _, w := range windows {
		order = append(order, a.offsets[slices.Index(kept, a.starts[w])])
	}
	for _, axis := range remaining {
		order = append(order, a.offsets[slices.Index(kept, axis)])
	}
	return complete(f.node("GatherND", []string{t, i}), order), nil
}

// firstPlaces are indices as int64, their vectors last, after axes for windows.
func (f *file) firstPlaces(indices *op, vector, windows int) (string, error) {
	order := rest(len(indices.dims), []int{vector})
	var dims []dim
	for _, axis := range order {
		dims = append(dims, indices.dims[axis])
	}
	dims = append(dims, slices.Repeat([]dim{{n: 1}}, windows)...)
	if vector == len(indices.dims) { // one number a place
		dims = append(dims, dim{n: 1})
	} else {
		order, dims = append(order, vector), append(dims, indices.dims[vector])
	}
	t, err := f.full(indices, order)
	if err != nil {
		return "", err
	}
	if len(dims) > len(order) {
		t = f.node("Reshape", []string{t, f.shape(dims, true)})
	}
	return f.node("Cast", []string{t}, attr{"to", int(types[dtypes.Int64])}), nil
}

// grid are the places of a window, [size, …, axes], with 0 along axes that have no windows.
func (f *file) grid(sizes, windows []int) string {
	var dims []int
	for _, w := range windows {
		dims = append(dims, sizes[w])
	}
	var numbers []int
	for place := range product(dims) {
		row := make([]int, len(sizes))
		for k, w := range slices.Backward(windows) {
			row[w] = place % dims[k]
			place /= dims[k]
		}
		numbers = append(numbers, row...)
	}
	return f.node("Reshape", []string{f.ints(numbers...), f.ints(append(dims, len(sizes))...)})
}
