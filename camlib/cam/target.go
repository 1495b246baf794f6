package cam

import (
	"slices"
	"strings"
)

// Target says of which class each image's map is to be. The zero value is
// [Predicted].
type Target struct {
	classes []int
	rival   int // of a contrast
	name    string
	kind    targetKind
	form    form
}

// form is what of the chosen class is explained. With v_c = 1 for the class, −1
// for its rival and 0 for the others it is
type form struct {
	quantity quantity
	negated  bool // times −1
}

type quantity int

const (
	logit       quantity = iota // Σ_c v_c y_c
	probability                 // Σ_c v_c P_c, P = softmax(y)
	centred                     // Σ_c v_c (y_c − mean y)
)

// Probability explains the class's probability P = softmax(y) instead of its
// score y: what would change the network's decision, not its evidence. At the
// scores that the network gives, ∂P_c/∂y_j = P_c (δ_cj − P_j), so that for a
// linear head the map is P_c (CAM_c − Σ_j P_j CAM_j), and over all classes the
// maps sum to 0.
func (t Target) Probability() Target { t.form.quantity = probability; return t }

// Centred explains how far the class's score is above the mean of all classes,
// y_c − mean_j y_j. Softmax does not change when one number is added to all
// scores, and neither does this map, unlike that of the score.
func (t Target) Centred() Target { t.form.quantity = centred; return t }

// Counterfactual explains the negative of the score (or probability): its map
// shows what has to go for the class to lose.
func (t Target) Counterfactual() Target { t.form.negated = !t.form.negated; return t }

type targetKind int

const (
	predicted targetKind = iota
	all
	single   // classes[0], for every image
	perImage // classes[i], for image i
	named    // name, for every image
	contrast // classes[0] against rival, for every image
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

// Contrast asks why one class and not another: the explained score is the
// difference of theirs, y = y_class − y_rival. It is the same question for all
// images.
func Contrast(class, rival int) Target {
	return Target{kind: contrast, classes: []int{class}, rival: rival}
}

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
func (t Target) resolve(n int, net Network) (goals, error) {
	classes, rival := t.classes, noRival
	switch t.kind {
	case predicted, all:
		return goals{slices.Repeat([]int32{asPredicted}, n), slices.Repeat([]int32{noRival}, n)}, nil
	case named:
		c, err := classNamed(t.name, net)
		if err != nil {
			return goals{}, err
		}
		classes = slices.Repeat([]int{c}, n)
	case contrast:
		rival = t.rival
		if rival == classes[0] {
			return goals{}, fail(ErrTarget, "target: contrast of class %d with itself, want two classes", rival)
		}
		if rival < 0 || int(int32(rival)) != rival {
			return goals{}, fail(ErrClass, "target: rival class %d, want 0 or more", rival)
		}
		classes = slices.Repeat(classes, n)
	case single:
		classes = slices.Repeat(classes, n)
	case perImage:
		if len(classes) != n {
			return goals{}, fail(ErrTarget, "target: %d classes for %d images, want one for each", len(classes), n)
		}
	}
	g := goals{make([]int32, n), slices.Repeat([]int32{int32(rival)}, n)}
	for i, c := range classes {
		if c < 0 || int(int32(c)) != c {
			return goals{}, fail(ErrClass, "target: class %d for image %d, want 0 or more", c, i)
		}
		g.classes[i] = int32(c)
	}
	return g, nil
}

// classNamed finds a class by name, if the network knows its classes' names.
func classNamed(name string, net Network) (int, error) {
	names := ClassNames(net)
	if names == nil {
		return 0, fail(ErrClass, "target: class %q of a network that has no method Classes, want a class index", name)
	}
	if i := slices.IndexFunc(names, func(c string) bool { return strings.EqualFold(c, name) }); i >= 0 {
		return i, nil
	}
	return 0, fail(ErrClass, "target: class %q, want one of %s", name, strings.Join(names, ", "))
}

// ClassNames returns what the network's method Classes does, nil if it has none.
func ClassNames(net Network) []string {
	if n, ok := net.(interface{ Classes() []string }); ok {
		return n.Classes()
	}
	return nil
}
