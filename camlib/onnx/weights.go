package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
)

// findWeights says which constants are weights, the variables of a network: floats of at
// least one axis. A kernel that nothing but convolutions takes is kept as they want it.
func (m *Model) findWeights() {
	m.graph.fillWeights()
	m.weights = make(map[string]*weight)
	users := make(map[string][]*node)
	var names []string
	for _, n := range m.graph.nodes {
		for i, in := range n.inputs {
			a := m.graph.constants[in]
			if a == nil || a.dtype != dtypes.Float32 || len(a.dims) == 0 || a.size() == 0 {
				continue
			}
			if users[in] == nil {
				names = append(names, in)
			}
			users[in] = append(users[in], n)
			if m.weights[in] == nil {
				m.weights[in] = &weight{name: in, kernel: len(a.dims) == 4}
			}
			w := m.weights[in]
			w.kernel = w.kernel && n.op == "Conv" && n.domain == "" && i == 1
			w.frozen = w.frozen || n.op == "BatchNormalization" && i >= 3
		}
	}
	taken := make(map[string]bool)
	for _, name := range names {
		m.weights[name].path = variablePath(name, taken)
	}
}

// fillWeights makes constants of the weights that a graph fills with one number, as the
// files of the onnx package do that leave their weights out. XLA compiles constants of that
// size for long, and at the end of its DenseNet-121 made a wrong product of four rows and
// a matrix of one number.
func (g *graph) fillWeights() {
	const most = 1 << 29 // values in all, 2 GiB, which a file may have
	total := 0
	filled := make(map[*node]bool)
	for _, n := range g.nodes {
		if !slices.Contains([]string{"Conv", "ConvTranspose", "Gemm", "MatMul"}, n.op) || n.domain != "" {
			continue
		}
		for _, in := range n.inputs[min(1, len(n.inputs)):] {
			from := g.from[in]
			if from == nil || from.op != "ConstantOfShape" || from.domain != "" || len(from.inputs) != 1 || g.constants[from.inputs[0]] == nil {
				continue
			}
			a, err := filledArray(from, g.constants[from.inputs[0]])
			if err != nil || a.dtype != dtypes.Float32 || total+a.size() > most { // which says so when it is built, or stays in the graph
				continue
			}
			total += a.size()
			g.constants[in], filled[from] = a, true
			delete(g.from, in)
		}
	}
	g.nodes = slices.DeleteFunc(g.nodes, func(n *node) bool { return filled[n] })
}

// filledArray is what a ConstantOfShape makes.
func filledArray(n *node, shape *array) (*array, error) {
	dims, err := checkDims(shape.ints())
	if err != nil {
		return nil, err
	}
	t := &tensorProto{kind: 1, floats: []float32{0}}
	if v := n.attributes["value"]; v != nil && v.t != nil {
		t = v.t
	}
	a, err := newArray(t)
	if err != nil {
		return nil, err
	}
	if a.size() != 1 {
		return nil, fmt.Errorf("a value of shape %v, want one number", t.dims)
	}
	return &array{dtype: a.dtype, dims: dims, kind: a.kind, stored: t, filled: true}, nil
}

// variablePath is the path in a store of a tensor of a file: layer1.0.conv1/weight of
// PyTorch's layer1.0.conv1.weight. Slashes of names are dots.
func variablePath(name string, taken map[string]bool) string {
	clean := strings.Map(func(r rune) rune {
		if r == '/' {
			return '.'
		}
		return r
	}, strings.Trim(name, "/"))
	clean = strings.Trim(clean, ".")
	if clean == "" {
		clean = "weight"
	}
	if at := strings.LastIndexByte(clean, '.'); at > 0 {
		clean = clean[:at] + "/" + clean[at+1:]
	}
	path := clean
	for i := 2; taken[path]; i++ {
		path = fmt.Sprintf("%s_%d", clean, i)
	}
	taken[path] = true
	return path
}

// fileTensors are the variables of a store by their names in the file.
func (m *Model) fileTensors(store *model.Store) (all []network.Tensor) {
	byPath := make(map[string]*weight, len(m.weights))
	for _, w := range m.weights {
		byPath[model.ScopeSeparator+w.path] = w
	}
	for v := range store.IterVariables() {
		if w := byPath[v.Path()]; w != nil {
			t := network.Tensor{Name: w.name, Variable: w.path}
			if w.kernel {
				t.Axes = kernelAxes
			}
			all = append(all, t)
		}
	}
	return all
}
