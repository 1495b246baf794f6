package onnx

import (
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{"Resize": resize, "Upsample": resize})
}

// resize is Resize (10, 11, 13, 18, 19) and Upsample (7, 9): one axis after the other, by a
// matrix of weights that is made here.
func resize(c *call) []*value {
	v := c.arg(0)
	scales, sizes := c.targets(v)
	x := c.physical(v)
	for a, n := range v.dims {
		if sizes[a] == n && scales[a] == 1 {
			continue
		}
		x = c.resizeAxis(x, v.physicalAxis(a), n, sizes[a], scales[a])
	}
	return one(v.result(x))
}

// targets are, for each axis, the factor and the size that is asked for.
func (c *call) targets(v *value) (scales []float64, sizes []int) {
	if c.intAttr("antialias", 0) != 0 {
		c.fail("antialias, want none")
	}
	var given []float32
	var wanted []int
	switch {
	case c.n.attributes["scales"] != nil:
		given = c.n.attributes["scales"].floats
	case c.n.op == "Upsample" || c.n.opset < 11:
		given = c.floats(1)
	case c.has(3) && c.arg(3).size() > 0:
		wanted = c.ints(3)
	default:
		given = c.floats(2)
	}
	axes := c.axes(nil, v.rank())
	if some := c.intsAttr("axes"); some != nil {
		axes = nil
		for _, a := range some {
			axes = append(axes, c.axis(a, v.rank()))
		}
	}
	if len(axes) != max(len(given), len(wanted)) {
		c.fail("%d factors or sizes for %d axes, want one of each", max(len(given), len(wanted)), len(axes))
	}
	scales, sizes = slices.Repeat([]float64{1}, v.rank()), slices.Clone(v.dims)
	policy := c.textAttr("keep_aspect_ratio_policy", "stretch")
	both := 0.0
	for i, a := range axes {
		if wanted == nil {
			scales[a] = float64(given[i])
			sizes[a] = int(math.Floor(float64(v.dims[a]) * scales[a]))
		} else {
			if sizes[a] = wanted[i]; c.leaves(a, wanted[i]) {
				sizes[a] = v.dims[a]
			}
			scales[a] = float64(sizes[a]) / float64(v.dims[a])
			if both == 0 || policy == "not_larger" && scales[a] < both || policy == "not_smaller" && scales[a] > both {
				both = scales[a]
			}
		}
		if sizes[a] < 1 || sizes[a] > maxReach || v.dims[a] < 1 {
			c.fail("%d places of %d, want 1 to %d", sizes[a], v.dims[a], maxReach)
		}
	}
	if wanted != nil && policy != "stretch" {
		for _, a := range axes {
			scales[a] = both
			sizes[a] = int(math.Floor(both*float64(v.dims[a]) + 0.5))
		}
	}
	return scales, sizes
}

// resizeAxis is an axis of n places with another number of them.
func (c *call) resizeAxis(x *Node, axis, n, size int, scale float64) *Node {
	mode := c.textAttr("mode", "nearest")
	if mode == "nearest" {
		order := make([]int64, size)
		for o := range order {
			order[o] = int64(max(0, min(n-1, c.nearest(c.source(o, n, size, scale)))))
		}
		return take1(x, axis, Const(c.g, order))
	}
	c.matrix(size, n)
	weights := make([]float32, size*n)
	for o := range size {
		at := c.source(o, n, size, scale)
		first := int(math.Floor(at))
		var w []float64
		from := first
		switch mode {
		case "linear", "bilinear", "trilinear":
			w = []float64{1 - (at - float64(first)), at - float64(first)}
		case "cubic":
			w, from = cubic(at-float64(first), c.floatAttr("cubic_coeff_a", -0.75)), first-1
		default:
			c.fail("mode %q, want nearest, linear or cubic", mode)
		}
		sum := 1.0
		if c.intAttr("exclude_outside", 0) != 0 {
			sum = 0
			for i := range w {
				if from+i < 0 || from+i >= n {
					w[i] = 0
				}
				sum += w[i]
			}
		}
		for i := range w {
			weights[o*n+max(0, min(n-1, from+i))] += float32(w[i] / sum)
		}
	}
	matrix := c.float(Reshape(Const(c.g, weights), size, n))
	return alongAxis(x, axis, matrix)
}

// alongAxis multiplies an axis of x by a matrix [to, from].
func alongAxis(x *Node, axis int, matrix *Node) *Node {
	const letters = "abcdefgh"
	in := letters[:x.Rank()]
	out := in[:axis] + "z" + in[axis+1:]
	return Einsum(in+",z"+in[axis:axis+1]+"->"+out, x, matrix)
}

// source is where a place of the result is in the input.
func (c *call) source(o, n, size int, scale float64) float64 {
	at := float64(o)
	otherwise := "half_pixel"
	if c.n.op == "Upsample" || c.n.opset < 11 {
		otherwise = "asymmetric"
	}
	switch mode := c.textAttr("coordinate_transformation_mode", otherwise); mode {
	case "half_pixel":
		return (at+0.5)/scale - 0.5
	case "half_pixel_symmetric":
		return float64(n)/2*(1-float64(size)/(scale*float64(n))) + (at+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if size == 1 {
			return 0
		}
		return (at+0.5)/scale - 0.5
	case "align_corners":
		if size == 1 {
			return 0
		}
		return at * float64(n-1) / (scale*float64(n) - 1)
	case "asymmetric":
		return at / scale
	case "tf_half_pixel_for_nn":
		return (at + 0.5) / scale
	default:
		c.fail("coordinate_transformation_mode %q, want half_pixel, pytorch_half_pixel, align_corners or asymmetric", mode)
	}
	return 0
}

// nearest is the place that nearest_mode takes for one between two.
func (c *call) nearest(at float64) int {
	mode := c.textAttr("nearest_mode", "round_prefer_floor")
	if c.n.op == "Upsample" || c.n.opset < 11 {
		mode = "floor"
	}
	switch mode {
	case "round_prefer_floor":
		return int(math.Ceil(at - 0.5))
	case "round_prefer_ceil":
		return int(math.Floor(at + 0.5))
	case "floor":
		return int(math.Floor(at))
	case "ceil":
		return int(math.Ceil(at))
	}
	c.fail("nearest_mode %q, want round_prefer_floor, round_prefer_ceil, floor or ceil", mode)
	return 0
}

// cubic are the weights of four places about one between the second and the third (Keys
// 1981).
func cubic(t, a float64) []float64 {
	near := func(d float64) float64 { return ((a+2)*d-(a+3))*d*d + 1 }
	far := func(d float64) float64 { return ((a*d-5*a)*d+8*a)*d - 4*a }
	return []float64{far(1 + t), near(t), near(1 - t), far(2 - t)}
}
