// Package rim puts zeros around images in graphs, in a way that has a gradient.
package rim

import "github.com/gomlx/gomlx/core/graph"

// Add puts so many rows and columns of zeros on each side of images
// [batch, height, width, channels]. It concatenates: in GoMLX v0.26.0 neither Pad nor
// a convolution that is padded by more than its kernel has a gradient.
func Add(x *graph.Node, width int) *graph.Node {
	for axis := 1; axis <= 2; axis++ {
		shape := x.Shape().Clone()
		shape.Dimensions[axis] = width
		none := graph.Zeros(x.Graph(), shape)
		x = graph.Concatenate([]*graph.Node{none, x, none}, axis)
	}
	return x
}
