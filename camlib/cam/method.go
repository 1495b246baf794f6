package cam

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Method is one way to make a map, with its parameters: a value such as RISE{Masks: 64},
// whose zero value has the method's own numbers. An [Explainer] keeps compiled graphs by
// that value, so it must be of a type that can be compared with ==, such as a struct of
// numbers, and equal values must mean equal maps.
type Method interface {
	// Spec says what the method is.
	Spec() Spec
}

// Spec is what an [Explainer] has to know of a [Method]. A name, a unit and a Map are
// enough.
type Spec struct {
	Name    string // lower case; the same for all parameters
	Setting string // the parameters that differ from the method's own, in words: 32 channels; "" for none
	Unit    string // of the map's values
	Signed  bool   // whether values below zero, against the class, occur
	Pixels  bool   // whether the map is one of the image's pixels, not of a layer's activations
	// Choosy says that there are networks, or layers of one, that Map does not take: see
	// [Refused]. Who makes the maps of all methods tries it on an image first.
	Choosy bool
	// Local says that the equation is one of the explained layer's activations and the scores
	// that the head makes of them: Map and Linear use neither the images nor other layers.
	// Then the maps of hundreds of classes share one pass through the network.
	Local bool
	// Attention says that the map is made of the attention between a network's tokens, and
	// is one of their grid; other networks are an error.
	Attention bool

	Map func(p *Pass) *Node // the equation: the maps [batch, height, width] of a pass
	// Linear is the same in closed form for a network that ends in pooling and a
	// linear layer, with [Pass.Weights] for the gradient and no perturbations; nil if
	// there is none.
	Linear func(p *Pass) *Node
	// Sums tells that Linear holds only for sums of scores, not for a probability or
	// another function of them.
	Sums bool
	// Total is, for a method that promises completeness, the score that map m adds up
	// to, [batch]; nil, or a result of nil, if it promises none.
	Total func(p *Pass, m *Node) *Node

	Perturbations *Perturbations // nil unless the equation needs the scores of changed inputs
	Copies        int            // changed copies of each image that Map passes through the network at once

	// Err is what is wrong with the parameters. With one the rest need not be filled in.
	Err error

	smoothed *Smoothed // the average that it is of another method's maps; nil for none
}

// Perturbations are changes of an image or its activations whose scores a method needs.
// They are run in chunks of bounded size, and [Pass.Perturbed] is what comes of them.
type Perturbations struct {
	// Count returns how many there are for every image of a pass.
	Count func(p *Pass) int
	// Scores builds the scores, [batch, n, classes], of the perturbations which, int32
	// [n], of every image.
	Scores func(p *Pass, which *Node) *Node
}

// check returns what keeps a method from being run, or an error without a kind for
// parameters that are wrong.
func check(m Method) (Spec, error) {
	if isNil(m) {
		return Spec{}, fail(ErrMethod, "no method, want one of Methods()")
	}
	s := m.Spec()
	switch {
	case s.Err != nil:
		return s, fmt.Errorf("cam: %s: %w", s.Name, s.Err)
	case FileName(s.Name) == "":
		return s, fail(ErrMethod, "a method of type %T has the name %q, want one with a letter or digit", m, s.Name)
	case s.Map == nil:
		return s, fail(ErrMethod, "method %q has no Map, want its equation", s.Name)
	}
	return s, nil
}

// checkKey returns an error if compiled graphs cannot be kept by a method's value.
func checkKey(m Method, name string) error {
	v, same := reflect.ValueOf(m), reflect.ValueOf(m)
	if !v.Comparable() || !v.Equal(same) { // NaN is not equal to itself
		return fail(ErrMethod, "%s: values of type %T cannot be compared, want one without slices, maps, functions and NaN, or a pointer: compiled graphs are kept by it", name, m)
	}
	return nil
}

// isNil reports whether an interface holds nothing, or a nil pointer.
func isNil(v any) bool {
	value := reflect.ValueOf(v)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// parameter is a number of a method: how many of what it takes, and how many it takes by
// itself.
type parameter struct {
	value, own int // value is 0 for the own one
	what       string
}

// n is the number to take.
func (p parameter) n() int { return cmp.Or(p.value, p.own) }

// with completes a specification by what its parameters say.
func (s Spec) with(parameters ...parameter) Spec {
	var words []string
	for _, p := range parameters {
		if p.value < 0 {
			s.Err = fmt.Errorf("%d %s, want 1 or more, or 0 for the method's own number", p.value, p.what)
		}
		if p.n() != p.own {
			words = append(words, counted(p.value, strings.TrimSuffix(p.what, "s")))
		}
	}
	s.Setting = strings.Join(words, ", ")
	return s
}

// WithChannels returns a method that masks so many channels, 0 for the method's own
// number, where it has such a parameter; others it returns as they are. A method has one
// by a method WithChannels(n int) Method, as [ScoreCAM] does.
func WithChannels(m Method, n int) Method {
	if c, ok := m.(interface{ WithChannels(n int) Method }); ok {
		return c.WithChannels(n)
	}
	return m
}

// WithSamples returns a method that averages over so many changed copies of an image
// (masks of RISE, noises, steps of an integral), 0 for the method's own number, where it
// has such a parameter; others it returns as they are. A method has one by a method
// WithSamples(n int) Method, as [RISE] does.
func WithSamples(m Method, n int) Method {
	if s, ok := m.(interface{ WithSamples(n int) Method }); ok {
		return s.WithSamples(n)
	}
	return m
}
