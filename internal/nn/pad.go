package nn

import . "github.com/gomlx/gomlx/core/graph"

// PadSides puts width rows and columns of zeros on each side of images
// [batch, height, width, channels].
func PadSides(x *Node, width int) *Node {
	for axis := 1; axis <= 2; axis++ {
		shape := x.Shape().Clone()
		shape.Dimensions[axis] = width
		none := Zeros(x.Graph(), shape)
		x = Concatenate([]*Node{none, x, none}, axis)
	}
	return x
}
