package nn

import . "github.com/gomlx/gomlx/core/graph"

// PadSides puts width rows and columns of zeros on each side of images
// [batch, height, width, channels].
func PadSides(x *Node, width int) *Node { return PadImages(x, width, width) }

// PadImages puts so many rows and columns of zeros before images [batch, height, width,
// channels], above and on the left, and so many after them. Unlike GoMLX's Pad it has a
// gradient, and all backends have it.
func PadImages(x *Node, before, after int) *Node {
	for axis := 1; axis <= 2; axis++ {
		x = padAlong(x, axis, before, after)
	}
	return x
}

func padAlong(x *Node, axis, before, after int) *Node {
	parts := []*Node{x}
	zeros := func(width int) *Node {
		shape := x.Shape().Clone()
		shape.Dimensions[axis] = width
		return Zeros(x.Graph(), shape)
	}
	if before > 0 {
		parts = []*Node{zeros(before), x}
	}
	if after > 0 {
		parts = append(parts, zeros(after))
	}
	if len(parts) == 1 {
		return x
	}
	return Concatenate(parts, axis)
}
