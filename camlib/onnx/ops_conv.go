package onnx

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/nn"
)

func init() {
	register(map[string]operator{"Conv": convolution, "ConvTranspose": convTranspose})
}

// window is how a kernel goes over an image: for each of two axes.
type window struct {
	kernel, strides, dilations []int
	pads                       [][2]int
}

// reach is how many places a kernel spans along an axis.
func (w window) reach(axis int) int { return (w.kernel[axis]-1)*w.dilations[axis] + 1 }

// convolves is a window of two axes for convolutions.
func (c *call) convolves(w window) nn.Window {
	return nn.Window{Strides: [2]int(w.strides), Dilations: [2]int(w.dilations), Pads: [2][2]int(w.pads), Plain: c.plain}
}

// windowOf reads the attributes that convolutions and pools share, for an image of a
// height and a width. auto_pad SAME_UPPER and SAME_LOWER pad so that the result has
// ⌈size/stride⌉ places, the odd one after or before.
func (c *call) windowOf(kernel, size []int) window {
	w := window{kernel: kernel, strides: c.intsAttr("strides"), dilations: c.intsAttr("dilations"), pads: make([][2]int, len(size))}
	for _, list := range []*[]int{&w.strides, &w.dilations} {
		if *list == nil {
			*list = slices.Repeat([]int{1}, len(size))
		}
	}
	pads := c.intsAttr("pads")
	if len(w.kernel) != len(size) || len(w.strides) != len(size) || len(w.dilations) != len(size) || pads != nil && len(pads) != 2*len(size) {
		c.fail("kernel %v, strides %v, dilations %v, pads %v for an image of %v, want one of each for each axis", kernel, w.strides, w.dilations, pads, size)
	}
	for i := range size {
		if w.kernel[i] < 1 || w.strides[i] < 1 || w.dilations[i] < 1 || w.kernel[i] > maxReach || w.dilations[i] > maxReach || w.strides[i] > maxReach {
			c.fail("kernel %v, strides %v, dilations %v, want 1 to %d", kernel, w.strides, w.dilations, maxReach)
		}
		switch auto := c.textAttr("auto_pad", "NOTSET"); auto {
		case "NOTSET", "":
			if pads != nil {
				w.pads[i] = [2]int{pads[i], pads[len(size)+i]}
				if min(pads[i], pads[len(size)+i]) < 0 || max(pads[i], pads[len(size)+i]) > maxReach {
					c.fail("pads %v, want 0 to %d", pads, maxReach)
				}
			}
		case "VALID":
		case "SAME_UPPER", "SAME_LOWER":
			out := (size[i] + w.strides[i] - 1) / w.strides[i]
			all := max(0, (out-1)*w.strides[i]+w.reach(i)-size[i])
			w.pads[i] = [2]int{all / 2, all - all/2}
			if auto == "SAME_LOWER" {
				w.pads[i] = [2]int{all - all/2, all / 2}
			}
		default:
			c.fail("auto_pad %q, want NOTSET, VALID, SAME_UPPER or SAME_LOWER", auto)
		}
	}
	return w
}

// maxReach bounds the numbers that say how a kernel goes over an image.
const maxReach = 1 << 12

// convolution is Conv (1, 11, 22) of images, or of sequences, which are images one place
// high: x [n, c, h, w], w [out, c/group, kh, kw], b [out].
func convolution(c *call) []*value {
	x, k, flat := c.images(0), c.arg(1), c.arg(0).rank() == 3
	var kernel *Node
	switch {
	case flat && k.rank() == 3:
		kernel = TransposeAllAxes(Reshape(c.logicalNode(k), k.dims[0], k.dims[1], 1, k.dims[2]), 2, 3, 1, 0)
	case k.rank() == 4:
		kernel = c.kernelNode(k)
	default:
		c.fail("an input of %d axes and a kernel of %d, want 4 and 4 (images) or 3 and 3", c.arg(0).rank(), k.rank())
	}
	d := kernel.Shape().Dimensions
	w := c.imageWindow(flat, d[:2], x.Shape().Dimensions[1:3])
	group := c.intAttr("group", 1)
	if channels := x.Shape().Dim(3); group < 1 || channels != group*d[2] || d[3]%group != 0 {
		c.fail("%d channels, %d groups and a kernel of shape %v, want [out, channels/groups, h, w]", channels, group, k.dims)
	}
	y := c.convolves(w).Convolve(x, kernel, group)
	if c.has(2) {
		y = Add(y, Reshape(c.x(2), 1, 1, 1, d[3]))
	}
	return one(c.fromImages(y, flat))
}

// images is an input [n, c, h, w], or [n, c, w] as if h were 1, with its channels last.
func (c *call) images(i int) *Node {
	v := c.arg(i)
	switch v.rank() {
	case 4:
		return c.lastNode(v)
	case 3:
		return toLast(Reshape(c.logicalNode(v), v.dims[0], v.dims[1], 1, v.dims[2]))
	}
	c.fail("an input of shape %v, want images, [n, channels, height, width]", v.dims)
	return nil
}

// fromImages is a result of images; flat takes the height out again.
func (c *call) fromImages(y *Node, flat bool) *value {
	if !flat {
		return channelsLast(y)
	}
	d := y.Shape().Dimensions
	return logical(Reshape(toLogical(y), d[0], d[3], d[2]))
}

// imageWindow is windowOf for images or, if flat, sequences.
func (c *call) imageWindow(flat bool, kernel, size []int) window {
	if !flat {
		return c.windowOf(kernel, size)
	}
	w := c.windowOf(kernel[1:], size[1:])
	one := []int{1}
	return window{append(one, w.kernel...), append(one, w.strides...), append(one, w.dilations...), append([][2]int{{}}, w.pads...)}
}

// convTranspose is ConvTranspose (1, 11, 22), the gradient of a convolution as an operator:
// w [c, out/group, kh, kw].
func convTranspose(c *call) []*value {
	x, k, flat := c.images(0), c.arg(1), c.arg(0).rank() == 3
	kernel := c.logicalNode(k)
	if flat {
		kernel = Reshape(kernel, k.dims[0], k.dims[1], 1, k.dims[2])
	}
	if kernel.Rank() != 4 {
		c.fail("a kernel of shape %v, want [channels, out/groups, h, w]", k.dims)
	}
	// A kernel [in, out/group, h, w] of the gradient is that of a convolution from out to in.
	kernel = TransposeAllAxes(kernel, 2, 3, 1, 0)
	d, s := kernel.Shape().Dimensions, x.Shape().Dimensions
	group := c.intAttr("group", 1)
	if group < 1 || d[3] != s[3] || d[3]%group != 0 {
		c.fail("%d channels, %d groups and a kernel of shape %v, want [channels, out/groups, h, w]", s[3], group, k.dims)
	}
	w, size := c.transposedWindow(flat, d[:2], s[1:3])
	out := []int{s[0], size[0], size[1], d[2] * group}
	over := c.convolves(w)
	y := over.Gradient(x, kernel, group, out)
	y = nn.WithGradient(y, []*Node{x, kernel}, func(dy *Node) []*Node {
		return []*Node{over.Convolve(dy, kernel, group), over.KernelGradient(dy, x, d, group)}
	})
	if c.has(2) {
		y = Add(y, Reshape(c.x(2), 1, 1, 1, out[3]))
	}
	return one(c.fromImages(y, flat))
}

// transposedWindow is the window of the convolution whose gradient a ConvTranspose is, and
// the size of its result.
func (c *call) transposedWindow(flat bool, kernel, size []int) (window, []int) {
	extra, wanted := c.intsAttr("output_padding"), c.intsAttr("output_shape")
	auto := c.textAttr("auto_pad", "NOTSET")
	attrs := map[string]*attribute{}
	for name, a := range c.n.attributes {
		attrs[name] = a
	}
	delete(attrs, "auto_pad")
	plain := *c
	n := *c.n
	n.attributes = attrs
	plain.n = &n
	w := plain.imageWindow(flat, kernel, size)
	if flat {
		extra, wanted = append([]int{0}, extra...), append([]int{1}, wanted...)
	}
	out := make([]int, 2)
	for i := range 2 {
		more := 0
		if len(extra) == 2 {
			more = extra[i]
		}
		whole := w.strides[i]*(size[i]-1) + more + w.reach(i)
		out[i] = whole - w.pads[i][0] - w.pads[i][1]
		if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
			out[i] = size[i] * w.strides[i]
		}
		if len(wanted) >= 2 {
			out[i] = wanted[len(wanted)-2+i]
		}
		if auto == "SAME_UPPER" || auto == "SAME_LOWER" || len(wanted) >= 2 {
			all := max(0, whole-out[i])
			w.pads[i] = [2]int{all / 2, all - all/2}
			if auto != "SAME_UPPER" && auto != "NOTSET" {
				w.pads[i] = [2]int{all - all/2, all / 2}
			}
		}
		if out[i] < 1 {
			c.fail("a result of %d places, want at least 1", out[i])
		}
	}
	return w, out
}
