package nn

import . "github.com/gomlx/gomlx/core/graph"

// reluGradient is the gradient before a ReLU with output y, given that after it.
func reluGradient(y, dy *Node) *Node {
	return Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(y))
}

// MaxPool2x2Gradient is the gradient before [MaxPool2x2] of y, [n, h, w, c], given that after it.
func MaxPool2x2Gradient(y, pool, dpool *Node) *Node {
	pixels, zero := windows(y), ZerosLike(dpool)
	for i, y := range pixels {
		largest := Equal(y, pool)
		pixels[i], dpool = Where(largest, dpool, zero), Where(largest, zero, dpool) // taken once
	}
	rows := []*Node{Stack(pixels[:2], 3), Stack(pixels[2:], 3)}
	return Reshape(Stack(rows, 2), y.Shape().Dimensions...)
}

// turned is a kernel [3, 3, in, out] turned by 180°, [3, 3, out, in].
func turned(w *Node) *Node {
	d := w.Shape().Dimensions
	taps := Reshape(w, 9, d[2], d[3])
	var all []*Node
	for i := range 9 {
		all = append(all, Slice(taps, AxisRange(8-i, 9-i)))
	}
	return TransposeAllAxes(Reshape(Concatenate(all, 0), d...), 0, 1, 3, 2)
}
