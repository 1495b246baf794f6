package export

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"google.golang.org/protobuf/encoding/protowire"
)

// The versions that files are of: onnxruntime 1.14 and later read them.
const (
	irVersion = 8
	opset     = 18
)

// Metadata is the key in the file's metadata_props of the names of the classes, a JSON
// array in the order of the scores.
const Metadata = "classes"

// types are the numbers of onnx.proto's TensorProto.DataType.
var types = map[dtypes.DType]int64{
	dtypes.Float32: 1, dtypes.Uint8: 2, dtypes.Int8: 3, dtypes.Uint16: 4, dtypes.Int16: 5, dtypes.Int32: 6, dtypes.Int64: 7,
	dtypes.Bool: 9, dtypes.Float16: 10, dtypes.Float64: 11, dtypes.Uint32: 12, dtypes.Uint64: 13, dtypes.BFloat16: 16,
}

// node is an operator of the file. attrs are int, []int, float32 or string.
type node struct {
	op      string
	inputs  []string // empty names are inputs left out
	outputs []string
	attrs   []attr
}

type attr struct {
	name  string
	value any
}

// initializer is a constant of the file.
type initializer struct {
	name  string
	dtype dtypes.DType
	dims  []int
	data  []byte // little-endian
}

// message is a message of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto),
// whose fields are written by their numbers.
type message []byte

func (m *message) varint(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

func (m *message) text(field protowire.Number, s string) { m.bytes(field, []byte(s)) }

// encode returns the file.
func (f *file) encode() []byte {
	var m, operators, graph message
	m.varint(1, irVersion)
	m.text(2, "camlab")
	graph.text(2, f.net.Name)
	for _, n := range f.nodes {
		graph.bytes(1, n.encode())
	}
	for _, t := range f.initializers {
		graph.bytes(5, t.encode())
	}
	image, scores := f.recording.image, f.recording.scores
	graph.bytes(11, valueInfo(Image, image, channelsFirst))
	graph.bytes(12, valueInfo(Scores, scores, identity(2)))
	m.bytes(7, graph)
	operators.varint(2, opset)
	m.bytes(8, operators)
	if f.net.Classes != nil {
		names, _ := json.Marshal(f.net.Classes) // of strings, which does not fail
		var entry message
		entry.text(1, Metadata)
		entry.bytes(2, names)
		m.bytes(14, entry)
	}
	return m
}

func (n *node) encode() []byte {
	var m message
	for _, in := range n.inputs {
		m.text(1, in)
	}
	for _, out := range n.outputs {
		m.text(2, out)
	}
	m.text(3, n.outputs[0])
	m.text(4, n.op)
	for _, a := range n.attrs {
		m.bytes(5, a.encode())
	}
	return m
}

func (a attr) encode() []byte {
	var m message
	m.text(1, a.name)
	kind := int64(0) // of AttributeProto.AttributeType
	switch v := a.value.(type) {
	case float32:
		kind = 1
		m = protowire.AppendFixed32(protowire.AppendTag(m, 2, protowire.Fixed32Type), math.Float32bits(v))
	case int:
		kind = 2
		m.varint(3, int64(v))
	case string:
		kind = 3
		m.text(4, v)
	case []int:
		kind = 7
		for _, i := range v {
			m.varint(8, int64(i))
		}
	default:
		panic(fmt.Sprintf("export: attribute of type %T", v))
	}
	m.varint(20, kind)
	return m
}

func (t initializer) encode() []byte {
	var m message
	for _, d := range t.dims {
		m.varint(1, int64(d))
	}
	m.varint(2, types[t.dtype])
	m.text(8, t.name)
	m.bytes(9, t.data)
	return m
}

// valueInfo says what a tensor of the file is, whose axes are those of o in an order.
func valueInfo(name string, o *op, order []int) []byte {
	var shape, tensor, kind, m message
	for _, axis := range order {
		var m message
		if d := o.dims[axis]; d.batch {
			m.text(2, "batch")
		} else {
			m.varint(1, int64(d.n))
		}
		shape.bytes(1, m)
	}
	tensor.varint(1, types[o.shape.DType])
	tensor.bytes(2, shape)
	kind.bytes(1, tensor)
	m.text(1, name)
	m.bytes(2, kind)
	return m
}

// channelsFirst is the order of axes [batch, channels, height, width] of images that are
// [batch, height, width, channels].
var channelsFirst = []int{0, 3, 1, 2}

func identity(rank int) []int {
	all := make([]int, rank)
	for i := range all {
		all[i] = i
	}
	return all
}
