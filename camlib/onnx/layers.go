package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/failure"
)

// Layer is a tensor that can be explained.
type Layer struct {
	Name     string // short, and unique in the model
	Tensor   string // its name in the file
	Operator string // that makes it
	Shape    [3]int // height, width and channels; of tokens, of their grid
	Tokens   int    // how many are beside the grid, as a class token; −1 for what is no tokens
	Depth    int    // the longest way from the image, in operators
	Beside   int    // how many other tensors pass beside it; 0 where the graph narrows to it
	Default  bool
	Why      string // it is the default
}

// study is what is known of a model for images of a size and an output.
type study struct {
	m       *Model
	im      image
	file    string // the output of the file
	output  string // the scores, that output or what it is made of
	ending  string // what of the graph comes after them, empty for nothing
	nodes   []*node
	depends map[string]bool // on the image
	plan    *plan           // for the file's batch, or one image
	cuts    []cut
	names   []string      // of the nodes, see labels
	part    map[*node]int // the number of the layer that makes a node
	grids   [][2]int      // heights and widths of the images that are layers
	chosen  int           // the default
}

// cut is a layer, and where it lies.
type cut struct {
	Layer
	after    int // the number of the node that makes it
	channels int // the axis of them, 1 or 3
}

// Layers returns the tensors of a model that can be explained for images of a size, from
// the image on; a size of zero is the file's, or 224×224. The scores are the output of that
// name; an empty one is the first. Not listed is what only an activation function, a
// normalization or the like comes after: the layer is that one's result.
func (m *Model) Layers(size images.Size, output string) ([]Layer, error) {
	s, err := m.study(nil, size, output)
	if err != nil {
		return nil, err
	}
	all := make([]Layer, len(s.cuts))
	for i, c := range s.cuts {
		all[i] = c.Layer
	}
	return all, nil
}

// study looks at a model. Its weights become variables of a store, if there is one.
func (m *Model) study(store *model.Store, size images.Size, output string) (*study, error) {
	s := &study{m: m}
	err := s.look(store, size, output)
	if err != nil {
		kind := ErrModel
		if failure.Is(err) {
			return nil, fmt.Errorf("onnx: %w", err)
		}
		return nil, failure.New(kind, "onnx: %w", err)
	}
	return s, nil
}

func (s *study) look(store *model.Store, size images.Size, output string) (err error) {
	if s.im, err = s.m.image(size); err != nil {
		return err
	}
	if err := s.scores(output); err != nil {
		return err
	}
	s.nodes = s.m.graph.needed(s.output)
	s.depends = dependents(s.nodes, s.im.name)
	if !s.depends[s.output] {
		return fmt.Errorf("output %q does not depend on the image, want scores", s.output)
	}
	if s.plan, err = s.m.newPlan(store, s.im, s.nodes, max(s.im.batch, 1), nil); err != nil {
		return err
	}
	if err := s.checkScores(); err != nil {
		return err
	}
	s.find()
	if len(s.cuts) > maxReach {
		return fmt.Errorf("%d tensors of several places, want at most %d", len(s.cuts), maxReach)
	}
	s.divide()
	for i := range s.cuts {
		s.cuts[i].Beside = len(s.beside(i))
	}
	if len(s.cuts) == 0 {
		return fmt.Errorf("no tensor of several places between the image and output %q, want a network with convolutions or tokens", s.output)
	}
	s.choose()
	return nil
}

// scores finds the tensor of scores of an output: what goes into a last softmax or
// sigmoid, where it ends in one.
func (s *study) scores(output string) error {
	g, at := s.m.graph, ""
	var names []string
	for _, v := range g.outputs {
		names = append(names, v.name)
		if at == "" && (v.name == output || output == "") {
			at = v.name
		}
	}
	if at == "" {
		return fmt.Errorf("output %q, want one of %s", output, strings.Join(names, ", "))
	}
	s.file, s.output = at, at
	through := []string{"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"}
	for n := g.from[at]; n != nil && len(n.inputs) > 0; n = g.from[n.inputs[0]] {
		switch {
		case slices.Contains([]string{"Softmax", "LogSoftmax", "Sigmoid"}, n.op):
			s.output, s.ending = n.inputs[0], n.op
			return nil
		case !slices.Contains(through, n.op):
			return nil
		}
	}
	return nil
}

// scoreDims are the shape of scores with all axes of one behind the batch taken out but the
// last; nil for one that is none.
func scoreDims(d []int, n int) []int {
	if len(d) == 0 || d[0] != n {
		return nil
	}
	classes := 1
	for _, k := range d[1:] {
		if k > 1 && classes > 1 {
			return nil
		}
		classes = max(classes, k)
	}
	return []int{n, classes}
}

func (s *study) checkScores() error {
	f, ok := s.plan.tensors[s.output]
	if ok && f.dtype == dtypes.Float32 && scoreDims(f.dims, max(s.im.batch, 1)) != nil {
		return nil
	}
	return fmt.Errorf("output %q of shape %v, want scores of classes, [n, classes]: choose another output of %v, or cut off what comes after the scores", s.output, f.dims, tensorNames(s.m.Outputs()))
}

func tensorNames(all []Tensor) (names []string) {
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names
}

// pointwise are operators after which a tensor is the better layer than before, if nothing
// else takes it: activation functions, normalizations and what changes no values.
var pointwise = map[string]bool{}

func init() {
	for _, op := range strings.Fields(`Relu LeakyRelu ThresholdedRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Swish Softplus Softsign Mish
		Tanh Erf Gelu com.microsoft.Gelu com.microsoft.QuickGelu Clip PRelu BatchNormalization InstanceNormalization GroupNormalization
		LayerNormalization Identity Cast Dropout Transpose Pad QuantizeLinear DequantizeLinear LRN Reshape Flatten Squeeze Unsqueeze`) {
		pointwise[op] = true
	}
}

// find lists the cuts.
func (s *study) find() {
	users := make(map[string][]*node)
	for _, n := range s.nodes {
		for _, in := range slices.Compact(slices.Sorted(slices.Values(n.uses))) {
			users[in] = append(users[in], n)
		}
	}
	depth, taken := map[string]int{}, map[string]bool{}
	s.names = s.labels()
	for i, n := range s.nodes {
		s.learnGrid(n)
		d := 0
		for _, in := range n.uses {
			d = max(d, depth[in])
		}
		for _, name := range n.outputs {
			if name == "" || !s.depends[name] {
				continue
			}
			depth[name] = d + 1
			if !s.ofImage(name) || name == s.output {
				continue
			}
			f := s.plan.tensors[name]
			if f.channels == 0 {
				f.channels = s.channelsBy(name, users[name])
			}
			shape, tokens, ok := s.layerShape(f)
			if !ok || len(users[name]) == 0 || s.passing(name, users[name]) {
				continue
			}
			c := cut{Layer{Name: layerName(n, s.names[i], name, taken), Tensor: name, Operator: n.fullOp(), Shape: shape, Tokens: tokens, Depth: depth[name]}, i, f.channels}
			s.cuts = append(s.cuts, c)
		}
	}
}

// passing reports whether a tensor is only on its way to another layer, which is the better
// one.
func (s *study) passing(name string, users []*node) bool {
	for _, n := range users {
		if !pointwise[n.fullOp()] {
			// x·σ(x) and the like: a product of a tensor and what is made of it alone
			if n.op != "Mul" || !slices.ContainsFunc(users, func(u *node) bool { return pointwise[u.fullOp()] && slices.Contains(n.uses, u.outputs[0]) }) {
				return false
			}
		}
		f, ok := s.plan.tensors[n.outputs[0]]
		if _, _, layer := s.layerShape(f); !ok || !layer {
			return false
		}
	}
	return true
}

// choose sets the default layer.
func (s *study) choose() {
	s.chosen = len(s.cuts) - 1
	why := "the last with more than one place before the scores"
	for s.chosen > 0 && strings.HasSuffix(s.cuts[s.chosen].Operator, "Pool") && s.cuts[s.chosen-1].Shape == s.cuts[s.chosen].Shape {
		s.chosen-- // a pool that changes no place
	}
	if s.cuts[s.chosen].Tokens > 0 {
		if at := s.beforeAttention(); at >= 0 {
			s.chosen = at
			why = "the tokens that the last attention takes: after it only those beside the grid count"
		}
	}
	s.cuts[s.chosen].Default, s.cuts[s.chosen].Why = true, why
}

// beforeAttention is the last cut of tokens before the last softmax that is a result of a
// layer normalization, else the last sum; −1 if there is none. Before the normalization
// HiResCAM is 0 by its nature: a normalization does not see by how much its input is
// multiplied, so no gradient points along it.
func (s *study) beforeAttention() int {
	last := -1
	for i, n := range s.nodes {
		if n.op == "Softmax" || strings.HasSuffix(n.op, "Attention") {
			last = i
		}
	}
	sum := -1
	for i, c := range slices.Backward(s.cuts) {
		if c.after >= last || c.Tokens < 1 {
			continue
		}
		n := s.nodes[c.after]
		if n.op == "LayerNormalization" || s.normalizes(n) {
			return i
		}
		if n.op == "Add" && sum < 0 {
			sum = i
		}
	}
	return sum
}

// normalizes reports whether a node is the last of a layer normalization that is written
// out: x / √… · γ + β.
func (s *study) normalizes(n *node) bool {
	for _, op := range []string{"Add", "Mul", "Div"} {
		if n == nil || n.op != op {
			return false
		}
		n = s.m.graph.from[n.inputs[0]]
	}
	return true
}
