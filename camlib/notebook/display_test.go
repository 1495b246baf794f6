package notebook

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/notebook/live"
)

func TestTensorsAreShownAsNumPyDoes(t *testing.T) {
	counted := make([]int32, 2*10)
	for i := range counted {
		counted[i] = int32(i)
	}
	for _, row := range []struct {
		name string
		t    *tensors.Tensor
		want string
	}{
		{"a scalar", tensors.FromScalar(float32(0.1)), "float32[]\n0.1"},
		{"a matrix", tensors.FromValue([][]float64{{1, 2, 3}, {4, 5, 6.25}}), "float64[2 3]\n[[1 2 3]\n [4 5 6.25]]"},
		{"a long axis", tensors.FromFlatDataAndDimensions(counted, 2, 10), "int32[2 10]\n[[0 1 2 … 7 8 9]\n [10 11 12 … 17 18 19]]"},
		{"three axes", tensors.FromFlatDataAndDimensions(counted[:4], 2, 1, 2), "int32[2 1 2]\n[[[0 1]]\n\n [[2 3]]]"},
		{"booleans", tensors.FromValue([]bool{true, false}), "bool[2]\n[true false]"},
		{"no values", tensors.FromFlatDataAndDimensions([]float32{}, 0, 3), "float32[0 3]\n[]"},
		{"none", nil, "no tensor"},
	} {
		if got, err := tensor(row.t); err != nil || got != row.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", row.name, err, got, row.want)
		}
	}
}

// pictureOf is the alternative text of the picture that v is shown as.
func pictureOf(t *testing.T, v any) string {
	t.Helper()
	d, err := live.Data(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Data[protocol.MIMEImagePNG]; !ok {
		t.Fatalf("a %T is no picture", v)
	}
	return d.Data[protocol.MIMETextPlain].(string)
}

func TestDataSetsAreShownAsPictures(t *testing.T) {
	shown, err := dataset(cifar10.Sample())
	if err != nil {
		t.Fatal(err)
	}
	if shown[0] != text("1000 images of the test split, 100 of each class") {
		t.Errorf("it is said to be %q", shown[0])
	}
	if got := pictureOf(t, shown[1]); !strings.HasPrefix(got, "2 rows of 5 pictures. 0 to 4: cat; ship;") {
		t.Errorf("its picture is %q", got)
	}
	if shown, err = dataset(cifar10.Sample().First(7)); err != nil || len(shown) != 2 {
		t.Errorf("seven images: %v, %v", shown, err)
	}
	if shown, err = dataset((*cifar10.Dataset)(nil)); err != nil || len(shown) != 1 {
		t.Errorf("no images: %v, %v", shown, err)
	}
}

func TestMapsOfValuesAreShownInColors(t *testing.T) {
	m, err := images.NewMap(2, 3, []float32{1, 2, -3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := heat(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := pictureOf(t, shown[0]); !strings.Contains(got, "2×3") {
		t.Errorf("the picture is %q", got)
	}
	if _, err := heat(images.Map{}); err == nil {
		t.Error("an empty map is shown")
	}
}
