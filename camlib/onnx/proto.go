package onnx

import (
	"errors"
	"fmt"
	"math"
)

// The messages of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that
// a model is made of, with the fields that are needed here. Bytes are slices of the file.
type (
	modelProto struct {
		ir        int64
		producer  string
		graph     *graphProto
		opsets    map[string]int64
		functions []*functionProto
	}
	graphProto struct {
		nodes           []*nodeProto
		initializers    []*tensorProto
		inputs, outputs []valueInfo
		sparse          bool
	}
	functionProto struct {
		name, domain    string
		inputs, outputs []string
		nodes           []*nodeProto
		opsets          map[string]int64
		defaults        []*attribute
	}
	nodeProto struct {
		name, op, domain, overload string
		namespace                  string // the modules that PyTorch's exporter found it in
		inputs, outputs            []string
		attributes                 []*attribute
	}
	attribute struct {
		name, ref string // ref is the function's attribute that this one is
		kind      int64
		f         float32
		i         int64
		s         []byte
		t         *tensorProto
		g         *graphProto
		floats    []float32
		ints      []int64
		strings   [][]byte
	}
	tensorProto struct {
		name     string
		dims     []int64
		kind     int64
		raw      []byte
		hasRaw   bool
		floats   []float32
		int32s   []int64
		int64s   []int64
		doubles  []float64
		external map[string]string
		outside  bool
	}
	valueInfo struct {
		name   string
		kind   int64 // of the elements; 0 is not said
		ranked bool
		dims   []int64 // 0 where it has a name or is not said
		names  []string
	}
)

// maxDepth bounds how deep graphs lie in attributes of graphs.
const maxDepth = 16

var errNotONNX = errors.New("not an ONNX model")

func parseModel(b []byte) (*modelProto, error) {
	m := &modelProto{opsets: map[string]int64{}}
	err := walk(b, func(x field) (err error) {
		switch x.num {
		case 1:
			m.ir = int64(x.n)
		case 2:
			m.producer = x.text()
		case 7:
			m.graph, err = parseGraph(x, 0)
		case 8:
			err = parseOpset(x, m.opsets)
		case 25:
			var f *functionProto
			f, err = parseFunction(x)
			m.functions = append(m.functions, f)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotONNX, err)
	}
	return m, nil
}

func parseOpset(x field, to map[string]int64) error {
	b, err := x.message()
	if err != nil {
		return err
	}
	domain, version := "", int64(0)
	err = walk(b, func(x field) error {
		switch x.num {
		case 1:
			domain = x.text()
		case 2:
			version = int64(x.n)
		}
		return nil
	})
	to[domainOf(domain)] = version
	return err
}

// domainOf is a domain by its short name: ai.onnx is the empty one.
func domainOf(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

func parseFunction(x field) (*functionProto, error) {
	b, err := x.message()
	if err != nil {
		return nil, err
	}
	f := &functionProto{opsets: map[string]int64{}}
	err = walk(b, func(x field) (err error) {
		switch x.num {
		case 1:
			f.name = x.text()
		case 4:
			f.inputs = append(f.inputs, x.text())
		case 5:
			f.outputs = append(f.outputs, x.text())
		case 7:
			f.nodes, err = parseNode(x, f.nodes, 1)
		case 9:
			err = parseOpset(x, f.opsets)
		case 10:
			f.domain = domainOf(x.text())
		case 11:
			f.defaults, err = parseAttribute(x, f.defaults, 1)
		}
		return err
	})
	return f, err
}

func parseGraph(x field, depth int) (*graphProto, error) {
	b, err := x.message()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("graphs in graphs, %d deep, want at most %d", depth, maxDepth)
	}
	g := &graphProto{}
	err = walk(b, func(x field) (err error) {
		switch x.num {
		case 1:
			g.nodes, err = parseNode(x, g.nodes, depth)
		case 5:
			var t *tensorProto
			t, err = parseTensor(x)
			g.initializers = append(g.initializers, t)
		case 11:
			g.inputs, err = parseValueInfo(x, g.inputs)
		case 12:
			g.outputs, err = parseValueInfo(x, g.outputs)
		case 15:
			g.sparse = true
		}
		return err
	})
	return g, err
}

func parseNode(x field, to []*nodeProto, depth int) ([]*nodeProto, error) {
	b, err := x.message()
	if err != nil {
		return nil, err
	}
	n := &nodeProto{}
	err = walk(b, func(x field) (err error) {
		switch x.num {
		case 1:
			n.inputs = append(n.inputs, x.text())
		case 2:
			n.outputs = append(n.outputs, x.text())
		case 3:
			n.name = x.text()
		case 4:
			n.op = x.text()
		case 5:
			n.attributes, err = parseAttribute(x, n.attributes, depth)
		case 7:
			n.domain = domainOf(x.text())
		case 8:
			n.overload = x.text()
		case 9:
			var key, value string
			if key, value, err = parseEntry(x); key == "namespace" {
				n.namespace = value
			}
		}
		return err
	})
	return append(to, n), err
}

func parseAttribute(x field, to []*attribute, depth int) ([]*attribute, error) {
	b, err := x.message()
	if err != nil {
		return nil, err
	}
	a := &attribute{}
	err = walk(b, func(x field) (err error) {
		switch x.num {
		case 1:
			a.name = x.text()
		case 2:
			a.f = math.Float32frombits(uint32(x.n))
		case 3:
			a.i = int64(x.n)
		case 4:
			a.s = x.b
		case 5:
			a.t, err = parseTensor(x)
		case 6:
			a.g, err = parseGraph(x, depth+1)
		case 7:
			a.floats, err = x.fixed32(a.floats)
		case 8:
			a.ints, err = x.varints(a.ints)
		case 9:
			a.strings = append(a.strings, x.b)
		case 20:
			a.kind = int64(x.n)
		case 21:
			a.ref = x.text()
		}
		return err
	})
	return append(to, a), err
}

func parseTensor(x field) (*tensorProto, error) {
	b, err := x.message()
	if err != nil {
		return nil, err
	}
	t := &tensorProto{}
	err = walk(b, func(x field) (err error) {
		switch x.num {
		case 1:
			t.dims, err = x.varints(t.dims)
		case 2:
			t.kind = int64(x.n)
		case 4:
			t.floats, err = x.fixed32(t.floats)
		case 5:
			t.int32s, err = x.varints(t.int32s)
		case 7, 11:
			t.int64s, err = x.varints(t.int64s)
		case 8:
			t.name = x.text()
		case 9:
			t.raw, t.hasRaw = x.b, true
		case 10:
			t.doubles, err = x.fixed64(t.doubles)
		case 13:
			var key, value string
			if key, value, err = parseEntry(x); t.external == nil {
				t.external = map[string]string{}
			}
			t.external[key] = value
		case 14:
			t.outside = x.n == 1
		}
		return err
	})
	return t, err
}

// parseEntry reads a key and its value.
func parseEntry(x field) (key, value string, err error) {
	b, err := x.message()
	if err != nil {
		return "", "", err
	}
	err = walk(b, func(x field) error {
		switch x.num {
		case 1:
			key = x.text()
		case 2:
			value = x.text()
		}
		return nil
	})
	return key, value, err
}

func parseValueInfo(x field, to []valueInfo) ([]valueInfo, error) {
	b, err := x.message()
	if err != nil {
		return nil, err
	}
	v := valueInfo{}
	dim := func(x field) error {
		size, name := int64(0), ""
		err := walk(x.b, func(x field) error {
			switch x.num {
			case 1:
				size = int64(x.n)
			case 2:
				name = x.text()
			}
			return nil
		})
		v.dims, v.names = append(v.dims, max(size, 0)), append(v.names, name)
		return err
	}
	shape := func(x field) error {
		if x.num == 1 {
			return dim(x)
		}
		return nil
	}
	tensor := func(x field) error {
		switch x.num {
		case 1:
			v.kind = int64(x.n)
		case 2:
			v.ranked = true
			return walk(x.b, shape)
		}
		return nil
	}
	err = walk(b, func(x field) error {
		switch x.num {
		case 1:
			v.name = x.text()
		case 2: // TypeProto, whose field 1 is a tensor's
			return walk(x.b, func(x field) error {
				if x.num == 1 {
					return walk(x.b, tensor)
				}
				return nil
			})
		}
		return nil
	})
	return append(to, v), err
}
