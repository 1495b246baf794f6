package onnx

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/failure"
)

// labels are the names that the layers which nodes make begin with: that of PyTorch's module,
// as far as the exporter has written it down, and of the operator where it does not make what
// the module gives. It is empty for nodes of no module, and for what is no value of the image.
func (s *study) labels() []string {
	dirs := make(map[string]int)
	var made []int
	for i, n := range s.nodes {
		dirs[path.Dir(n.name)]++
		if slices.ContainsFunc(n.outputs, s.ofImage) {
			made = append(made, i)
		}
	}
	all, next := make([]string, len(s.nodes)), ""
	for _, i := range slices.Backward(made) {
		n := s.nodes[i]
		all[i] = n.label(dirs, next)
		next = cmp.Or(n.namespace, next)
	}
	return all
}

// ofImage reports whether a tensor is numbers that depend on the image.
func (s *study) ofImage(tensor string) bool {
	f, ok := s.plan.tensors[tensor]
	_, known := s.plan.known[tensor]
	return ok && !known && f.dtype == dtypes.Float32 && s.depends[tensor]
}

// label is the name of a node by its modules, of which dirs has the numbers of nodes by
// folders, and next is the namespace of the next node: where that lies in the node's module,
// the module is not done.
func (n *node) label(dirs map[string]int, next string) string {
	var modules []string
	switch {
	case n.namespace != "": // ": Net/layer1: torch.nn.…Sequential/layer1.0: …BasicBlock/relu: aten.relu.default"
		module, whole := moduleOf(n.namespace)
		modules = []string{module}
		if !whole || strings.HasPrefix(next, n.namespace[:strings.LastIndex(n.namespace, "/")+1]) {
			modules = append(modules, n.op)
		}
	case strings.HasPrefix(n.name, "/"): // /layer1/layer1.0/conv1/Conv
		modules = strings.FieldsFunc(n.name, func(r rune) bool { return r == '/' })
		var short []string
		for i, m := range modules[:max(0, len(modules)-1)] {
			if !strings.HasPrefix(modules[i+1], m+".") {
				short = append(short, m)
			}
		}
		op := modules[max(0, len(modules)-1):]
		if modules = short; len(short) == 0 || dirs[path.Dir(n.name)] > 1 {
			modules = append(modules, op...)
		}
	}
	return strings.Trim(strings.Join(modules, "."), ".")
}

// layerName is a short name for a tensor, which no other has: its node's label, or else the
// tensor's name.
func layerName(n *node, label, tensor string, taken map[string]bool) string {
	name := label
	if name == "" {
		name = tensor
		if _, err := strconv.Atoi(tensor); err == nil && n.name != "" { // a number says nothing
			name = n.name
		}
		name = strings.ReplaceAll(strings.Trim(name, "/"), "/", ".")
	}
	unique := name
	for i := 1; taken[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	taken[unique] = true
	return unique
}

// moduleOf is the innermost module of a namespace, and whether that is one of PyTorch's
// own that is no container.
func moduleOf(namespace string) (module string, whole bool) {
	parts := strings.Split(namespace, "/")
	if len(parts) < 2 {
		return "", false
	}
	module, class, _ := strings.Cut(parts[len(parts)-2], ": ")
	return module, strings.HasPrefix(class, "torch.nn.modules.") && !strings.Contains(class, ".container.")
}

// layer is the number of a layer by its name, its tensor's name, its number, or the name of
// the module that gives it.
func (s *study) layer(name string) (int, error) {
	if name == "" {
		return s.chosen, nil
	}
	for _, is := range []func(c cut) bool{
		func(c cut) bool { return c.Name == name },
		func(c cut) bool { return c.Tensor == name },
	} {
		if i := slices.IndexFunc(s.cuts, is); i >= 0 {
			return i, nil
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(s.cuts) {
		return i, nil
	}
	why := ""
	for last, label := range slices.Backward(s.names) { // what follows the module takes its last tensor
		if label != name && !strings.HasPrefix(label, name+".") {
			continue
		}
		if i := slices.IndexFunc(s.cuts, func(c cut) bool { return c.after == last }); i >= 0 {
			return i, nil
		}
		why = " gives a tensor that has one place, or that only an activation function, a normalization or the like takes"
		break
	}
	var names []string
	for _, c := range s.cuts {
		names = append(names, c.Name)
	}
	return 0, failure.New(network.ErrLayer, "onnx: layer %q%s, want a number from 0 to %d or one of %s", name, why, len(s.cuts)-1, strings.Join(names, ", "))
}
