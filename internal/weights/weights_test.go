package weights

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestTensorsComeBack of every type that a file has.
func TestTensorsComeBack(t *testing.T) {
	for _, in := range []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions([]float32{1, -2, 3e38, 0, 5, 6}, 2, 3), tensors.FromScalar(math.Pi),
		tensors.FromFlatDataAndDimensions([]uint64{1, 1<<64 - 1, 7}, 3), tensors.FromFlatDataAndDimensions([]int8{-1, 2}, 2),
		tensors.FromFlatDataAndDimensions([]bool{true, false}, 2, 1), tensors.FromScalar(int64(-5)),
		tensors.FromFlatDataAndDimensions([]bfloat16.BFloat16{bfloat16.FromFloat32(1.5)}, 1),
		tensors.FromFlatDataAndDimensions([]float16.Float16{float16.FromFloat32(-2.5)}, 1),
	} {
		view, err := FromTensor(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Tensor(view, in.Shape())
		if err != nil {
			t.Fatal(err)
		}
		if !out.Equal(in) {
			t.Errorf("%s came back as %s", in, out)
		}
	}
	if err := CheckShape(shapes.Make(dtypes.Complex64, 2)); err == nil || !strings.Contains(err.Error(), "type Complex64, want one that .safetensors files have") {
		t.Errorf("error %v", err)
	}
}

func TestOtherShapesAndTypesAreRefused(t *testing.T) {
	view, err := Zeros(shapes.Make(dtypes.Float32, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	for want, shape := range map[string]shapes.Shape{
		"shape [2 3], want [3 2]": shapes.Make(dtypes.Float32, 3, 2), "shape [2 3], want [1]": shapes.Make(dtypes.Float32), "type F32, want F64": shapes.Make(dtypes.Float64, 2, 3),
	} {
		if _, err := Tensor(view, shape); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestBadValues are found in every type of float.
func TestBadValues(t *testing.T) {
	inf := math.Inf(1)
	for _, row := range []struct {
		in      *tensors.Tensor
		least   float64
		at      int
		largest float64
	}{
		{tensors.FromFlatDataAndDimensions([]float32{1, -4, 2}, 3), -inf, -1, 4},
		{tensors.FromFlatDataAndDimensions([]float32{1, -4, 2}, 3), 0, 1, 4},
		{tensors.FromFlatDataAndDimensions([]float32{1, 2, float32(inf)}, 3), -inf, 2, inf},
		{tensors.FromFlatDataAndDimensions([]float64{1, -inf}, 2), -inf, 1, -inf},
		{tensors.FromFlatDataAndDimensions([]bfloat16.BFloat16{bfloat16.FromFloat32(3), bfloat16.FromFloat32(float32(inf))}, 2), 0, 1, inf},
		{tensors.FromFlatDataAndDimensions([]float16.Float16{float16.FromFloat32(3), float16.FromFloat32(-1)}, 2), 0, 1, 3},
		{tensors.FromFlatDataAndDimensions([]int32{-3, 4}, 2), 0, -1, 0},
	} {
		view, err := FromTensor(row.in)
		if err != nil {
			t.Fatal(err)
		}
		if at, _ := Bad(view, row.least); at != row.at {
			t.Errorf("%s: bad value %d, want %d", row.in, at, row.at)
		}
		if got := Largest(view); got != row.largest {
			t.Errorf("%s: largest %v, want %v", row.in, got, row.largest)
		}
	}
	nan, err := FromTensor(tensors.FromFlatDataAndDimensions([]float32{0, float32(math.NaN())}, 2))
	if err != nil {
		t.Fatal(err)
	}
	if at, v := Bad(nan, 0); at != 1 || v == v || !math.IsNaN(Largest(nan)) {
		t.Errorf("NaN: value %d, %v", at, v)
	}
	if !slices.Equal(nan.Shape(), []uint64{2}) {
		t.Errorf("shape %v", nan.Shape())
	}
}
