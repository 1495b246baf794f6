package camlib

import (
	"fmt"
	"strings"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cnn"
)

// String says which network this is, with how many weights and classes, and on
// which backend.
func (m *Model) String() string {
	if m == nil || m.Network == nil {
		return "no model"
	}
	text := describeNetwork(m.Network)
	if m.Backend != nil {
		text += ", on " + Describe(m.Backend)
	}
	return text
}

// describeNetwork is the network's own String, or its type, weights and classes.
func describeNetwork(network cam.Network) string {
	if s, ok := network.(fmt.Stringer); ok {
		return s.String()
	}
	text := strings.TrimPrefix(fmt.Sprintf("%T", network), "*")
	if store := network.Store(); store != nil {
		text += fmt.Sprintf(", %d weights", store.NumParameters())
	}
	if names := cam.ClassNames(network); len(names) > 0 {
		text += fmt.Sprintf(", %d classes: %s", len(names), strings.Join(names, ", "))
	}
	return text
}

// mostListed is how many images a [Maps] names when it is printed.
const mostListed = 5

// String says of which images, by which method and of which classes the maps are.
func (m *Maps) String() string {
	if m == nil || m.Result == nil {
		return "no maps"
	}
	perImage := max(1, m.K)
	text := fmt.Sprintf("%s, %d maps of %d×%d", m.Method, m.N*perImage, m.Height, m.Width)
	if m.N*perImage == 1 {
		text = fmt.Sprintf("%s, a map of %d×%d", m.Method, m.Height, m.Width)
	}
	for i := range min(m.N, mostListed) {
		var of []string
		for k := range perImage {
			of = append(of, m.says(i*perImage+k, ", "))
		}
		text += "; " + strings.Join(of, ", ")
	}
	if m.N > mostListed {
		text += fmt.Sprintf("; and %d more images", m.N-mostListed)
	}
	return text
}

// says names the class of map k and what it was contrasted with, with their
// probabilities.
func (m *Maps) says(k int, separator string) string {
	i := k / max(1, m.K)
	class := k % max(1, m.K)
	if m.Class != nil {
		class = m.Class[k]
	}
	name := func(c int) string {
		if c < len(m.classes) {
			return m.classes[c]
		}
		return fmt.Sprint(c)
	}
	p := cnn.Probabilities(m.Scores[i*m.NumClasses : (i+1)*m.NumClasses])
	text := fmt.Sprintf("%s%sp = %.3f", name(class), separator, p[class])
	if m.Rival != nil {
		text += fmt.Sprintf("%snot %s%sp = %.3f", separator, name(m.Rival[i]), separator, p[m.Rival[i]])
	}
	return text
}
