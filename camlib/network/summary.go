package network

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
)

// Summary returns a table of the network's layers for images of a size, of which the zero
// value is that of its Input. It has the shape of each layer's output, [height, width, channels], and
// the number of its parameters, those of the variables that no earlier layer has. The
// layers are built on the backend, not run.
func (n *Network) Summary(backend compute.Backend, size images.Size) (text string, err error) {
	if size.Values() == 0 {
		size = n.Input.Size
	}
	if size.Values() == 0 {
		return "", fmt.Errorf("network: summary: %s was trained on images of no particular size, want a size", n.Name)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("network: summary: %v", r)
		}
	}()
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	row := func(name, what string, output []int, parameters int) {
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\n", name, what, output, parameters)
	}
	fmt.Fprintln(t, "layer\twhat\toutput\tparameters")
	g := NewGraph(backend, "summary")
	defer g.Finalize()
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, 1, size.Height, size.Width, size.Channels))
	scope := n.Store.RootScope()
	used := make(map[*model.Variable]bool)
	count := func() (parameters int) {
		for v := range n.Store.IterVariables() {
			if !used[v] && v.InUseByGraph(g) {
				used[v] = true
				parameters += v.Shape().Size()
			}
		}
		return parameters
	}
	var beside []*Node
	for _, l := range n.Layers {
		x, beside = l.Apply(scope, x, beside)
		row(l.Name, l.Text, x.Shape().Dimensions[1:], count())
	}
	x = n.ApplyHead(scope, x, beside)
	row("head", "", x.Shape().Dimensions[1:], count())
	fmt.Fprintf(t, "all\t\t\t%d\n", n.Store.NumParameters())
	_ = t.Flush() // writes to memory, which does not fail
	return b.String(), nil
}
