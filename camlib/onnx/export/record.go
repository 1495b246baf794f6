package export

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/notimplemented"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/failure"
)

// op is an operation that was recorded. It has one result.
type op struct {
	number int
	kind   compute.OpType
	in     []*op
	shape  shapes.Shape
	dims   []dim           // shape's, once it is known what the batch is in
	args   any             // what else it was given, of a type that goes with the kind
	name   string          // of a parameter
	value  *tensors.Tensor // of a constant
	layer  string          // in which it was built; empty for the head
	replay replay
}

// replay builds the operation again.
type replay func(f compute.Function, in []compute.Value) (compute.Value, error)

// dim is the size of an axis: n, or n for each image of the batch.
type dim struct {
	n     int
	batch bool
}

// fixed are the sizes of the axes where the batch is in none.
func (o *op) fixed() ([]int, bool) {
	all := make([]int, len(o.dims))
	for i, d := range o.dims {
		if all[i] = d.n; d.batch {
			return nil, false
		}
	}
	return all, true
}

func (o *op) is(kinds ...compute.OpType) bool { return slices.Contains(kinds, o.kind) }

// where says which operation this is.
func (o *op) where() string { return fmt.Sprintf("%s: %s", place(o.layer), o.kind) }

// place is a layer, or the head, which has no name.
func place(layer string) string {
	if layer == "" {
		return "head"
	}
	return fmt.Sprintf("layer %q", layer)
}

// fail is an error of an operation that is written in some forms only.
func (o *op) fail(format string, args ...any) error {
	return fmt.Errorf("%s of %s: %s", o.where(), o.shape, fmt.Sprintf(format, args...))
}

// recorder is a backend that keeps what is built and computes nothing. Operations with
// several results, inner functions and GoMLX's fused operations it does not have; GoMLX
// builds most of the last of others.
type recorder struct {
	notimplemented.Backend
	ops   []*op
	layer string // that is being built
}

func (r *recorder) Name() string                   { return "recorder" }
func (r *recorder) Builder(string) compute.Builder { return newRecordBuilder(r) }

type recordBuilder struct {
	notimplemented.Builder
	main *function
}

func newRecordBuilder(r *recorder) *recordBuilder {
	b := &recordBuilder{main: &function{recorder: r}}
	b.main.builder = b
	b.main.ErrFn = func(kind compute.OpType) error {
		return failure.New(compute.ErrNotImplemented, "operation %s, which camlab does not write as ONNX", kind)
	}
	return b
}

func (b *recordBuilder) Name() string                                  { return "recorder" }
func (b *recordBuilder) Main() compute.Function                        { return b.main }
func (b *recordBuilder) OpShape(v compute.Value) (shapes.Shape, error) { return b.main.Shape(v) }

// function records.
type function struct {
	notimplemented.Function
	recorder *recorder
	builder  *recordBuilder
}

func (f *function) Builder() compute.Builder                        { return f.builder }
func (f *function) Shape(v compute.Value) (shapes.Shape, error)     { return v.(*op).shape, nil }
func (f *function) Identity(x compute.Value) (compute.Value, error) { return x, nil }

func (f *function) OptimizationBarrier(all ...compute.Value) ([]compute.Value, error) {
	return all, nil
}

func (f *function) SchedulingBarrier(x compute.Value, _ ...compute.Value) (compute.Value, error) {
	return x, nil
}

// add records an operation.
func (f *function) add(o op, err error) (compute.Value, error) {
	if err != nil {
		return nil, err
	}
	o.number, o.layer = len(f.recorder.ops), f.recorder.layer
	f.recorder.ops = append(f.recorder.ops, &o)
	return &o, nil
}

func (f *function) Parameter(name string, shape shapes.Shape, _ *compute.ShardingSpec) (compute.Value, error) {
	return f.add(op{kind: compute.OpTypeParameter, shape: shape, name: name}, nil)
}

func (f *function) Constant(flat any, dims ...int) (compute.Value, error) {
	t, err := tensorOf(flat, dims)
	if err != nil {
		return nil, err
	}
	return f.add(op{kind: compute.OpTypeConstant, shape: t.Shape(), value: t}, nil)
}

// tensorOf is a tensor of a slice's numbers.
func tensorOf(flat any, dims []int) (*tensors.Tensor, error) {
	from := reflect.ValueOf(flat)
	t := tensors.FromShape(shapes.Make(dtypes.FromGoType(from.Type().Elem()), dims...))
	if t.Size() != from.Len() {
		return nil, fmt.Errorf("a constant of %d numbers and the shape %v, want as many", from.Len(), dims)
	}
	return t, t.MutableFlatData(func(to any) { reflect.Copy(reflect.ValueOf(to), from) })
}
