package cam

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// Method is one way to make a map. Its name stands for it: an [Explainer]
// keeps one compiled graph per name and batch shape.
type Method struct {
	Name   string              // lower case
	Signed bool                // whether values below zero, against the class, occur
	Map    func(p *Pass) *Node // its equation: the maps [batch, height, width] of a pass
}

// methods is all of them, one file each.
var methods = []Method{cam, gradCAM, gradCAMPlusPlus, xGradCAM, hiResCAM, layerCAM}

// Methods returns all methods, in the order of their papers.
func Methods() []Method { return slices.Clone(methods) }

// Lookup returns the method of that name.
func Lookup(name string) (Method, error) {
	var names []string
	for _, m := range methods {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fail(ErrMethod, "method %q, want one of %s", name, strings.Join(names, ", "))
}
