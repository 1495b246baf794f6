package onnx

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// operators are the operators that are known, by domain and name.
var operators = map[string]operator{}

// register adds operators of a file.
func register(ops map[string]operator) {
	for name, f := range ops {
		operators[name] = f
	}
}

// fail ends the building of a node.
func (c *call) fail(format string, args ...any) {
	panic(stop{fmt.Errorf(format, args...)})
}

// has reports whether an input is there.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// arg is an input that has to be there.
func (c *call) arg(i int) *value {
	if !c.has(i) {
		c.fail("no input %d, want one", i)
	}
	return c.in[i]
}

// x is an input as a node with its axes as ONNX has them.
func (c *call) x(i int) *Node { return c.logicalNode(c.arg(i)) }

// ints are the integers of an input that has to be known when the graph is built.
func (c *call) ints(i int) []int {
	v := c.arg(i)
	if v.constant == nil {
		c.fail("input %d, %q, is computed from the picture, want one that its size decides", i, c.n.inputs[i])
	}
	out := make([]int, 0, v.size())
	for _, n := range v.constant.ints() {
		out = append(out, int(max(min(n, 1<<40), -1<<40))) // slices say "to the end" by the largest integer
	}
	return out
}

// floats are the floats of an input that has to be known when the graph is built.
func (c *call) floats(i int) []float32 {
	v := c.arg(i)
	if v.constant == nil {
		c.fail("input %d, %q, is computed from the picture, want one that its size decides", i, c.n.inputs[i])
	}
	return v.constant.floats()
}

// scalarOr is the one float of an input, or another number where it is left out.
func (c *call) scalarOr(i int, otherwise float64) float64 {
	if !c.has(i) {
		return otherwise
	}
	f := c.floats(i)
	if len(f) != 1 {
		c.fail("input %d of %d values, want 1", i, len(f))
	}
	return float64(f[0])
}

func (c *call) intAttr(name string, otherwise int) int {
	if a := c.n.attributes[name]; a != nil {
		return int(max(min(a.i, 1<<40), -1<<40))
	}
	return otherwise
}

func (c *call) floatAttr(name string, otherwise float64) float64 {
	if a := c.n.attributes[name]; a != nil {
		return float64(a.f)
	}
	return otherwise
}

func (c *call) textAttr(name, otherwise string) string {
	if a := c.n.attributes[name]; a != nil {
		return string(a.s)
	}
	return otherwise
}

func (c *call) intsAttr(name string) []int {
	a := c.n.attributes[name]
	if a == nil {
		return nil
	}
	out := make([]int, len(a.ints))
	for i, n := range a.ints {
		out[i] = int(max(min(n, 1<<40), -1<<40))
	}
	return out
}

// intsAt are integers that were an attribute until an input took their place; nil where
// neither is there.
func (c *call) intsAt(input int, attr string) []int {
	if c.has(input) {
		return c.ints(input)
	}
	return c.intsAttr(attr)
}

// matrix fails for a matrix that is too large to be made here.
func (c *call) matrix(rows, columns int) {
	const most = 1 << 24
	if rows > most || columns > most || rows*columns > most {
		c.fail("a matrix of %d×%d, want at most %d values", rows, columns, most)
	}
}

// axis is an axis of a tensor of so many, counted from the end if negative.
func (c *call) axis(a, rank int) int {
	if a < -rank || a >= rank {
		c.fail("axis %d of a tensor of %d axes, want %d to %d", a, rank, -rank, rank-1)
	}
	if a < 0 {
		a += rank
	}
	return a
}

// axes are some, each once; all of them where none are given.
func (c *call) axes(given []int, rank int) []int {
	if len(given) == 0 {
		for a := range rank {
			given = append(given, a)
		}
		return given
	}
	var out []int
	for _, a := range given {
		if a = c.axis(a, rank); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

// one is a single output.
func one(v *value) []*value { return []*value{v} }

// same is an output whose axes are those of an input, of which x was made.
func same(v *value, x *Node) []*value {
	out := *v
	out.node, out.constant, out.weight, out.dtype = x, nil, nil, plainType(x.DType())
	return one(&out)
}

// physicalAxis is where an axis of a value is in its node.
func (v *value) physicalAxis(a int) int {
	if v.last {
		return inLast[a]
	}
	return a
}

// result is a node with the layout of a value, whose dimensions may differ.
func (v *value) result(x *Node) *value {
	if v.last {
		return channelsLast(x)
	}
	return logical(x).like(v)
}
