package network

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/weights"
)

// Tensor says how a variable is named and laid out in a file.
type Tensor struct {
	Name     string // in the file, as 0.weight in PyTorch's nn.Sequential
	Variable string // path in the store, without a slash before it
	// Axes are, for each axis of the file's tensor, that of the variable; nil is the same
	// order. A convolution's [3, 3, in, out] is PyTorch's [out, in, 3, 3] by 3, 2, 0, 1.
	Axes []int
}

// tensors returns how the variables are laid out in files.
func (n *Network) tensors() []Tensor {
	if n.Tensors != nil {
		return n.Tensors
	}
	var all []Tensor
	for v := range n.Variables() {
		if v.DType() == dtypes.Float32 {
			path := strings.TrimPrefix(v.Path(), model.ScopeSeparator)
			all = append(all, Tensor{Name: path, Variable: path})
		}
	}
	return all
}

// Variables returns the variables of the network, in the order in which they were made:
// those of its store, but not those that an optimizer has there during a training. Beside
// the weights there may be others, as the averages of batch normalization.
func (n *Network) Variables() iter.Seq[*model.Variable] {
	return func(yield func(*model.Variable) bool) {
		for v := range n.Store.IterVariables() {
			path := strings.TrimPrefix(v.Path(), model.ScopeSeparator)
			scope, _, _ := strings.Cut(path, model.ScopeSeparator)
			if path == optimizer.GlobalStepVariableName || scope == optimizer.Scope || scope == optimizer.AdamDefaultScope {
				continue
			}
			if !yield(v) {
				return
			}
		}
	}
}

// Encode returns the weights as the contents of a .safetensors file, as Tensors says.
// Equal weights give equal bytes. It fails, naming the tensor, when a weight is not finite.
func (n *Network) Encode() ([]byte, error) { return n.EncodeAs(dtypes.Float32) }

// EncodeAs is [Network.Encode] with the weights rounded to Float16 or BFloat16, which makes
// half as many bytes, to the nearest value, ties to even. It fails, naming the tensor, when a
// weight is beyond the type's range: 65504 for Float16. [Network.Decode] reads all of them.
func (n *Network) EncodeAs(dtype dtypes.DType) ([]byte, error) {
	views := make(map[string]safetensors.TensorView)
	for _, t := range n.tensors() {
		v, err := n.variable(t)
		if err != nil {
			return nil, fmt.Errorf("network: encode: %w", err)
		}
		value, err := v.Value()
		if err == nil && t.Axes != nil {
			value, err = transposed(value, t.Axes)
		}
		if err == nil {
			views[t.Name], err = weights.FromTensor(value)
		}
		if err == nil {
			views[t.Name], err = weights.As(views[t.Name], dtype)
		}
		if err != nil {
			return nil, fmt.Errorf("network: encode: tensor %q: %w", t.Name, err)
		}
	}
	data, err := safetensors.Serialize(views, map[string]string{"architecture": n.Name})
	if err != nil {
		return nil, fmt.Errorf("network: encode: %w", err)
	}
	return data, nil
}

// ErrArchitecture is that a file has the weights of another network.
var ErrArchitecture = errors.New("another architecture")

// Decode sets the weights to those of a .safetensors file's contents, floats of 16, 32 or
// 64 bits. Names may have what PyTorch's wrappers put before all of them: module. and
// _orig_mod., of DataParallel and torch.compile. It fails, naming the tensor, with
// [ErrArchitecture] when the file is of another network, and when a weight is not finite as
// a float32; then nothing is set.
func (n *Network) Decode(data []byte) error {
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return fmt.Errorf("not a safetensors file: %w", err)
	}
	all := n.tensors()
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	wrapper := wrapperOf(file.Names(), names)
	for _, name := range file.Names() {
		if !slices.Contains(names, strings.TrimPrefix(name, wrapper)) {
			return fmt.Errorf("%w: tensor %q, want only those of %s: %s", ErrArchitecture, name, n.Name, strings.Join(names, ", "))
		}
	}
	values := make(map[*model.Variable]*tensors.Tensor)
	for _, t := range all {
		v, err := n.variable(t)
		if err != nil {
			return err
		}
		view, ok := file.Tensor(wrapper + t.Name)
		if !ok {
			return fmt.Errorf("%w: no tensor %q, want those of %s", ErrArchitecture, wrapper+t.Name, n.Name)
		}
		dims := v.Shape().Dimensions
		if t.Axes != nil {
			dims = permuted(dims, t.Axes)
		}
		if err := weights.FitsFloats(view, dims); err != nil {
			return fmt.Errorf("%w: tensor %q: %w", ErrArchitecture, wrapper+t.Name, err)
		}
		value, err := weights.Floats(view, dims)
		if err == nil && t.Axes != nil {
			value, err = transposed(value, inverse(t.Axes))
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", wrapper+t.Name, err)
		}
		values[v] = value
	}
	for v, value := range values {
		if err := v.SetValue(value); err != nil {
			return fmt.Errorf("variable %s: %w", v.Path(), err)
		}
	}
	return nil
}

// wrapperOf returns what wrappers of PyTorch's have put before every name of a file, of a
// network whose own names are given.
func wrapperOf(file, own []string) (prefix string) {
	for again := len(file) > 0; again; {
		again = false
		for _, w := range []string{"module.", "_orig_mod."} {
			has := func(name string) bool { return strings.HasPrefix(name, prefix+w) }
			lacks := func(name string) bool { return !has(name) }
			if !slices.ContainsFunc(file, lacks) && !slices.ContainsFunc(own, has) {
				prefix, again = prefix+w, true
			}
		}
	}
	return prefix
}

// ModelFile is the name of the weights in a checkpoint folder.
const ModelFile = "model.safetensors"

// Load sets the weights to those of a .safetensors file, or of the [ModelFile] in a
// folder. See [Network.Decode].
func (n *Network) Load(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ModelFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("network: load: %w, want a checkpoint folder or a .safetensors file", err)
	}
	if err := n.Decode(data); err != nil {
		return fmt.Errorf("network: load: %s: %w", path, err)
	}
	return nil
}

// Save writes the weights to a .safetensors file, whole or not at all.
func (n *Network) Save(path string) error { return n.SaveAs(path, dtypes.Float32) }

// SaveAs is [Network.Save] of [Network.EncodeAs].
func (n *Network) SaveAs(path string, dtype dtypes.DType) error {
	data, err := n.EncodeAs(dtype)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, data); err != nil {
		return fmt.Errorf("network: save: %w", err)
	}
	return nil
}

// Values returns a copy of a variable's values, row by row, by its path in the store.
func (n *Network) Values(path string) ([]float32, error) {
	v, err := n.variable(Tensor{Variable: path})
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	values, err := floats(v)
	if err != nil {
		return nil, fmt.Errorf("network: variable %s: %w", path, err)
	}
	return values, nil
}

func (n *Network) variable(t Tensor) (*model.Variable, error) {
	v := n.Store.GetVariable(model.ScopeSeparator + t.Variable)
	if v == nil {
		return nil, fmt.Errorf("%s has no variable %s", n.Name, t.Variable)
	}
	if v.DType() != dtypes.Float32 {
		return nil, fmt.Errorf("variable %s: type %s, want Float32", t.Variable, v.DType())
	}
	return v, nil
}

// transposed returns a tensor with its axes in another order: axis i of the result is axis
// axes[i].
func transposed(t *tensors.Tensor, axes []int) (*tensors.Tensor, error) {
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	dims := t.Shape().Dimensions
	strides := make([]int, len(dims)) // of the input
	for i, s := len(dims)-1, 1; i >= 0; i-- {
		strides[i], s = s, s*dims[i]
	}
	to := permuted(dims, axes)
	steps := permuted(strides, axes)
	out := make([]float32, 0, len(values))
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(to) {
			out = append(out, values[at])
			return
		}
		for i := range to[axis] {
			walk(axis+1, at+i*steps[axis])
		}
	}
	walk(0, 0)
	return tensors.FromFlatDataAndDimensions(out, to...), nil
}

func permuted(values, axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = values[a]
	}
	return out
}

func inverse(axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[a] = i
	}
	return out
}
