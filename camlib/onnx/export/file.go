package export

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/network"
)

// file is an ONNX file that is being made of a recording.
type file struct {
	net       *network.Network
	recording *recording
	nodes     []*node
	// initializers are the constants.
	initializers []initializer

	stored    map[*op]*stored
	uses      map[*op]int       // of the operations that the scores or a layer need
	constants map[*op]bool      // see isConstant
	taken     map[string]bool   // names that are not given again
	named     map[string]bool   // tensors that are not renamed
	sizes     map[string]string // tensors of sizes by what they say
	layer     string            // of the operation that is being written
}

// stored is what stands for a value in the file.
type stored struct {
	// tensor is its name; empty for a constant that is not in the file yet.
	tensor string
	// order are the value's axes in the order of the tensor's.
	order []int
	// repeats says of which of the value's axes the tensor has one place, whatever their size.
	repeats []bool
	// constant is the value, in the order of its own axes, where it depends on weights alone.
	constant *tensors.Tensor
	name     string // of a constant that has one

	others map[string]string // tensors in other orders, and in full
}

func newFile(net *network.Network, r *recording) *file {
	f := &file{net: net, recording: r, stored: map[*op]*stored{}, uses: map[*op]int{}, constants: map[*op]bool{},
		taken: map[string]bool{Image: true, Scores: true}, named: map[string]bool{Image: true}, sizes: map[string]string{}}
	for _, l := range net.Layers {
		f.taken[l.Name] = true
	}
	var use func(o *op)
	use = func(o *op) {
		if f.uses[o]++; f.uses[o] == 1 {
			for _, in := range o.in {
				use(in)
			}
		}
	}
	for _, o := range append(slices.Clone(r.layers), r.scores) {
		use(o)
	}
	return f
}

// write translates all that the layers and the scores need.
func (f *file) write() error {
	image := f.recording.image
	f.stored[image] = &stored{tensor: Image, order: channelsFirst, repeats: make([]bool, 4)}
	for i, o := range f.recording.layers {
		s, err := f.get(o)
		if err != nil {
			return err
		}
		f.layer = f.net.Layers[i].Name
		order := s.order
		if len(o.dims) == 4 {
			order = channelsFirst
		}
		t, err := f.full(o, order)
		if err != nil {
			return err
		}
		name := f.layer
		if name == Image || name == Scores {
			name = f.unique(name)
		}
		f.name(t, name)
		f.stored[o] = &stored{tensor: name, order: order, repeats: make([]bool, len(order))}
	}
	f.layer = ""
	t, err := f.full(f.recording.scores, identity(2))
	if err != nil {
		return err
	}
	f.name(t, Scores)
	return nil
}

// name gives a tensor a name, or its values, where it has a name to keep.
func (f *file) name(tensor, name string) {
	defer func() { f.named[name] = true }()
	made := slices.ContainsFunc(f.nodes, func(n *node) bool { return slices.Contains(n.outputs, tensor) })
	if !made || f.named[tensor] {
		f.nodes = append(f.nodes, &node{op: "Identity", inputs: []string{tensor}, outputs: []string{name}})
		return
	}
	rename := func(names []string) {
		for i, have := range names {
			if have == tensor {
				names[i] = name
			}
		}
	}
	for _, n := range f.nodes {
		rename(n.inputs)
		rename(n.outputs)
	}
	for _, s := range f.stored {
		if s.tensor == tensor {
			s.tensor = name
		}
		for key, have := range s.others {
			if have == tensor {
				s.others[key] = name
			}
		}
	}
}

// get returns what stands for a value, which is written if it is not yet.
func (f *file) get(o *op) (*stored, error) {
	if s := f.stored[o]; s != nil {
		return s, nil
	}
	before := f.layer
	f.layer = o.layer
	s, err := f.make(o)
	f.layer = before
	if err != nil {
		return nil, err
	}
	f.stored[o] = s
	return s, nil
}

// tensor returns the name of a value with its axes in an order, which may repeat.
func (f *file) tensor(o *op, order []int) (string, error) {
	s, err := f.get(o)
	if err != nil {
		return "", err
	}
	key := fmt.Sprint(order)
	if t, ok := s.others[key]; ok {
		return t, nil
	}
	var t string
	switch {
	case s.constant != nil:
		if t, err = f.constant(o, s, order); err != nil {
			return "", err
		}
	case slices.Equal(order, s.order):
		return s.tensor, nil
	default:
		perm := make([]int, len(order))
		for i, axis := range order {
			perm[i] = slices.Index(s.order, axis)
		}
		t = f.node("Transpose", []string{s.tensor}, attr{"perm", perm})
	}
	s.remember(key, t)
	return t, nil
}

func (s *stored) remember(key, tensor string) {
	if s.others == nil {
		s.others = map[string]string{}
	}
	s.others[key] = tensor
}

// full is tensor without repeats.
func (f *file) full(o *op, order []int) (string, error) {
	t, err := f.tensor(o, order)
	s := f.stored[o]
	if err != nil || !slices.Contains(s.repeats, true) {
		return t, err
	}
	key := fmt.Sprint("full", order)
	if t, ok := s.others[key]; ok {
		return t, nil
	}
	to := make([]dim, len(order))
	for i, axis := range order {
		if to[i] = (dim{n: 1}); s.repeats[axis] {
			to[i] = o.dims[axis]
		}
	}
	t = f.node("Expand", []string{t, f.shape(to, false)})
	s.remember(key, t)
	return t, nil
}

// plain is full in the value's own order.
func (f *file) plain(o *op) (string, error) { return f.full(o, identity(len(o.dims))) }

// constant writes a constant with its axes in an order.
func (f *file) constant(o *op, s *stored, order []int) (string, error) {
	name := s.name
	if name == "" {
		name = f.prefix() + "constant"
	}
	t := initializer{name: f.unique(name), dtype: o.shape.DType}
	from := s.constant.Shape().Dimensions
	if types[t.dtype] == 0 {
		return "", o.fail("numbers of type %s, which ONNX does not have", t.dtype)
	}
	strides := make([]int, len(from))
	for i, n := len(from)-1, 1; i >= 0; i-- {
		strides[i], n = n, n*from[i]
	}
	for _, axis := range order {
		t.dims = append(t.dims, from[axis])
	}
	err := s.constant.ConstBytes(func(data []byte) {
		size := len(data) / max(s.constant.Size(), 1)
		t.data = make([]byte, 0, len(data))
		var walk func(i, at int)
		walk = func(i, at int) {
			if i == len(order) {
				t.data = append(t.data, data[at*size:(at+1)*size]...)
				return
			}
			for k := range t.dims[i] {
				walk(i+1, at+k*strides[order[i]])
			}
		}
		walk(0, 0)
	})
	f.initializers = append(f.initializers, t)
	return t.name, err
}

// node appends an operator with one result and returns that.
func (f *file) node(kind string, inputs []string, attrs ...attr) string {
	out := f.unique(f.prefix() + kind)
	f.nodes = append(f.nodes, &node{op: kind, inputs: inputs, outputs: []string{out}, attrs: attrs})
	return out
}

func (f *file) prefix() string {
	if f.layer == "" {
		return "head."
	}
	return f.layer + "."
}

func (f *file) unique(name string) string {
	unique := name
	for i := 1; f.taken[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	f.taken[unique] = true
	return unique
}

// ints writes whole numbers as a constant.
func (f *file) ints(numbers ...int) string {
	key := fmt.Sprint(numbers)
	if t, ok := f.sizes[key]; ok {
		return t
	}
	t := initializer{name: f.unique(f.prefix() + "sizes"), dtype: dtypes.Int64, dims: []int{len(numbers)}}
	for _, n := range numbers {
		t.data = binary.LittleEndian.AppendUint64(t.data, uint64(n))
	}
	f.initializers = append(f.initializers, t)
	f.sizes[key] = t.name
	return t.name
}

// shape writes sizes of axes. rest allows −1 for one that is what remains.
func (f *file) shape(dims []dim, rest bool) string {
	numbers, batches := make([]int, len(dims)), 0
	for i, d := range dims {
		if numbers[i] = d.n; d.batch {
			numbers[i] = -1
			batches++
		}
	}
	if batches == 0 || batches == 1 && rest {
		return f.ints(numbers...)
	}
	key := fmt.Sprint(dims)
	if t, ok := f.sizes[key]; ok {
		return t
	}
	batch, ok := f.sizes["batch"]
	if !ok {
		batch = f.node("Shape", []string{Image}, attr{"start", 0}, attr{"end", 1})
		f.sizes["batch"] = batch
	}
	var parts []string
	for _, d := range dims {
		switch {
		case !d.batch:
			parts = append(parts, f.ints(d.n))
		case d.n == 1:
			parts = append(parts, batch)
		default:
			parts = append(parts, f.node("Mul", []string{batch, f.ints(d.n)}))
		}
	}
	t := f.node("Concat", parts, attr{"axis", 0})
	f.sizes[key] = t
	return t
}

// make writes an operation, or computes it where it depends on weights alone.
func (f *file) make(o *op) (*stored, error) {
	switch {
	case o.is(compute.OpTypeParameter):
		return f.variable(o)
	case o.is(compute.OpTypeConstant):
		return ofConstant(o.value, make([]bool, len(o.dims))), nil
	}
	s, err := f.folded(o)
	if s == nil && err == nil {
		s, err = f.translate(o)
	}
	return s, err
}
