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
	Trials *Trials             // nil unless the equation needs the scores of changed inputs
}

// Trials are changes of an image or its activations whose scores a method needs.
// They are run in chunks of bounded size, and [Pass.Tried] is what comes of them.
type Trials struct {
	// Count returns how many there are for every image of a pass.
	Count func(p *Pass) int
	// Scores builds the scores, [batch, n, classes], of the trials which, int32
	// [n], of every image.
	Scores func(p *Pass, which *Node) *Node
}

// methods is all of them, one file each.
var methods = []Method{cam, gradCAM, gradCAMPlusPlus, scoreCAM, ablationCAM, xGradCAM, hiResCAM, layerCAM}

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
