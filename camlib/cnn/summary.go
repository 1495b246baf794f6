package cnn

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

// String says which network this is, and how large.
func (m *Model) String() string {
	if m == nil {
		return "no model"
	}
	return fmt.Sprintf("%s, %d weights, %d classes: %s", Architecture, m.store.NumParameters(), len(m.classes), strings.Join(m.classes, ", "))
}

// Summary returns a table of the network's layers for 32×32 images: the shape
// of each one's output, [height, width, channels], and its parameters.
func (m *Model) Summary() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	row := func(name string, output []int, parameters int) {
		fmt.Fprintf(t, "%s\t%v\t%d\n", name, output, parameters)
	}
	fmt.Fprintln(t, "layer\toutput\tparameters")
	side, total := cifar10.Height, 0
	for _, l := range layers {
		channels := l.outputs()
		n := l.size() + channels
		total += n
		if l.scope == "dense" {
			row("global average pooling", []int{l.dims[0]}, 0)
			row("dense", []int{channels}, n)
			continue
		}
		row(l.scope+" 3×3, ReLU", []int{side, side, channels}, n)
		if l.scope == "conv2" {
			side /= 2
			row("max-pool 2×2", []int{side, side, channels}, 0)
		}
	}
	fmt.Fprintf(t, "all\t\t%d\n", total)
	_ = t.Flush() // writes to memory, which does not fail
	return b.String()
}
