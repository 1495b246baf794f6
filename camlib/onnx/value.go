package onnx

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// value is a tensor of a model while a graph is built: a node, or a constant that is known
// now, as shapes and all that is computed from them are.
type value struct {
	dtype dtypes.DType // Float32, also where the graph computes in BFloat16; Int64 or Bool
	dims  []int        // as ONNX has them
	// channels is the axis of the channels of four, 1 or 3, or 0 where that is not known.
	channels int
	// outer is, where the batch was merged into the first axis behind others, how many places
	// of that axis one image has before the next; else 0.
	outer int

	node *Node
	last bool // node is [n, h, w, c], and dims are [n, c, h, w]

	constant *array
	weight   *weight // of a constant that is one
}

// weight is a constant that is a variable of the network.
type weight struct {
	name, path string // in the file, and in the store
	// kernel says that the variable is [h, w, in, out], and the file's tensor [out, in, h, w].
	kernel bool
	frozen bool // an average of batch normalization
}

// kernelAxes are, for each axis of a file's kernel, that of the variable.
var kernelAxes = []int{3, 2, 0, 1}

func (v *value) rank() int { return len(v.dims) }
func (v *value) size() int { return product(v.dims) }

// places is the number of places of a tensor with four axes.
func (v *value) places() int {
	if v.rank() != 4 || v.channels == 0 {
		return 0
	}
	if v.channels == 1 {
		return v.dims[2] * v.dims[3]
	}
	return v.dims[1] * v.dims[2]
}

// constantValue is a value that is known.
func constantValue(a *array) *value { return &value{dtype: a.dtype, dims: a.dims, constant: a} }

// inLast is where each axis of [n, c, h, w] is in [n, h, w, c].
var inLast = []int{0, 3, 1, 2}

// lastDims are the dimensions of [n, c, h, w] in the order of [n, h, w, c].
func lastDims(d []int) []int { return []int{d[0], d[2], d[3], d[1]} }

func toLast(x *Node) *Node    { return TransposeAllAxes(x, 0, 2, 3, 1) }
func toLogical(x *Node) *Node { return TransposeAllAxes(x, 0, 3, 1, 2) }

// logical is a node as a value.
func logical(x *Node) *value {
	return &value{dtype: plainType(x.DType()), dims: slices.Clone(x.Shape().Dimensions), node: x}
}

// channelsLast is a node [n, h, w, c] as a value [n, c, h, w].
func channelsLast(x *Node) *value {
	d := x.Shape().Dimensions
	return &value{dtype: plainType(x.DType()), dims: []int{d[0], d[3], d[1], d[2]}, node: x, last: true, channels: 1}
}

func plainType(t dtypes.DType) dtypes.DType {
	if t.IsFloat() {
		return dtypes.Float32
	}
	return t
}

// like says of a result where its channels are, as in a value of the same axes.
func (v *value) like(x *value) *value {
	if v.channels == 0 && v.rank() == x.rank() {
		v.channels = x.channels
	}
	return v
}

// logicalNode is a value's node with its axes as in dims.
func (b *builder) logicalNode(v *value) *Node {
	x := b.physical(v)
	if v.last {
		return toLogical(x)
	}
	return x
}

// lastNode is the node of a value [n, c, h, w] as [n, h, w, c].
func (b *builder) lastNode(v *value) *Node {
	x := b.physical(v)
	if v.last {
		return x
	}
	return toLast(x)
}

// physical is a value's node as it is; that of a constant is made now.
func (b *builder) physical(v *value) *Node {
	if v.node == nil {
		v = b.constantNode(v)
	}
	return v.node
}

// constantNode gives a constant a node of this graph. Graphs that are built from the same
// values do not share it.
func (b *builder) constantNode(v *value) *value {
	if n, ok := b.nodes[v.constant]; ok {
		return n
	}
	c := *v
	if v.weight != nil {
		c.node = b.variable(v)
		if v.weight.kernel {
			c.node = TransposeAllAxes(c.node, 3, 2, 0, 1)
		}
	} else {
		c.node = ConstTensor(b.g, v.constant.tensor())
		if c.dtype == dtypes.Float32 {
			c.node = b.float(c.node)
		}
	}
	b.nodes[v.constant] = &c
	return &c
}

// kernelNode is a kernel [out, in, h, w] as [h, w, in, out].
func (b *builder) kernelNode(v *value) *Node {
	if v.weight != nil && v.weight.kernel && v.node == nil {
		return b.variable(v)
	}
	return TransposeAllAxes(b.logicalNode(v), 2, 3, 1, 0)
}

// variable is the variable of a weight, which the first graph of a network makes.
func (b *builder) variable(v *value) *Node {
	path := model.ScopeSeparator + v.weight.path
	if b.scope == nil { // only shapes are asked for
		if known := b.g.GetParameterByName(path); known != nil { // a weight that nodes share
			return known
		}
		d := v.dims
		if v.weight.kernel {
			d = []int{d[2], d[3], d[1], d[0]}
		}
		return Parameter(b.g, path, shapes.Make(dtypes.Float32, d...))
	}
	variable := b.scope.Store().GetVariable(path)
	if variable == nil {
		a := v.constant
		values, dims := a.floats(), a.dims
		if v.weight.kernel {
			values, dims = kernelOf(values, dims)
		}
		variable = b.scope.Store().VariableWithValue(path, (&array{dtype: dtypes.Float32, dims: dims, f: values}).tensor())
		variable.SetTrainable(!v.weight.frozen)
	}
	return b.float(variable.NodeValue(b.g))
}

// float is a node of floats in the type that the graph computes in.
func (b *builder) float(x *Node) *Node {
	if x.DType() == b.dtype || !x.DType().IsFloat() {
		return x
	}
	return ConvertDType(x, b.dtype)
}

// kernelOf is [out, in, h, w] as [h, w, in, out].
func kernelOf(values []float32, d []int) ([]float32, []int) {
	out, in, places := d[0], d[1], d[2]*d[3]
	to := make([]float32, len(values))
	for o := range out {
		for i := range in {
			for p := range places {
				to[(p*in+i)*out+o] = values[(o*in+i)*places+p]
			}
		}
	}
	return to, []int{d[2], d[3], in, out}
}
