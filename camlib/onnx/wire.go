package onnx

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message.
type field struct {
	num  protowire.Number
	wire protowire.Type
	n    uint64 // of a varint or a fixed
	b    []byte // of a length-delimited one
}

// walk calls f with each field of a message.
func walk(b []byte, f func(field) error) error {
	for len(b) > 0 {
		num, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		x := field{num: num, wire: wire}
		switch wire {
		case protowire.VarintType:
			x.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			x.n = uint64(v)
		case protowire.Fixed64Type:
			x.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			x.b, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, wire, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// message is x's bytes, which have to be those of a message or a string.
func (x field) message() ([]byte, error) {
	if x.wire != protowire.BytesType {
		return nil, fmt.Errorf("field %d of wire type %d, want bytes", x.num, x.wire)
	}
	return x.b, nil
}

func (x field) text() string { return string(x.b) }

// varints appends repeated integers, packed or not.
func (x field) varints(to []int64) ([]int64, error) {
	if x.wire != protowire.BytesType {
		return append(to, int64(x.n)), nil
	}
	for b := x.b; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}

func (x field) fixed32(to []float32) ([]float32, error) {
	if x.wire != protowire.BytesType {
		return append(to, math.Float32frombits(uint32(x.n))), nil
	}
	for b := x.b; len(b) > 0; {
		v, n := protowire.ConsumeFixed32(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		to, b = append(to, math.Float32frombits(v)), b[n:]
	}
	return to, nil
}

func (x field) fixed64(to []float64) ([]float64, error) {
	if x.wire != protowire.BytesType {
		return append(to, math.Float64frombits(x.n)), nil
	}
	for b := x.b; len(b) > 0; {
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		to, b = append(to, math.Float64frombits(v)), b[n:]
	}
	return to, nil
}
