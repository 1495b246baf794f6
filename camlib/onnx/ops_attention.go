package onnx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() { register(map[string]operator{"Attention": attention}) }

// masked is as good as −∞ in a softmax, without its NaN; also in bfloat16.
const masked = -1e38

// attention is Attention (23, 24, 25) of a whole sequence,
//
//	softmax(Q Kᵀ · scale + mask) V
//
// for each head, of which one of keys and values may serve several of queries. Before the
// mask, softcap bounds what it is added to: cap · tanh(x/cap). A query that may see no key
// gets zeros.
func attention(c *call) []*value {
	for i := 4; i < len(c.in); i++ {
		if c.has(i) {
			c.fail("input %d, of past keys or of their number, want a network without a cache", i)
		}
	}
	if c.intAttr("left_window_size", -1) >= 0 || c.intAttr("right_window_size", -1) >= 0 {
		c.fail("a sliding window, want attention to all keys or causal")
	}
	q, k, v := c.heads(0, "q_num_heads"), c.heads(1, "kv_num_heads"), c.heads(2, "kv_num_heads")
	d, e, f := q.Shape().Dimensions, k.Shape().Dimensions, v.Shape().Dimensions
	n, heads, rows, kv, keys := d[0], d[1], d[2], e[1], e[2]
	if n != e[0] || n != f[0] || kv < 1 || heads%kv != 0 || f[1] != kv || f[2] != keys || e[3] != d[3] {
		c.fail("queries, keys and values of shapes %v, %v, %v, want [n, heads, places, size] that fit", d, e, f)
	}
	// The queries of the heads that share keys lie one behind the other.
	fold := func(x *Node, places int) *Node { return Reshape(x, n*kv, places, -1) }
	x := Einsum("bqd,bkd->bqk", fold(q, heads/kv*rows), fold(k, keys))
	x = Reshape(MulScalar(x, c.floatAttr("scale", 1/math.Sqrt(float64(d[3])))), n, heads, rows, keys)
	if soft := c.floatAttr("softcap", 0); soft > 0 {
		x = MulScalar(Tanh(DivScalar(x, soft)), soft)
	}
	bias := c.attentionBias(rows, keys)
	if bias != nil {
		x = Add(x, bias)
	}
	_, p := exponents(x, []int{3})
	p = Div(p, ReduceAndKeep(p, ReduceSum, 3))
	if bias != nil {
		sees := GreaterThan(ReduceAndKeep(bias, ReduceMax, 3), ConstAs(bias, masked))
		p = Where(BroadcastToDims(sees, n, heads, rows, keys), p, ZerosLike(p))
	}
	y := Reshape(Einsum("bqk,bkd->bqd", fold(p, heads/kv*rows), fold(v, keys)), n, heads, rows, f[3])
	if c.arg(0).rank() == 3 {
		y = Reshape(TransposeAllAxes(y, 0, 2, 1, 3), n, rows, heads*f[3])
	}
	return []*value{logical(y), logical(k), logical(v)}
}

// heads is an input [n, heads, places, size], or [n, places, heads·size] with as many heads
// as an attribute says.
func (c *call) heads(i int, attr string) *Node {
	v, h := c.arg(i), c.intAttr(attr, 0)
	switch {
	case v.rank() == 4:
		return c.logicalNode(v)
	case v.rank() != 3 || h < 1 || v.dims[2]%h != 0:
		c.fail("input %d of shape %v with %d heads, want [n, heads, places, size] or [n, places, heads·size]", i, v.dims, h)
	}
	return TransposeAllAxes(Reshape(c.logicalNode(v), v.dims[0], v.dims[1], h, v.dims[2]/h), 0, 2, 1, 3)
}

// attentionBias is what is added before the softmax, of four axes; nil for nothing.
func (c *call) attentionBias(rows, keys int) (bias *Node) {
	if c.has(3) {
		v := c.arg(3)
		if v.rank() > 4 || v.rank() == 0 || v.dims[v.rank()-1] != keys {
			c.fail("a mask of shape %v for %d keys, want one of each", v.dims, keys)
		}
		bias = ExpandLeftToRank(c.logicalNode(v), 4)
		least := BroadcastToDims(c.float(Const(c.g, float32(masked))), bias.Shape().Dimensions...)
		if v.dtype == dtypes.Bool {
			bias = Where(bias, ZerosLike(least), least)
		} else {
			bias = Max(bias, least)
		}
	}
	if c.intAttr("is_causal", 0) == 0 {
		return bias
	}
	c.matrix(rows, keys)
	later := make([]float32, rows*keys) // a query sees the keys up to its own place
	for i := range later {
		if i%keys > i/keys {
			later[i] = masked
		}
	}
	causal := c.float(Reshape(Const(c.g, later), 1, 1, rows, keys))
	if bias == nil {
		return causal
	}
	return Max(Add(bias, causal), ConstAs(bias, masked))
}
