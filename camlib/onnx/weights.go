package onnx

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
)

// findWeights says which constants are weights, the variables of a network: floats of at
// least one axis. A kernel that nothing but convolutions takes is kept as they want it.
func (m *Model) findWeights() {
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
