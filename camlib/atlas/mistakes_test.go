package atlas_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/atlas"
)

// TestContrasts holds the contrasts of a kind of mistake to what they are by hand, the surest
// image's first, and their mean to the atlas's.
func TestContrasts(t *testing.T) {
	ds, e := five(), explainer(t, newQuarters(false))
	a := makeAtlas(t, ds)
	c := a.Confusions()[0] // images 1 and 4, of class 1, were taken for 0
	r, err := a.Contrasts(t.Context(), e, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "contrasts", r.Maps, 12, 12, 12, 12 /**/, 0, 12, 0, -12)
	first, second := atlas.Halves(r)
	near(t, "first half", first.Values, 12, 12, 12, 12)
	near(t, "second half", second.Values, 0, 12, 0, -12)
	near(t, "mean", a.Cells[1][0].Contrast(0, 1).Values, 6, 12, 6, 0)

	three := *r
	three.N, three.Maps = 3, append(append([]float32{}, r.Maps...), 0, 2, 4, 6)
	first, second = atlas.Halves(&three)
	near(t, "first of three and third", first.Values, 6, 7, 8, 9)
	near(t, "second of three", second.Values, 0, 12, 0, -12)
	three.N = 1
	if _, second = atlas.Halves(&three); second.Values != nil {
		t.Errorf("second half of one image: %v, want none", second)
	}

	for what, test := range map[string]struct {
		confusion atlas.Confusion
		images    int
		want      string
	}{
		"another data set": {c, 2, "atlas: contrasts: images: subset: position 4, want 0 to 1, want the data set that the atlas is of"},
		"no such mistakes": {atlas.Confusion{Label: 0, Predicted: 2}, 5, "atlas: contrasts: "},
	} {
		if _, err := a.Contrasts(t.Context(), e, ds.First(test.images), test.confusion); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
}

// TestQuarters holds the quarters to the concentrations 0.75, 0, 0.5, 0.75 and 0.58.
func TestQuarters(t *testing.T) {
	a := makeAtlas(t, five())
	if diff := cmp.Diff([4][]int{{1}, {2}, {4}, {0, 3}}, a.Quarters()); diff != "" {
		t.Errorf("quarters (-want +got):\n%s", diff)
	}
}

func TestProbabilities(t *testing.T) {
	a := makeAtlas(t, five())
	e := []float64{math.Exp(-1.5), math.Exp(4), math.Exp(0.75)} // of image 2's scores
	all := e[0] + e[1] + e[2]
	near(t, "probabilities of image 2", a.Probabilities(2), e[0]/all, e[1]/all, e[2]/all)
}
