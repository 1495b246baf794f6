package onnx

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/plugin"
)

// Options say how a model becomes a network. The zero value is the file's size, its first
// output, and pixels from 0 to 1 as they are.
type Options struct {
	Size   images.Size // of the images; 0 is the file's, or 224×224
	Layer  string      // that is explained, by its name, its tensor's, its number from 0, or the name of the module that gives it; empty is the default
	Output string      // the scores; empty is the first

	// What the graph takes is (x·Scale − Mean) / Std of pixels x from 0 to 1, in the order of
	// its channels: blue first with BGR.
	Mean, Std []float32 // one for each channel, or one for all; nil is 0 and 1
	Scale     float32   // 0 is 1
	BGR       bool
	Raw       bool // the graph takes x itself, whatever it is; without the above

	Classes []string // their names
}

// Imported is a network that was made of a model.
type Imported struct {
	*network.Network
	Layer Layer    // the layer that is explained
	Notes []string // what was decided about the model, for people
	// NumClasses is how many scores an image has.
	NumClasses int
	Stored     []Stored // the test vectors beside the file
}

// Network makes a network of a model, explained at Options.Layer. Before it is first given
// several images, or is asked by [network.Network.Together], it runs two different ones
// together and one by one on the backend: where their scores differ, or where the file has
// fixed its batch in a way that cannot be undone, it takes one image at a time. Where test
// vectors lie beside the file, see [Stored], it computes them and fails if it gets something
// else. Its error matches [ErrModel], [ErrOperator], [ErrClasses] or [network.ErrLayer].
//
// It refuses a backend of XLA on a processor that was opened under oneDNN's flags, which
// `camlab setup` may have found the fastest for the article's network: they end the process
// for some networks.
func (m *Model) Network(back compute.Backend, o Options) (*Imported, error) {
	if err := checkBackend(back); err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", m.name, err)
	}
	store := model.NewStore()
	s, err := m.study(store, o.Size, o.Output)
	if err != nil {
		return nil, err
	}
	im := &imported{study: s, plans: map[int]*plan{s.batch(): s.plan}}
	if im.pre, err = newPreprocessing(o, s.im.size.Channels); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	classes := s.classes()
	if o.Classes != nil && len(o.Classes) != classes {
		return nil, failure.New(ErrClasses, "onnx: %d names of classes, want %d, one for each score of output %q", len(o.Classes), classes, s.output)
	}
	at, err := s.layer(o.Layer)
	if err != nil {
		return nil, err
	}
	im.parts = make([][]*node, len(s.cuts)+1)
	im.passing = make([][]string, len(s.cuts))
	for k := range im.parts {
		im.parts[k] = s.nodesOf(k)
		if k < len(s.cuts) {
			im.passing[k] = s.beside(k)
		}
	}
	net := &network.Network{
		Name: m.name, Store: store, Classes: o.Classes, HeadBeside: im.head,
		Input: network.Input{Size: s.im.size}, Together: im.freeBatch(back, store),
	}
	for k, c := range s.cuts {
		net.Layers = append(net.Layers, network.Layer{Name: c.Name, Text: c.text(), BuildBeside: im.layer(k)})
	}
	net.Tensors = m.fileTensors(store)
	out := &Imported{Layer: s.cuts[at].Layer, Notes: s.notes(), NumClasses: classes}
	stored, notes, err := im.checkStored(back, net)
	if err != nil {
		return nil, failure.New(ErrModel, "onnx: %s: %w", m.name, err)
	}
	out.Stored, out.Notes = stored, append(out.Notes, notes...)
	net.Attention = im.attention()
	out.Network, err = net.At(s.cuts[at].Name)
	return out, err
}

func checkBackend(back compute.Backend) error {
	if back == nil {
		return errors.New("no backend, want one, on which the batch is tried")
	}
	flags := plugin.Fragile(os.Getenv("XLA_FLAGS"))
	if backend.KindOf(back) == backend.XLACPU && len(flags) > 0 {
		return fmt.Errorf("XLA was loaded with %s, under which it ends the process for some networks: want the model opened before the backend, or XLA_FLAGS without it", strings.Join(flags, " "))
	}
	return nil
}

func (c cut) text() string {
	text := fmt.Sprintf("%s, %s", c.Operator, c.Tensor)
	if c.Tokens > 0 {
		text += fmt.Sprintf(", tokens, %d of them beside the grid", c.Tokens)
	}
	return text
}

// classes is how many scores an image has.
func (s *study) classes() int {
	return scoreDims(s.plan.tensors[s.output].dims, max(s.im.batch, 1))[1]
}

func (s *study) notes() (notes []string) {
	if s.ending != "" {
		notes = append(notes, fmt.Sprintf("ends in %s: the scores are what goes into it, %q", s.ending, s.output))
	}
	if names := tensorNames(s.m.Outputs()); len(names) > 1 {
		notes = append(notes, fmt.Sprintf("has the outputs %s: the scores are of %q", strings.Join(names, ", "), s.output))
	}
	if s.classes() == 1 {
		notes = append(notes, "has one score: a number, or the logit of yes against no")
	}
	return notes
}

// imported builds the graphs of a network.
type imported struct {
	*study
	pre     preprocessing
	parts   [][]*node  // the nodes of each layer, and of the head
	passing [][]string // what passes beside each layer
	// axes says where the images are in what passes beside layers, see pack. It is nil where
	// that is not known, and each image is there by itself.
	axes  map[string]int
	tried bool // built to be tried once
	// together is why several images are not built together, see [network.Network.Together].
	together func() error

	mu    sync.Mutex
	free  bool          // whether the file's batch is undone
	plans map[int]*plan // by the batch
}

// at is the plan for a batch of n images, and how the file's batch becomes that.
func (im *imported) at(n int) (*plan, *freeing, error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	var f *freeing
	if im.free {
		f = &freeing{shapes: im.plan.shapes(), from: im.batch(), to: n}
	}
	if p := im.plans[n]; p != nil {
		return p, f, nil
	}
	p, err := im.m.newPlan(nil, im.im, im.nodes, n, f)
	if err == nil {
		im.plans[n] = p
	}
	return p, f, err
}

// batch is the file's batch, 1 where it has none.
func (s *study) batch() int { return max(s.im.batch, 1) }

// alone reports whether each of n images is built by itself. One image of a file whose batch
// is one, or none, is built the same either way, and nothing has to be tried for it.
func (im *imported) alone(n int) bool {
	return (n > 1 || im.batch() > 1) && im.together() != nil
}

// repeats reports whether an image is repeated to be the file's batch.
func (im *imported) repeats() bool { return im.batch() > 1 && im.together() != nil }

// layer is the function that builds a layer.
func (im *imported) layer(k int) func(*model.Scope, *Node, []*Node) (*Node, []*Node) {
	return func(scope *model.Scope, x *Node, beside []*Node) (*Node, []*Node) {
		out := im.each(x, beside, func(x *Node, beside []*Node) []*Node {
			b := im.enter(scope, x, beside, k)
			b.run(im.parts[k])
			return b.leave(im, k)
		})
		return out[0], out[1:]
	}
}

// head is the function that builds the scores.
func (im *imported) head(scope *model.Scope, act *Node, beside []*Node) *Node {
	return im.each(act, beside, func(x *Node, beside []*Node) []*Node {
		b := im.enter(scope, x, beside, len(im.cuts))
		b.run(im.parts[len(im.cuts)])
		return []*Node{b.scores(im)}
	})[0]
}

// scores are those that were built, [n, classes].
func (b *builder) scores(im *imported) *Node {
	y := b.logicalNode(b.value(im.output))
	n := y.Shape().Dim(0)
	return b.first(im, Reshape(y, n, y.Shape().Size()/n))
}

// each builds a part for a batch, or for one image after the other.
func (im *imported) each(x *Node, beside []*Node, build func(x *Node, beside []*Node) []*Node) (out []*Node) {
	err := catch(func() {
		n := x.Shape().Dim(0)
		if !im.alone(n) {
			out = build(x, beside)
			return
		}
		parts := make([][]*Node, 0, n)
		for i := range n {
			pick := func(x *Node) *Node { return Slice(x, AxisRange(i, i+1)) }
			var own []*Node
			for _, y := range beside {
				own = append(own, pick(y))
			}
			parts = append(parts, build(pick(x), own))
		}
		for k := range parts[0] {
			all := make([]*Node, n)
			for i := range n {
				all[i] = parts[i][k]
			}
			out = append(out, joined(all))
		}
	})
	if err != nil {
		panic(fmt.Errorf("onnx: %s: %w", im.m.name, err))
	}
	return out
}

// first is the first image of a batch that repeats one.
func (b *builder) first(im *imported, x *Node) *Node {
	if im.repeats() {
		return Slice(x, AxisRange(0, 1))
	}
	return x
}
