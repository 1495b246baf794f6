package cam

import (
	"slices"
	"strings"
)

// Target says of which class each image's map is to be. The zero value is
// [Predicted].
type Target struct {
	classes []int
	name    string
	kind    targetKind
}

type targetKind int

const (
	predicted targetKind = iota
	all
	single   // classes[0], for every image
	perImage // classes[i], for image i
	named    // name, for every image
)

// The targets that name no class.
var (
	Predicted = Target{kind: predicted} // the class with the highest score, the first of equals
	All       = Target{kind: all}       // every class: maps shaped [n, classes, height, width]
)

// Class is one class, by its index, for all images.
func Class(class int) Target { return Target{kind: single, classes: []int{class}} }

// ClassNamed is one class for all images, by its name in any case, as the
// network's Classes method lists it.
func ClassNamed(name string) Target { return Target{kind: named, name: name} }

// Classes is one class per image. Their number must be that of the images.
func Classes(classes ...int) Target {
	return Target{kind: perImage, classes: slices.Clone(classes)}
}

// Labels is [Classes] for the labels of a data set.
func Labels(labels []uint8) Target {
	t := Target{kind: perImage}
	for _, l := range labels {
		t.classes = append(t.classes, int(l))
	}
	return t
}

// asPredicted stands for the predicted class in the input of a graph.
const asPredicted = -1

// resolve returns one class per image, asPredicted where it is not given.
func (t Target) resolve(n int, net Network) ([]int32, error) {
	classes := t.classes
	switch t.kind {
	case predicted, all:
		return slices.Repeat([]int32{asPredicted}, n), nil
	case named:
		c, err := classNamed(t.name, net)
		if err != nil {
			return nil, err
		}
		classes = slices.Repeat([]int{c}, n)
	case single:
		classes = slices.Repeat(classes, n)
	case perImage:
		if len(classes) != n {
			return nil, fail(ErrTarget, "target: %d classes for %d images, want one for each", len(classes), n)
		}
	}
	r := make([]int32, n)
	for i, c := range classes {
		if c < 0 || int(int32(c)) != c {
			return nil, fail(ErrClass, "target: class %d for image %d, want 0 or more", c, i)
		}
		r[i] = int32(c)
	}
	return r, nil
}

// classNamed finds a class by name, if the network knows its classes' names.
func classNamed(name string, net Network) (int, error) {
	n, ok := net.(interface{ Classes() []string })
	if !ok {
		return 0, fail(ErrClass, "target: class %q of a network that has no method Classes, want a class index", name)
	}
	for i, c := range n.Classes() {
		if strings.EqualFold(c, name) {
			return i, nil
		}
	}
	return 0, fail(ErrClass, "target: class %q, want one of %s", name, strings.Join(n.Classes(), ", "))
}
