package camlib

import (
	"fmt"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/score"
)

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

// Caption names the class of map k and its probability, "frog, p = 0.896", and what it was
// contrasted with; of another target what was asked, "not frog, p(frog) = 0.896". It is
// empty for a map that is not there.
func (m *Maps) Caption(k int) string {
	if m.checkIndex(k) != nil {
		return ""
	}
	return m.says(k, ", ")
}

// says names the class of map k and what it was contrasted with, with their
// probabilities, or what else was asked of them.
func (m *Maps) says(k int, separator string) string {
	i, class := m.of(k)
	name := m.network.Class
	p := score.Softmax(m.Scores[i*m.NumClasses : (i+1)*m.NumClasses])
	if asked := m.asked(k); asked != "" {
		text := fmt.Sprintf("%s%sp(%s) = %.3f", asked, separator, name(class), p[class])
		if m.Rival != nil {
			text += fmt.Sprintf("%sp(%s) = %.3f", separator, name(m.Rival[i]), p[m.Rival[i]])
		}
		return text
	}
	text := fmt.Sprintf("%s%sp = %.3f", name(class), separator, p[class])
	if m.Rival != nil {
		text += fmt.Sprintf("%snot %s%sp = %.3f", separator, name(m.Rival[i]), separator, p[m.Rival[i]])
	}
	return text
}

// of returns the image and the class of map k.
func (m *Maps) of(k int) (i, class int) {
	i, class = k/max(1, m.K), k%max(1, m.K)
	if m.Class != nil {
		class = m.Class[k]
	}
	return i, class
}

// asked says what map k explains, empty where that is the score of a class or a contrast.
func (m *Maps) asked(k int) string {
	if m.target.Words("") == "" {
		return ""
	}
	i, class := m.of(k)
	text := m.network.Class(class)
	if m.Rival != nil {
		text += " not " + m.network.Class(m.Rival[i])
	}
	return m.target.Words(text)
}

// signs says what the colors of all maps speak for and against.
func (m *Maps) signs() string {
	var asked []string
	for k := range m.N * max(1, m.K) {
		asked = append(asked, m.asked(k))
	}
	switch asked = slices.Compact(asked); {
	case len(asked) > 1:
		return "red: for what was asked, blue: against"
	case len(asked) == 1 && asked[0] != "":
		return fmt.Sprintf("red: for %s, blue: against", asked[0])
	}
	return "red: for, blue: against"
}
