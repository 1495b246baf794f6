package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/camlab-go/camlab/camlib/network"
)

// Stored is what became of a test vector that lies beside a model's file as ONNX's own test
// data does: in a folder test_data_set_0, or of another number, a tensor input_0.pb and
// what the model makes of it, output_0.pb (a TensorProto each).
type Stored struct {
	Folder string `json:"folder"`
	Images int    `json:"images,omitempty"`
	// Difference is the largest difference of the model's output from the stored one,
	// relative to that one's largest value.
	Difference float64 `json:"difference"`
	Skipped    string  `json:"skipped,omitempty"` // why it was not compared; empty if it was
}

const (
	// sameStored is above what half precision does to scores, and below what a wrong
	// operator does.
	sameStored = 1e-2
	// mostStored bounds the bytes of a stored tensor.
	mostStored = 1 << 28
)

// vector is a stored input and output.
type vector struct{ in, out *array }

// checkStored runs the test vectors beside the file. It fails if the model's output is
// another.
func (im *imported) checkStored(back compute.Backend, net *network.Network) (all []Stored, notes []string, err error) {
	if im.m.dir == "" {
		return nil, nil, nil
	}
	entries, err := os.ReadDir(im.m.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "test_data_set_") {
			continue
		}
		s := Stored{Folder: e.Name()}
		v, err := im.readVector(filepath.Join(im.m.dir, e.Name()))
		if err == nil {
			s.Images = v.in.dims[0]
			s.Difference, err = im.offStored(back, net, v)
		}
		switch {
		case err != nil:
			s.Skipped = err.Error()
			notes = append(notes, fmt.Sprintf("the test vector in %s is not compared: %v", s.Folder, err))
		case !(s.Difference <= sameStored):
			return nil, nil, fmt.Errorf("output %q is %.2g of the largest value from the one stored in %s, want at most %g: camlab computes this model wrong, or the stored output is another model's. Without that folder the model is taken as it is",
				im.file, s.Difference, s.Folder, sameStored)
		default:
			notes = append(notes, fmt.Sprintf("gives the output stored in %s to %.2g of its largest value", s.Folder, s.Difference))
		}
		all = append(all, s)
	}
	return all, notes, nil
}

// readVector reads a test vector.
func (im *imported) readVector(dir string) (v vector, err error) {
	k := slices.IndexFunc(im.m.graph.outputs, func(o valueInfo) bool { return o.name == im.file })
	if v.in, err = readTensor(filepath.Join(dir, "input_0.pb")); err != nil {
		return v, err
	}
	if v.out, err = readTensor(filepath.Join(dir, fmt.Sprintf("output_%d.pb", k))); err != nil {
		return v, err
	}
	size := im.im.size
	want := []int{0, size.Height, size.Width, size.Channels}
	if im.im.first {
		want = []int{0, size.Channels, size.Height, size.Width}
	}
	switch d := v.in.dims; {
	case len(d) != 4 || !slices.Equal(d[1:], want[1:]) || d[0] < 1 || d[0] != im.batch() && im.alone(d[0]):
		return v, fmt.Errorf("input of shape %v, want %v, with a batch that the model takes", d, want)
	case len(v.out.dims) == 0 || v.out.dims[0] != d[0]:
		return v, fmt.Errorf("output of shape %v, want one for each of %d images", v.out.dims, d[0])
	}
	return v, nil
}

// readTensor reads a TensorProto.
func readTensor(file string) (*array, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostStored {
		return nil, fmt.Errorf("%s: want a file of at most %d bytes", file, mostStored)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := parseTensor(field{wire: protowire.BytesType, b: data})
	if err == nil && t.outside {
		err = errors.New("values in another file, want them in this one")
	}
	var a *array
	if err == nil {
		a, err = newArray(t)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if kinds[a.kind].bytes == 0 {
		return nil, fmt.Errorf("%s: strings, want numbers", file)
	}
	return a, nil
}

// offStored is how far the model's output is from a stored one. It is the file's own output,
// with a softmax at its end if it has one.
func (im *imported) offStored(back compute.Backend, net *network.Network, v vector) (float64, error) {
	nodes := im.m.graph.needed(im.file)
	got, err := runOnce(back, net.Store, func(scope *model.Scope, x *Node) *Node {
		var out *Node
		if err := catch(func() {
			b, _ := im.begin(scope, x)
			in := logical(x) // as it is, without what is done to pixels
			if in.channels = 3; im.im.first {
				in.channels = 1
			}
			b.values[im.im.name] = in
			b.run(nodes)
			out = b.logicalNode(b.value(im.file))
		}); err != nil {
			panic(err)
		}
		return out
	}, tensors.FromFlatDataAndDimensions(v.in.floats(), v.in.dims...))
	if err != nil {
		return 0, err
	}
	want := v.out.floats()
	if len(got) != len(want) {
		return 0, fmt.Errorf("output of %d values, want %d", len(got), len(want))
	}
	return distance(got, want), nil
}
