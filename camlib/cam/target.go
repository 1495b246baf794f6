package cam

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/network"
)

// Target says of which class each image's map is to be. The zero value is
// [Predicted].
type Target struct {
	classes []int
	rivals  []int    // of a contrast
	names   []string // of classes
	k       int      // of the top k
	kind    targetKind
	form    form
}

// form is what of the chosen class is explained. With v_c = 1 for the class, −1
// for its rival and 0 for the others it is
type form struct {
	quantity quantity
	negated  bool // times −1
	function *outputFunction
}

// additive reports whether what is explained is a weighted sum of scores, so that
// maps of a linear head add up to it.
func (f form) additive() bool { return f.quantity == logit || f.quantity == centered }

// outputFunction is kept by pointer, so that a form can be compared.
type outputFunction struct {
	of func(scores *Node) *Node
}

type quantity int

const (
	logit       quantity = iota // Σ_c v_c y_c
	probability                 // Σ_c v_c P_c, P = softmax(y)
	centered                    // Σ_c v_c (y_c − mean y)
	function                    // any other
)

// Probability explains the class's probability P = softmax(y), or of a network with a
// single score σ(y), instead of its score y: what would change the network's decision, not
// its evidence. At the scores that the network gives, ∂P_c/∂y_j = P_c (δ_cj − P_j), so that
// for a linear head the map is P_c (CAM_c − Σ_j P_j CAM_j), and over all classes the maps
// sum to 0.
func (t Target) Probability() Target { t.form.quantity = probability; return t }

// Centered explains how far the class's score is above the mean of all classes,
// y_c − mean_j y_j. Softmax does not change when one number is added to all
// scores, and neither does this map, unlike that of the score.
func (t Target) Centered() Target { t.form.quantity = centered; return t }

// Counterfactual explains the negative of the score (or probability): its map
// shows what has to go for the class to lose.
func (t Target) Counterfactual() Target { t.form.negated = !t.form.negated; return t }

// Words says what is explained of a class: "frog" for its score, "not frog" for a
// [Target.Counterfactual], "probability of frog" and "centered frog". Of a [Contrast] the
// class is such as "frog not deer". A [Func] is no class's: "function of the scores".
func (t Target) Words(class string) string {
	switch t.form.quantity {
	case probability:
		class = "probability of " + class
	case centered:
		class = "centered " + class
	case function:
		class = "function of the scores"
	}
	if t.form.negated {
		class = "not " + class
	}
	return class
}

type targetKind int

const (
	predicted targetKind = iota
	all
	topK     // k classes
	single   // the first class, for every image
	perImage // one class for each image
)

// The targets that name no class.
var (
	Predicted = Target{kind: predicted} // the class with the highest score, the first of equals
	All       = Target{kind: all}       // every class: maps shaped [n, classes, height, width]
)

// Top is the k classes with the highest scores of each image, the highest first:
// maps shaped [n, k, height, width].
func Top(k int) Target { return Target{kind: topK, k: k} }

// Class is one class, by its index, for all images.
func Class(class int) Target { return Target{kind: single, classes: []int{class}} }

// ClassNamed is one class for all images, by its name in any case, as the
// network's Classes have it.
func ClassNamed(name string) Target { return Target{kind: single, names: []string{name}} }

// ClassesNamed is [Classes] by their names, as [ClassNamed] has them.
func ClassesNamed(names ...string) Target {
	return Target{kind: perImage, names: slices.Clone(names)}
}

// Contrast asks why one class and not another: the explained score is the
// difference of theirs, y = y_class − y_rival. It is the same question for all
// images.
func Contrast(class, rival int) Target {
	return Target{kind: single, classes: []int{class}, rivals: []int{rival}}
}

// Contrasts is one [Contrast] per image.
func Contrasts(classes, rivals []int) Target {
	return Target{kind: perImage, classes: slices.Clone(classes), rivals: append([]int{}, rivals...)}
}

// Func explains any function y of the scores: of scores [m, classes] it builds
// y, [m], row by row. Result.Class is then the predicted class. Compiled graphs are
// kept by the Target that Func returned, so make it once and use it often.
func Func(y func(scores *Node) *Node) Target {
	return Target{form: form{quantity: function, function: &outputFunction{y}}}
}

// Classes is one class per image. Their number must be that of the images. For those of
// a data set: Classes(images.Labels(ds)...).
func Classes(classes ...int) Target {
	return Target{kind: perImage, classes: slices.Clone(classes)}
}

// What stands for a class in the input of a graph.
const (
	asPredicted = -1 // the predicted class
	noRival     = -1 // no class
)

// goals says what is explained of each image.
type goals struct {
	classes []int32 // [n], asPredicted where it is not given
	rivals  []int32 // [n], noRival where there is none
}

func (g goals) part(start, end int) goals { return goals{g.classes[start:end], g.rivals[start:end]} }

// resolve returns the goals of n images.
func (t Target) resolve(n int, net *network.Network) (goals, error) {
	g := goals{slices.Repeat([]int32{asPredicted}, n), slices.Repeat([]int32{noRival}, n)}
	if t.kind == predicted || t.kind == all || t.kind == topK {
		if t.kind == topK && t.k < 1 {
			return goals{}, fail(ErrTarget, "target: top %d classes, want at least 1", t.k)
		}
		if t.kind != predicted && t.form.quantity == function {
			return goals{}, fail(ErrTarget, "target: a function of the scores and several classes, want one of them")
		}
		return g, nil
	}
	classes := t.classes
	for _, name := range t.names {
		c, err := classNamed(name, net)
		if err != nil {
			return goals{}, err
		}
		classes = append(classes, c)
	}
	if err := t.fill(g.classes, "class", "classes", classes); err != nil {
		return goals{}, err
	}
	if t.rivals == nil {
		return g, nil
	}
	if err := t.fill(g.rivals, "rival class", "rival classes", t.rivals); err != nil {
		return goals{}, err
	}
	for i, c := range g.classes {
		if c == g.rivals[i] {
			return goals{}, fail(ErrTarget, "target: contrast of class %d with itself for image %d, want two classes", c, i)
		}
	}
	return g, nil
}

// checkTop returns an error if a network has not as many classes as are asked for.
func checkTop(k, classes int, method string) error {
	if k > classes {
		return fail(ErrTarget, "%s: top %d classes of a network that has %d, want at most those", method, k, classes)
	}
	return nil
}

// fill sets the class of every image.
func (t Target) fill(out []int32, one, many string, classes []int) error {
	if t.kind == single {
		classes = slices.Repeat(classes, len(out))
	}
	if len(classes) != len(out) {
		return fail(ErrTarget, "target: %d %s for %d images, want one for each", len(classes), many, len(out))
	}
	for i, c := range classes {
		if c < 0 || int(int32(c)) != c {
			return fail(ErrClass, "target: %s %d for image %d, want 0 or more", one, c, i)
		}
		out[i] = int32(c)
	}
	return nil
}

// classNamed finds a class by name, if the network knows its classes' names.
func classNamed(name string, net *network.Network) (int, error) {
	if len(net.Classes) == 0 {
		return 0, fail(ErrClass, "target: class %q of a network whose classes have no names, want a class index", name)
	}
	if i := slices.IndexFunc(net.Classes, func(c string) bool { return strings.EqualFold(c, name) }); i >= 0 {
		return i, nil
	}
	return 0, fail(ErrClass, "target: class %q, want one of %s", name, strings.Join(net.Classes, ", "))
}
