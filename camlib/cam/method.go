package cam

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Method is one way to make a map. Its name stands for it: an [Explainer]
// keeps one compiled graph per name and batch shape.
type Method struct {
	Name   string              // lower case
	Signed bool                // whether values below zero, against the class, occur
	Unit   string              // of its values
	Map    func(p *Pass) *Node // its equation: the maps [batch, height, width] of a pass
	// Linear is the same in closed form for a network that ends in pooling and a
	// linear layer, with [Pass.Weights] for the gradient and no trials; nil if there is none.
	Linear func(p *Pass) *Node
	// Sums tells that Linear holds only for sums of scores, not for a probability or
	// another function of them.
	Sums bool
	// Total is, for a method that promises completeness, the score that map m adds up
	// to, [batch]; nil, or a result of nil, if it promises none.
	Total    func(p *Pass, m *Node) *Node
	Trials   *Trials // nil unless the equation needs the scores of changed inputs
	Variants int     // changed copies of each image that Map passes through the network at once
	Pixels   bool    // whether the map is one of the image's pixels, not of a layer's activations

	// Smoothing is an average over changed images; the zero value is none.
	Smoothing Smoothing
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
var methods = []Method{
	cam, gradCAM, gradCAMPlusPlus, scoreCAM, ablationCAM, xGradCAM, hiResCAM, layerCAM, layerCAMFused,
	eigenCAM, eigenGradCAM, smoothGradCAMPlusPlus, ssCAM, isCAM, fullGrad, shapleyCAM, finerCAM, refineCAM, randomCAM,
	occlusion, rise, integratedGradients, smoothGrad,
}

// Methods returns all methods: class activation maps in the order of their papers,
// the random baseline, and the neighbours that explain pixels.
func Methods() []Method { return slices.Clone(methods) }

// Lookup returns the method of that name. Its punctuation and case do not matter:
// Grad-CAM++ is gradcam++ and gradcampp.
func Lookup(name string) (Method, error) {
	var names []string
	for _, m := range methods {
		if m.FileName() == (Method{Name: name}).FileName() {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fail(ErrMethod, "method %q, want one of %s", name, strings.Join(names, ", "))
}

// FileName returns the name in lower case without punctuation, a plus as p:
// gradcampp.
func (m Method) FileName() string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '+':
			return 'p'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, strings.ToLower(m.Name))
}
