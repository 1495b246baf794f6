package onnx

import "slices"

// divide says of each node which layer makes it: the first that needs it, or the head.
func (s *study) divide() {
	s.part = make(map[*node]int, len(s.nodes))
	for _, n := range s.nodes {
		s.part[n] = len(s.cuts)
	}
	for k, c := range s.cuts {
		for open := []string{c.Tensor}; len(open) > 0; {
			n := s.m.graph.from[open[len(open)-1]]
			open = open[:len(open)-1]
			if n != nil && s.part[n] == len(s.cuts) { // not one of a layer before, nor what that needs
				s.part[n] = k
				open = append(open, n.uses...)
			}
		}
	}
}

// beside are the tensors that pass beside a layer: made before it, or with it, and taken
// after it.
func (s *study) beside(k int) []string {
	var out []string
	for _, n := range s.nodes {
		if s.part[n] <= k {
			continue
		}
		for _, in := range n.uses {
			if in == "" || in == s.cuts[k].Tensor || !s.counts(in) || slices.Contains(out, in) {
				continue
			}
			if from := s.m.graph.from[in]; from == nil || s.part[from] <= k {
				out = append(out, in)
			}
		}
	}
	slices.Sort(out)
	return out
}

// counts reports whether a tensor is one that a later part cannot have by itself.
func (s *study) counts(name string) bool {
	_, known := s.plan.known[name]
	return s.depends[name] && !known
}

// nodesOf are the nodes that a layer is built of, with those that do not depend on the
// image.
func (s *study) nodesOf(k int) []*node {
	want := make(map[string]bool)
	var out []*node
	for i := len(s.nodes) - 1; i >= 0; i-- {
		n := s.nodes[i]
		depends := slices.ContainsFunc(n.outputs, func(name string) bool { return s.depends[name] })
		if depends && s.part[n] == k || !depends && slices.ContainsFunc(n.outputs, func(name string) bool { return want[name] }) {
			out = append(out, n)
			for _, in := range n.uses {
				want[in] = true
			}
		}
	}
	slices.Reverse(out)
	return out
}
