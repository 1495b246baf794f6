package onnx

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{"MatMul": matMul, "Gemm": gemm, "Einsum": einsum})
}

// matMul is MatMul (1, 9, 13): numpy's matmul.
func matMul(c *call) []*value {
	a, b := c.arg(0), c.arg(1)
	if a.rank() == 0 || b.rank() == 0 {
		c.fail("of shapes %v and %v, want at least one axis each", a.dims, b.dims)
	}
	return one(logical(product2(c, c.logicalNode(a), c.logicalNode(b))).like(a))
}

func product2(c *call, x, y *Node) *Node {
	d, e := x.Shape().Dimensions, y.Shape().Dimensions
	vector, column := len(d) == 1, len(e) == 1
	if vector {
		x = InsertAxes(x, 0)
	}
	if column {
		y = InsertAxes(y, -1)
	}
	d, e = x.Shape().Dimensions, y.Shape().Dimensions
	m, k, n := d[len(d)-2], d[len(d)-1], e[len(e)-1]
	if e[len(e)-2] != k {
		c.fail("of shapes %v and %v, want as many columns as rows", d, e)
	}
	batch := broadcastDims(d[:len(d)-2], e[:len(e)-2])
	var z *Node
	if len(e) == 2 {
		z = Reshape(Einsum("pk,ko->po", Reshape(x, product(d[:len(d)-1]), k), y), append(slices.Clone(batch), m, n)...)
	} else {
		full := func(x *Node, rows, columns int) *Node {
			return Reshape(BroadcastToDims(ExpandLeftToRank(x, len(batch)+2), append(slices.Clone(batch), rows, columns)...), product(batch), rows, columns)
		}
		z = Reshape(Einsum("bmk,bkn->bmn", full(x, m, k), full(y, k, n)), append(slices.Clone(batch), m, n)...)
	}
	out := slices.Clone(batch)
	if !vector {
		out = append(out, m)
	}
	if !column {
		out = append(out, n)
	}
	return Reshape(z, out...)
}

// gemm is Gemm (6, 7, 9, 11, 13): α A′ B′ + β C.
func gemm(c *call) []*value {
	x, y := c.x(0), c.x(1)
	equation := []string{"mk", "kn"}
	if c.intAttr("transA", 0) != 0 {
		equation[0] = "km"
	}
	if c.intAttr("transB", 0) != 0 {
		equation[1] = "nk"
	}
	z := Einsum(strings.Join(equation, ",")+"->mn", x, y)
	if alpha := c.floatAttr("alpha", 1); alpha != 1 {
		z = MulScalar(z, alpha)
	}
	if c.has(2) {
		bias := c.x(2)
		if beta := c.floatAttr("beta", 1); beta != 1 {
			bias = MulScalar(bias, beta)
		}
		if bias.Rank() > 0 {
			bias = ExpandLeftToRank(bias, 2)
		}
		z = Add(z, bias)
	}
	return one(logical(z))
}

// einsum is Einsum (12): with blanks, an ellipsis and any number of tensors, but without a
// diagonal.
func einsum(c *call) []*value {
	equation := strings.ReplaceAll(c.textAttr("equation", ""), " ", "")
	left, out, given := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(c.in) {
		c.fail("equation %q of %d tensors, want as many terms", equation, len(c.in))
	}
	// An ellipsis stands for as many axes as are not named, the last of the same ones.
	const spare = "ZYXWVUTSRQPONMLKJIHGFEDCBA"
	free := strings.Map(func(r rune) rune {
		if strings.ContainsRune(equation, r) {
			return -1
		}
		return r
	}, spare)
	most := 0
	var axes []string
	var nodes []*Node
	for i, t := range terms {
		x := c.x(i)
		n := x.Rank() - len(strings.ReplaceAll(t, "...", ""))
		if n < 0 || n > len(free) || n > 0 && !strings.Contains(t, "...") {
			c.fail("equation %q, term %q for a tensor of shape %v", equation, t, c.in[i].dims)
		}
		most = max(most, n)
		axes, nodes = append(axes, strings.ReplaceAll(t, "...", reversed(free[:n]))), append(nodes, x)
	}
	if given {
		out = strings.ReplaceAll(out, "...", reversed(free[:most]))
	} else {
		out = reversed(free[:most])
		var once []string
		all := strings.Join(axes, "")
		for _, r := range all {
			if strings.Count(all, string(r)) == 1 && !strings.ContainsRune(out, r) {
				once = append(once, string(r))
			}
		}
		slices.Sort(once)
		out += strings.Join(once, "")
	}
	x, at := nodes[0], axes[0]
	for i := 1; i < len(nodes); i++ {
		needed := out + strings.Join(axes[i+1:], "")
		x, at = summed(c, x, at, needed+axes[i])
		y, of := summed(c, nodes[i], axes[i], needed+at)
		var to []byte
		for _, r := range []byte(at + of) {
			if strings.IndexByte(needed, r) >= 0 && !slices.Contains(to, r) {
				to = append(to, r)
			}
		}
		x, at = Einsum(at+","+of+"->"+string(to), x, y), string(to)
	}
	x, at = summed(c, x, at, out)
	if len(at) != len(out) {
		c.fail("equation %q, want a result of axes of the tensors", equation)
	}
	var order []int
	for i := range out {
		order = append(order, strings.IndexByte(at, out[i]))
	}
	if len(order) > 0 && !slices.IsSorted(order) {
		x = TransposeAllAxes(x, order...)
	}
	return one(logical(x))
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// summed adds up a tensor's axes that are not needed.
func summed(c *call, x *Node, axes, needed string) (*Node, string) {
	var drop []int
	var rest []byte
	for i := range axes {
		switch {
		case strings.Count(axes, axes[i:i+1]) > 1:
			c.fail("axis %q twice in %q: a diagonal, want each axis once", axes[i:i+1], axes)
		case strings.IndexByte(needed, axes[i]) < 0:
			drop = append(drop, i)
		default:
			rest = append(rest, axes[i])
		}
	}
	if len(drop) > 0 {
		x = ReduceSum(x, drop...)
	}
	return x, string(rest)
}
