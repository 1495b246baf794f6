package onnx

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// layerName is a short name for a tensor, which no other has: that of PyTorch's module, as
// far as the exporter has written it down, and of the operator where it is not alone in
// its module, or else the tensor's name.
func layerName(n *node, tensor string, dirs map[string]int, taken map[string]bool) string {
	name := ""
	var modules []string
	switch {
	case n.namespace != "": // ": Net/layer1: torch.nn.…Sequential/layer1.0: …BasicBlock/relu: aten.relu.default"
		module, alone := moduleOf(n.namespace)
		modules = []string{module}
		if !alone {
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
	name = strings.Trim(strings.Join(modules, "."), ".")
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
// own, which is one operator.
func moduleOf(namespace string) (module string, alone bool) {
	parts := strings.Split(namespace, "/")
	if len(parts) < 2 {
		return "", false
	}
	module, class, _ := strings.Cut(parts[len(parts)-2], ": ")
	return module, strings.HasPrefix(class, "torch.nn.modules.") && !strings.Contains(class, ".container.")
}
