package camlib

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

// Target reads what is to be explained: "predicted" for each image's own
// prediction, the name of a class in any case or its number, or "frog not deer":
// why the one and not the other, see [cam.Contrast]. Before any of these may stand
// "not", for what speaks against it, "probability of", or "centered", see
// [cam.Target]. "all" and "top 3" are maps of several classes.
func (m *Model) Target(class string) (cam.Target, error) {
	rest, negated := strings.CutPrefix(class, "not ")
	rest, probability := strings.CutPrefix(rest, "probability of ")
	rest, british := strings.CutPrefix(rest, "centred ")
	rest, centered := strings.CutPrefix(rest, "centered ")
	centered = centered || british
	if probability && centered {
		return cam.Target{}, fmt.Errorf("camlib: class %q, want a probability or a centered score, not both", class)
	}
	t, err := m.plainTarget(rest)
	if probability {
		t = t.Probability()
	}
	if centered {
		t = t.Centered()
	}
	if negated {
		t = t.Counterfactual()
	}
	return t, err
}

func (m *Model) plainTarget(class string) (cam.Target, error) {
	switch class {
	case "predicted":
		return cam.Predicted, nil
	case "all":
		return cam.All, nil
	}
	if number, ok := strings.CutPrefix(class, "top "); ok {
		k, err := strconv.Atoi(number)
		if err != nil || k < 1 {
			return cam.Target{}, fmt.Errorf("camlib: class %q, want a number of classes as in \"top 3\"", class)
		}
		return cam.Top(k), nil
	}
	first, second, contrast := strings.Cut(class, " not ")
	c, err := m.classIndex(first)
	if err != nil || !contrast {
		return cam.Class(c), err
	}
	rival, err := m.classIndex(second)
	return cam.Contrast(c, rival), err
}

func (m *Model) classIndex(class string) (int, error) {
	var names []string
	if m != nil && m.Network != nil {
		names = m.Network.Classes
	}
	i, err := images.ClassIndex(class, names)
	if err != nil {
		return 0, fmt.Errorf("camlib: %w, or predicted, or two as in \"frog not deer\"", err)
	}
	return i, nil
}
