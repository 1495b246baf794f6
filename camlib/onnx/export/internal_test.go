package export

import "github.com/camlab-go/camlab/camlib/network"

// Operators are the kinds of a network's operators in its file.
func Operators(net *network.Network) (kinds []string, err error) {
	f, err := translated(net)
	if err != nil {
		return nil, err
	}
	for _, n := range f.nodes {
		kinds = append(kinds, n.op)
	}
	return kinds, nil
}
