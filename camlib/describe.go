package camlib

import (
	"fmt"
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
// contrasted with. It is empty for a map that is not there.
func (m *Maps) Caption(k int) string {
	if m.checkIndex(k) != nil {
		return ""
	}
	return m.says(k, ", ")
}

// says names the class of map k and what it was contrasted with, with their
// probabilities.
func (m *Maps) says(k int, separator string) string {
	i := k / max(1, m.K)
	class := k % max(1, m.K)
	if m.Class != nil {
		class = m.Class[k]
	}
	name := m.network.Class
	p := score.Softmax(m.Scores[i*m.NumClasses : (i+1)*m.NumClasses])
	text := fmt.Sprintf("%s%sp = %.3f", name(class), separator, p[class])
	if m.Rival != nil {
		text += fmt.Sprintf("%snot %s%sp = %.3f", separator, name(m.Rival[i]), separator, p[m.Rival[i]])
	}
	return text
}
